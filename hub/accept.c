/* Owns the hub's rule: which entries come into the log, and what of them is routed where.
 * Must not verify signatures (done before, under the session's key) nor open views (opened.c).
 * Source: docs/protocol.md, "The hub's rule". */
#include "hub_private.h"

#include <assert.h>
#include <stdlib.h>

#include "renewal.h"

/* ---- the rule ---- */

enum err hub_check_member(const struct member *member, struct error *e) {
    switch (member->state) {
    case MEMBER_ADMITTED:
        break;
    case MEMBER_SUSPENDED:
        return error_set(e, ERR_SUSPENDED, "member '%s' is suspended; ask the hub's operator",
                         member->name);
    case MEMBER_REMOVED:
        return error_set(e, ERR_REMOVED, "member '%s' was removed from the network", member->name);
    }
    return ERR_OK;
}

enum err hub_check_agent(const struct hub *hub, const struct public_key *agent,
                         const struct member_agent **ret_agent, struct error *e) {
    const struct member_agent *found = directory_agent(hub->directory, agent);
    if (found == NULL)
        return error_set(e, ERR_UNKNOWN_AUTHOR,
                         "this agent is not in the network; join with an invitation first");
    if (ret_agent != NULL)
        *ret_agent = found;
    enum err err = hub_check_member(found->member, e);
    if (err == ERR_OK && found->revoked)
        return error_set(e, ERR_REVOKED, "this agent of '%s' was revoked", found->member->name);
    return err;
}

static enum err check_header(const struct hub *hub, const struct header *h,
                             const struct member_agent *agent, struct error *e) {
    if (!key_equal(&h->network, &hub->keys.sign.pub))
        return error_set(e, ERR_NETWORK, "the entry's header names another network");
    if (!key_equal(&h->agent, &agent->agent))
        return error_set(e, ERR_CERTIFICATE,
                         "the entry's header names another agent than the one "
                         "that sent it");
    if (!key_equal(&h->member, &agent->member->key))
        return error_set(e, ERR_CERTIFICATE,
                         "the entry's header names another member than the agent's certificate");
    return ERR_OK;
}

static enum err check_role(const struct entry *entry, const struct member *member,
                           struct error *e) {
    if (member->role != ROLE_OBSERVER)
        return ERR_OK;
    for (size_t i = 0; i < entry->view_count; i++)
        if (entry->views[i].kind == VIEW_STATE || entry->views[i].kind == VIEW_HISTORY)
            return error_set(e, ERR_ROLE, "'%s' is an observer: observers publish no figures",
                             member->name);
    return ERR_OK;
}

static enum err check_author(const struct hub *hub, const struct entry *entry,
                             const struct public_key *agent, struct error *e) {
    const struct member_agent *found = NULL;
    enum err err = hub_check_agent(hub, agent, &found, e);
    if (err == ERR_OK)
        err = check_header(hub, &entry->header, found, e);
    return err == ERR_OK ? check_role(entry, found->member, e) : err;
}

/* A stopped agent goes on when a human opens the next incarnation on the copy that stays. */
static bool still_stopped(const struct author *author, const struct header *h) {
    bool takeover =
        author != NULL && h->kind == ENTRY_OPEN && h->incarnation == author->head.incarnation + 1;
    return author != NULL && author->forked && !takeover;
}

#define RATE_VIEWS 16 /* an entry counts once more for each of these */
#define RATE_BYTES ((size_t)16 * 1024)
#define RATE_RENEWAL 32 /* goes to everybody */

/* What it makes the hub write, route and keep, so that few large entries are not cheap. */
static int64_t rate_cost(const struct entry *entry) {
    size_t bytes = 0;
    for (size_t i = 0; i < entry->view_count; i++)
        bytes += entry->views[i].data.len;
    int64_t renewal = entry->header.kind == ENTRY_BOX_RENEWAL ? RATE_RENEWAL : 0;
    return 1 + renewal + (int64_t)(entry->view_count / RATE_VIEWS + bytes / RATE_BYTES);
}

/* Every member will read it. */
static enum err check_renewal(const struct entry *entry, struct error *e) {
    struct public_key box;
    if (entry->header.kind != ENTRY_BOX_RENEWAL || entry->views[0].data.len == 0)
        return ERR_OK;
    return renewal_decode(entry->views[0].data, &box, e);
}

