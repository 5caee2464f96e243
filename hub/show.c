/* Owns how the hub's answers look to people.
 * Must not ask for anything. */
#include "show.h"

#include <string.h>

#include "csv_cell.h"
#include "table.h"

#define CSV_MAX_BYTES (64 * 1024 * 1024)

const char *show_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

void show_members(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"name", "name", NULL},
                                                  {"role", "role", NULL},
                                                  {"state", "state", NULL},
                                                  {"fingerprint", "fingerprint", NULL},
                                                  {"connected", "connected", NULL},
                                                  {"last_seen", "last_seen", NULL},
                                                  {0}};
    table_show(answer, columns, out);
}

void show_one_member(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"key", "key", NULL},
                                                  {"serial", "serial", NULL},
                                                  {"expires", "expires", NULL},
                                                  {"revoked", "revoked", NULL},
                                                  {"connected", "connected", NULL},
                                                  {"last_seen", "last_seen", NULL},
                                                  {0}};
    fprintf(out, "%s: %s, %s\nfingerprint %s\n", show_text(answer, "name"),
            show_text(answer, "role"), show_text(answer, "state"),
            show_text(answer, "fingerprint"));
    table_show(json_object_get(answer, "agents"), columns, out);
}

static const char *in_language(const json_t *text) {
    const json_t *en = json_object_get(text, "en"), *nl = json_object_get(text, "nl");
    if (json_is_string(text))
        return json_string_value(text);
    return json_is_string(en) ? json_string_value(en) : json_string_value(nl);
}

static const char *label_of(const json_t *service, char *out) {
    (void)out;
    return in_language(json_object_get(service, "label"));
}

void show_charter(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {
        {"service", "code", NULL},      {"label", NULL, label_of},      {"unit", "unit", NULL},
        {"validity", "validity", NULL}, {"decimals", "decimals", NULL}, {0}};
    fprintf(out, "Charter version %" JSON_INTEGER_FORMAT "\n",
            json_integer_value(json_object_get(answer, "version")));
    table_show(json_object_get(answer, "services"), columns, out);
}

void show_published(const json_t *answer, FILE *out) {
    const json_t *dropped;
    size_t i;
    bool changed = json_is_true(json_object_get(answer, "changed"));
    fprintf(out, "Charter version %" JSON_INTEGER_FORMAT " is in force%s.\n",
            json_integer_value(json_object_get(answer, "version")),
            changed ? "" : " already: nothing was published");
    json_array_foreach(json_object_get(answer, "dropped"), i, dropped) {
        fprintf(out,
                "Note: service '%s' is no longer in it; members send the hub %" JSON_INTEGER_FORMAT
                " lines of it.\n",
                show_text(dropped, "service"),
                json_integer_value(json_object_get(dropped, "lines")));
    }
}

/* "12", "12-17", "12 or more"; NULL when nobody disclosed it. */
static const char *interval(const json_t *available, char *out) {
    char low_room[TABLE_NUMBER_SIZE], high_room[TABLE_NUMBER_SIZE];
    const char *low = table_value(json_object_get(available, "low"), low_room);
    const char *high = table_value(json_object_get(available, "high"), high_room);
    if (low == NULL)
        return NULL;
    if (high == NULL)
        snprintf(out, TABLE_CELL_SIZE, "%.24s or more", low);
    else if (strcmp(low, high) == 0)
        snprintf(out, TABLE_CELL_SIZE, "%.24s", low);
    else
        snprintf(out, TABLE_CELL_SIZE, "%.24s-%.24s", low, high);
    return out;
}

/* A day that changes still, and one that nothing changes any more. */
static const char *day_of(const json_t *row, char *out) {
    const char *mark = json_is_true(json_object_get(row, "open"))    ? " (open)"
                       : json_is_true(json_object_get(row, "final")) ? " (final)"
                                                                     : "";
    snprintf(out, TABLE_CELL_SIZE, "%.16s%s", show_text(row, "day"), mark);
    return out;
}

static const char *region_of(const json_t *row, char *out) {
    (void)out;
    const char *region = json_string_value(json_object_get(row, "region"));
    return region ? region : "(all)";
}

static const char *available_of(const json_t *row, char *out) {
    return json_is_true(json_object_get(row, "suppressed"))
               ? "(suppressed)"
               : interval(json_object_get(row, "available"), out);
}

void show_aggregate(const json_t *rows, FILE *out) {
    static const struct table_column columns[] = {
        {"day", NULL, day_of},
        {"service", "service", NULL},
        {"region", NULL, region_of},
        {"available", NULL, available_of},
        {"total", "total", NULL},
        {"occupied", "occupied", NULL},
        {"held", "held", NULL},
        {"blocked", "blocked", NULL},
        {"need", "need", NULL},
        {"members", "members", NULL},
        {"current", "sites_current", NULL},
        {"expired", "sites_expired", NULL},
        {"never", "sites_never", NULL},
        {0},
    };
    table_show(rows, columns, out);
}

