/* Owns the adding up of figures (see cell.h). Must not know which of them count. */
#include "cell.h"

/* Figures are far below this together; members that send absurd ones get an absurd sum, not
 * undefined behaviour. */
static int64_t sum(int64_t a, int64_t b) {
    int64_t result;
    if (__builtin_add_overflow(a, b, &result))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return result;
}

static void add(struct amount *to, const struct amount *from) {
    if (!from->known)
        return;
    to->value = to->known ? sum(to->value, from->value) : from->value;
    to->known = true;
}

static int64_t scale_of(const struct charter_service *service) {
    int64_t scale = 1;
    for (int i = 0; i < service->decimals; i++)
        scale *= 10;
    return scale;
}

/* ---- adding ---- */

static void add_interval(struct cell *cell, int64_t low, struct amount high) {
    add(&cell->low, &(struct amount){true, low});
    add(&cell->high, &high);
    cell->open_ended = cell->open_ended || !high.known;
}

void cell_add(struct cell *cell, const struct charter_service *service,
              enum precision_kind precision, int64_t step, const struct history_point *figure) {
    int64_t slack = 0;
    if (precision == PRECISION_ROUNDED && __builtin_mul_overflow(step, scale_of(service), &slack))
        slack = INT64_MAX;
    if (figure->has_band)
        add_interval(cell, figure->low, figure->high);
    else if (figure->available.known) /* rounding goes down to a multiple of the step */
        add_interval(
            cell, figure->available.value,
            (struct amount){true, sum(figure->available.value, slack > 0 ? slack - 1 : 0)});
    add(&cell->total, &figure->total);
    add(&cell->occupied, &figure->occupied);
    add(&cell->held, &figure->held);
    add(&cell->blocked, &figure->blocked);
    add(&cell->need, &figure->need);
}

void cell_merge(struct cell *cell, const struct cell *from) {
    add(&cell->low, &from->low);
    add(&cell->high, &from->high);
    cell->open_ended = cell->open_ended || from->open_ended;
    add(&cell->total, &from->total);
    add(&cell->occupied, &from->occupied);
    add(&cell->held, &from->held);
    add(&cell->blocked, &from->blocked);
    add(&cell->need, &from->need);
    cell->members += from->members;
    cell->current += from->current;
    cell->expired += from->expired;
    cell->never += from->never;
}

/* ---- rows ---- */

static json_t *number(const struct amount *a, int decimals) {
    char text[TEXT_NUMBER_SIZE];
    if (!a->known)
        return json_null();
    return decimals == 0 ? json_integer(a->value)
                         : json_string(text_number(a->value, decimals, text));
}

json_t *cell_json(const struct cell *cell, const struct cell_name *name) {
    struct amount high = cell->high;
    int decimals = name->decimals;
    high.known = cell->low.known && !cell->open_ended;
    return json_pack(
        "{s:s, s:s, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:b}",
        "day", name->day, "service", name->service, "region",
        name->region[0] == '\0' ? json_null() : json_string(name->region), "available", "low",
        number(&cell->low, decimals), "high", number(&high, decimals), "total",
        number(&cell->total, decimals), "occupied", number(&cell->occupied, decimals), "held",
        number(&cell->held, decimals), "blocked", number(&cell->blocked, decimals), "need",
        number(&cell->need, decimals), "members", (json_int_t)cell->members, "sites_current",
        (json_int_t)cell->current, "sites_expired", (json_int_t)cell->expired, "sites_never",
        (json_int_t)cell->never, "suppressed", 0, "open", (int)name->open, "final",
        (int)name->final);
}
