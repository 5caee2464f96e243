/* Owns the step between what people type and a record: key=value of a figure, attributes, the
 * texts of a site card and ward. Must not store anything. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hours.h"
#include "records.h"

const char *const records_figure_keys[] = {
    "total",         "occupied", "free",   "held",      "blocked", "blocked_reason",
    "blocked_until", "need",     "status", "next_free", "note",    NULL,
};

/* ---- checks ---- */

/* One line of text: names, wards and cards are shown in tables. */
enum err records_check_one_line(const char *key, const char *text, size_t max, struct error *e) {
    enum err code = capacity_check_text(key, text, max, e);
    if (code == ERR_OK && strpbrk(text, "\n\t"))
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found a line break or tab, expected one line of text");
    return code;
}

/* A telephone number may look like anything that has digits; the guard on numbers is not for it. */
static enum err check_phone(const char *text, struct error *e) {
    static const char allowed[] = "0123456789+-()/. #*,";
    if (text[strspn(text, allowed)] != '\0')
        return error_at(e, ERR_DATA, "phone", 0, 0,
                        "found '%.32s', expected a telephone number such as +31 30 123 4567", text);
    return ERR_OK;
}

/* What was found stands in quotes: those digits go; when that is not enough, all of them. */
void records_hide_numbers(struct error *e, bool always) {
    if (!e || !(always || capacity_holds_bsn(e->detail)))
        return;
    bool quoted = false;
    for (char *s = e->detail; *s; s++) {
        quoted ^= *s == '\'';
        if (quoted && *s >= '0' && *s <= '9')
            *s = '*';
    }
    for (char *s = e->detail; capacity_holds_bsn(e->detail) && *s; s++) {
        if (*s >= '0' && *s <= '9')
            *s = '*';
    }
}

/* Written as anybody may, kept as everybody reads it. */
static enum err normal_hours(char reports[static HOURS_MAX + 1], struct error *e) {
    struct hours hours;
    struct error why = {0};
    enum err code = hours_parse(reports, &hours, &why);
    if (code == ERR_OK)
        code = hours_text(&hours, reports, HOURS_MAX + 1, &why);
    return code == ERR_OK ? code : error_at(e, code, "reports", 0, 0, "%s", why.detail);
}

enum err records_check_site(struct site *site, struct error *e) {
    const struct {
        const char *key, *text;
        size_t max;
    } parts[] = {
        {"name", site->name, SITE_NAME_MAX},
        {"region", site->region, REGION_MAX},
        {"hours", site->hours, HOURS_MAX},
        {"reports", site->reports, HOURS_MAX},
    };
    if (site->name[0] == '\0')
        return error_at(e, ERR_DATA, "name", 0, 0, "found nothing, expected the site's name");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        enum err code = records_check_one_line(parts[i].key, parts[i].text, parts[i].max, e);
        if (code != ERR_OK)
            return code;
    }
    enum err code = capacity_check_text("note", site->note, NOTE_MAX, e);
    code = code != ERR_OK ? code : check_phone(site->phone, e);
    return code != ERR_OK ? code : normal_hours(site->reports, e);
}

enum err records_check_ward(const char *ward, struct error *e) {
    return records_check_one_line("ward", ward, WARD_MAX, e);
}

enum err records_check(const struct agent *a, const struct record *record, struct error *e) {
    const struct charter_service *service = NULL;
    enum err code = records_service(a, record->line.service, &service, e);
    if (code == ERR_OK)
        code = records_check_ward(record->line.ward, e);
    return code != ERR_OK ? code
                          : capacity_check(&record->line.capacity, agent_charter(a), service, e);
}

/* ---- figures ---- */

static struct amount *amount_of(struct capacity *c, const char *key) {
    const struct {
        const char *key;
        struct amount *amount;
    } amounts[] = {
        {"total", &c->total}, {"occupied", &c->occupied}, {"free", &c->free},
        {"held", &c->held},   {"blocked", &c->blocked},   {"need", &c->need},
    };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        if (strcmp(amounts[i].key, key) == 0)
            return amounts[i].amount;
    }
    return NULL;
}

static int64_t *time_of(struct capacity *c, const char *key) {
    if (strcmp(key, "blocked_until") == 0)
        return &c->blocked_until_ms;
    return strcmp(key, "next_free") == 0 ? &c->next_free_ms : NULL;
}

static char *text_of(struct capacity *c, const char *key, size_t *ret_max) {
    if (strcmp(key, "note") == 0) {
        *ret_max = NOTE_MAX;
        return c->note;
    }
    *ret_max = REASON_MAX;
    return strcmp(key, "blocked_reason") == 0 ? c->blocked_reason : NULL;
}

/* A fault of the value, under the key it was given for. */
static enum err value_fault(const char *key, const struct error *why, struct error *e) {
    return error_at(e, ERR_DATA, key, 0, 0, "%s", why->detail);
}

static enum err set_amount(struct amount *amount, const char *key, const char *value, int decimals,
                           struct error *e) {
    struct error why = {0};
    int64_t number = 0;
    if (capacity_holds_bsn(value)) /* nobody counts that far: a column of the wrong kind */
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found nine digits that can be a citizen service number (BSN), expected a "
                        "count");
    if (value[0] != '\0' && text_parse_number(value, decimals, &number, &why) != ERR_OK)
        return value_fault(key, &why, e);
    *amount = value[0] != '\0' ? (struct amount){true, number} : (struct amount){.known = false};
    return ERR_OK;
}

