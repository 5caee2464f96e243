/* Owns the policy: audiences, their members, services, precision, history.
 * Source: docs/formats.md, "Policy"; design 2. Pure. */
#ifndef PLEK_POLICY_H
#define PLEK_POLICY_H

#include "directory.h"
#include "precision.h"

#define POLICY_MAX_BYTES (1024 * 1024)
#define POLICY_MAX_AUDIENCES 64
#define POLICY_MAX_MEMBERS 10000 /* an audience */

struct policy_audience {
    char name[CODE_MAX + 1];    /* unique, [a-z0-9][a-z0-9_-]* */
    struct public_key *members; /* resolved member keys; the hub stands as the network's key */
    size_t member_count;
    char (*services)[CODE_MAX + 1];
    size_t service_count; /* 0 with all_services */
    bool all_services;    /* "*" */
    struct precision precision;
    bool history;
};
struct policy {
    struct policy_audience *audiences;
    size_t audience_count;
};

/* {"audiences":[{"name","members":[..],"services":[..],"precision","bands"?,"history"?}]}
 * members: a name, a key in hex, or "@hub". Checks names against the directory and services against
 * the charter, and that per service a member is in at most one audience.
 * ERR_DATA with the path; ERR_UNKNOWN_MEMBER (detail names it) for a name not in the directory. */
enum err policy_parse(struct bytes json, const char *name, const struct directory *directory,
                      struct policy **ret, struct error *e) MUST_USE;
/* As policy_parse for a policy that was accepted before: a service that the charter has dropped
 * since is no fault (it covers nothing). */
enum err policy_parse_stored(struct bytes json, const char *name, const struct directory *directory,
                             struct policy **ret, struct error *e) MUST_USE;
void policy_free(struct policy *p);
/* The stored form: members as keys in hex ("@hub" stays). Caller owns; NULL: no memory. */
json_t *policy_to_json(const struct policy *p, const struct directory *directory);
/* The form for people: names. */
json_t *policy_to_json_named(const struct policy *p, const struct directory *directory);
bool policy_covers(const struct policy_audience *a, const char *service);
bool policy_has_member(const struct policy_audience *a, const struct public_key *member);

#endif
