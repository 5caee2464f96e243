/* Owns what a group of commits means for sessions.
 * Must not know the store. */
#include "news.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for what a group of commits changed");
}

void news_done(struct news *n) {
    free(n->keys);
    free(n->agents);
    free(n->expelled);
    *n = (struct news){.keys = NULL};
}

struct news_mark news_mark(const struct news *n) {
    return (struct news_mark){n->everybody, n->key_count, n->agent_count, n->expelled_count};
}

void news_forget(struct news *n, const struct news_mark *mark) {
    n->everybody = mark->everybody;
    n->key_count = mark->keys;
    n->agent_count = mark->agents;
    n->expelled_count = mark->expelled;
}

enum err news_add_key(struct news *n, int64_t author, const struct hash *key_id, struct error *e) {
    struct news_key *items = array_grow(n->keys, n->key_count, &n->key_cap, sizeof *items);
    if (items == NULL)
        return no_memory(e);
    n->keys = items;
    n->keys[n->key_count++] = (struct news_key){author, *key_id};
    return ERR_OK;
}

enum err news_add_agent(struct news *n, const struct public_key *agent, struct error *e) {
    struct public_key *items = array_grow(n->agents, n->agent_count, &n->agent_cap, sizeof *items);
    if (items == NULL)
        return no_memory(e);
    n->agents = items;
    n->agents[n->agent_count++] = *agent;
    return ERR_OK;
}

enum err news_add_expelled(struct news *n, const struct public_key *agent, enum err code,
                           struct error *e) {
    struct hub_expulsion *items =
        array_grow(n->expelled, n->expelled_count, &n->expelled_cap, sizeof *items);
    if (items == NULL)
        return no_memory(e);
    n->expelled = items;
    n->expelled[n->expelled_count++] = (struct hub_expulsion){*agent, code};
    return ERR_OK;
}

enum err news_move(struct news *to, struct news *from, struct error *e) {
    enum err err = ERR_OK;
    to->everybody = to->everybody || from->everybody;
    for (size_t i = 0; i < from->key_count && err == ERR_OK; i++)
        err = news_add_key(to, from->keys[i].author, &from->keys[i].key_id, e);
    for (size_t i = 0; i < from->agent_count && err == ERR_OK; i++)
        err = news_add_agent(to, &from->agents[i], e);
    for (size_t i = 0; i < from->expelled_count && err == ERR_OK; i++)
        err = news_add_expelled(to, &from->expelled[i].agent, from->expelled[i].code, e);
    if (err == ERR_OK)
        news_forget(from, &(struct news_mark){.everybody = false});
    return err;
}

static int compare_keys(const void *left, const void *right) {
    const struct news_key *a = left, *b = right;
    if (a->author != b->author)
        return a->author < b->author ? -1 : 1;
    return memcmp(a->key_id.b, b->key_id.b, HASH_LEN);
}

static int compare_agents(const void *left, const void *right) {
    return key_compare(left, right);
}

void news_tidy(struct news *n) {
    size_t kept = 0;
    if (n->key_count > 1)
        qsort(n->keys, n->key_count, sizeof *n->keys, compare_keys);
    for (size_t i = 0; i < n->key_count; i++)
        if (kept == 0 || compare_keys(&n->keys[kept - 1], &n->keys[i]) != 0)
            n->keys[kept++] = n->keys[i];
    n->key_count = kept;
    kept = 0;
    if (n->agent_count > 1)
        qsort(n->agents, n->agent_count, sizeof *n->agents, compare_agents);
    for (size_t i = 0; i < n->agent_count; i++)
        if (kept == 0 || !key_equal(&n->agents[kept - 1], &n->agents[i]))
            n->agents[kept++] = n->agents[i];
    n->agent_count = kept;
}
