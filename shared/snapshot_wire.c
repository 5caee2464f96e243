/* Owns the bytes of a snapshot: writing them in one way only, and reading them from a stranger.
 * Must not know what a figure is used for. Source: docs/protocol.md, "State". */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "map.h"
#include "snapshot_private.h"

#define MS_PER_SECOND INT64_C(1000)
#define STEP_MAX 1000000u
#define FIGURE_MAX (4 * AMOUNT_MAX) /* what may follow from four amounts that were entered */
#define WORDS_MAX 100000

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for a snapshot");
}

/* ---- writing ---- */

/* The message and the memory its pointers lead to. */
struct draft {
    Plek__Snapshot message;
    Plek__SiteCard *sites;
    Plek__Line *lines;
    uint32_t *attributes; /* of all lines, one after the other */
    /* protobuf-c wants arrays of pointers */
    Plek__SiteCard **site_pointers;
    Plek__Line **line_pointers;
    char **words;
    size_t word_count;
    struct map by_word; /* word -> its place in `words` */
    size_t attribute_count;
    int64_t base_s, valid_s;
};

static void draft_done(struct draft *d) {
    free(d->sites);
    free(d->lines);
    free(d->attributes);
    free(d->site_pointers);
    free(d->line_pointers);
    free(d->words);
    map_done(&d->by_word);
}

static struct bytes word_key(const void *item) {
    return bytes_str(*(char *const *)item);
}

static enum err draft_init(struct draft *d, const struct snapshot *s, struct error *e) {
    static const uint8_t seed[MAP_SEED_LEN] = {0}; /* the order of words comes from the lines */
    size_t attributes = 0;
    for (size_t i = 0; i < s->line_count; i++) {
        attributes += s->lines[i].attribute_count;
    }
    size_t words = s->line_count + 2 * attributes;
    *d = (struct draft){.message = PLEK__SNAPSHOT__INIT};
    map_init(&d->by_word, seed, word_key);
    d->sites = (Plek__SiteCard *)calloc(s->site_count + 1, sizeof(*d->sites));
    d->lines = (Plek__Line *)calloc(s->line_count + 1, sizeof(*d->lines));
    d->attributes = (uint32_t *)calloc(2 * attributes + 1, sizeof(*d->attributes));
    d->site_pointers = (Plek__SiteCard **)calloc(s->site_count + 1, sizeof(Plek__SiteCard *));
    d->line_pointers = (Plek__Line **)calloc(s->line_count + 1, sizeof(Plek__Line *));
    d->words = (char **)calloc(words + 1, sizeof(*d->words));
    if (d->sites && d->lines && d->attributes && d->site_pointers && d->line_pointers && d->words) {
        return ERR_OK;
    }
    draft_done(d);
    return no_memory(e);
}

/* protobuf-c's strings are not const; it does not write to what it packs. */
static char *lend(const char *text) {
    return (char *)(uintptr_t)text;
}

static char *lend_said(const char *text) {
    return text[0] ? lend(text) : NULL;
}

static enum err word(struct draft *d, const char *text, uint32_t *ret, struct error *e) {
    enum err code = map_reserve(&d->by_word, e);
    if (code != ERR_OK) {
        return code;
    }
    char *const *slot = (char *const *)map_get(&d->by_word, bytes_str(text));
    if (!slot) {
        slot = &d->words[d->word_count];
        d->words[d->word_count++] = lend(text);
        map_put(&d->by_word, slot);
    }
    *ret = (uint32_t)(slot - d->words);
    return ERR_OK;
}

void snapshot_put_site(const struct site *from, Plek__SiteCard *to) {
    plek__site_card__init(to);
    to->id = from->id;
    to->name = lend(from->name);
    to->region = lend_said(from->region);
    to->phone = lend_said(from->phone);
    to->hours = lend_said(from->hours);
    to->reports = lend_said(from->reports);
    to->note = lend_said(from->note);
}

static void put_amount(const struct amount *from, protobuf_c_boolean *has, int64_t *value) {
    *has = from->known;
    *value = from->known ? from->value : 0;
}

