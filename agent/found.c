/* Owns one row of find (see found.h). Must not know the store. */
#include "found.h"

#include <stdio.h>
#include <string.h>

#include "reopening.h"

/* ---- small values ---- */

static json_t *amount_json(struct amount amount, int decimals) {
    char text[TEXT_NUMBER_SIZE];
    if (!amount.known)
        return json_null();
    if (decimals == 0)
        return json_integer(amount.value);
    return json_string_nocheck(text_number(amount.value, decimals, text));
}

static json_t *time_json(int64_t ms) {
    char text[TEXT_TIME_SIZE];
    return ms == 0 ? json_null() : json_string_nocheck(text_time(ms, text));
}

static json_t *text_json(const char *text) {
    return text && text[0] ? json_string_nocheck(text) : json_null();
}

static json_t *band_json(const struct disclosed *d, int decimals) {
    if (!d->has_band)
        return json_null();
    json_t *band = json_array();
    json_array_append_new(band, amount_json((struct amount){true, d->low}, decimals));
    json_array_append_new(band, amount_json(d->high, decimals));
    return band;
}

static json_t *attributes_json(const struct seen_line *line) {
    json_t *object = json_object();
    for (size_t i = 0; i < line->attribute_count; i++)
        json_object_set_new_nocheck(object, line->attributes[i].name,
                                    json_string_nocheck(line->attributes[i].value));
    return object;
}

static json_t *precision_json(const struct found *f) {
    struct precision p = {.kind = f->precision, .step = f->step};
    char text[32];
    return json_string_nocheck(precision_text(&p, text));
}

static bool set(json_t *row, const char *key, json_t *take_value) {
    return json_object_set_new_nocheck(row, key, take_value) == 0;
}

/* ---- the row ---- */

/* What a figure says; of an expired one these stand under `last`. */
static bool set_figure(json_t *row, const struct disclosed *d, int decimals) {
    bool ok = set(row, "available", amount_json(d->available, decimals));
    ok = set(row, "band", band_json(d, decimals)) && ok;
    ok = set(row, "light", text_json(light_name(d->light))) && ok;
    ok = set(row, "total", amount_json(d->total, decimals)) && ok;
    ok = set(row, "occupied", amount_json(d->occupied, decimals)) && ok;
    ok = set(row, "held", amount_json(d->held, decimals)) && ok;
    ok = set(row, "blocked", amount_json(d->blocked, decimals)) && ok;
    return set(row, "need", amount_json(d->need, decimals)) && ok;
}

static bool set_last(json_t *row, const struct disclosed *d, int decimals) {
    if (d->observed_ms == 0)
        return set(row, "last", json_null()); /* never reported */
    json_t *last = json_object();
    bool ok = last && set_figure(last, d, decimals);
    return set(row, "last", last) && ok;
}

/* Rows keep to the contract's keys unless there is more to say. */
static bool set_more(json_t *row, const struct found *f, int64_t now_ms) {
    const struct disclosed *d = &f->line->figure;
    const struct reopening reopening = {.reports = f->site->reports,
                                        .service = f->service,
                                        .zone = f->zone,
                                        .observed_ms = d->observed_ms,
                                        .valid_until_ms = d->valid_until_ms};
    bool ok = reopening_set(row, &reopening, now_ms);
    if (d->blocked_reason[0])
        ok = set(row, "blocked_reason", text_json(d->blocked_reason)) && ok;
    if (d->blocked_until_ms != 0)
        ok = set(row, "blocked_until", time_json(d->blocked_until_ms)) && ok;
    if (d->next_free_ms != 0)
        ok = set(row, "next_free", time_json(d->next_free_ms)) && ok;
    if (f->site->reports[0])
        ok = set(row, "reports", text_json(f->site->reports)) && ok;
    if (f->site->note[0])
        ok = set(row, "site_note", text_json(f->site->note)) && ok;
    if (f->why)
        ok = set(row, "why",
                 json_pack("{s:s, s:o}", "basis", f->why, "since", time_json(f->why_since_ms))) &&
             ok;
    return ok;
}

static json_t *age_json(const struct disclosed *d, int64_t now_ms) {
    if (d->observed_ms == 0)
        return json_null();
    return json_integer(now_ms > d->observed_ms ? (now_ms - d->observed_ms) / 1000 : 0);
}

static enum freshness freshness_of(const struct disclosed *d, int64_t now_ms) {
    return d->observed_ms == 0 ? FRESH_EXPIRED
                               : capacity_freshness(d->observed_ms, d->valid_until_ms, now_ms);
}

