/* Owns a further agent of a member: the request of its machine, the certificate that the machine
 * with the member key makes of it, and taking that. Both are text files (docs/formats.md, "A second
 * agent"); neither holds a secret. Must not talk to the hub: the shell carries the session. */
#ifndef PLEK_AGENT_CERTIFY_H
#define PLEK_AGENT_CERTIFY_H

#include "agent.h"
#include "cert.h"

#define CERTIFY_FILE_MAX 4096
#define CERTIFY_LABEL "agent" /* when nobody gave one */

/* What an agent asks to be certified; its signature covers all three. */
struct agent_request {
    struct public_key agent, box;
    char label[CERT_MAX_LABEL + 1];
};
/* {"text", "fingerprint", "label"}; label NULL: "agent". ERR_DATA: not a label. */
enum err certify_request(struct agent *a, const char *label, json_t **ret, struct error *e)
    MUST_USE;
/* ERR_DATA naming the file: not a request, damaged; ERR_SIGNATURE, ERR_LOW_ORDER. */
enum err certify_read_request(struct bytes text, const char *file, struct agent_request *ret,
                              struct error *e) MUST_USE;

/* What a certificate says beside the request: {"network", "member", "address", "serial"}, for this
 * agent key. ERR_NOT_JOINED; ERR_SUSPENDED, ERR_REMOVED: our member; ERR_CONFLICT: another member's
 * agent; ERR_REVOKED; ERR_CAP: DIRECTORY_MAX_AGENTS. */
enum err certify_terms(struct agent *a, const struct public_key *agent, json_t **ret,
                       struct error *e) MUST_USE;
/* The certificate file, made with the member key of `dir`. As vault_open_member, and ERR_DATA when
 * that is another member's than the terms say. */
enum err certify_issue(const char *dir, struct bytes passphrase,
                       const struct agent_request *request, const json_t *terms, int64_t now_ms,
                       struct buf *out, struct error *e) MUST_USE;

/* Countersigns and stores a certificate file: a join begins (agent.h), or in a network the newer
 * certificate is shown to the hub from the next connection on. ERR_DATA, ERR_CERTIFICATE: another
 * agent's, or it does not verify; ERR_NETWORK, ERR_CONFLICT: not newer than ours. */
enum err certify_take(struct agent *a, struct bytes text, const char *file, int64_t now_ms,
                      struct error *e) MUST_USE;
/* All of it for this agent itself. */
enum err certify_own(struct agent *a, struct bytes passphrase, int64_t now_ms, struct error *e)
    MUST_USE;

/* {"serial", "expires", "expired"} for the status; null before a join began. */
json_t *certify_json(struct agent *a, int64_t now_ms);

#endif