static void put_time(int64_t ms, int64_t base_s, protobuf_c_boolean *has, int64_t *value) {
    *has = ms != 0;
    *value = ms != 0 ? ms / MS_PER_SECOND - base_s : 0;
}

static int64_t validity_s(const struct disclosed *f) {
    return (f->valid_until_ms - f->observed_ms) / MS_PER_SECOND;
}

static void put_figure(const struct disclosed *f, const struct draft *d, Plek__Line *to) {
    int64_t base_s = d->base_s;
    if (f->observed_ms == 0) {
        return;
    }
    to->has_status = f->status != STATUS_UNKNOWN;
    to->status = (uint32_t)f->status;
    put_time(f->observed_ms, base_s, &to->has_observed_s, &to->observed_s);
    to->valid_s = validity_s(f);
    to->has_valid_s = to->valid_s != d->valid_s;
    put_amount(&f->available, &to->has_available, &to->available);
    put_amount(&f->total, &to->has_total, &to->total);
    put_amount(&f->occupied, &to->has_occupied, &to->occupied);
    put_amount(&f->held, &to->has_held, &to->held);
    put_amount(&f->blocked, &to->has_blocked, &to->blocked);
    put_amount(&f->need, &to->has_need, &to->need);
    to->blocked_reason = lend_said(f->blocked_reason);
    put_time(f->blocked_until_ms, base_s, &to->has_blocked_until_s, &to->blocked_until_s);
    put_time(f->next_free_ms, base_s, &to->has_next_free_s, &to->next_free_s);
    to->note = lend_said(f->note);
    if (f->has_band) {
        to->has_low = 1;
        to->low = f->low;
        put_amount(&f->high, &to->has_high, &to->high);
    }
    to->has_light = f->light != LIGHT_UNKNOWN;
    to->light = (uint32_t)f->light;
}

static enum err put_line(struct draft *d, const struct seen_line *from, Plek__Line *to,
                         struct error *e) {
    plek__line__init(to);
    to->site = from->site;
    to->ward = lend_said(from->ward);
    enum err code = word(d, from->service, &to->service, e);
    to->n_attributes = 2 * from->attribute_count;
    to->attributes = d->attributes + d->attribute_count;
    d->attribute_count += to->n_attributes;
    for (size_t i = 0; code == ERR_OK && i < from->attribute_count; i++) {
        code = word(d, from->attributes[i].name, &to->attributes[2 * i], e);
        code = code != ERR_OK ? code
                              : word(d, from->attributes[i].value, &to->attributes[2 * i + 1], e);
    }
    put_figure(&from->figure, d, to);
    return code;
}

/* What lines are told relative to: the newest observation, so that most are a little before it, and
 * the validity of the first one, which is mostly that of all. */
static void choose_base(struct draft *d, const struct snapshot *s) {
    int64_t newest_ms = 0;
    for (size_t i = 0; i < s->line_count; i++) {
        const struct disclosed *f = &s->lines[i].figure;
        if (f->observed_ms != 0 && newest_ms == 0) {
            d->valid_s = validity_s(f);
        }
        newest_ms = f->observed_ms > newest_ms ? f->observed_ms : newest_ms;
    }
    d->base_s = newest_ms / MS_PER_SECOND;
    d->message.has_valid_s = newest_ms != 0;
    d->message.valid_s = d->valid_s;
}

static enum err fill_draft(struct draft *d, const struct snapshot *s, struct error *e) {
    Plek__Snapshot *m = &d->message;
    choose_base(d, s);
    for (size_t i = 0; i < s->site_count; i++) {
        snapshot_put_site(&s->sites[i], &d->sites[i]);
        d->site_pointers[i] = &d->sites[i];
    }
    for (size_t i = 0; i < s->line_count; i++) {
        enum err code = put_line(d, &s->lines[i], &d->lines[i], e);
        if (code != ERR_OK) {
            return code;
        }
        d->line_pointers[i] = &d->lines[i];
    }
    m->counter = s->counter;
    m->charter = s->charter_version;
    m->base_s = d->base_s;
    m->precision = (uint32_t)s->precision;
    m->has_step = s->precision == PRECISION_ROUNDED;
    m->step = (uint32_t)s->step;
    m->n_words = d->word_count;
    m->words = d->words;
    m->n_sites = s->site_count;
    m->sites = d->site_pointers;
    m->n_lines = s->line_count;
    m->lines = d->line_pointers;
    return ERR_OK;
}

