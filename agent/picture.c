/* Owns what is stored of partners (see picture.h): rows in, rows out.
 * Must not verify anything, nor answer questions (find.c). */
#include "picture.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "blob.h"
#include "feed.h"
#include "judged.h"
#include "store.h"

/* A query about one agent of a partner. */
static struct db_query query_of(struct agent *a, int statement, const struct public_key *agent) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(agent->b, KEY_LEN));
    return q;
}

static void bind_head(struct db_query *q, const struct head *head) {
    db_bind_int(q, ":incarnation", (int64_t)head->incarnation);
    db_bind_int(q, ":seq", (int64_t)head->seq);
}

/* ---- bounds ---- */

#define DROPPED_PICTURES "pictures"
#define DROPPED_KEYS "keys"
#define DROPPED_SUPERSEDED "superseded_keys"

/* Runs a trimming statement and counts what went. */
static enum err trim(struct agent *a, struct db_query *q, const char *what, int64_t limit,
                     int64_t now_ms, struct error *e) {
    db_bind_int(q, ":limit", limit);
    enum err code = db_run_query(q, e);
    int64_t count = db_changes(agent_db(a));
    if (code != ERR_OK || count == 0)
        return code;
    struct db_query add = db_query(agent_db(a), SQL_DROPPED_ADD);
    db_bind_text(&add, ":what", what);
    db_bind_int(&add, ":count", count);
    db_bind_int(&add, ":now", now_ms);
    return db_run_query(&add, e);
}

enum err picture_dropped(struct agent *a, json_t **ret, struct error *e) {
    json_t *counts =
        json_pack("{s:i, s:i, s:i}", DROPPED_PICTURES, 0, DROPPED_KEYS, 0, DROPPED_SUPERSEDED, 0);
    bool ok = counts != NULL;
    struct db_query q = db_query(agent_db(a), SQL_DROPPED);
    while (ok && db_step(&q))
        ok = json_object_set_new(counts, db_column_text(&q, 0),
                                 json_integer(db_column_int(&q, 1))) == 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && !ok)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the counters");
    if (code != ERR_OK) {
        json_decref(counts);
        return code;
    }
    *ret = counts;
    return ERR_OK;
}

/* ---- keys ---- */

enum err picture_key(struct agent *a, const struct public_key *agent, const struct hash *key_id,
                     struct held_key *ret, bool *ret_found, struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = query_of(a, SQL_HELD_KEY, agent);
    db_bind_blob(&q, ":key_id", bytes_of(key_id->b, HASH_LEN));
    bool found = db_step(&q);
    if (found) {
        struct bytes audience = db_column_blob(&q, 0), key = db_column_blob(&q, 1);
        ret->granted = (struct head){.incarnation = (uint64_t)db_column_int(&q, 2),
                                     .seq = (uint64_t)db_column_int(&q, 3)};
        if (audience.len == AUDIENCE_ID_LEN && key.len == AUDIENCE_KEY_LEN) {
            memcpy(ret->audience, audience.data, AUDIENCE_ID_LEN);
            memcpy(ret->key.b, key.data, AUDIENCE_KEY_LEN);
        } else {
            code = error_set(e, ERR_STORE, "agent.db: a held key is damaged: restore a backup");
        }
    }
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_found = found;
    return code;
}

enum err picture_key_put(struct agent *a, const struct public_key *agent, const struct hash *key_id,
                         const struct held_key *key, int64_t now_ms, struct error *e) {
    struct db_query q = query_of(a, SQL_HELD_KEY_PUT, agent);
    db_bind_blob(&q, ":key_id", bytes_of(key_id->b, HASH_LEN));
    db_bind_blob(&q, ":audience", bytes_of(key->audience, AUDIENCE_ID_LEN));
    db_bind_blob(&q, ":key", bytes_of(key->key.b, AUDIENCE_KEY_LEN));
    bind_head(&q, &key->granted);
    db_bind_int(&q, ":now", now_ms);
    enum err code = db_run_query(&q, e);
    if (code != ERR_OK)
        return code;
    q = query_of(a, SQL_HELD_KEYS_TRIM, agent);
    db_bind_blob(&q, ":audience", bytes_of(key->audience, AUDIENCE_ID_LEN));
    code = trim(a, &q, DROPPED_SUPERSEDED, PICTURE_KEYS_MAX, now_ms, e);
    if (code != ERR_OK)
        return code;
    q = query_of(a, SQL_HELD_AUDIENCES_TRIM, agent);
    return trim(a, &q, DROPPED_KEYS, PICTURE_AUDIENCES_MAX, now_ms, e);
}

/* ---- pictures ---- */

