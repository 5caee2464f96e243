/* Implements the decisions about feeds: which entry may follow which head, which views it may
 * carry. Pure. Must not verify signatures or hashes (entry.c does, before) nor know a store. */
#include "feed.h"

#include <stdlib.h>
#include <string.h>

#include "audience.h"

/* ---- place in the feed ---- */

/* Where one number of an entry stands against the head's. */
enum relation { BELOW, SAME, NEXT, BEYOND, RELATION_COUNT };

/* What follows from (incarnation, seq) alone, for an entry whose place holds no hash. */
enum step { CONTINUE, OPEN, BAD_INCARNATION, BAD_SEQ, IS_OLD };

/* seq never restarts, so an older incarnation can only have used seqs below the head's: an entry of
 * one at the head's seq or later comes from a copy that was left behind. */
static const enum step steps[RELATION_COUNT][RELATION_COUNT] = {
    /* incarnation      seq below        the same         next             beyond */
    [BELOW] = {IS_OLD, BAD_INCARNATION, BAD_INCARNATION, BAD_INCARNATION},
    [SAME] = {IS_OLD, IS_OLD, CONTINUE, BAD_SEQ},
    [NEXT] = {BAD_SEQ, BAD_SEQ, OPEN, BAD_SEQ},
    [BEYOND] = {BAD_INCARNATION, BAD_INCARNATION, BAD_INCARNATION, BAD_INCARNATION},
};

static enum relation relate(uint64_t value, uint64_t head) {
    if (value < head)
        return BELOW;
    if (value == head)
        return SAME;
    return value - head == 1 ? NEXT : BEYOND;
}

static bool is_hub_feed(const struct header *h) {
    return key_equal(&h->network, &h->member) && key_equal(&h->network, &h->agent);
}

static bool is_hub_kind(uint32_t kind) {
    return kind >= ENTRY_HUB_GENESIS && kind <= ENTRY_HUB_CERTIFIED;
}

static enum err check_opening_kind(const struct header *h, bool first, struct error *e) {
    uint32_t expected = first && is_hub_feed(h) ? ENTRY_HUB_GENESIS : ENTRY_OPEN;
    if (h->kind == expected)
        return ERR_OK;
    return error_set(e, ERR_KIND, "found kind %u at the start of incarnation %llu, expected %u",
                     h->kind, (unsigned long long)h->incarnation, expected);
}

/* Kinds this version does not know pass: they are stored and relayed. */
static enum err check_following_kind(const struct header *h, struct error *e) {
    if (h->kind == ENTRY_OPEN || h->kind == ENTRY_HUB_GENESIS)
        return error_set(e, ERR_KIND,
                         "found kind %u within incarnation %llu, expected it only at a start",
                         h->kind, (unsigned long long)h->incarnation);
    bool agent_kind = h->kind == ENTRY_UPDATE || h->kind == ENTRY_BOX_RENEWAL;
    if (is_hub_feed(h) ? agent_kind : is_hub_kind(h->kind))
        return error_set(e, ERR_KIND, "found kind %u in the feed of %s, where it has no place",
                         h->kind, is_hub_feed(h) ? "the hub" : "an agent");
    return ERR_OK;
}

static enum err check_step(const struct head *head, const struct header *h, struct error *e) {
    enum step step = steps[relate(h->incarnation, head->incarnation)][relate(h->seq, head->seq)];
    unsigned long long incarnation = h->incarnation, seq = h->seq;
    unsigned long long head_incarnation = head->incarnation, head_seq = head->seq;

    switch (step) {
    case CONTINUE:
        return check_following_kind(h, e);
    case OPEN:
        return check_opening_kind(h, head->seq == 0, e);
    case BAD_INCARNATION:
        return error_set(e, ERR_INCARNATION,
                         "found incarnation %llu (seq %llu) after head %llu.%llu, expected %llu "
                         "or, opened, %llu",
                         incarnation, seq, head_incarnation, head_seq, head_incarnation,
                         head_incarnation + 1);
    case BAD_SEQ:
        return error_set(e, ERR_SEQ, "found %llu.%llu after head %llu.%llu, expected seq %llu",
                         incarnation, seq, head_incarnation, head_seq, head_seq + 1);
    case IS_OLD:
        return error_set(e, ERR_OLD, "found %llu.%llu, below head %llu.%llu and no longer held",
                         incarnation, seq, head_incarnation, head_seq);
    }
    return error_set(e, ERR_INTERNAL, "unknown step %d", (int)step);
}

