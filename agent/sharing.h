/* Owns who sees what: applying and explaining the policy, and approving partners.
 * Must not seal anything (outbox.h). Source: design 2 "policy", design 3; docs/formats.md. */
#ifndef PLEK_AGENT_SHARING_H
#define PLEK_AGENT_SHARING_H

#include "agent.h"

/* `policy apply`: replaces the whole policy without asking. */
struct sharing_apply {
    struct bytes text;   /* JSON; unused when suggested */
    const char *file;    /* what errors call it; NULL: "policy" */
    bool suggested;      /* the charter's suggested policy */
    bool dry_run;        /* only show what it would change */
    const int64_t *base; /* the version it was made from; NULL: whatever is in force */
    const char *actor;
};
/* {"version","applied","dry_run","unchanged","policy":{named form},"changes":(see sharing_diff.h),
 * "unapproved":[names],"warnings":[texts],"resumed":[audiences that were withdrawn]}. One
 * transaction (or the caller's). ERR_DATA with the path, ERR_UNKNOWN_MEMBER, ERR_NOT_FOUND (the
 * charter suggests none), ERR_CONFLICT (`base` is not in force), ERR_NOT_JOINED. The same policy
 * again makes no version. */
enum err sharing_apply(struct agent *a, const struct sharing_apply *what, int64_t now_ms,
                       json_t **ret, struct error *e) MUST_USE;
/* {"version","applied","actor","audiences":[..]}: the named form, which `apply` takes back. Version
 * 0 and no audiences before the first. */
enum err sharing_show(struct agent *a, json_t **ret, struct error *e) MUST_USE;
/* {"version","ok","findings":[{"level":"problem"|"notice","code","subject","detail"}]} */
enum err sharing_check(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;
/* The rows a partner finds of us. ERR_UNKNOWN_MEMBER. */
enum err sharing_preview(struct agent *a, const char *partner, int64_t now_ms, json_t **ret,
                         struct error *e) MUST_USE;

/* [{"name","key","role","state","fingerprint","connected","last_seen","approved","trust"}]: every
 * other member. connected is null (the hub knows), last_seen the newest picture's; trust: approved,
 * refused, waiting, directory (newcomers.h) or none. */
enum err sharing_partners(struct agent *a, json_t **ret, struct error *e) MUST_USE;
/* Never asks. fingerprint NULL: not compared. "@hub" names the hub. ERR_UNKNOWN_MEMBER,
 * ERR_FINGERPRINT, ERR_REMOVED. Lifts a refusal. Gives {"name","key","fingerprint","approved",
 * "refused","mode","since"}; mode: `trust` of agent.conf. */
enum err sharing_approve(struct agent *a, const char *name, const char *fingerprint,
                         const char *actor, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;
/* A name, a key in hex or "@hub" (the network's key). ERR_UNKNOWN_MEMBER. */
enum err sharing_find_member(struct agent *a, const char *name, struct public_key *ret,
                             struct error *e) MUST_USE;
/* Withdraws an approval too; `trust = directory` does not let it in until it is approved.
 * ERR_UNKNOWN_MEMBER; ERR_USAGE for @hub and ourselves. */
enum err sharing_refuse(struct agent *a, const char *name, const char *actor, int64_t now_ms,
                        json_t **ret, struct error *e) MUST_USE;
/* Withdraws the approval, or the refusal: nothing newer is sealed to it, unless `trust = directory`
 * lets it in later. ERR_UNKNOWN_MEMBER; ERR_USAGE for @hub. */
enum err sharing_forget(struct agent *a, const char *name, const char *actor, int64_t now_ms,
                        json_t **ret, struct error *e) MUST_USE;
/* The hub is approved by joining; our own member by nature. */
enum err sharing_approved(struct agent *a, const struct public_key *member, bool *ret,
                          struct error *e) MUST_USE;

#endif
