/* Owns what scripted runs of both daemons share (see script.h). */
#include "script.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "json.h"

bool script_is_fatal(enum err code) {
    return code == ERR_DISK_FULL || code == ERR_STORE || code == ERR_NO_MEMORY ||
           code == ERR_LOCKED;
}

/* ---- randomness: the n-th draw of a deed is a hash of both ---- */

static void fill(void *ctx, void *out, size_t len) {
    struct stage *s = ctx;
    uint8_t *to = out;
    while (len > 0) {
        s->draws++;
        struct hash h = hash_blake2b(bytes_of(&s->draws, sizeof s->draws));
        size_t n = len < HASH_LEN ? len : HASH_LEN;
        memcpy(to, h.b, n);
        to += n;
        len -= n;
    }
}

struct entropy stage_entropy(struct stage *s) {
    return (struct entropy){fill, s};
}

/* ---- a stage ---- */

enum err stage_open(struct stage *s, const struct script *script, const char *vfs,
                    struct error *e) {
    *s = (struct stage){.script = script};
    return script->side->open(s, vfs, e);
}

void stage_close(struct stage *s) {
    if (s->script)
        s->script->side->close(s);
    json_decref(s->answer);
    blob_unref(s->entry);
    *s = (struct stage){0};
}

static enum err perform(struct stage *s, const struct deed *d, enum err *ret_verdict,
                        struct error *e) {
    s->draws = (uint64_t)d->number << 32;
    return s->script->side->run(s, d, ret_verdict, e);
}

enum err stage_do(struct stage *s, const struct deed *d, struct error *e) {
    enum err verdict = ERR_OK;
    enum err err = perform(s, d, &verdict, e);
    if (err)
        return err;
    if (verdict != d->code)
        return error_set(e, ERR_INTERNAL, "'%s' comes to %s, expected %s", d->title,
                         error_name(verdict), error_name(d->code));
    return ERR_OK;
}

enum err stage_repeat(struct stage *s, const struct deed *d, struct error *e) {
    enum err verdict = ERR_OK;
    return perform(s, d, &verdict, e);
}

enum err stage_call(struct stage *s, struct access *access, const struct api_route *routes,
                    size_t count, void *domain, const struct deed *d, struct error *e) {
    struct api_request request = {.method = d->method,
                                  .path = d->path,
                                  .actor = "uid:1000",
                                  .role = API_ADMIN,
                                  .now_ms = d->now_ms};
    json_decref(s->answer);
    s->answer = NULL;
    enum err err = json_parse(bytes_str(d->body), 1u << 20, "body", &request.body, e);
    if (err)
        return err;
    err = access_call(access, routes, count, domain, &request, &s->answer);
    json_decref(request.body);
    if (err && (!s->answer || api_error_from_json(s->answer, e) != err))
        return error_set(e, err, "%s: no memory for the answer", error_name(err));
    return err;
}

/* ---- tables ---- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *q = NULL;
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(db));
    return q;
}

/* Rows in no order: each is hashed, the hashes are added. */
static struct hash table_digest(sqlite3 *db, const char *table) {
    char sql[128];
    struct hash sum = {0};
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
    sqlite3_stmt *q = prepare(db, sql);
    while (sqlite3_step(q) == SQLITE_ROW) {
        struct buf row;
        buf_init(&row, 8u << 20);
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            size_t len = (size_t)sqlite3_column_bytes(q, i);
            buf_append_u8(&row, (uint8_t)sqlite3_column_type(q, i));
            buf_append_u32be(&row, (uint32_t)len);
            buf_append(&row, sqlite3_column_blob(q, i), len);
        }
        cr_assert_eq(row.failed, ERR_OK);
        struct hash one = hash_blake2b(buf_bytes(&row));
        unsigned carry = 0;
        for (size_t i = 0; i < HASH_LEN; i++) {
            carry += sum.b[i] + one.b[i];
            sum.b[i] = (uint8_t)carry;
            carry >>= 8;
        }
        buf_done(&row);
    }
    sqlite3_finalize(q);
    return sum;
}

static bool finds(sqlite3 *db, const char *pragma, const char *found) {
    sqlite3_stmt *q = prepare(db, pragma);
    const char *text = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : "";
    bool same = strcmp(text ? text : "?", found) == 0;
    sqlite3_finalize(q);
    return same;
}

static bool is_whole(sqlite3 *db) {
    return finds(db, "PRAGMA integrity_check", "ok") && finds(db, "PRAGMA foreign_key_check", "");
}

static const char tables_sql[] = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1";

struct hash stage_tables_but(struct stage *s, const char *table) {
    sqlite3 *db = s->script->side->db(s);
    struct buf all;
    buf_init(&all, 1u << 16);
    sqlite3_stmt *tables = prepare(db, tables_sql);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        if (strcmp(name, table) == 0)
            continue;
        struct hash one = table_digest(db, name);
        buf_append(&all, name, strlen(name));
        buf_append(&all, one.b, HASH_LEN);
    }
    sqlite3_finalize(tables);
    cr_assert_eq(all.failed, ERR_OK);
    struct hash hash = hash_blake2b(buf_bytes(&all));
    buf_done(&all);
    return hash;
}

struct hash stage_tables(struct stage *s, bool *ret_fault) {
    if (ret_fault)
        *ret_fault = !is_whole(s->script->side->db(s));
    return stage_tables_but(s, "");
}

void stage_explain(struct stage *s, struct stage *other, char *out, size_t size) {
    sqlite3 *db = s->script->side->db(s);
    sqlite3_stmt *tables = prepare(db, tables_sql);
    size_t used = 0;
    out[0] = '\0';
    while (sqlite3_step(tables) == SQLITE_ROW && used < size) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        struct hash a = table_digest(db, name);
        struct hash b = table_digest(other->script->side->db(other), name);
        if (!hash_equal(&a, &b))
            used += (size_t)snprintf(out + used, size - used, " %s", name);
    }
    sqlite3_finalize(tables);
}

/* ---- making ---- */

struct deed script_call(enum api_method method, const char *path, const char *body,
                        int64_t now_ms) {
    struct deed d = {.kind = DEED_CALL, .method = method, .now_ms = now_ms};
    snprintf(d.path, sizeof d.path, "%s", path);
    snprintf(d.title, sizeof d.title, "%s %.50s", api_method_name(method), path);
    d.body = strdup(body);
    cr_assert_not_null(d.body);
    return d;
}

struct deed *script_add(struct script *s, struct stage *stage, const struct deed *deed) {
    struct error e = {0};
    cr_assert_lt(s->count, SCRIPT_MAX_DEEDS);
    struct deed *d = &s->deeds[s->count++];
    *d = *deed;
    d->number = s->count;
    enum err verdict = ERR_OK;
    enum err err = perform(stage, d, &verdict, &e);
    cr_assert_eq(err, ERR_OK, "%s: deed %d, %s: %s %s", s->name, d->number, d->title,
                 error_name(err), e.detail);
    d->code = verdict;
    d->after = stage_tables(stage, NULL);
    d->but_refusals = stage_tables_but(stage, SCRIPT_REFUSALS);
    if (d->kind == DEED_CALL)
        d->answer = json_dumps(stage->answer, JSON_SORT_KEYS | JSON_COMPACT);
    return d;
}

void script_done(struct script *s) {
    for (int i = 0; i < s->count; i++) {
        free(s->deeds[i].body);
        free(s->deeds[i].answer);
        for (int k = 0; k < SCRIPT_GROUP; k++)
            blob_unref(s->deeds[i].bytes[k]);
    }
    scratch_done(&s->scratch);
}
