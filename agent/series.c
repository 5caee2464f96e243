/* Owns what is stored of partners' past (see series.h): rows in, rows out, counters and holes.
 * Must not verify anything, nor answer questions (past_rows.c). */
#include "series.h"

#include "listing.h"
#include "store.h"

#define MS_PER_DAY (INT64_C(24) * 3600 * 1000)

static struct db_query query_of(struct agent *a, int statement, const struct series_view *v) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(v->header->agent.b, KEY_LEN));
    return q;
}

/* ---- points ---- */

static void bind_amount(struct db_query *q, const char *name, const struct amount *amount) {
    db_bind_opt(q, name, amount->known, amount->value);
}

static struct db_query series_query(struct agent *a, int statement, const struct series_view *v,
                                    const struct history_series *s) {
    struct db_query q = query_of(a, statement, v);
    db_bind_int(&q, ":site", s->site);
    db_bind_text(&q, ":service", s->service);
    db_bind_text(&q, ":ward", s->ward);
    return q;
}

/* The series' id, made when there is none. */
static enum err need_series(struct agent *a, const struct series_view *v,
                            const struct history_series *s, int64_t *ret, struct error *e) {
    struct db_query q = series_query(a, SQL_SEEN_SERIES, v, s);
    bool found = db_step(&q);
    if (found)
        *ret = db_column_int(&q, 0);
    enum err code = db_finish(&q, e);
    if (code != ERR_OK || found)
        return code;
    q = series_query(a, SQL_SEEN_SERIES_ADD, v, s);
    db_bind_blob(&q, ":member", bytes_of(v->header->member.b, KEY_LEN));
    code = db_run_query(&q, e);
    if (code == ERR_OK)
        *ret = db_last_rowid(agent_db(a));
    return code;
}

static enum err put_point(struct agent *a, const struct series_view *v, int64_t series,
                          const struct history_series *s, const struct history_point *p,
                          struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_SEEN_PAST_PUT);
    db_bind_int(&q, ":series", series);
    db_bind_int(&q, ":said", p->observed_ms);
    db_bind_blob(&q, ":audience", bytes_of(v->audience, AUDIENCE_ID_LEN));
    db_bind_int(&q, ":observed", p->observed_ms + v->shift_ms);
    db_bind_int(&q, ":valid_until", p->valid_until_ms + v->shift_ms);
    db_bind_int(&q, ":received", v->received_ms);
    db_bind_int(&q, ":incarnation", (int64_t)v->header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)v->header->seq);
    db_bind_int(&q, ":precision", s->precision);
    db_bind_int(&q, ":step", s->step);
    db_bind_int(&q, ":status", p->status);
    bind_amount(&q, ":available", &p->available);
    bind_amount(&q, ":total", &p->total);
    bind_amount(&q, ":occupied", &p->occupied);
    bind_amount(&q, ":held", &p->held);
    bind_amount(&q, ":blocked", &p->blocked);
    bind_amount(&q, ":need", &p->need);
    db_bind_opt(&q, ":low", p->has_band, p->low);
    db_bind_opt(&q, ":high", p->has_band && p->high.known, p->high.value);
    db_bind_int(&q, ":light", p->light);
    return db_run_query(&q, e);
}

static enum err put_site(struct agent *a, const struct series_view *v, const struct site *site,
                         struct error *e) {
    struct db_query q = query_of(a, SQL_SEEN_PAST_SITE_PUT, v);
    db_bind_int(&q, ":site", site->id);
    db_bind_text(&q, ":name", site->name);
    db_bind_text(&q, ":region", site->region);
    db_bind_int(&q, ":incarnation", (int64_t)v->header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)v->header->seq);
    return db_run_query(&q, e);
}

static enum err put_series(struct agent *a, const struct series_view *v,
                           const struct history_series *s, struct error *e) {
    int64_t series = 0;
    enum err code = s->count > 0 ? need_series(a, v, s, &series, e) : ERR_OK;
    for (size_t k = s->first; code == ERR_OK && k < s->first + s->count; k++)
        code = put_point(a, v, series, s, &v->history->points[k], e);
    return code;
}

static enum err put_history(struct agent *a, const struct series_view *v, struct error *e) {
    const struct history *h = v->history;
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < h->site_count; i++)
        code = put_site(a, v, &h->sites[i], e);
    for (size_t i = 0; code == ERR_OK && i < h->series_count; i++)
        code = put_series(a, v, &h->series[i], e);
    return code;
}

/* ---- counters and holes ---- */

static struct db_query counter_query(struct agent *a, int statement, const struct series_view *v) {
    struct db_query q = query_of(a, statement, v);
    db_bind_blob(&q, ":audience", bytes_of(v->audience, AUDIENCE_ID_LEN));
    return q;
}

