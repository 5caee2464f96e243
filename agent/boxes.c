/* Owns the agent's X25519 keys (see boxes.h). A key is first a file, then a row, then announced,
 * and at the end neither: whatever a crash leaves is taken up from there. Must not seal. */
#include "boxes.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "agent_private.h"
#include "failpoint.h"
#include "outbox.h"
#include "store.h"
#include "vault.h"

#define MS_PER_DAY (INT64_C(24) * 3600 * 1000)
#define WIPE_AGAIN_MS (INT64_C(3600) * 1000)

/* ---- rows ---- */

/* What is recorded of the keys after the first; `made` without `announced` is the next one. */
struct recorded {
    int64_t announced, made; /* numbers; 1: only the certificate's */
};

static enum err load_recorded(struct agent *a, struct recorded *ret, struct error *e) {
    struct recorded r = {1, 1};
    struct db_query q = db_query(a->db, SQL_OWN_BOX_NUMBERS);
    db_bind_int(&q, ":network", a->network.id);
    if (db_step(&q)) {
        r.announced = db_column_int(&q, 0);
        r.made = db_column_int(&q, 1);
    }
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = r;
    return code;
}

/* When this key was announced, and in which entry; seq 0: it was not. */
static enum err load_announcement(struct agent *a, int64_t number, uint64_t *ret_seq,
                                  int64_t *ret_ms, struct error *e) {
    uint64_t seq = 0;
    int64_t ms = 0;
    struct db_query q = db_query(a->db, SQL_OWN_BOX);
    db_bind_int(&q, ":network", a->network.id);
    db_bind_int(&q, ":number", number);
    if (db_step(&q)) {
        seq = (uint64_t)db_column_int(&q, 0);
        ms = db_column_int(&q, 1);
    }
    enum err code = db_finish(&q, e);
    if (code == ERR_OK) {
        *ret_seq = seq;
        *ret_ms = ms;
    }
    return code;
}

static enum err put_row(struct agent *a, int64_t number, uint64_t seq, int64_t now_ms,
                        struct error *e) {
    struct db_query q = db_query(a->db, SQL_OWN_BOX_PUT);
    db_bind_int(&q, ":network", a->network.id);
    db_bind_int(&q, ":number", number);
    db_bind_int(&q, ":seq", (int64_t)seq);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

/* ---- into memory ---- */

void boxes_wipe_memory(struct boxes *boxes) {
    sodium_memzero(boxes, sizeof *boxes);
}

static enum err open_one(struct agent *a, int64_t number, struct box_held *ret, struct error *e) {
    ret->number = number;
    return vault_open_box(a->dir, number, &ret->pair, &ret->since_ms, e);
}

/* Old ones are wiped oldest first, so those that are left have numbers without gaps. */
static enum err open_held(struct agent *a, const struct recorded *r, struct boxes *boxes,
                          struct error *e) {
    enum err code = ERR_OK;
    for (int64_t n = r->announced; code == ERR_OK && n > 0 && boxes->count < BOXES_MAX &&
                                   (n == r->announced || vault_has_box(a->dir, n));
         n--) {
        code = open_one(a, n, &boxes->list[boxes->count], e);
        boxes->count += code == ERR_OK;
    }
    if (code == ERR_OK && r->made > r->announced) {
        code = open_one(a, r->made, &boxes->next, e);
        boxes->has_next = code == ERR_OK;
    }
    return code;
}

enum err boxes_load(struct agent *a, struct error *e) {
    struct recorded r = {1, 1};
    struct boxes boxes = {.wipe_after_ms = a->boxes.wipe_after_ms};
    enum err code = a->network.id != 0 ? load_recorded(a, &r, e) : ERR_OK;
    if (code == ERR_OK)
        code = open_held(a, &r, &boxes, e);
    if (code == ERR_OK)
        a->boxes = boxes;
    boxes_wipe_memory(&boxes);
    return code;
}

/* ---- renewing ---- */

enum err boxes_make_next(struct agent *a, int64_t now_ms, struct error *e) {
    struct boxes *boxes = &a->boxes;
    struct box_held made;
    int64_t number = boxes->list[0].number + 1;
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK || boxes->has_next)
        return code;
    if (boxes->count == BOXES_MAX)
        return error_set(e, ERR_CONFLICT,
                         "%d keys are kept already; the oldest goes when the charter's keep_days "
                         "have passed",
                         BOXES_MAX);
    if (!vault_has_box(a->dir, number)) /* else a crash came before its row */
        code = vault_make_box(a->dir, number, &a->entropy, now_ms, e);
    failpoint("agent-box-made");
    if (code == ERR_OK)
        code = open_one(a, number, &made, e);
    if (code == ERR_OK)
        code = put_row(a, number, 0, now_ms, e);
    if (code == ERR_OK) {
        boxes->next = made;
        boxes->has_next = true;
        agent_mark_dirty(a);
    }
    sodium_memzero(&made, sizeof made);
    return code;
}

