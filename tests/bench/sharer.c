/* Implements a real agent that shares, in a measurement. Must not measure. */
#include "sharer.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "frame.h"
#include "outbox.h"
#include "sharing.h"

#define WS_HEADER 8 /* RFC 6455: masked, 126 to 65,535 bytes */
#define POLICY_BYTES (SHARER_MANY * 80)
#define ENTRIES_MAX 64

enum err sharer_call(struct sharer *s, enum api_method method, const char *path, json_t *take_body,
                     struct error *e) {
    enum err err = resident_call(&s->r, method, path, take_body, NULL, e);
    json_decref(take_body);
    return err;
}

enum err sharer_line(struct sharer *s, const char *site, const char *service, int number,
                     int occupied, struct error *e) {
    char ward[32], count[16];
    snprintf(ward, sizeof ward, "Afdeling %c%d", 'A' + number % 3, number + 1);
    snprintf(count, sizeof count, "%d", occupied);
    return sharer_call(s, API_POST, "/v1/lines",
                       json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "site", site,
                                 "service", service, "ward", ward, "set", "total", "24", "occupied",
                                 count, "held", "1", "blocked", "2", "status", "admitting"),
                       e);
}

enum err sharer_policy(struct sharer *s, int audiences, int each, struct error *e) {
    struct buf text;
    json_t *answer = NULL;
    buf_init(&text, POLICY_BYTES);
    buf_append_str(&text, "{\"audiences\":[");
    for (int i = 0; i < audiences; i++) {
        buf_printf(&text, "%s{\"name\":\"a%d\",\"members\":[", i > 0 ? "," : "", i);
        for (int j = 0; j < each; j++)
            buf_printf(&text, "%s\"Member %d\"", j > 0 ? "," : "", i * each + j);
        buf_append_str(&text, "],\"services\":[\"*\"],\"precision\":\"exact\"}");
    }
    buf_append_str(&text, "]}");
    struct sharing_apply apply = {.text = buf_bytes(&text), .file = "policy", .actor = "bench"};
    enum err err = buf_failed(&text, e);
    if (err == ERR_OK)
        err = sharing_apply(s->r.agent, &apply, clock_wall_ms(), &answer, e);
    json_decref(answer);
    buf_done(&text);
    return err;
}

enum err sharer_approve(struct sharer *s, struct error *e) {
    struct db *db = agent_db(s->r.agent);
    enum err err = db_begin(db, e);
    for (int i = 0; i < SHARER_MANY && err == ERR_OK; i++) {
        char name[32];
        json_t *answer = NULL;
        snprintf(name, sizeof name, "Member %d", i);
        err = sharing_approve(s->r.agent, name, NULL, "bench", clock_wall_ms(), &answer, e);
        json_decref(answer);
    }
    if (err == ERR_OK)
        return db_commit(db, e);
    db_rollback(db);
    return err;
}

/* ---- sealing ---- */

/* The next entry's length, or 0 when there is none. */
static enum err next_entry(struct sharer *s, size_t *ret_len, struct error *e) {
    struct db *db = agent_db(s->r.agent);
    struct blob *entry = NULL;
    struct head head;
    enum err err = db_begin(db, e);
    if (err != ERR_OK)
        return err;
    err = outbox_next(s->r.agent, &s->head, ENTRY_MAX_BYTES, clock_wall_ms(), &entry, &head, e);
    if (err == ERR_OK)
        err = db_commit(db, e);
    else
        db_rollback(db);
    if (err == ERR_OK && entry != NULL)
        s->head = head;
    if (err == ERR_OK)
        *ret_len = entry != NULL ? blob_bytes(entry).len : 0;
    blob_unref(entry);
    return err;
}

enum err sharer_drain(struct sharer *s, int *ret_entries, size_t *ret_bytes, struct error *e) {
    size_t len = 1;
    enum err err = ERR_OK;
    *ret_entries = 0;
    *ret_bytes = 0;
    while (len > 0 && err == ERR_OK && *ret_entries < ENTRIES_MAX) {
        err = next_entry(s, &len, e);
        *ret_entries += len > 0;
        *ret_bytes += len;
    }
    return err;
}

enum err sharer_update(struct sharer *s, double *ret, struct error *e) {
    size_t len = 0, more = 0;
    s->change++;
    enum err err = sharer_line(s, "Resident", "bed", 3, 10 + s->change % 7, e);
    if (err == ERR_OK)
        err = next_entry(s, &len, e);
    if (err == ERR_OK)
        err = next_entry(s, &more, e);
    if (err == ERR_OK && (len == 0 || more != 0))
        err = error_set(e, ERR_INTERNAL, "a changed figure gave %s entry",
                        len == 0 ? "no" : "more than one");
    if (err != ERR_OK)
        return err;
    uint8_t *zeros = calloc(1, len);
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = bytes_of(zeros, len)}};
    struct buf out;
    buf_init(&out, FRAME_MAX_BYTES);
    err = zeros != NULL ? frame_encode(&frame, &out, e)
                        : error_set(e, ERR_NO_MEMORY, "no memory for a frame");
    if (err == ERR_OK)
        *ret = (double)(out.len + CHANNEL_OVERHEAD + WS_HEADER);
    buf_done(&out);
    free(zeros);
    return err;
}
