/* Owns the figures of one line: what was entered, what follows from it, and how fresh it is.
 * Source: design 2. Integers scaled by the service's decimals; unknown is never 0. */
#ifndef PLEK_CAPACITY_H
#define PLEK_CAPACITY_H

#include "charter.h"

#define NOTE_MAX 280   /* bytes */
#define REASON_MAX 120 /* bytes */
#define AMOUNT_MAX INT64_C(1000000000000)

struct amount {
    bool known;
    int64_t value;
};

enum status {
    STATUS_UNKNOWN = 0,
    STATUS_ADMITTING = 1,
    STATUS_CONSULT = 2,
    STATUS_FULL = 3,
    STATUS_STOPPED = 4
};
const char *status_name(enum status s); /* NULL for unknown */
enum err status_parse(const char *text, enum status *ret, struct error *e) MUST_USE;

enum freshness { FRESH_CURRENT, FRESH_DUE, FRESH_EXPIRED };
const char *freshness_name(enum freshness f);

/* What was entered. Times are ms UTC; 0 in blocked_until_ms and next_free_ms is "not said". */
struct capacity {
    struct amount total, occupied, free, held, blocked, need;
    char blocked_reason[REASON_MAX + 1];
    int64_t blocked_until_ms;
    enum status status;
    int64_t next_free_ms;
    char note[NOTE_MAX + 1];
    int64_t observed_ms, valid_until_ms;
    int64_t validity_ms; /* as somebody named it; 0: the service's. Stays with who entered it */
};

/* Signs, bounds, contradictions (what was entered cannot all be true, unknown terms being >= 0),
 * the shared texts, validity over 0 and within the charter's longest. ERR_DATA naming the keys and
 * both values (`service` says with how many decimals to write them). */
enum err capacity_check(const struct capacity *c, const struct charter *charter,
                        const struct charter_service *service, struct error *e) MUST_USE;
/* available: as entered, else derived only when total, occupied, held and blocked are all known. */
struct amount capacity_available(const struct capacity *c);
/* total: as entered, else free + occupied (both known) + held and blocked where entered. */
struct amount capacity_total(const struct capacity *c);
/* due = the last quarter of the validity; expired = now >= valid_until. */
enum freshness capacity_freshness(int64_t observed_ms, int64_t valid_until_ms, int64_t now_ms);

/* Shared text that leaves the building is refused when it holds nine digits in a row (separators
 * allowed) that pass the 11-test of a citizen service number. Never repeats the digits. ERR_DATA.
 */
enum err capacity_check_text(const char *what, const char *text, size_t max_bytes, struct error *e)
    MUST_USE;
/* The test behind it, for messages that would repeat what was found. */
bool capacity_holds_bsn(const char *text);

#endif