/* The hash known at the entry's own place: what the caller looked up, or the head itself. */
static const struct hash *known_hash(const struct feed_place *place, const struct header *h) {
    if (place->held != NULL)
        return place->held;
    bool at_head = place->head.seq > 0 && h->seq == place->head.seq &&
                   h->incarnation == place->head.incarnation;
    return at_head ? &place->head.hash : NULL;
}

enum feed_verdict feed_check(const struct feed_place *place, const struct header *header,
                             const struct hash *hash, struct error *e) {
    const struct hash *known = known_hash(place, header);
    if (known != NULL && hash_equal(known, hash))
        return FEED_HELD;
    if (known != NULL) {
        (void)error_set(e, ERR_FORK, "found a second signed entry for %llu.%llu",
                        (unsigned long long)header->incarnation, (unsigned long long)header->seq);
        return FEED_FORK;
    }
    if (header->incarnation == 0) {
        (void)error_set(e, ERR_INCARNATION, "found incarnation 0, expected 1 or more");
        return FEED_REJECT;
    }
    /* An empty feed is the head (0, 0, zero): (1, 1) with prev zero is its next incarnation. */
    static const struct head empty;
    const struct head *head = place->head.seq > 0 ? &place->head : &empty;
    if (check_step(head, header, e) != ERR_OK)
        return FEED_REJECT;
    if (!hash_equal(&header->prev, &head->hash)) {
        (void)error_set(e, ERR_PREV, "prev of %llu.%llu is not the hash of head %llu.%llu",
                        (unsigned long long)header->incarnation, (unsigned long long)header->seq,
                        (unsigned long long)head->incarnation, (unsigned long long)head->seq);
        return FEED_REJECT;
    }
    return FEED_ACCEPT;
}

bool head_after(const struct head *a, const struct head *b) {
    if (a->incarnation != b->incarnation)
        return a->incarnation > b->incarnation;
    return a->seq > b->seq;
}

/* ---- views ---- */

enum target_rule { TARGET_AUDIENCE, TARGET_RECIPIENT, TARGET_EITHER };

static const struct sealed_kind {
    uint32_t kind;
    enum target_rule target;
    const char *name;
} sealed_kinds[] = {
    {VIEW_GRANT, TARGET_RECIPIENT, "grant"},      {VIEW_STATE, TARGET_AUDIENCE, "state"},
    {VIEW_HISTORY, TARGET_AUDIENCE, "history"},   {VIEW_MESSAGE, TARGET_EITHER, "message"},
    {VIEW_WITHDRAW, TARGET_AUDIENCE, "withdraw"}, {VIEW_SELF, TARGET_AUDIENCE, "self"},
};

static bool is_zero(const uint8_t *b, size_t len) {
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= b[i];
    return any == 0;
}

static bool target_fits(const struct target *t, enum target_rule rule) {
    switch (rule) {
    case TARGET_AUDIENCE:
        return t->len == AUDIENCE_ID_LEN;
    case TARGET_RECIPIENT:
        return t->len == TARGET_MAX;
    case TARGET_EITHER:
        return t->len == AUDIENCE_ID_LEN || t->len == TARGET_MAX;
    }
    return false;
}

static enum err check_plain(const struct view *v, struct error *e) {
    if (v->target.len == AUDIENCE_ID_LEN && is_zero(v->target.b, v->target.len) &&
        is_zero(v->key_id.b, HASH_LEN))
        return ERR_OK;
    return error_set(e, ERR_KIND, "plain view: found a target or key id, expected 16 and 32 zeros");
}