static enum err set_time(int64_t *time, const struct zone *zone, const char *key, const char *value,
                         struct error *e) {
    struct error why = {0};
    int64_t ms = 0;
    if (value[0] != '\0' && zone_parse_time(zone, value, &ms, &why) != ERR_OK)
        return value_fault(key, &why, e);
    *time = ms;
    return ERR_OK;
}

static enum err set_text(char *text, size_t max, const char *key, const char *value,
                         struct error *e) {
    enum err code = capacity_check_text(key, value, max, e);
    if (code == ERR_OK)
        memcpy(text, value, strlen(value) + 1);
    return code;
}

static enum err set_status(enum status *status, const char *value, struct error *e) {
    struct error why = {0};
    enum status s = STATUS_UNKNOWN;
    if (value[0] != '\0' && status_parse(value, &s, &why) != ERR_OK)
        return value_fault("status", &why, e);
    /* Never NULL. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    *status = s;
    return ERR_OK;
}

enum err records_set_figure(struct capacity *c, const struct charter_service *service,
                            const struct zone *zone, const char *key, const char *value,
                            struct error *e) {
    size_t max = 0;
    struct amount *amount = amount_of(c, key);
    if (amount)
        return set_amount(amount, key, value, service->decimals, e);
    int64_t *time = time_of(c, key);
    if (time)
        return set_time(time, zone, key, value, e);
    char *text = text_of(c, key, &max);
    if (text)
        return set_text(text, max, key, value, e);
    if (strcmp(key, "status") == 0)
        return set_status(&c->status, value, e);
    return error_at(e, ERR_NOT_FOUND, key, 0, 0, "is no figure");
}

const char *records_figure_text(const struct capacity *c, const struct charter_service *service,
                                const char *key, char out[static RECORDS_TEXT_SIZE]) {
    _Static_assert(RECORDS_TEXT_SIZE >= TEXT_NUMBER_SIZE && RECORDS_TEXT_SIZE >= TEXT_TIME_SIZE,
                   "numbers and times fit");
    struct capacity copy = *c; /* the look-ups below lend writable parts */
    size_t max = 0;
    const struct amount *amount = amount_of(&copy, key);
    const int64_t *time = time_of(&copy, key);
    const char *text = text_of(&copy, key, &max);
    out[0] = '\0';
    if (amount && amount->known)
        text_number(amount->value, service ? service->decimals : 0, out);
    else if (time && *time != 0)
        text_time(*time, out);
    else if (text)
        memcpy(out, text, strlen(text) + 1);
    else if (strcmp(key, "status") == 0 && status_name(c->status))
        snprintf(out, RECORDS_TEXT_SIZE, "%s", status_name(c->status));
    return out;
}

/* ---- attributes ---- */

static enum err unknown_key(const struct charter_service *service, const char *key,
                            struct error *e) {
    char known[140];
    size_t len = 0;
    known[0] = '\0';
    for (size_t i = 0; i < service->attribute_count && len + CODE_MAX + 8 < sizeof known; i++)
        len +=
            (size_t)snprintf(known + len, sizeof known - len, ", %s", service->attributes[i].name);
    return error_at(
        e, ERR_DATA, key, 0, 0,
        "found this key, expected total, occupied, free, held, blocked, blocked_reason, "
        "blocked_until, need, status, next_free, note%s%s",
        service->attribute_count > 0 ? " or of the service" : "", known);
}

static enum err unknown_value(const struct charter_attribute *attribute, const char *value,
                              struct error *e) {
    char known[160];
    size_t len = 0;
    known[0] = '\0';
    for (size_t i = 0; i < attribute->value_count && len + CODE_MAX + 8 < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "",
                                attribute->values[i].code);
    return error_at(e, ERR_DATA, attribute->name, 0, 0, "found '%.40s', expected one of: %s", value,
                    known);
}

static size_t attribute_at(const struct line *line, const char *name) {
    size_t i = 0;
    while (i < line->attribute_count && strcmp(line->attributes[i].name, name) != 0)
        i++;
    return i;
}

/* Kept in the order of their names, as the database returns them. */
static void put_attribute(struct line *line, size_t at, const char *name, const char *value) {
    if (at == line->attribute_count) {
        at = 0;
        while (at < line->attribute_count && strcmp(line->attributes[at].name, name) < 0)
            at++;
        memmove(&line->attributes[at + 1], &line->attributes[at],
                (line->attribute_count - at) * sizeof line->attributes[0]);
        line->attribute_count++;
    }
    snprintf(line->attributes[at].name, sizeof line->attributes[at].name, "%s", name);
    snprintf(line->attributes[at].value, sizeof line->attributes[at].value, "%s", value);
}

enum err records_set_attribute(struct line *line, const struct charter_service *service,
                               const char *key, const char *value, struct error *e) {
    const struct charter_attribute *attribute = charter_attribute(service, key);
    if (!attribute)
        return unknown_key(service, key, e);
    if (value[0] != '\0' && !charter_value_allowed(attribute, value))
        return unknown_value(attribute, value, e);
    size_t at = attribute_at(line, key);
    if (value[0] != '\0') {
        if (at == LINE_MAX_ATTRIBUTES)
            return error_at(e, ERR_TOO_LARGE, key, 0, 0, "a line has at most %d attributes",
                            LINE_MAX_ATTRIBUTES);
        put_attribute(line, at, key, value);
    } else if (at < line->attribute_count) {
        line->attribute_count--;
        memmove(&line->attributes[at], &line->attributes[at + 1],
                (line->attribute_count - at) * sizeof line->attributes[0]);
    }
    return ERR_OK;
}
