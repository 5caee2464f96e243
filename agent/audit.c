/* Owns reading the journal (see audit.h). Must not change anything. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "json_memory.h"
#include "listing.h"
#include "sharing.h"
#include "store.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the journal");
}

/* ---- the question ---- */

struct asked {
    bool has_member;
    struct public_key member;
    int64_t from_ms, to_ms, after, limit;
};

/* A day begins at 00:00 of the charter's zone; `end`: the instant after it. */
static enum err read_time(struct agent *a, const char *key, const char *text, bool end,
                          int64_t *ret, struct error *e) {
    struct error why = {0};
    const struct zone *zone = NULL;
    int year = 0, month = 0, day = 0;
    int64_t ms = 0;
    if (!text)
        return ERR_OK;
    if (text_parse_time(text, &ms, &why) == ERR_OK) {
        *ret = ms;
        return ERR_OK;
    }
    if (text_parse_day(text, &year, &month, &day, &why) != ERR_OK)
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found '%.40s', expected a day as 2026-11-20 or a time as "
                        "2026-11-20T14:00:00Z",
                        text);
    enum err code = agent_zone(a, &zone, e);
    if (code != ERR_OK)
        return code;
    int64_t next_year = year;
    if (end)
        text_civil_from_days(text_days_from_civil(year, month, day) + 1, &next_year, &month, &day);
    if (next_year <= 9999) /* after the last day there is is for ever */
        *ret = zone_instant(zone, (int)next_year, month, day, 0, 0);
    return ERR_OK;
}

static enum err read_count(const char *key, const char *text, int64_t min, int64_t max,
                           int64_t *ret, struct error *e) {
    int64_t value = 0;
    if (!text)
        return ERR_OK;
    if (text_parse_number(text, 0, &value, NULL) != ERR_OK || value < min || value > max)
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found '%.40s', expected a number from %lld to %lld", text, (long long)min,
                        (long long)max);
    *ret = value;
    return ERR_OK;
}

static enum err read_query(struct agent *a, const struct audit_query *query, struct asked *ret,
                           struct error *e) {
    struct asked asked = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = AUDIT_ROWS_DEFAULT};
    enum err code = agent_need_joined(a, e);
    asked.has_member = query->partner != NULL;
    if (code == ERR_OK && asked.has_member)
        code = sharing_find_member(a, query->partner, &asked.member, e);
    if (code == ERR_OK)
        code = read_time(a, "from", query->from, false, &asked.from_ms, e);
    if (code == ERR_OK)
        code = read_time(a, "to", query->to, true, &asked.to_ms, e);
    if (code == ERR_OK)
        code = read_count("after", query->after, 0, INT64_MAX, &asked.after, e);
    if (code == ERR_OK)
        code = read_count("limit", query->limit, 1, AUDIT_ROWS_MAX, &asked.limit, e);
    if (code == ERR_OK)
        *ret = asked;
    return code;
}

/* ---- a row ---- */

static json_t *member_json(struct agent *a, const struct public_key *key) {
    char hex[2 * KEY_LEN + 1];
    const struct member *member = directory_member(agent_directory(a), key);
    if (member)
        return json_string(member->name);
    if (key_equal(key, directory_network(agent_directory(a))))
        return json_string("@hub");
    hex_encode(hex, bytes_of(key->b, KEY_LEN));
    return json_string(hex);
}

static json_t *listed_json(struct agent *a, struct db_query *q) {
    struct public_key key;
    bool good = key_from_bytes(&key, db_column_blob(q, 0), NULL) == ERR_OK;
    return good ? member_json(a, &key) : json_string("?");
}

static enum err members_json(struct agent *a, int64_t group, json_t **ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_JOURNAL_MEMBERS);
    db_bind_int(&q, ":group", group);
    return listing_read(a, &q, listed_json, ret, e);
}