enum err snapshot_encode(const struct snapshot *s, struct buf *out, struct error *e) {
    struct draft d;
    enum err code = draft_init(&d, s, e);
    if (code != ERR_OK) {
        return code;
    }
    code = fill_draft(&d, s, e);
    if (code == ERR_OK) {
        size_t size = protobuf_c_message_get_packed_size(&d.message.base);
        code = size <= VIEW_MAX_BYTES
                   ? ERR_OK
                   : error_set(e, ERR_CAP,
                               "found a snapshot of %zu bytes, expected at most %d; "
                               "share fewer lines with one audience",
                               size, VIEW_MAX_BYTES);
    }
    if (code == ERR_OK) {
        codec_encode(&d.message, out);
        code = buf_failed(out, e);
    }
    draft_done(&d);
    return code;
}

/* ---- reading: small pieces ---- */

static enum err malformed(struct error *e, const char *what) {
    return error_set(e, ERR_MALFORMED, "view: %s", what);
}

/* NULL is "not said". Never empty when said: one picture, one encoding of it. */
static enum err take_text(const char *text, size_t min, size_t max, char *ret, const char *what,
                          struct error *e) {
    size_t len = text ? strlen(text) : 0;
    if (len > max || (text && len < min)) {
        return error_set(e, ERR_MALFORMED, "view: found a %s of %zu bytes, expected %zu to %zu",
                         what, len, min, max);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
            return error_set(e, ERR_MALFORMED, "view: found a control character in a %s", what);
        }
    }
    memcpy(ret, text ? text : "", len + 1);
    return ERR_OK;
}

static enum err take_word(const Plek__Snapshot *m, uint32_t index, char ret[static CODE_MAX + 1],
                          struct error *e) {
    if (index >= m->n_words) {
        return error_set(e, ERR_MALFORMED, "view: found word %u of %zu", index, m->n_words);
    }
    memcpy(ret, m->words[index], strlen(m->words[index]) + 1);
    return ERR_OK;
}

static enum err take_amount(protobuf_c_boolean has, int64_t value, int64_t min, struct amount *ret,
                            struct error *e) {
    if (!has) {
        *ret = (struct amount){.known = false};
        return ERR_OK;
    }
    if (value < min || value > FIGURE_MAX) {
        return error_set(e, ERR_MALFORMED, "view: found amount %lld, expected %lld to %lld",
                         (long long)value, (long long)min, (long long)FIGURE_MAX);
    }
    *ret = (struct amount){true, value};
    return ERR_OK;
}

/* Seconds relative to the base, as ms UTC after 1970; 0 when not said. */
static enum err take_time(protobuf_c_boolean has, int64_t value, int64_t base_s, int64_t *ret_ms,
                          struct error *e) {
    if (!has) {
        *ret_ms = 0;
        return ERR_OK;
    }
    if (value < -base_s || value > TIME_MAX_S - base_s || base_s + value == 0) {
        return malformed(e, "found a time outside the years 1970 to 9999");
    }
    *ret_ms = (base_s + value) * MS_PER_SECOND;
    return ERR_OK;
}

/* ---- reading: lines ---- */

static bool has_exact_only(const Plek__Line *l) {
    return l->has_total || l->has_occupied || l->has_held || l->has_blocked || l->has_need ||
           l->blocked_reason || l->has_blocked_until_s || l->has_next_free_s || l->note;
}

static bool has_figure(const Plek__Line *l) {
    return l->has_status || l->has_valid_s || l->has_available || has_exact_only(l) || l->has_low ||
           l->has_high || l->has_light;
}

