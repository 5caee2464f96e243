/* Owns what the two sealed pictures share on the wire, the newest (snapshot_wire.c) and the past
 * (history.c): a site's card and the values of one figure. Must not be included by anything else.
 */
#ifndef PLEK_SNAPSHOT_PRIVATE_H
#define PLEK_SNAPSHOT_PRIVATE_H

#include "plek.pb-c.h"
#include "snapshot.h"

#define TIME_MAX_S INT64_C(253402300799)           /* the end of the year 9999 */
#define VALIDITY_MAX_S (INT64_C(3653) * 24 * 3600) /* ten years */

/* Borrows the texts. */
void snapshot_put_site(const struct site *from, Plek__SiteCard *to);
/* All ERR_MALFORMED. */
enum err snapshot_take_site(const Plek__SiteCard *c, struct site *ret, struct error *e) MUST_USE;
enum err snapshot_take_ward(const char *text, char ret[static WARD_MAX + 1], struct error *e)
    MUST_USE;
enum err snapshot_check_precision(uint32_t precision, bool has_step, uint32_t step, struct error *e)
    MUST_USE;
/* Status, amounts, band and light, as far as this precision may say them. */
enum err snapshot_take_values(const Plek__Line *l, enum precision_kind precision,
                              struct disclosed *ret, struct error *e) MUST_USE;

#endif