enum err boxes_renew(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) {
    enum err code = db_begin(a->db, e);
    if (code != ERR_OK)
        return code;
    code = boxes_make_next(a, now_ms, e);
    code = db_end(a->db, code, e);
    if (code != ERR_OK) {
        (void)!boxes_load(a, NULL); /* else the file that was made waits for the next try */
        return code;
    }
    json_t *answer = boxes_json(a);
    if (!answer)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    *ret = answer;
    return ERR_OK;
}

int64_t boxes_renew_at(const struct agent *a) {
    const struct box_held *used = &a->boxes.list[0];
    if (a->boxes.has_next)
        return 0;
    return a->boxes.count == BOXES_MAX ? INT64_MAX : used->since_ms + BOXES_RENEW_MS;
}

bool boxes_renewal_due(const struct agent *a, int64_t now_ms) {
    return boxes_renew_at(a) <= now_ms;
}

const struct public_key *boxes_next(const struct agent *a, int64_t *ret_since_ms) {
    assert(a->boxes.has_next);
    *ret_since_ms = a->boxes.next.since_ms;
    return &a->boxes.next.pair.pub;
}

enum err boxes_announced(struct agent *a, const struct head *entry, int64_t now_ms,
                         struct error *e) {
    struct boxes *boxes = &a->boxes;
    enum err code = put_row(a, boxes->next.number, entry->seq, now_ms, e);
    if (code != ERR_OK)
        return code;
    memmove(&boxes->list[1], &boxes->list[0], boxes->count * sizeof boxes->list[0]);
    boxes->list[0] = boxes->next;
    boxes->count++;
    boxes->has_next = false;
    sodium_memzero(&boxes->next, sizeof boxes->next);
    agent_raise_event(a, AGENT_EVENT_STATUS);
    return ERR_OK;
}

/* ---- wiping ---- */

/* When the oldest key may go; INT64_MAX: there is none, or its successor is not acknowledged. */
static enum err oldest_goes_at(struct agent *a, int64_t *ret, struct error *e) {
    const struct boxes *boxes = &a->boxes;
    struct head own, acked;
    uint64_t seq = 0;
    int64_t announced_ms = 0;
    *ret = INT64_MAX;
    if (boxes->count < 2 || !agent_charter(a))
        return ERR_OK;
    enum err code =
        load_announcement(a, boxes->list[boxes->count - 2].number, &seq, &announced_ms, e);
    if (code == ERR_OK)
        code = outbox_heads(a, &own, &acked, e);
    if (code == ERR_OK && seq > 0 && seq <= acked.seq)
        *ret = announced_ms + agent_charter(a)->keep_days * MS_PER_DAY;
    return code;
}

enum err boxes_wipe_old(struct agent *a, int64_t now_ms, struct error *e) {
    struct boxes *boxes = &a->boxes;
    int64_t at_ms = INT64_MAX;
    enum err code = ERR_OK;
    if (now_ms < boxes->wipe_after_ms)
        return ERR_OK;
    while ((code = oldest_goes_at(a, &at_ms, e)) == ERR_OK && at_ms <= now_ms) {
        struct box_held *oldest = &boxes->list[boxes->count - 1];
        code = vault_wipe_box(a->dir, oldest->number, e);
        if (code != ERR_OK)
            break;
        sodium_memzero(oldest, sizeof *oldest);
        boxes->count--;
        agent_raise_event(a, AGENT_EVENT_STATUS);
    }
    boxes->wipe_after_ms = code == ERR_OK ? 0 : now_ms + WIPE_AGAIN_MS;
    return code;
}

int64_t boxes_wipe_at(struct agent *a) {
    int64_t at_ms = INT64_MAX;
    if (oldest_goes_at(a, &at_ms, NULL) != ERR_OK)
        return INT64_MAX;
    return at_ms > a->boxes.wipe_after_ms ? at_ms : a->boxes.wipe_after_ms;
}

/* ---- using them ---- */

enum err boxes_open_grant(struct agent *a, const struct header *header, const struct view *grant,
                          struct audience_ctx *ret_ctx, struct audience_key *ret_key,
                          struct error *e) {
    enum err code = ERR_DECRYPT;
    for (size_t i = 0; code == ERR_DECRYPT && i < a->boxes.count; i++)
        code = grant_open(header, &grant->key_id, grant->data, &a->boxes.list[i].pair, ret_ctx,
                          ret_key, e);
    return code;
}

json_t *boxes_json(struct agent *a) {
    char since[TEXT_TIME_SIZE], next[TEXT_TIME_SIZE];
    const struct box_held *used = &a->boxes.list[0];
    return json_pack("{s:s, s:s, s:b, s:I}", "since", text_time(used->since_ms, since),
                     "next_renewal", text_time(used->since_ms + BOXES_RENEW_MS, next), "waiting",
                     (int)a->boxes.has_next, "older", (json_int_t)(a->boxes.count - 1));
}
