/* Owns taking a partner's key renewal: its new X25519 key, to which grants are sealed from then on.
 * Must not verify the excerpt (inbox.c). */
#include "feed.h"
#include "inbox_private.h"
#include "renewal.h"
#include "store.h"

/* seq 0: this agent never renewed. */
static enum err held_renewal(struct agent *a, const struct public_key *agent, struct head *ret,
                             struct error *e) {
    struct head held = {0};
    struct db_query q = db_query(agent_db(a), SQL_PEER_BOX);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(agent->b, KEY_LEN));
    if (db_step(&q))
        held = (struct head){.incarnation = (uint64_t)db_column_int(&q, 0),
                             .seq = (uint64_t)db_column_int(&q, 1)};
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = held;
    return code;
}

static enum err store_renewal(struct agent *a, const struct delivery *d,
                              const struct public_key *box, struct error *e) {
    const struct header *h = &d->entry->header;
    struct db_query q = db_query(agent_db(a), SQL_PEER_BOX_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(h->agent.b, KEY_LEN));
    db_bind_int(&q, ":incarnation", (int64_t)h->incarnation);
    db_bind_int(&q, ":seq", (int64_t)h->seq);
    db_bind_blob(&q, ":box", bytes_of(box->b, KEY_LEN));
    db_bind_int(&q, ":received_ms", d->received_ms);
    return db_run_query(&q, e);
}

enum err inbox_take_renewal(struct agent *a, const struct delivery *d, struct error *e) {
    const struct header *h = &d->entry->header;
    const struct head now = {.incarnation = h->incarnation, .seq = h->seq};
    struct head held;
    struct public_key box;
    enum err code = renewal_decode(d->entry->views[0].data, &box, e);
    if (code == ERR_OK)
        code = held_renewal(a, &h->agent, &held, e);
    if (code == ERR_OK && held.seq > 0 && !head_after(&now, &held))
        return error_set(e, ERR_OLD,
                         "key renewal (%llu, %llu) is not newer than (%llu, %llu), which is held",
                         (unsigned long long)now.incarnation, (unsigned long long)now.seq,
                         (unsigned long long)held.incarnation, (unsigned long long)held.seq);
    if (code == ERR_OK)
        code = store_renewal(a, d, &box, e);
    if (code != ERR_OK)
        return code;
    directory_renew(agent_directory(a), &h->agent, &now, &box); /* cannot fail: see take_hub */
    agent_mark_dirty(a);
    return ERR_OK;
}