static bool fill(json_t *row, const struct found *f, int64_t now_ms) {
    static const struct disclosed nothing = {.observed_ms = 0};
    const struct disclosed *d = &f->line->figure;
    enum freshness freshness = freshness_of(d, now_ms);
    bool expired = freshness == FRESH_EXPIRED;
    int decimals = f->service->decimals;
    bool ok = set(row, "member", json_string_nocheck(f->member));
    ok = set(row, "site", json_string_nocheck(f->site->name)) && ok;
    ok = set(row, "service", json_string_nocheck(f->line->service)) && ok;
    ok = set(row, "ward", text_json(f->line->ward)) && ok;
    ok = set(row, "precision", precision_json(f)) && ok;
    ok = set_figure(row, expired ? &nothing : d, decimals) && ok;
    ok = set(row, "status", text_json(status_name(d->status))) && ok;
    ok = set(row, "attributes", attributes_json(f->line)) && ok;
    ok = set(row, "phone", text_json(f->site->phone)) && ok;
    ok = set(row, "region", text_json(f->site->region)) && ok;
    ok = set(row, "observed_at", time_json(d->observed_ms)) && ok;
    ok = set(row, "valid_until", time_json(d->observed_ms == 0 ? 0 : d->valid_until_ms)) && ok;
    ok = set(row, "age_s", age_json(d, now_ms)) && ok;
    ok = set(row, "freshness", json_string_nocheck(freshness_name(freshness))) && ok;
    ok = set(row, "verified", json_boolean(f->verified)) && ok;
    ok = set(row, "hours", text_json(f->site->hours)) && ok;
    ok = set(row, "note", text_json(d->note)) && ok;
    if (expired)
        ok = set_last(row, d, decimals) && ok;
    return set_more(row, f, now_ms) && ok;
}

json_t *found_json(const struct found *f, int64_t now_ms) {
    json_t *row = json_object();
    if (row && fill(row, f, now_ms))
        return row;
    json_decref(row);
    return NULL;
}

/* ---- order ---- */

/* Green of a service without thresholds in the charter promises one. */
static bool light_room(const struct found *f, int64_t *ret) {
    switch (f->line->figure.light) {
    case LIGHT_UNKNOWN:
        return false;
    case LIGHT_RED:
    case LIGHT_ORANGE: /* also "in consultation": no room is certain */
        *ret = 0;
        return true;
    case LIGHT_GREEN:
        *ret = f->service->has_light ? f->service->light_green : 1;
        return true;
    }
    return false;
}

bool found_room(const struct found *f, int64_t now_ms, int64_t *ret) {
    const struct disclosed *d = &f->line->figure;
    if (freshness_of(d, now_ms) == FRESH_EXPIRED)
        return false;
    if (d->available.known)
        *ret = d->available.value;
    else if (d->has_band)
        *ret = d->low;
    else
        return light_room(f, ret);
    return true;
}

static bool takes(enum status status) {
    return status != STATUS_FULL && status != STATUS_STOPPED;
}

bool found_takes(const struct found *f, int64_t now_ms) {
    const struct disclosed *d = &f->line->figure;
    return takes(d->status) && freshness_of(d, now_ms) != FRESH_EXPIRED;
}

static int status_order(enum status status) {
    switch (status) {
    case STATUS_ADMITTING:
        return 0;
    case STATUS_CONSULT:
        return 1;
    case STATUS_UNKNOWN:
        return 2;
    case STATUS_FULL:
        return 3;
    case STATUS_STOPPED:
        return 4;
    }
    return 2;
}

/* What a row is worth to somebody who looks for room. */
enum use { ROOM, PERHAPS, NOT_KNOWN, NO_ROOM };

static enum use use_of(const struct disclosed *d, bool known, int64_t room) {
    if (!takes(d->status))
        return NO_ROOM;
    if (!known)
        return NOT_KNOWN;
    if (room > 0)
        return ROOM;
    return d->light == LIGHT_ORANGE ? PERHAPS : NO_ROOM;
}

struct found_rank found_rank(const struct found *f, int64_t now_ms) {
    const struct disclosed *d = &f->line->figure;
    struct found_rank rank = {.expired = freshness_of(d, now_ms) == FRESH_EXPIRED,
                              .status = status_order(d->status),
                              .observed_ms = d->observed_ms};
    bool known = found_room(f, now_ms, &rank.room);
    rank.use = (int)use_of(d, known, rank.room);
    for (int i = f->service->decimals; i < 3; i++)
        rank.room *= 10;
    return rank;
}

int found_compare(const struct found_rank *a, const struct found_rank *b) {
    if (a->expired != b->expired)
        return a->expired ? 1 : -1;
    if (a->use != b->use)
        return a->use < b->use ? -1 : 1;
    if (a->room != b->room)
        return a->room > b->room ? -1 : 1;
    if (a->status != b->status)
        return a->status < b->status ? -1 : 1;
    if (a->observed_ms != b->observed_ms)
        return a->observed_ms > b->observed_ms ? -1 : 1;
    return 0;
}
