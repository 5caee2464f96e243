/* Owns the answer to "who has room": rows over partners' pictures, filtered and ordered; and the
 * same rows for the preview of what a partner sees. */
#ifndef PLEK_FIND_H
#define PLEK_FIND_H

#include "agent.h"

#define FIND_WHERE_MAX 8

struct find_filter {
    const char *service, *region; /* NULL: any */
    bool has_min;
    int64_t min; /* scaled as the service is when one is named, else by 1,000 */
    struct attribute where[FIND_WHERE_MAX];
    size_t where_count;
    bool taking; /* only who takes people: not full, stopped or expired */
};
/* Texts as people give them into a filter; where: "a=b,c=d"; each may be NULL. The filter borrows
 * service and region. ERR_NOT_JOINED, ERR_NOT_FOUND (service), ERR_DATA with the parameter as path.
 */
enum err find_filter_parse(struct agent *a, const char *service, const char *min,
                           const char *region, const char *where, struct find_filter *ret,
                           struct error *e) MUST_USE;
/* Rows (docs/openapi/agent.yaml), most useful first: current and due before expired; room and
 * taking people, then taking people with room unknown, then the rest; more room first; admitting
 * before consult before full and stopped; newer first; then names. Rows of suspended, removed and
 * revoked members are hidden. Offline; no network. Caller owns the array.
 */
enum err find_rows(struct agent *a, const struct find_filter *filter, int64_t now_ms, json_t **ret,
                   struct error *e) MUST_USE;
/* A page of the same rows: {"rows","total","at","regions"}; `at`: the time they are judged by,
 * `regions`: all that partners' sites name. */
#define FIND_LIMIT_MAX 1000
struct find_page {
    int64_t offset, limit;
};
/* Texts or NULL; limit FIND_LIMIT_MAX unless given. ERR_DATA. */
enum err find_page_parse(const char *offset, const char *limit, struct find_page *ret,
                         struct error *e) MUST_USE;
enum err find_room(struct agent *a, const struct find_filter *filter, const struct find_page *page,
                   int64_t now_ms, json_t **ret, struct error *e) MUST_USE;
/* What `member` sees of us now, by the code that seals: the rows it would find once it approved us,
 * with `why` {"basis": hub, approved or directory, "since"}; none while we would not seal to it. */
enum err find_preview(struct agent *a, const struct public_key *member, int64_t now_ms,
                      json_t **ret, struct error *e) MUST_USE;

#endif