enum err picture_head(struct agent *a, const struct public_key *agent,
                      const uint8_t audience[static AUDIENCE_ID_LEN], struct head *ret,
                      struct error *e) {
    struct head head = {0};
    struct db_query q = query_of(a, SQL_PICTURE_HEAD, agent);
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    if (db_step(&q))
        head = (struct head){.incarnation = (uint64_t)db_column_int(&q, 0),
                             .seq = (uint64_t)db_column_int(&q, 1)};
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = head;
    return code;
}

static enum err forget_one(struct agent *a, const struct public_key *agent,
                           const uint8_t audience[static AUDIENCE_ID_LEN], struct error *e) {
    struct db_query q = query_of(a, SQL_PICTURE_FORGET, agent);
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    return db_run_query(&q, e);
}

static enum err add_picture(struct agent *a, const struct header *h,
                            const uint8_t audience[static AUDIENCE_ID_LEN], const struct head *rank,
                            const struct snapshot *s, int64_t received_ms, struct error *e) {
    struct db_query q = query_of(a, SQL_PICTURE_ADD, &h->agent);
    db_bind_blob(&q, ":member", bytes_of(h->member.b, KEY_LEN));
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    db_bind_int(&q, ":incarnation", (int64_t)h->incarnation);
    db_bind_int(&q, ":seq", (int64_t)h->seq);
    db_bind_int(&q, ":rank_incarnation", (int64_t)rank->incarnation);
    db_bind_int(&q, ":rank_seq", (int64_t)rank->seq);
    db_bind_int(&q, ":counter", (int64_t)s->counter);
    db_bind_int(&q, ":received_ms", received_ms);
    db_bind_int(&q, ":precision", s->precision);
    db_bind_int(&q, ":step", s->step);
    return db_run_query(&q, e);
}

static enum err add_site(struct agent *a, int64_t picture, const struct site *site,
                         struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_SEEN_SITE_ADD);
    db_bind_int(&q, ":picture", picture);
    db_bind_int(&q, ":id", site->id);
    db_bind_text(&q, ":name", site->name);
    db_bind_text(&q, ":region", site->region);
    db_bind_text(&q, ":phone", site->phone);
    db_bind_text(&q, ":hours", site->hours);
    db_bind_text(&q, ":reports", site->reports);
    db_bind_text(&q, ":note", site->note);
    return db_run_query(&q, e);
}

#define ATTRIBUTES_TEXT_MAX (LINE_MAX_ATTRIBUTES * 2 * (CODE_MAX + 1) + 1)

static void attributes_text(const struct seen_line *line, char out[static ATTRIBUTES_TEXT_MAX]) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < line->attribute_count; i++)
        len += (size_t)snprintf(out + len, ATTRIBUTES_TEXT_MAX - len, "%s%s=%s", i > 0 ? "," : "",
                                line->attributes[i].name, line->attributes[i].value);
}

static void bind_amount(struct db_query *q, const char *name, struct amount amount) {
    db_bind_opt(q, name, amount.known, amount.value);
}

static void bind_figure(struct db_query *q, const struct disclosed *d) {
    bind_amount(q, ":available", d->available);
    bind_amount(q, ":total", d->total);
    bind_amount(q, ":occupied", d->occupied);
    bind_amount(q, ":held", d->held);
    bind_amount(q, ":blocked", d->blocked);
    bind_amount(q, ":need", d->need);
    db_bind_text(q, ":blocked_reason", d->blocked_reason);
    db_bind_int(q, ":blocked_until_ms", d->blocked_until_ms);
    db_bind_int(q, ":next_free_ms", d->next_free_ms);
    db_bind_text(q, ":note", d->note);
    db_bind_int(q, ":status", d->status);
    db_bind_opt(q, ":low", d->has_band, d->low);
    db_bind_opt(q, ":high", d->has_band && d->high.known, d->high.value);
    db_bind_int(q, ":light", d->light);
    db_bind_int(q, ":observed_ms", d->observed_ms);
    db_bind_int(q, ":valid_until_ms", d->valid_until_ms);
}

static enum err add_line(struct agent *a, int64_t picture, const struct seen_line *line,
                         struct error *e) {
    char attributes[ATTRIBUTES_TEXT_MAX];
    attributes_text(line, attributes);
    struct db_query q = db_query(agent_db(a), SQL_SEEN_LINE_ADD);
    db_bind_int(&q, ":picture", picture);
    db_bind_int(&q, ":site", line->site);
    db_bind_text(&q, ":service", line->service);
    db_bind_text(&q, ":ward", line->ward);
    db_bind_text(&q, ":attributes", attributes);
    bind_figure(&q, &line->figure);
    return db_run_query(&q, e);
}

/* ---- for find ---- */