/* What does not belong to the precision would let a sender say one thing and show another. */
static bool fits_precision(const Plek__Line *l, enum precision_kind precision) {
    bool exact = precision == PRECISION_EXACT;
    bool counted = exact || precision == PRECISION_ROUNDED;
    return (exact || !has_exact_only(l)) && (counted || !l->has_available) &&
           (precision == PRECISION_BAND || (!l->has_low && !l->has_high)) &&
           (precision == PRECISION_LIGHT || !l->has_light);
}

static enum err read_terms(const Plek__Line *l, struct disclosed *ret, struct error *e) {
    enum err code = take_amount(l->has_available, l->available, -FIGURE_MAX, &ret->available, e);
    code = code != ERR_OK ? code : take_amount(l->has_total, l->total, 0, &ret->total, e);
    code = code != ERR_OK ? code : take_amount(l->has_occupied, l->occupied, 0, &ret->occupied, e);
    code = code != ERR_OK ? code : take_amount(l->has_held, l->held, 0, &ret->held, e);
    code = code != ERR_OK ? code : take_amount(l->has_blocked, l->blocked, 0, &ret->blocked, e);
    return code != ERR_OK ? code : take_amount(l->has_need, l->need, 0, &ret->need, e);
}

static enum err read_coarse(const Plek__Line *l, struct disclosed *ret, struct error *e) {
    struct amount low = {.known = false};
    enum err code = take_amount(l->has_low, l->low, 0, &low, e);
    code = code != ERR_OK ? code : take_amount(l->has_high, l->high, 0, &ret->high, e);
    if (code != ERR_OK) {
        return code;
    }
    if (ret->high.known && (!low.known || ret->high.value < low.value)) {
        return malformed(e, "found a band whose high end is not above its low end");
    }
    if (l->has_light && (l->light < LIGHT_GREEN || l->light > LIGHT_RED)) {
        return malformed(e, "found a light that is neither green, orange nor red");
    }
    ret->has_band = low.known;
    ret->low = low.known ? low.value : 0;
    ret->light = l->has_light ? (enum light)l->light : LIGHT_UNKNOWN;
    return ERR_OK;
}

enum err snapshot_take_values(const Plek__Line *l, enum precision_kind precision,
                              struct disclosed *ret, struct error *e) {
    if (!fits_precision(l, precision)) {
        return malformed(e, "found a figure of another precision than was announced");
    }
    if (l->has_status && (l->status < STATUS_ADMITTING || l->status > STATUS_STOPPED)) {
        return error_set(e, ERR_MALFORMED, "view: found status %u, expected 1 to 4", l->status);
    }
    ret->status = l->has_status ? (enum status)l->status : STATUS_UNKNOWN;
    enum err code = read_terms(l, ret, e);
    return code != ERR_OK ? code : read_coarse(l, ret, e);
}

static enum err read_times(const Plek__Snapshot *m, const Plek__Line *l, struct disclosed *ret,
                           struct error *e) {
    int64_t base_s = m->base_s;
    int64_t valid_s = l->has_valid_s ? l->valid_s : m->valid_s;
    enum err code = take_time(l->has_observed_s, l->observed_s, base_s, &ret->observed_ms, e);
    code = code != ERR_OK ? code
                          : take_time(l->has_blocked_until_s, l->blocked_until_s, base_s,
                                      &ret->blocked_until_ms, e);
    code = code != ERR_OK
               ? code
               : take_time(l->has_next_free_s, l->next_free_s, base_s, &ret->next_free_ms, e);
    if (code != ERR_OK) {
        return code;
    }
    if ((!l->has_valid_s && !m->has_valid_s) || valid_s < 0 || valid_s > VALIDITY_MAX_S ||
        valid_s > TIME_MAX_S - ret->observed_ms / MS_PER_SECOND) {
        return malformed(e, "found a figure without a validity of 0 seconds to ten years");
    }
    ret->valid_until_ms = ret->observed_ms + valid_s * MS_PER_SECOND;
    return ERR_OK;
}