static json_t *services_json(const char *text) {
    json_t *list = json_array();
    int failed = list ? 0 : -1;
    while (!failed && *text) {
        size_t len = strcspn(text, ",");
        failed = json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

static json_t *entry_json(int64_t incarnation, int64_t seq) {
    return seq == 0 ? json_null()
                    : json_pack("{s:I, s:I}", "incarnation", (json_int_t)incarnation, "seq",
                                (json_int_t)seq);
}

static json_t *detail_json(const char *text) {
    json_error_t fault;
    bool no_memory; /* counted, and so the answer is not given */
    json_t *detail =
        text[0] ? json_read(bytes_str(text), JSON_DECODE_ANY, &fault, &no_memory) : NULL;
    return detail ? detail : json_null();
}

static enum err row_json(struct agent *a, struct db_query *q, json_t **ret, size_t *names,
                         struct error *e) {
    char at[TEXT_TIME_SIZE];
    json_t *members = json_null();
    enum err code =
        db_column_null(q, 3) ? ERR_OK : members_json(a, db_column_int(q, 3), &members, e);
    if (code != ERR_OK)
        return code;
    *names += json_array_size(members);
    json_int_t version = db_column_int(q, 7);
    json_t *row = json_pack(
        "{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        (json_int_t)db_column_int(q, 0), "at", text_time(db_column_int(q, 1), at), "event",
        db_column_text(q, 2), "audience", text_or_null(db_column_text(q, 4)), "members", members,
        "precision", text_or_null(db_column_text(q, 5)), "services",
        services_json(db_column_text(q, 6)), "policy_version",
        version > 0 ? json_integer(version) : json_null(), "entry",
        entry_json(db_column_int(q, 8), db_column_int(q, 9)), "actor",
        text_or_null(db_column_text(q, 10)), "detail", detail_json(db_column_text(q, 11)));
    if (!row)
        return no_memory(e);
    *ret = row;
    return ERR_OK;
}

/* ---- a page ---- */

static struct db_query list_query(struct agent *a, const struct asked *asked) {
    struct db_query q =
        db_query(agent_db(a), asked->has_member ? SQL_JOURNAL_LIST_OF : SQL_JOURNAL_LIST);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":after", asked->after);
    db_bind_int(&q, ":from", asked->from_ms);
    db_bind_int(&q, ":to", asked->to_ms);
    db_bind_int(&q, ":limit", asked->limit + 1); /* one more tells that there is a next page */
    if (asked->has_member)
        db_bind_blob(&q, ":member", bytes_of(asked->member.b, KEY_LEN));
    return q;
}

static enum err fill_page(struct agent *a, const struct asked *asked, json_t *rows,
                          int64_t *ret_next, struct error *e) {
    enum err code = ERR_OK;
    int64_t last = 0, next = 0;
    size_t names = 0;
    struct db_query q = list_query(a, asked);
    while (code == ERR_OK && next == 0 && db_step(&q)) {
        json_t *row = NULL;
        if ((int64_t)json_array_size(rows) == asked->limit || names >= AUDIT_NAMES_MAX) {
            next = last;
            break;
        }
        last = db_column_int(&q, 0);
        code = row_json(a, &q, &row, &names, e);
        if (code == ERR_OK && json_array_append_new(rows, row) != 0)
            code = no_memory(e);
    }
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_next = next;
    return code;
}

enum err audit_rows(struct agent *a, const struct audit_query *query, json_t **ret,
                    struct error *e) {
    struct asked asked;
    int64_t next = 0;
    enum err code = read_query(a, query, &asked, e);
    if (code != ERR_OK)
        return code;
    json_t *rows = json_array();
    code = rows ? fill_page(a, &asked, rows, &next, e) : no_memory(e);
    json_t *made = code == ERR_OK ? json_pack("{s:O, s:o}", "rows", rows, "next",
                                              next > 0 ? json_integer(next) : json_null())
                                  : NULL;
    json_decref(rows);
    if (code == ERR_OK && !made)
        code = no_memory(e);
    if (code != ERR_OK)
        return code;
    *ret = made;
    return ERR_OK;
}