/* A kind this version does not know says nothing about its target. */
static enum err check_sealed(const struct view *v, struct error *e) {
    const struct sealed_kind *known = NULL;
    for (size_t i = 0; i < sizeof sealed_kinds / sizeof *sealed_kinds; i++)
        if (sealed_kinds[i].kind == v->kind)
            known = &sealed_kinds[i];
    if (known == NULL)
        return ERR_OK;
    if (!target_fits(&v->target, known->target))
        return error_set(e, ERR_KIND, "%s view: found a target of %zu bytes, expected %s",
                         known->name, v->target.len,
                         known->target == TARGET_RECIPIENT ? "32 (an agent key)"
                                                           : "16 (an audience)");
    if (is_zero(v->target.b, v->target.len) || is_zero(v->key_id.b, HASH_LEN))
        return error_set(e, ERR_KIND, "%s view: found zeros for %s, which only plain views have",
                         known->name, is_zero(v->key_id.b, HASH_LEN) ? "its key id" : "its target");
    return ERR_OK;
}

static int compare_views(const void *left, const void *right) {
    const struct view *a = *(const struct view *const *)left;
    const struct view *b = *(const struct view *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->target.len != b->target.len)
        return a->target.len < b->target.len ? -1 : 1;
    int order = memcmp(a->target.b, b->target.b, a->target.len);
    return order != 0 ? order : memcmp(a->key_id.b, b->key_id.b, HASH_LEN);
}

static enum err check_distinct(const struct entry *entry, struct error *e) {
    const struct view *sorted[ENTRY_MAX_VIEWS];
    for (size_t i = 0; i < entry->view_count; i++)
        sorted[i] = &entry->views[i];
    if (entry->view_count > 1)
        qsort(sorted, entry->view_count, sizeof *sorted, compare_views);
    for (size_t i = 1; i < entry->view_count; i++)
        if (compare_views(&sorted[i - 1], &sorted[i]) == 0)
            return error_set(e, ERR_KIND,
                             "found two views of kind %u with the same target and key id, "
                             "expected one",
                             sorted[i]->kind);
    return ERR_OK;
}

/* The header's own count is asked too: an excerpt shows one view of several, so that under one
 * header hash one reader could be shown this and another reader that. */
static enum err check_single_plain(const struct entry *entry, const char *where, struct error *e) {
    if (entry->header.view_count != 1 || entry->view_count != 1 ||
        entry->views[0].kind != VIEW_PLAIN)
        return error_set(e, ERR_KIND, "%s: found %zu of %u views, expected exactly one, plain",
                         where, entry->view_count, entry->header.view_count);
    return check_plain(&entry->views[0], e);
}

static enum err check_agent_views(const struct entry *entry, struct error *e) {
    size_t grants = 0;
    for (size_t i = 0; i < entry->view_count; i++) {
        const struct view *v = &entry->views[i];
        if (v->kind == VIEW_PLAIN)
            return error_set(e, ERR_KIND,
                             "found a plain view in an agent's entry of kind %u, expected it only "
                             "in a key renewal (%u)",
                             entry->header.kind, ENTRY_BOX_RENEWAL);
        enum err err = check_sealed(v, e);
        if (err != ERR_OK)
            return err;
        if (v->kind == VIEW_GRANT && v->length > GRANT_MAX_BYTES)
            return error_set(e, ERR_CAP, "grant view: found %u bytes, expected at most %d",
                             v->length, GRANT_MAX_BYTES);
        grants += v->kind == VIEW_GRANT;
    }
    if (grants > ENTRY_MAX_GRANTS)
        return error_set(e, ERR_CAP, "found %zu grants, expected at most %d in one entry", grants,
                         ENTRY_MAX_GRANTS);
    return check_distinct(entry, e);
}

static enum err check_hub_views(const struct entry *entry, struct error *e) {
    if (entry->header.has_hub_head || entry->header.checkpoint.len > 0)
        return error_set(e, ERR_KIND,
                         "hub feed: found a hub head or checkpoint in a header, expected neither");
    enum err err = check_single_plain(entry, "hub feed", e);
    if (err == ERR_OK && entry->views[0].data.len == 0)
        return error_set(e, ERR_KIND, "hub feed: found a plain view without its data");
    return err;
}

enum err feed_check_views(const struct entry *entry, bool hub_feed, struct error *e) {
    if (entry->view_count > ENTRY_MAX_VIEWS)
        return error_set(e, ERR_CAP, "found %zu views, expected at most %d", entry->view_count,
                         ENTRY_MAX_VIEWS);
    if (hub_feed)
        return check_hub_views(entry, e);
    if (entry->header.kind == ENTRY_BOX_RENEWAL)
        return check_single_plain(entry, "key renewal", e);
    return check_agent_views(entry, e);
}