static enum err is_held(struct agent *a, const struct series_view *v, bool *ret, struct error *e) {
    struct db_query q = counter_query(a, SQL_HISTORY_VIEW_HELD, v);
    db_bind_int(&q, ":counter", (int64_t)v->history->counter);
    *ret = db_step(&q);
    return db_finish(&q, e);
}

struct hole {
    int64_t first, last, after, since_ms;
};

static enum err add_hole(struct agent *a, const struct series_view *v, const struct hole *hole,
                         struct error *e) {
    if (hole->first > hole->last)
        return ERR_OK;
    struct db_query q = counter_query(a, SQL_HISTORY_HOLE_ADD, v);
    db_bind_int(&q, ":first", hole->first);
    db_bind_int(&q, ":last", hole->last);
    db_bind_int(&q, ":after", hole->after);
    db_bind_int(&q, ":since", hole->since_ms);
    return db_run_query(&q, e);
}

/* The hole this counter lies in is taken out; what is left of it goes back on either side. */
static enum err fill_hole(struct agent *a, const struct series_view *v, bool *ret_filled,
                          struct error *e) {
    int64_t counter = (int64_t)v->history->counter;
    struct hole hole = {0};
    struct db_query q = counter_query(a, SQL_HISTORY_HOLE_TAKE, v);
    db_bind_int(&q, ":counter", counter);
    bool found = db_step(&q);
    if (found)
        hole = (struct hole){db_column_int(&q, 0), db_column_int(&q, 1), db_column_int(&q, 2),
                             db_column_int(&q, 3)};
    enum err code = db_run_query(&q, e);
    *ret_filled = found;
    if (code != ERR_OK || !found)
        return code;
    struct hole before = hole, after = hole;
    before.last = counter - 1;
    after.first = counter + 1;
    code = add_hole(a, v, &before, e);
    return code != ERR_OK ? code : add_hole(a, v, &after, e);
}

/* Beyond the newest counter by more than one: what lies between did not come. What is older than
 * all that came was before our time in that audience. */
static enum err open_hole(struct agent *a, const struct series_view *v, struct error *e) {
    struct hole hole = {.last = (int64_t)v->history->counter - 1, .since_ms = v->now_ms};
    struct db_query q = counter_query(a, SQL_HISTORY_VIEW_NEWEST, v);
    bool any = db_step(&q);
    if (any) {
        hole.first = db_column_int(&q, 0) + 1;
        hole.after = db_column_int(&q, 1);
    }
    enum err code = db_finish(&q, e);
    return code != ERR_OK || !any ? code : add_hole(a, v, &hole, e);
}

static enum err note_counter(struct agent *a, const struct series_view *v, struct error *e) {
    bool filled = false;
    enum err code = fill_hole(a, v, &filled, e);
    if (code == ERR_OK && !filled)
        code = open_hole(a, v, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = counter_query(a, SQL_HISTORY_VIEW_ADD, v);
    db_bind_int(&q, ":counter", (int64_t)v->history->counter);
    db_bind_int(&q, ":position", (int64_t)v->position);
    db_bind_int(&q, ":received", v->received_ms);
    return db_run_query(&q, e);
}

enum err series_take(struct agent *a, const struct series_view *view, bool *ret_new,
                     struct error *e) {
    bool held = false;
    if (view->history->counter > INT64_MAX)
        return error_set(e, ERR_MALFORMED, "history: found a counter beyond 2^63");
    enum err code = is_held(a, view, &held, e);
    if (code == ERR_OK && !held)
        code = note_counter(a, view, e);
    if (code == ERR_OK && !held)
        code = put_history(a, view, e);
    if (code == ERR_OK)
        *ret_new = !held;
    return code;
}

/* Those of which nothing is left. */
static enum err drop_empty(struct agent *a, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_SEEN_SERIES_EMPTY);
    db_bind_int(&q, ":network", agent_network(a));
    return db_run_query(&q, e);
}

/* ---- taken back ---- */

static struct db_query audience_query(struct agent *a, int statement, const struct header *header,
                                      const uint8_t audience[static AUDIENCE_ID_LEN]) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(header->agent.b, KEY_LEN));
    db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
    return q;
}