/* What can be judged once the place in the feed is right. */
static enum err check_rest(struct hub *hub, const struct entry *entry, const struct author *author,
                           int64_t now_ms, struct error *e) {
    if (still_stopped(author, &entry->header))
        return error_set(e, ERR_FORK,
                         "this agent's feed forked at an earlier entry: run "
                         "`plek-agent takeover` on the one copy that stays");
    enum err err = feed_check_views(entry, false, e);
    if (err == ERR_OK)
        err = check_renewal(entry, e);
    if (err != ERR_OK)
        return err;
    const struct presence_limit limit = {PRESENCE_ENTRIES, hub->settings.member_rate,
                                         hub->settings.member_burst};
    err = presence_take(&hub->presence, &entry->header.member, &limit, rate_cost(entry), now_ms, e);
    if (err == ERR_RATE)
        return error_set(e, ERR_RATE, "more than %lld entries a second; try again later",
                         (long long)hub->settings.member_rate);
    return err;
}

/* Only a place at or below the head can be held, and the head itself is known. */
static enum err find_held(struct hub *hub, const struct author *author, const struct header *h,
                          struct hash *room, const struct hash **ret, struct error *e) {
    bool found = false;
    uint64_t incarnation = 0;
    *ret = NULL;
    if (author == NULL || h->seq == 0 || h->seq >= author->head.seq)
        return ERR_OK;
    enum err err = store_held(hub->store, author->id, h->seq, &found, &incarnation, room, e);
    if (err == ERR_OK && found && incarnation == h->incarnation)
        *ret = room;
    return err;
}

/* The verdict; what it returns is the store's failure only. */
static enum err judge(struct hub *hub, const struct entry *entry, const struct public_key *agent,
                      const struct author *author, int64_t now_ms, enum feed_verdict *ret,
                      struct error *ret_reject, struct error *e) {
    struct feed_place place = {.held = NULL};
    struct hash room;
    *ret = FEED_REJECT;
    if (check_author(hub, entry, agent, ret_reject) != ERR_OK)
        return ERR_OK;
    enum err err = find_held(hub, author, &entry->header, &room, &place.held, e);
    if (err != ERR_OK)
        return err;
    if (author != NULL)
        place.head = author->head;
    *ret = feed_check(&place, &entry->header, &entry->hash, ret_reject);
    if (*ret != FEED_ACCEPT)
        return ERR_OK;
    struct error why = {0};
    err = check_rest(hub, entry, author, now_ms, &why);
    if (err == ERR_NO_MEMORY) /* not the entry's fault */
        return error_set(e, err, "%s", why.detail);
    if (err != ERR_OK) {
        *ret = FEED_REJECT;
        *ret_reject = why;
    }
    return ERR_OK;
}

/* ---- storing ---- */

struct accepting {
    struct hub *hub;
    const struct entry *entry;
    int64_t author; /* the store's id */
    uint64_t log_index;
    int64_t now_ms;
};

static enum err append(const struct accepting *a, bool fork, struct error *e) {
    const struct header *h = &a->entry->header;
    bool keep[ENTRY_MAX_VIEWS] = {false};
    struct buf body;
    buf_init(&body, ENTRY_MAX_BYTES);
    enum err err = entry_encode(a->entry, keep, &body, e);
    if (err == ERR_OK) {
        struct store_entry row = {.log_index = a->log_index,
                                  .author = a->author,
                                  .incarnation = h->incarnation,
                                  .seq = h->seq,
                                  .kind = h->kind,
                                  .received_ms = a->now_ms,
                                  .hash = &a->entry->hash,
                                  .body = buf_bytes(&body)};
        err = fork ? store_add_fork(a->hub->store, &row, e) : store_append(a->hub->store, &row, e);
    }
    buf_done(&body);
    return err;
}

static enum err route_grant(const struct accepting *a, const struct store_view *v,
                            struct error *e) {
    struct public_key recipient;
    enum err err = key_from_bytes(&recipient, bytes_of(v->view->target.b, v->view->target.len), e);
    if (err != ERR_OK)
        return err;
    if (key_equal(&recipient, &a->hub->keys.sign.pub))
        return opened_grant(a->hub, a->author, &a->entry->header, v->view, a->now_ms, e);
    /* Nobody could ever fetch it: an author's feed follows the hub's. */
    if (directory_agent(a->hub->directory, &recipient) == NULL)
        return ERR_OK;
    err = store_put_grant(a->hub->store, v, e);
    return err == ERR_OK ? news_add_agent(&a->hub->pending, &recipient, e) : err;
}