void show_aggregate_json(const json_t *rows, bool more, FILE *out) {
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        fputs(i > 0 || more ? ",\n" : "", out);
        json_dumpf(row, out, JSON_INDENT(2));
    }
}

enum err show_aggregate_csv(const json_t *rows, bool more, FILE *out, struct error *e) {
    static const struct {
        const char *name, *key, *inner;
    } columns[] = {{"day", "day", NULL},
                   {"service", "service", NULL},
                   {"region", "region", NULL},
                   {"available_low", "available", "low"},
                   {"available_high", "available", "high"},
                   {"total", "total", NULL},
                   {"occupied", "occupied", NULL},
                   {"held", "held", NULL},
                   {"blocked", "blocked", NULL},
                   {"need", "need", NULL},
                   {"members", "members", NULL},
                   {"sites_current", "sites_current", NULL},
                   {"sites_expired", "sites_expired", NULL},
                   {"sites_never", "sites_never", NULL},
                   {"suppressed", "suppressed", NULL},
                   {"published_at", "published_at", NULL},
                   {"open", "open", NULL},
                   {"final", "final", NULL}};
    const size_t count = sizeof columns / sizeof columns[0];
    const json_t *row;
    struct buf text;
    size_t i;
    buf_init(&text, CSV_MAX_BYTES);
    for (size_t c = 0; c < count && !more; c++)
        buf_printf(&text, "%s%s", columns[c].name, c + 1 < count ? "," : "\r\n");
    json_array_foreach(rows, i, row) {
        for (size_t c = 0; c < count; c++) {
            const json_t *value = json_object_get(row, columns[c].key);
            if (columns[c].inner != NULL)
                value = json_object_get(value, columns[c].inner);
            if (json_is_boolean(value))
                csv_cell_text(&text, ',', json_is_true(value) ? "yes" : "no");
            else
                csv_cell_number(&text, ',', '.', value);
            buf_append_str(&text, c + 1 < count ? "," : "\r\n");
        }
    }
    enum err err = buf_failed(&text, e);
    if (err == ERR_OK)
        fwrite(text.data, 1, text.len, out);
    buf_done(&text);
    return err;
}

static json_int_t count_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void show_publishing(const json_t *p, FILE *out) {
    const char *every = json_string_value(json_object_get(p, "every"));
    const char *last = json_string_value(json_object_get(p, "last_at"));
    const char *next = json_string_value(json_object_get(p, "next_at"));
    const char *fault = json_string_value(json_object_get(p, "fault"));
    fprintf(out, "published:   last %s; %s%s%s%s\n", last != NULL ? last : "never",
            every != NULL ? "every " : "not by itself", every != NULL ? every : "",
            next != NULL ? ", next " : "", next != NULL ? next : "");
    if (fault != NULL)
        fprintf(out, "publishing failed: %s\n", fault);
}

static void show_warnings(const json_t *answer, FILE *out) {
    const json_t *row;
    const char *code;
    size_t i;
    json_object_foreach(json_object_get(answer, "rejections"), code, row) {
        fprintf(out, "rejected: %s, %" JSON_INTEGER_FORMAT " times\n", code,
                json_integer_value(row));
    }
    json_array_foreach(json_object_get(answer, "forks"), i, row) {
        fprintf(out, "fork: an agent of %s signed two entries for seq %" JSON_INTEGER_FORMAT "\n",
                show_text(row, "member"), count_of(row, "seq"));
    }
    json_array_foreach(json_object_get(answer, "troubles"), i, row) {
        fprintf(out, "unreadable: %" JSON_INTEGER_FORMAT " views of %s for the hub (%s: %s)\n",
                count_of(row, "count"), show_text(row, "member"), show_text(row, "code"),
                show_text(row, "detail"));
    }
}

void show_status(const json_t *answer, FILE *out) {
    const json_t *members = json_object_get(answer, "members");
    fprintf(out, "network:     %s\nfingerprint: %s\n", show_text(answer, "name"),
            show_text(answer, "fingerprint"));
    fprintf(out, "charter:     version %" JSON_INTEGER_FORMAT "\n",
            count_of(answer, "charter_version"));
    fprintf(out,
            "members:     %" JSON_INTEGER_FORMAT " admitted, %" JSON_INTEGER_FORMAT
            " suspended, %" JSON_INTEGER_FORMAT " removed\n",
            count_of(members, "admitted"), count_of(members, "suspended"),
            count_of(members, "removed"));
    fprintf(out, "connected:   %" JSON_INTEGER_FORMAT "\n", count_of(answer, "connected"));
    fprintf(out,
            "log:         %" JSON_INTEGER_FORMAT " entries, of which %" JSON_INTEGER_FORMAT
            " by the hub; %" JSON_INTEGER_FORMAT " bytes on disk\n",
            count_of(answer, "log"), count_of(json_object_get(answer, "feed"), "seq"),
            count_of(answer, "database_bytes"));
    show_publishing(json_object_get(answer, "publishing"), out);
    show_warnings(answer, out);
}