enum err series_withdraw(struct agent *a, const struct header *header,
                         const uint8_t audience[static AUDIENCE_ID_LEN], int64_t received_ms,
                         struct error *e) {
    static const int forgets[] = {SQL_HISTORY_VIEWS_WITHDRAW, SQL_HISTORY_HOLES_WITHDRAW};
    struct db_query q = audience_query(a, SQL_SEEN_PAST_WITHDRAW, header, audience);
    db_bind_int(&q, ":incarnation", (int64_t)header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)header->seq);
    enum err code = db_run_query(&q, e);
    if (code == ERR_OK)
        code = drop_empty(a, e);
    for (size_t i = 0; code == ERR_OK && i < sizeof forgets / sizeof forgets[0]; i++) {
        q = audience_query(a, forgets[i], header, audience);
        code = db_run_query(&q, e);
    }
    if (code != ERR_OK)
        return code;
    q = audience_query(a, SQL_HISTORY_WITHDRAW, header, audience);
    db_bind_int(&q, ":incarnation", (int64_t)header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)header->seq);
    db_bind_int(&q, ":received", received_ms);
    return db_run_query(&q, e);
}

enum err series_withdrawn(struct agent *a, const struct header *header,
                          const uint8_t audience[static AUDIENCE_ID_LEN], bool *ret,
                          struct error *e) {
    struct db_query q = audience_query(a, SQL_HISTORY_WITHDRAWN, header, audience);
    db_bind_int(&q, ":incarnation", (int64_t)header->incarnation);
    db_bind_int(&q, ":seq", (int64_t)header->seq);
    bool found = db_step(&q);
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = found;
    return code;
}

/* ---- asking again ---- */

static enum err unasked(struct agent *a, bool *ret_any, uint64_t *ret_after, int64_t *ret_hole,
                        struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_HISTORY_HOLES_UNASKED);
    db_bind_int(&q, ":network", agent_network(a));
    *ret_any = db_step(&q) && !db_column_null(&q, 0);
    *ret_after = *ret_any ? (uint64_t)db_column_int(&q, 0) : 0;
    *ret_hole = *ret_any ? db_column_int(&q, 1) : 0;
    return db_finish(&q, e);
}

enum err series_pull_from(struct agent *a, uint64_t cursor, uint64_t *ret_after, int64_t *ret_hole,
                          struct error *e) {
    bool any = false;
    uint64_t after = 0;
    int64_t hole = 0;
    enum err code = unasked(a, &any, &after, &hole, e);
    if (code != ERR_OK)
        return code;
    /* The view before the hole stands at `after`, and others may stand there with it. */
    uint64_t from = after > 0 ? after - 1 : 0;
    *ret_after = any && from < cursor ? from : cursor;
    *ret_hole = hole;
    return ERR_OK;
}

enum err series_pulled(struct agent *a, int64_t hole, bool *ret_more, struct error *e) {
    uint64_t after = 0;
    int64_t newest = 0;
    enum err code = ERR_OK;
    if (hole > 0) {
        struct db_query q = db_query(agent_db(a), SQL_HISTORY_HOLES_ASKED);
        db_bind_int(&q, ":network", agent_network(a));
        db_bind_int(&q, ":id", hole);
        code = db_run_query(&q, e);
    }
    return code != ERR_OK ? code : unasked(a, ret_more, &after, &newest, e);
}

enum err series_prune(struct agent *a, int64_t now_ms, struct error *e) {
    static const int statements[] = {SQL_SEEN_PAST_PRUNE, SQL_HISTORY_VIEW_PRUNE,
                                     SQL_HISTORY_HOLE_PRUNE, SQL_HISTORY_WITHDRAWN_PRUNE};
    enum err code = ERR_OK;
    if (!agent_charter(a))
        return ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof statements / sizeof statements[0]; i++) {
        struct db_query q = db_query(agent_db(a), statements[i]);
        db_bind_int(&q, ":network", agent_network(a));
        db_bind_int(&q, ":before", now_ms - agent_charter(a)->keep_days * MS_PER_DAY);
        code = db_run_query(&q, e);
    }
    return code == ERR_OK ? drop_empty(a, e) : code;
}

static json_t *hole_json(struct agent *a, struct db_query *q) {
    struct public_key agent;
    const struct member_agent *known = NULL;
    char since[TEXT_TIME_SIZE];
    json_int_t missing = db_column_int(q, 2) - db_column_int(q, 1) + 1;
    if (key_from_bytes(&agent, db_column_blob(q, 0), NULL) == ERR_OK)
        known = directory_agent(agent_directory(a), &agent);
    return json_pack("{s:s, s:I, s:s, s:b}", "member", known ? known->member->name : "?", "missing",
                     missing, "since", text_time(db_column_int(q, 3), since), "asked",
                     db_column_int(q, 4) != 0);
}

enum err series_holes(struct agent *a, json_t **ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_HISTORY_HOLES);
    db_bind_int(&q, ":network", agent_network(a));
    return listing_read(a, &q, hole_json, ret, e);
}