static enum err route_state(const struct accepting *a, const struct store_view *v,
                            struct error *e) {
    enum err err = store_put_state(a->hub->store, v, e);
    if (err == ERR_OK)
        err = news_add_key(&a->hub->pending, a->author, &v->view->key_id, e);
    if (err == ERR_OK)
        err = opened_state(a->hub, a->author, &a->entry->header, v->view, a->now_ms, e);
    return err;
}

_Static_assert(CLASS_STATES == 2, "store_sql.def keeps withdrawals in class 2");

/* As a state of nothing: what was there goes, and it stands where a state would. */
static enum err route_withdrawal(const struct accepting *a, const struct store_view *v,
                                 struct error *e) {
    enum err err = store_put_withdrawal(a->hub->store, v, e);
    if (err == ERR_OK)
        err = news_add_key(&a->hub->pending, a->author, &v->view->key_id, e);
    if (err == ERR_OK)
        err = store_drop_history(a->hub->store, a->author, v->view->target.b, e);
    return err == ERR_OK ? store_drop_picture(a->hub->store, a->author, v->view->target.b, e) : err;
}

/* For everybody, newcomers included. */
static enum err route_renewal(const struct accepting *a, const struct store_view *v,
                              struct error *e) {
    a->hub->pending.everybody = true;
    return store_put_renewal(a->hub->store, v, e);
}

/* Those with a recipient are for that one, the rest for whoever holds the key. Kinds this version
 * does not know travel with history. */
static enum err route_other(const struct accepting *a, const struct store_view *v,
                            struct error *e) {
    const struct view *view = v->view;
    int class_ = view->kind == VIEW_MESSAGE ? CLASS_MESSAGES : CLASS_HISTORY;
    struct public_key recipient;
    enum err err = store_put_view(a->hub->store, class_, v, e);
    if (err == ERR_OK && view->kind == VIEW_HISTORY)
        err = opened_history(a->hub, a->author, &a->entry->header, view, a->now_ms, e);
    if (err != ERR_OK)
        return err;
    if (view->target.len != KEY_LEN)
        return news_add_key(&a->hub->pending, a->author, &view->key_id, e);
    err = key_from_bytes(&recipient, bytes_of(view->target.b, view->target.len), e);
    return err == ERR_OK ? news_add_agent(&a->hub->pending, &recipient, e) : err;
}

static enum err route_view(const struct accepting *a, uint32_t index, struct error *e) {
    const struct view *view = &a->entry->views[index];
    struct store_view v = {
        .place = place_of(a->log_index, index), .author = a->author, .view = view};
    if (view->data.len == 0) /* its author no longer holds it: only the leaf came */
        return ERR_OK;
    if (view->kind == VIEW_GRANT)
        return route_grant(a, &v, e);
    if (view->kind == VIEW_WITHDRAW)
        return route_withdrawal(a, &v, e);
    if (view->kind == VIEW_PLAIN)
        return route_renewal(a, &v, e);
    return view->kind == VIEW_STATE ? route_state(a, &v, e) : route_other(a, &v, e);
}

/* Grants first: a state in the same entry may be under a key they bring. */
static enum err route(const struct accepting *a, struct error *e) {
    enum err err = ERR_OK;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < a->entry->view_count && err == ERR_OK; i++)
            if ((a->entry->views[i].kind == VIEW_GRANT) == (pass == 0))
                err = route_view(a, i, e);
    return err;
}

/* The author's row in memory, made but not yet added when it is its first entry. */
static enum err find_author(struct hub *hub, const struct entry *entry, struct author **author,
                            struct author **ret_fresh, struct error *e) {
    if (*author != NULL)
        return ERR_OK;
    enum err err = authors_reserve(&hub->authors, e);
    if (err != ERR_OK)
        return err;
    struct author *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for an author");
    fresh->agent = entry->header.agent;
    fresh->member = entry->header.member;
    *author = *ret_fresh = fresh;
    return ERR_OK;
}