/* One line after another, in the order in which the author gave them: by site and service. */
static enum err pack_lines(struct agent *a, int64_t picture, struct buf *out, struct error *e) {
    int64_t site = -1;
    char service[CODE_MAX + 1] = "";
    struct db_query q = db_query(agent_db(a), SQL_SEEN_JUDGED_READ);
    db_bind_int(&q, ":picture", picture);
    while (db_step(&q)) {
        const struct judged_lines line = {
            .place = {db_column_text(&q, 1), db_column_text(&q, 2), db_column_text(&q, 3)},
            .moved = site != db_column_int(&q, 12) || strcmp(service, db_column_text(&q, 3)) != 0,
            .id = db_column_int(&q, 0),
            .ward = db_column_text(&q, 4),
            .attributes = db_column_text(&q, 5)};
        const struct disclosed figure = {.status = (enum status)db_column_int(&q, 6),
                                         .light = (enum light)db_column_int(&q, 7),
                                         .observed_ms = db_column_int(&q, 8),
                                         .valid_until_ms = db_column_int(&q, 9),
                                         .available = store_read_amount(&q, 10),
                                         .has_band = !db_column_null(&q, 11),
                                         .low = db_column_int(&q, 11)};
        judged_pack(out, &line, &figure);
        site = db_column_int(&q, 12);
        snprintf(service, sizeof service, "%s", line.place.service);
    }
    return db_finish(&q, e);
}

/* After its lines changed: find judges them by what is packed here. */
static enum err pack(struct agent *a, int64_t picture, struct error *e) {
    struct buf lines;
    buf_init(&lines, JUDGED_MAX_BYTES);
    enum err code = pack_lines(a, picture, &lines, e);
    if (code == ERR_OK)
        code = buf_failed(&lines, e);
    if (code == ERR_OK) {
        struct db_query q = db_query(agent_db(a), SQL_SEEN_JUDGED_PUT);
        db_bind_int(&q, ":picture", picture);
        db_bind_blob(&q, ":lines", buf_bytes(&lines));
        code = db_run_query(&q, e);
    }
    buf_done(&lines);
    return code;
}

static enum err pack_beside(struct agent *a, const struct public_key *agent, int64_t picture,
                            struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = query_of(a, SQL_PICTURES_BESIDE, agent);
    db_bind_int(&q, ":picture", picture);
    while (code == ERR_OK && db_step(&q))
        code = pack(a, db_column_int(&q, 0), e);
    return db_finish_visit(&q, code, e);
}

/* Per service a member is in at most one audience of an agent, so two pictures that cover the same
 * service mean that we were moved: the one we were given or shown last counts. */
static enum err give_way(struct agent *a, const struct public_key *agent, int64_t picture,
                         const struct head *rank, int statement, struct error *e) {
    struct db_query q = query_of(a, statement, agent);
    db_bind_int(&q, ":picture", picture);
    bind_head(&q, rank);
    return db_run_query(&q, e);
}

static enum err settle(struct agent *a, const struct public_key *agent, int64_t picture,
                       const struct head *rank, struct error *e) {
    enum err code = give_way(a, agent, picture, rank, SQL_SEEN_LINES_OUTRANK, e);
    if (code == ERR_OK && db_changes(agent_db(a)) > 0)
        code = pack_beside(a, agent, picture, e);
    if (code == ERR_OK)
        code = give_way(a, agent, picture, rank, SQL_SEEN_LINES_OUTRANKED, e);
    return code == ERR_OK ? pack(a, picture, e) : code;
}

static enum err trim_pictures(struct agent *a, const struct public_key *agent, int64_t now_ms,
                              struct error *e) {
    struct db_query q = query_of(a, SQL_PICTURES_TRIM, agent);
    return trim(a, &q, DROPPED_PICTURES, PICTURE_AUDIENCES_MAX, now_ms, e);
}

enum err picture_put(struct agent *a, const struct header *header,
                     const uint8_t audience[static AUDIENCE_ID_LEN], const struct head *granted,
                     const struct snapshot *snapshot, int64_t received_ms, struct error *e) {
    struct head rank = {.incarnation = header->incarnation, .seq = header->seq};
    if (head_after(granted, &rank))
        rank = *granted;
    enum err code = forget_one(a, &header->agent, audience, e);
    if (code == ERR_OK)
        code = add_picture(a, header, audience, &rank, snapshot, received_ms, e);
    int64_t picture = code == ERR_OK ? db_last_rowid(agent_db(a)) : 0;
    for (size_t i = 0; code == ERR_OK && i < snapshot->site_count; i++)
        code = add_site(a, picture, &snapshot->sites[i], e);
    for (size_t i = 0; code == ERR_OK && i < snapshot->line_count; i++)
        code = add_line(a, picture, &snapshot->lines[i], e);
    if (code == ERR_OK)
        code = settle(a, &header->agent, picture, &rank, e);
    return code != ERR_OK ? code : trim_pictures(a, &header->agent, received_ms, e);
}

