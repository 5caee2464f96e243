/* Owns the hub as a whole: opening, groups of commits, and what is read from the store again when
 * one fails. Must not know the rules (accept.c, greet.c) nor threads, sockets or the clock. */
#include "freeze.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_PRUNE_ROWS 100
#define DAY_MS INT64_C(86400000)

/* ---- reading the store ---- */

static enum err load_author(void *ctx, const struct store_author *row, struct error *e) {
    struct hub *hub = ctx;
    enum err err = authors_reserve(&hub->authors, e);
    if (err != ERR_OK)
        return err;
    struct author *author = calloc(1, sizeof *author);
    if (author == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for an author");
    *author = (struct author){.id = row->id,
                              .agent = row->agent,
                              .member = row->member,
                              .head = row->head,
                              .forked = row->forked};
    authors_add(&hub->authors, author);
    return ERR_OK;
}

static enum err load_keyed(void *ctx, int64_t id, struct error *e) {
    struct hub *hub = ctx;
    struct author *author = authors_by_id(&hub->authors, id);
    (void)e;
    if (author != NULL)
        author->keyed = true;
    return ERR_OK;
}

static enum err load_seen(void *ctx, const struct public_key *agent, int64_t last_ms,
                          struct error *e) {
    struct hub *hub = ctx;
    return presence_load(&hub->presence, agent, last_ms, e);
}

static enum err read_store(struct hub *hub, struct error *e) {
    enum err err = store_use_network(hub->store, &hub->keys.sign.pub, e);
    if (err == ERR_OK)
        err = store_authors(hub->store, load_author, hub, e);
    if (err == ERR_OK)
        err = store_key_authors(hub->store, load_keyed, hub, e);
    if (err == ERR_OK)
        err = store_tip(hub->store, &hub->tip, e);
    if (err != ERR_OK)
        return err;
    hub->own = authors_find(&hub->authors, &hub->keys.sign.pub);
    if (hub->own == NULL || hub->own->head.seq == 0)
        return error_set(e, ERR_STORE, "hub.db holds no feed of the hub itself; restore a backup");
    return hub_replay(hub, e);
}

/* All that follows from the store. On failure the older picture stays, and the hub is stale: it
 * begins no group and hands nothing out until this succeeds. */
static enum err reload(struct hub *hub, struct error *e) {
    struct directory *directory = hub->directory;
    struct authors authors = hub->authors;
    struct author *own = hub->own;
    uint64_t tip = hub->tip, last_resumed = hub->last_resumed;
    hub->directory = NULL;
    hub->last_resumed = 0;
    authors_init(&hub->authors, hub->keys.sign.pub.b);
    enum err err = read_store(hub, e);
    hub->stale = err != ERR_OK;
    if (err == ERR_OK) {
        directory_free(directory);
        authors_done(&authors);
        return ERR_OK;
    }
    directory_free(hub->directory);
    authors_done(&hub->authors);
    hub->directory = directory;
    hub->authors = authors;
    hub->own = own;
    hub->tip = tip;
    hub->last_resumed = last_resumed;
    return err;
}

enum err hub_refresh(struct hub *hub, struct error *e) {
    return hub->stale ? reload(hub, e) : ERR_OK;
}

/* ---- opening ---- */

static void describe(void *ctx, const char **ret_member, const char **ret_network) {
    const struct hub *hub = ctx;
    const char *network = hub->directory != NULL ? directory_name(hub->directory) : NULL;
    *ret_member = "";
    *ret_network = network != NULL ? network : "";
}

/* Agents reach a hub at "ws://HOST:PORT", people at "http://HOST:PORT". */
static void note_url(struct hub *hub, const char *address) {
    const char *rest = strstr(address, "://");
    char url[INVITE_ADDRESS_MAX + 16];
    bool tls = rest != NULL ? strncmp(address, "wss", 3) == 0 : hub->settings.tls_cert[0] != '\0';
    snprintf(url, sizeof url, "%s%s", tls ? "https://" : "http://",
             rest != NULL ? rest + 3 : address);
    access_set_url(hub->access, url);
}

/* What the rules refuse changed nothing: within the savepoint, or not at all. */
static enum err begin_request(void *ctx, struct error *e) {
    struct hub *hub = ctx;
    enum err err = hub_begin(hub, e);
    if (err != ERR_OK)
        return err;
    err = store_savepoint(hub->store, e);
    if (err != ERR_OK && hub_commit(hub, NULL) != ERR_OK)
        return err;
    return err;
}

static enum err commit_request(void *ctx, struct error *e) {
    struct hub *hub = ctx;
    enum err err = store_release(hub->store, e);
    if (err != ERR_OK)
        hub->doomed = true;
    enum err ended = hub_commit(hub, err == ERR_OK ? e : NULL);
    return err != ERR_OK ? err : ended;
}

static void abandon_request(void *ctx, bool fatal) {
    struct hub *hub = ctx;
    store_undo(hub->store);
    hub->doomed |= fatal;
    if (hub_commit(hub, NULL) != ERR_OK)
        return; /* undone: memory was read again, or is stale */
}

static enum err open_access(struct hub *hub, struct error *e) {
    const struct hub_settings *s = &hub->settings;
    struct access_config config = {.users = store_users(hub->store),
                                   .entropy = hub->entropy,
                                   .describe = describe,
                                   .begin = begin_request,
                                   .commit = commit_request,
                                   .abandon = abandon_request,
                                   .ctx = hub};
    hub->access = access_new(&config);
    if (hub->access == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for who may log in");
    note_url(hub, s->address[0] != '\0' ? s->address : s->listen);
    return ERR_OK;
}

static enum err hub_new(const char *db_path, const char *vfs, const struct keyfile *keys,
                        const struct hub_settings *settings, const struct entropy *entropy,
                        struct hub **ret, struct error *e) {
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for a hub");
    hub->keys = *keys;
    hub->settings = *settings;
    hub->entropy = *entropy;
    authors_init(&hub->authors, keys->sign.pub.b);
    presence_init(&hub->presence, keys->sign.pub.b);
    enum err err = store_open(db_path, vfs, &hub->store, e);
    if (err == ERR_OK)
        err = open_access(hub, e);
    if (err != ERR_OK) {
        hub_close(hub);
        return err;
    }
    *ret = hub;
    return ERR_OK;
}

enum err hub_start(const char *db_path, const char *vfs, const struct keyfile *keys,
                   const struct hub_settings *settings, const struct entropy *entropy,
                   struct hub **ret, struct error *e) {
    struct hub *hub = NULL;
    enum err err = hub_new(db_path, vfs, keys, settings, entropy, &hub, e);
    if (err != ERR_OK)
        return err;
    err = reload(hub, e);
    if (err == ERR_OK)
        err = store_seen(hub->store, load_seen, hub, e);
    if (err != ERR_OK) {
        hub_close(hub);
        return err;
    }
    hub->checkpoint_due = true; /* what an earlier process left to do */
    *ret = hub;
    return ERR_OK;
}

static enum err create_own(struct hub *hub, int64_t now_ms, struct error *e) {
    const struct public_key *network = &hub->keys.sign.pub;
    struct store_author row = {.agent = *network, .member = *network};
    enum err err = store_create_network(hub->store, network, now_ms, e);
    if (err == ERR_OK)
        err = store_use_network(hub->store, network, e);
    if (err == ERR_OK)
        err = store_add_author(hub->store, network, network, &row.id, e);
    if (err == ERR_OK)
        err = load_author(hub, &row, e);
    if (err == ERR_OK)
        err = directory_new(network, &hub->directory, e);
    hub->own = authors_find(&hub->authors, network);
    return err;
}

enum err hub_start_empty(const char *db_path, const struct keyfile *keys,
                         const struct hub_settings *settings, const struct entropy *entropy,
                         int64_t now_ms, struct hub **ret, struct error *e) {
    struct hub *hub = NULL;
    enum err err = hub_new(db_path, NULL, keys, settings, entropy, &hub, e);
    if (err != ERR_OK)
        return err;
    err = store_begin(hub->store, e);
    if (err == ERR_OK) {
        err = create_own(hub, now_ms, e);
        if (err == ERR_OK)
            err = store_commit(hub->store, e);
        else
            store_rollback(hub->store);
    }
    if (err != ERR_OK) {
        hub_close(hub);
        return err;
    }
    *ret = hub;
    return ERR_OK;
}

enum err hub_open(const char *dir, const char *vfs, const struct entropy *entropy, struct hub **ret,
                  struct error *e) {
    struct hub_settings settings;
    struct keyfile keys;
    char path[PATH_MAX + 16];
    enum err err = hub_settings_read(dir, &settings, e);
    if (err != ERR_OK)
        return err;
    snprintf(path, sizeof path, "%s/" KEYFILE_NAME, dir);
    err = keyfile_read(path, &keys, e);
    if (err != ERR_OK)
        return err;
    snprintf(path, sizeof path, "%s/hub.db", dir);
    err = hub_start(path, vfs, &keys, &settings, entropy, ret, e);
    keyfile_wipe(&keys);
    return err;
}

static bool unsaved(const struct hub *hub);

void hub_close(struct hub *hub) {
    if (hub == NULL)
        return;
    assert(hub->depth == 0);
    /* When each agent was last seen is worth a commit, not a failure. */
    if (!hub->stale && unsaved(hub) && hub_begin(hub, NULL) == ERR_OK &&
        hub_commit(hub, NULL) != ERR_OK)
        hub->stale = true;
    access_free(hub->access);
    store_close(hub->store);
    directory_free(hub->directory);
    authors_done(&hub->authors);
    presence_done(&hub->presence);
    excerpts_done(&hub->excerpts);
    news_done(&hub->pending);
    news_done(&hub->ready);
    keyfile_wipe(&hub->keys);
    free(hub);
}

struct access *hub_access(struct hub *hub) {
    return hub->access;
}

const struct sign_pair *hub_keys(const struct hub *hub) {
    return &hub->keys.sign;
}

const struct directory *hub_directory(const struct hub *hub) {
    return hub->directory;
}

const struct hub_settings *hub_settings(const struct hub *hub) {
    return &hub->settings;
}

/* ---- groups ---- */

static enum err save_presence(struct hub *hub, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < hub->presence.agent_count && err == ERR_OK; i++) {
        const struct presence_agent *a = hub->presence.agents[i];
        if (a->unsaved)
            err = store_put_seen(hub->store, &a->agent, a->last_ms, e);
    }
    return err;
}

static enum err save_rejections(struct hub *hub, struct error *e) {
    enum err err = ERR_OK;
    for (int code = 0; code < ERR_COUNT && err == ERR_OK; code++)
        if (hub->rejections[code] > 0)
            err = store_count_rejections(hub->store, (enum err)code, hub->rejections[code],
                                         hub->rejections_ms, e);
    return err;
}

enum err hub_begin(struct hub *hub, struct error *e) {
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = store_begin(hub->store, e);
    if (err == ERR_OK && hub->depth++ == 0)
        memcpy(hub->rejections_before, hub->rejections, sizeof hub->rejections);
    return err;
}

static void committed(struct hub *hub) {
    memset(hub->rejections, 0, sizeof hub->rejections);
    for (size_t i = 0; i < hub->presence.agent_count; i++)
        hub->presence.agents[i]->unsaved = false;
    hub->checkpoint_due = true;
    /* Without memory for the news, everybody looks: late is right, lost would not be. Expulsions
     * are not lost either: what such a session sends next is refused. */
    if (news_move(&hub->ready, &hub->pending, NULL) != ERR_OK) {
        news_forget(&hub->pending, &(struct news_mark){.everybody = false});
        hub->ready.everybody = true;
    }
}

static void undone(struct hub *hub) {
    memcpy(hub->rejections, hub->rejections_before, sizeof hub->rejections);
    news_forget(&hub->pending, &(struct news_mark){.everybody = false});
    if (reload(hub, NULL) != ERR_OK)
        return; /* stale: the next use tries again and says why */
}

enum err hub_commit(struct hub *hub, struct error *e) {
    assert(hub->depth > 0);
    enum err err = ERR_OK;
    if (hub->doomed)
        err = error_set(e, ERR_STORE, "a failure within the group undid all of it; try again");
    if (--hub->depth > 0) {
        enum err inner = store_commit(hub->store, err == ERR_OK ? e : NULL);
        return err == ERR_OK ? inner : err;
    }
    hub->doomed = false;
    if (err == ERR_OK)
        err = save_rejections(hub, e);
    if (err == ERR_OK)
        err = save_presence(hub, e);
    if (err == ERR_OK)
        err = store_commit(hub->store, e);
    else
        store_rollback(hub->store);
    if (err == ERR_OK)
        committed(hub);
    else
        undone(hub);
    return err;
}

/* ---- news ---- */

static enum err add_recipient(void *ctx, const struct public_key *agent, struct error *e) {
    return news_add_agent(ctx, agent, e);
}

static enum err resolve(struct hub *hub) {
    struct news *n = &hub->ready;
    enum err err = ERR_OK;
    news_tidy(n);
    for (size_t i = 0; i < n->key_count && err == ERR_OK && !n->everybody; i++)
        err = store_recipients(hub->store, n->keys[i].author, &n->keys[i].key_id, add_recipient, n,
                               NULL);
    n->key_count = 0;
    news_tidy(n);
    return err;
}

void hub_take_news(struct hub *hub, struct hub_news *ret) {
    struct news *n = &hub->ready;
    bool everybody = resolve(hub) != ERR_OK || n->everybody;
    *ret = (struct hub_news){.hub_feed = everybody,
                             .agents = n->agents,
                             .agent_count = n->agent_count,
                             .expelled = n->expelled,
                             .expelled_count = n->expelled_count};
    n->agents = NULL;
    n->expelled = NULL;
    news_done(n);
}

void hub_news_done(struct hub_news *news) {
    free(news->agents);
    free(news->expelled);
    *news = (struct hub_news){.hub_feed = false};
}

/* ---- notes and idle work ---- */

void hub_note_session(struct hub *hub, const struct public_key *agent, bool connected,
                      int64_t now_ms) {
    presence_note(&hub->presence, agent, connected, now_ms);
}

void hub_note_address(struct hub *hub, const char *address) {
    snprintf(hub->address, sizeof hub->address, "%s", address);
    if (hub->settings.address[0] == '\0')
        note_url(hub, address);
}

void hub_note_rejection(struct hub *hub, enum err code, int64_t now_ms) {
    hub->rejections[code]++;
    hub->rejections_ms = now_ms;
}

static bool unsaved(const struct hub *hub) {
    for (int code = 0; code < ERR_COUNT; code++)
        if (hub->rejections[code] > 0)
            return true;
    for (size_t i = 0; i < hub->presence.agent_count; i++)
        if (hub->presence.agents[i]->unsaved)
            return true;
    return false;
}

static enum err prune(struct hub *hub, int64_t now_ms, bool *ret_more) {
    const struct charter *charter = directory_charter(hub->directory);
    int64_t before_ms = now_ms - charter->keep_days * DAY_MS;
    int64_t count = 0;
    bool more = false;
    enum err err = store_prune(hub->store, before_ms, IDLE_PRUNE_ROWS, &count, NULL);
    if (err == ERR_OK)
        err = freeze_step(hub, before_ms, now_ms, &more, NULL);
    *ret_more = more || count == IDLE_PRUNE_ROWS;
    return err;
}

/* Whether more is waiting; not when the store failed: the next commit will say so. */
static bool tidy(struct hub *hub, int64_t now_ms) {
    bool more = false;
    if (hub_begin(hub, NULL) != ERR_OK)
        return false;
    enum err err = store_savepoint(hub->store, NULL);
    if (err == ERR_OK) {
        err = prune(hub, now_ms, &more);
        if (err == ERR_OK)
            err = store_release(hub->store, NULL);
        else
            store_undo(hub->store);
    }
    return hub_commit(hub, NULL) == ERR_OK && err == ERR_OK && more;
}

bool hub_idle(struct hub *hub, int64_t now_ms) {
    if (hub->stale || (!hub->checkpoint_due && !unsaved(hub)))
        return false;
    if (tidy(hub, now_ms))
        return true;
    store_checkpoint(hub->store);
    hub->checkpoint_due = false;
    return false;
}