static enum err write_entry(struct accepting *a, struct author *author, struct error *e) {
    struct store *store = a->hub->store;
    enum err err = ERR_OK;
    if (author->id == 0)
        err = store_add_author(store, &author->agent, &author->member, &author->id, e);
    if (err == ERR_OK && author->forked)
        err = store_set_forked(store, author->id, false, e);
    a->author = author->id;
    if (err == ERR_OK)
        err = append(a, false, e);
    return err == ERR_OK ? route(a, e) : err;
}

static bool grants_to_hub(const struct hub *hub, const struct entry *entry) {
    struct target own = target_key(&hub->keys.sign.pub);
    for (size_t i = 0; i < entry->view_count; i++)
        if (entry->views[i].kind == VIEW_GRANT && target_equal(&entry->views[i].target, &own))
            return true;
    return false;
}

static enum err accept_entry(struct hub *hub, const struct entry *entry, struct author *author,
                             int64_t now_ms, struct error *e) {
    struct accepting a = {.hub = hub, .entry = entry, .log_index = hub->tip + 1, .now_ms = now_ms};
    struct author *fresh = NULL;
    struct news_mark mark = news_mark(&hub->pending);
    enum err err = find_author(hub, entry, &author, &fresh, e);
    if (err == ERR_OK)
        err = store_savepoint(hub->store, e);
    if (err != ERR_OK) {
        free(fresh);
        return err;
    }
    bool keyed = author->keyed;
    author->keyed = keyed || grants_to_hub(hub, entry);
    err = write_entry(&a, author, e);
    if (err == ERR_OK)
        err = store_release(hub->store, e);
    else
        store_undo(hub->store);
    if (err != ERR_OK) {
        author->keyed = keyed;
        news_forget(&hub->pending, &mark);
        free(fresh);
        return err;
    }
    if (fresh != NULL)
        authors_add(&hub->authors, fresh);
    author->forked = false;
    author->head = (struct head){entry->header.incarnation, entry->header.seq, entry->hash};
    hub->tip++;
    return ERR_OK;
}

/* One proof is enough: more would let a broken agent fill the disk. */
static enum err keep_fork(struct hub *hub, const struct entry *entry, struct author *author,
                          int64_t now_ms, struct error *e) {
    struct accepting a = {.hub = hub, .entry = entry, .author = author->id, .now_ms = now_ms};
    struct news_mark mark = news_mark(&hub->pending);
    if (author->forked)
        return ERR_OK;
    enum err err = store_savepoint(hub->store, e);
    if (err != ERR_OK)
        return err;
    err = append(&a, true, e);
    if (err == ERR_OK)
        err = store_set_forked(hub->store, author->id, true, e);
    if (err == ERR_OK)
        err = news_add_expelled(&hub->pending, &author->agent, ERR_FORK, e);
    if (err == ERR_OK)
        err = store_release(hub->store, e);
    else
        store_undo(hub->store);
    if (err == ERR_OK)
        author->forked = true;
    else
        news_forget(&hub->pending, &mark);
    return err;
}

enum err hub_accept(struct hub *hub, const struct entry *entry, struct bytes entry_bytes,
                    const struct public_key *agent, int64_t now_ms, enum feed_verdict *ret_verdict,
                    struct head *ret_head, struct error *ret_reject, struct error *e) {
    assert(hub->depth > 0);
    (void)entry_bytes; /* what is stored is encoded anew, without the views' data */
    struct author *author = authors_find(&hub->authors, agent);
    struct error reject = {0};
    enum feed_verdict verdict = FEED_REJECT;
    enum err err = judge(hub, entry, agent, author, now_ms, &verdict, &reject, e);
    if (err == ERR_OK && verdict == FEED_ACCEPT)
        err = accept_entry(hub, entry, author, now_ms, e);
    if (err == ERR_OK && verdict == FEED_FORK)
        err = keep_fork(hub, entry, author, now_ms, e);
    if (err != ERR_OK)
        return err;
    if (verdict == FEED_REJECT || verdict == FEED_FORK)
        hub_note_rejection(hub, reject.code, now_ms);
    author = authors_find(&hub->authors, agent);
    *ret_verdict = verdict;
    *ret_head = author != NULL ? author->head : (struct head){.seq = 0};
    *ret_reject = reject;
    return ERR_OK;
}