static enum err read_figure(const Plek__Snapshot *m, const Plek__Line *l, struct disclosed *ret,
                            struct error *e) {
    if (!l->has_observed_s) {
        return has_figure(l) ? malformed(e, "found a figure without the time it was observed")
                             : ERR_OK;
    }
    enum err code = snapshot_take_values(l, (enum precision_kind)m->precision, ret, e);
    code = code != ERR_OK ? code : read_times(m, l, ret, e);
    code = code != ERR_OK
               ? code
               : take_text(l->blocked_reason, 1, REASON_MAX, ret->blocked_reason, "reason", e);
    return code != ERR_OK ? code : take_text(l->note, 1, NOTE_MAX, ret->note, "note", e);
}

static enum err read_attributes(const Plek__Snapshot *m, const Plek__Line *l, struct seen_line *ret,
                                struct error *e) {
    size_t count = l->n_attributes / 2;
    if (l->n_attributes % 2 != 0) {
        return malformed(e, "found an attribute without its value");
    }
    if (count > LINE_MAX_ATTRIBUTES) {
        return error_set(e, ERR_CAP, "view: found %zu attributes on a line, expected at most %d",
                         count, LINE_MAX_ATTRIBUTES);
    }
    for (size_t i = 0; i < count; i++) {
        struct attribute *a = &ret->attributes[i];
        enum err code = take_word(m, l->attributes[2 * i], a->name, e);
        code = code != ERR_OK ? code : take_word(m, l->attributes[2 * i + 1], a->value, e);
        if (code != ERR_OK) {
            return code;
        }
        if (i > 0 && strcmp(ret->attributes[i - 1].name, a->name) >= 0) {
            return malformed(e, "found attributes of a line out of order or twice");
        }
    }
    ret->attribute_count = count;
    return ERR_OK;
}

static bool in_order(const struct seen_line *a, const struct seen_line *b) {
    if (a->site != b->site) {
        return a->site < b->site;
    }
    int order = strcmp(a->service, b->service);
    return order != 0 ? order < 0 : strcmp(a->ward, b->ward) < 0;
}

static enum err read_line(const Plek__Snapshot *m, size_t i, struct snapshot *s, struct error *e) {
    const Plek__Line *l = m->lines[i];
    struct seen_line *ret = &s->lines[i];
    ret->site = l->site;
    if (!snapshot_site(s, l->site)) {
        return error_set(e, ERR_MALFORMED, "view: found a line of site %u without its card",
                         l->site);
    }
    enum err code = take_word(m, l->service, ret->service, e);
    code = code != ERR_OK ? code : snapshot_take_ward(l->ward, ret->ward, e);
    code = code != ERR_OK ? code : read_attributes(m, l, ret, e);
    code = code != ERR_OK ? code : read_figure(m, l, &ret->figure, e);
    if (code != ERR_OK) {
        return code;
    }
    return i == 0 || in_order(&s->lines[i - 1], ret)
               ? ERR_OK
               : malformed(e, "found lines out of order or twice, expected site, service, ward");
}

/* ---- reading: the whole ---- */

enum err snapshot_take_site(const Plek__SiteCard *c, struct site *ret, struct error *e) {
    ret->id = c->id;
    enum err code = take_text(c->name, 1, SITE_NAME_MAX, ret->name, "site's name", e);
    code = code != ERR_OK ? code : take_text(c->region, 1, REGION_MAX, ret->region, "region", e);
    code = code != ERR_OK ? code : take_text(c->phone, 1, PHONE_MAX, ret->phone, "phone", e);
    code = code != ERR_OK ? code : take_text(c->hours, 1, HOURS_MAX, ret->hours, "hours", e);
    code = code != ERR_OK ? code
                          : take_text(c->reports, 1, HOURS_MAX, ret->reports, "reports text", e);
    return code != ERR_OK ? code : take_text(c->note, 1, NOTE_MAX, ret->note, "note", e);
}

