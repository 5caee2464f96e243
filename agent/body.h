/* Owns reading the JSON body of a request: its members as texts and flags, and key=value pairs.
 * Must not know any route. */
#ifndef PLEK_AGENT_BODY_H
#define PLEK_AGENT_BODY_H

#include "records.h"

#define BODY_MAX_PAIRS 64
#define BODY_TIME_MAX 64        /* bytes of a TIME or a duration */
#define BODY_FILE_NAME_MAX 4096 /* bytes */

/* A body must be there; reading goes on through `ret` and ends in body_done. */
enum err body_open(const struct api_request *r, const char *const *keys, struct error *fault,
                   struct json_at *ret, struct error *e) MUST_USE;
enum err body_done(const struct error *fault, struct error *e) MUST_USE;
/* A text that may be absent; NULL then. */
const char *body_optional_text(const struct json_at *at, const char *key, size_t max_bytes);
const char *body_text(const struct json_at *at, const char *key, size_t max_bytes);
bool body_bool(const struct json_at *at, const char *key);

/* Values as the texts people would type; numbers is their room. */
struct body_pairs {
    struct record_pair list[BODY_MAX_PAIRS];
    char numbers[BODY_MAX_PAIRS][TEXT_NUMBER_SIZE];
    size_t count;
};
void body_read_pairs(const struct json_at *at, struct body_pairs *ret);

/* The line as `lines` shows it: what a change of it answers. */
enum err routes_answer_line(struct agent *a, const struct record *record, int64_t now_ms,
                            json_t **ret, struct error *e) MUST_USE;

#endif