enum err picture_withdraw(struct agent *a, const struct header *header,
                          const uint8_t audience[static AUDIENCE_ID_LEN], uint64_t counter,
                          int64_t received_ms, struct error *e) {
    enum err code = forget_one(a, &header->agent, audience, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = query_of(a, SQL_PICTURE_WITHDRAW, &header->agent);
    db_bind_blob(&q, ":member", bytes_of(header->member.b, KEY_LEN));
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    db_bind_int(&q, ":incarnation", (int64_t)header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)header->seq);
    db_bind_int(&q, ":counter", (int64_t)counter);
    db_bind_int(&q, ":received_ms", received_ms);
    code = db_run_query(&q, e);
    return code != ERR_OK ? code : trim_pictures(a, &header->agent, received_ms, e);
}

/* ---- waiting for a key ---- */

static enum err count_waiting(struct agent *a, const struct public_key *agent, int64_t *ret,
                              struct error *e) {
    struct db_query q = query_of(a, SQL_WAITING_COUNT, agent);
    *ret = db_step(&q) ? db_column_int(&q, 0) : 0;
    return db_finish(&q, e);
}

static enum err waiting_head(struct agent *a, const struct public_key *agent,
                             const uint8_t audience[static AUDIENCE_ID_LEN], struct head *ret,
                             struct error *e) {
    struct db_query q = query_of(a, SQL_WAITING_HEAD, agent);
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    *ret = (struct head){0};
    if (db_step(&q))
        *ret = (struct head){.incarnation = (uint64_t)db_column_int(&q, 0),
                             .seq = (uint64_t)db_column_int(&q, 1)};
    return db_finish(&q, e);
}

enum err picture_wait(struct agent *a, const struct public_key *agent, const struct waiting *view,
                      struct bytes excerpt, int64_t now_ms, struct error *e) {
    struct head held = {0};
    int64_t count = 0;
    enum err code = waiting_head(a, agent, view->audience, &held, e);
    if (code == ERR_OK && held.seq > 0 && !head_after(&view->head, &held))
        return error_set(e, ERR_OLD, "a newer view of this audience waits for its key already");
    if (code == ERR_OK && held.seq == 0)
        code = count_waiting(a, agent, &count, e);
    if (code != ERR_OK)
        return code;
    if (count >= PICTURE_WAITING_MAX)
        return error_set(e, ERR_CAP, "%d views of this agent wait for keys already",
                         PICTURE_WAITING_MAX);
    struct db_query q = query_of(a, SQL_WAITING_PUT, agent);
    db_bind_blob(&q, ":audience", bytes_of(view->audience, AUDIENCE_ID_LEN));
    db_bind_blob(&q, ":key_id", bytes_of(view->key_id.b, HASH_LEN));
    bind_head(&q, &view->head);
    db_bind_int(&q, ":received_ms", view->received_ms);
    db_bind_int(&q, ":now", now_ms);
    db_bind_blob(&q, ":excerpt", excerpt);
    return db_run_query(&q, e);
}

enum err picture_take_waiting(struct agent *a, const struct public_key *agent,
                              const struct hash *key_id, struct blob **ret,
                              int64_t *ret_received_ms, struct error *e) {
    struct blob *made = NULL;
    enum err code = ERR_OK;
    struct db_query q = query_of(a, SQL_WAITING_TAKE, agent);
    db_bind_blob(&q, ":key_id", bytes_of(key_id->b, HASH_LEN));
    if (db_step(&q)) {
        *ret_received_ms = db_column_int(&q, 1);
        if (!(made = blob_new(db_column_blob(&q, 0))))
            code = error_set(e, ERR_NO_MEMORY, "no memory for a waiting view");
    }
    while (code == ERR_OK && db_step(&q))
        ;
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        blob_unref(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err picture_unwait(struct agent *a, const struct public_key *agent,
                        const uint8_t audience[static AUDIENCE_ID_LEN], const struct head *head,
                        struct error *e) {
    struct db_query q = query_of(a, SQL_WAITING_FORGET, agent);
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    bind_head(&q, head);
    return db_run_query(&q, e);
}

/* ---- gone ---- */

enum err picture_forget_agent(struct agent *a, const struct public_key *agent, struct error *e) {
    static const int statements[] = {SQL_FORGET_PICTURES,
                                     SQL_FORGET_KEYS,
                                     SQL_FORGET_HEADER,
                                     SQL_FORGET_WAITING,
                                     SQL_FORGET_SEEN_SERIES,
                                     SQL_FORGET_SEEN_PAST_SITES,
                                     SQL_FORGET_HISTORY_VIEWS,
                                     SQL_FORGET_HISTORY_HOLES,
                                     SQL_FORGET_HISTORY_WITHDRAWN,
                                     SQL_FORGET_BOX};
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof statements / sizeof statements[0]; i++) {
        struct db_query q = query_of(a, statements[i], agent);
        code = db_run_query(&q, e);
    }
    return code;
}