enum err snapshot_check_precision(uint32_t precision, bool has_step, uint32_t step,
                                  struct error *e) {
    if (precision < PRECISION_EXACT || precision > PRECISION_LIGHT) {
        return error_set(e, ERR_MALFORMED, "view: found precision %u, expected 1 to 4", precision);
    }
    if (has_step != (precision == PRECISION_ROUNDED) ||
        (has_step && (step < 2 || step > STEP_MAX))) {
        return malformed(e, "found a step that does not go with its precision");
    }
    return ERR_OK;
}

enum err snapshot_take_ward(const char *text, char ret[static WARD_MAX + 1], struct error *e) {
    return take_text(text, 1, WARD_MAX, ret, "ward", e);
}

static enum err check_frame(const Plek__Snapshot *m, struct error *e) {
    if (m->n_lines > SNAPSHOT_MAX_LINES || m->n_sites > SNAPSHOT_MAX_SITES ||
        m->n_words > WORDS_MAX) {
        return error_set(e, ERR_CAP,
                         "view: found %zu lines, %zu sites, %zu words, expected at most %d, "
                         "%d, %d",
                         m->n_lines, m->n_sites, m->n_words, SNAPSHOT_MAX_LINES, SNAPSHOT_MAX_SITES,
                         WORDS_MAX);
    }
    if (m->base_s < 0 || m->base_s > TIME_MAX_S) {
        return malformed(e, "found a base outside the years 1970 to 9999");
    }
    enum err code = snapshot_check_precision(m->precision, m->has_step, m->step, e);
    if (code != ERR_OK) {
        return code;
    }
    for (size_t i = 0; i < m->n_words; i++) {
        if (!charter_code_valid(m->words[i])) {
            return error_set(e, ERR_MALFORMED, "view: word %zu is not a code", i);
        }
    }
    return ERR_OK;
}

/* Both ascend by site. */
static enum err check_cards(const struct snapshot *s, struct error *e) {
    size_t line = 0;
    for (size_t i = 0; i < s->site_count; i++) {
        while (line < s->line_count && s->lines[line].site < s->sites[i].id) {
            line++;
        }
        if (line == s->line_count || s->lines[line].site != s->sites[i].id) {
            return malformed(e, "found the card of a site without a line");
        }
    }
    return ERR_OK;
}

static enum err read_snapshot(const Plek__Snapshot *m, struct snapshot *s, struct error *e) {
    s->counter = m->counter;
    s->charter_version = m->charter;
    s->precision = (enum precision_kind)m->precision;
    s->step = m->has_step ? m->step : 0;
    for (size_t i = 0; i < m->n_sites; i++) {
        enum err code = snapshot_take_site(m->sites[i], &s->sites[i], e);
        if (code != ERR_OK) {
            return code;
        }
        if (i > 0 && s->sites[i - 1].id >= s->sites[i].id) {
            return malformed(e, "found sites out of order or twice");
        }
        s->site_count = i + 1;
    }
    for (size_t i = 0; i < m->n_lines; i++) {
        enum err code = read_line(m, i, s, e);
        if (code != ERR_OK) {
            return code;
        }
        s->line_count = i + 1;
    }
    return check_cards(s, e);
}

static enum err make(const Plek__Snapshot *m, struct snapshot **ret, struct error *e) {
    enum err code = check_frame(m, e);
    if (code != ERR_OK) {
        return code;
    }
    struct snapshot *made = (struct snapshot *)calloc(1, sizeof(*made));
    if (!made) {
        return no_memory(e);
    }
    made->sites = (struct site *)calloc(m->n_sites + 1, sizeof(*made->sites));
    made->lines = (struct seen_line *)calloc(m->n_lines + 1, sizeof(*made->lines));
    code = made->sites && made->lines ? read_snapshot(m, made, e) : no_memory(e);
    if (code != ERR_OK) {
        snapshot_free(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err snapshot_decode(struct bytes plain, struct snapshot **ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err code = codec_decode_view(&plek__snapshot__descriptor, plain, VIEW_MAX_BYTES,
                                      "snapshot", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    code = make((const Plek__Snapshot *)message, ret, e);
    codec_free(message);
    return code;
}
