/* Owns opening an agent: its settings, keys and database, and what it keeps in memory of them.
 * Must not change anything stored. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_private.h"
#include "import_session.h"
#include "store.h"
#include "vault.h"

void agent_network_done(struct agent_network *n) {
    free(n->join);
    free(n->cert);
    *n = (struct agent_network){0};
}

/* ---- from the database into memory --------------------------------------------------------------
 */

/* What stands in the database does not hold. A lack of memory is told as it is. */
static enum err damaged(enum err code, const char *what, const struct error *why, struct error *e) {
    if (code != ERR_OK && code != ERR_NO_MEMORY)
        return error_set(e, ERR_STORE, "agent.db: %s (%.120s): restore a backup", what,
                         why->detail);
    if (code != ERR_OK && e)
        *e = *why;
    return code;
}

static enum err copy_blob(struct bytes in, uint8_t **ret, size_t *ret_len, struct error *e) {
    uint8_t *copy = malloc(in.len > 0 ? in.len : 1);
    if (!copy)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu bytes", in.len);
    if (in.len > 0)
        memcpy(copy, in.data, in.len);
    *ret = copy;
    *ret_len = in.len;
    return ERR_OK;
}

static enum err read_network_row(struct db_query *q, struct agent_network *n, struct error *e) {
    n->id = db_column_int(q, 0);
    const char *address = db_column_text(q, 2);
    n->joined = !db_column_null(q, 5);
    enum err code = store_read_key(q, 1, &n->key, e);
    if (code == ERR_OK && strlen(address) >= sizeof n->address)
        code = error_set(e, ERR_STORE, "agent.db: the hub's address is too long: restore a backup");
    if (code != ERR_OK)
        return code;
    memcpy(n->address, address, strlen(address) + 1);
    code = copy_blob(db_column_blob(q, 3), &n->join, &n->join_len, e);
    return code != ERR_OK ? code : copy_blob(db_column_blob(q, 4), &n->cert, &n->cert_len, e);
}

/* As the member itself certified it. */
static enum err own_member(const struct agent_network *n, struct public_key *ret, struct error *e) {
    struct cert cert = {.serial = 0};
    struct error why = {0};
    enum err code = cert_verify(bytes_of(n->cert, n->cert_len), &cert, &why);
    *ret = cert.member;
    return damaged(code, "the agent's own certificate does not hold", &why, e);
}

static enum err load_network(struct db *db, struct agent_network *ret, struct error *e) {
    struct agent_network n = {0};
    enum err code = ERR_OK;
    struct db_query q = db_query(db, SQL_NETWORK);
    if (db_step(&q))
        code = read_network_row(&q, &n, e);
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK && n.id != 0)
        code = own_member(&n, &n.member, e);
    if (code != ERR_OK) {
        agent_network_done(&n);
        return code;
    }
    *ret = n;
    return ERR_OK;
}

static enum err apply_stored(struct directory *d, int64_t seq, struct bytes excerpt,
                             struct error *e) {
    struct entry *entry = NULL;
    struct error why = {0};
    char what[64];
    snprintf(what, sizeof what, "entry %" PRId64 " of the hub's feed does not apply", seq);
    enum err code = excerpt_parse(excerpt, &entry, &why);
    if (code == ERR_OK)
        code = directory_apply(d, entry, &why);
    entry_free(entry);
    return damaged(code, what, &why, e);
}

static enum err load_directory(struct db *db, const struct agent_network *n, struct directory **ret,
                               struct error *e) {
    struct directory *d = NULL;
    enum err code = directory_new(&n->key, &d, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(db, SQL_HUB_ENTRIES);
    db_bind_int(&q, ":network", n->id);
    while (code == ERR_OK && db_step(&q))
        code = apply_stored(d, db_column_int(&q, 0), db_column_blob(&q, 1), e);
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        directory_free(d);
        return code;
    }
    *ret = d;
    return ERR_OK;
}

/* The box keys that agents renewed since they were certified. */
static enum err load_renewals(struct db *db, const struct agent_network *n, struct directory *d,
                              struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(db, SQL_PEER_BOXES);
    db_bind_int(&q, ":network", n->id);
    while (code == ERR_OK && db_step(&q)) {
        struct public_key agent, box;
        const struct head at = {.incarnation = (uint64_t)db_column_int(&q, 1),
                                .seq = (uint64_t)db_column_int(&q, 2)};
        code = store_read_key(&q, 0, &agent, e);
        code = code != ERR_OK ? code : store_read_key(&q, 3, &box, e);
        if (code == ERR_OK)
            directory_renew(d, &agent, &at, &box);
    }
    return db_finish_visit(&q, code, e);
}

static enum err load_policy(struct db *db, const struct agent_network *n, const struct directory *d,
                            struct policy **ret, uint32_t *ret_version, struct error *e) {
    struct policy *policy = NULL;
    uint32_t version = 0;
    enum err code = ERR_OK;
    struct db_query q = db_query(db, SQL_POLICY_NEWEST);
    db_bind_int(&q, ":network", n->id);
    if (db_step(&q)) {
        version = (uint32_t)db_column_int(&q, 0);
        code = policy_parse_stored(bytes_str(db_column_text(&q, 1)), "agent.db: policy", d, &policy,
                                   e);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        policy_free(policy);
        return code;
    }
    *ret = policy;
    *ret_version = version;
    return ERR_OK;
}

static enum err read_store(struct agent *a, struct error *e) {
    struct agent_network n = {0};
    struct directory *directory = NULL;
    struct policy *policy = NULL;
    uint32_t version = 0;
    enum err code = load_network(a->db, &n, e);
    if (code == ERR_OK && n.id != 0)
        code = load_directory(a->db, &n, &directory, e);
    if (code == ERR_OK && n.id != 0)
        code = load_renewals(a->db, &n, directory, e);
    if (code == ERR_OK && n.id != 0)
        code = load_policy(a->db, &n, directory, &policy, &version, e);
    if (code != ERR_OK) {
        directory_free(directory);
        agent_network_done(&n);
        return code;
    }
    policy_free(a->policy);
    directory_free(a->directory);
    agent_network_done(&a->network);
    a->network = n;
    a->directory = directory;
    a->policy = policy;
    a->policy_version = version;
    agent_mark_dirty(a);
    return boxes_load(a, e);
}

enum err agent_reload(struct agent *a, struct error *e) {
    enum err code = read_store(a, e);
    a->stale = code != ERR_OK;
    return code;
}

enum err agent_refresh(struct agent *a, struct error *e) {
    return a->stale ? agent_reload(a, e) : ERR_OK;
}

/* ---- transactions ---- */

enum err agent_begin(struct agent *a, struct error *e) {
    enum err code = agent_refresh(a, e);
    return code != ERR_OK ? code : db_begin(a->db, e);
}

static void follow(struct agent *a) {
    struct error ignored;
    if (agent_reload(a, &ignored) != ERR_OK)
        return; /* stale: the next use tries again and says why */
}

enum err agent_commit(struct agent *a, struct error *e) {
    enum err code = db_commit(a->db, e);
    if (code != ERR_OK)
        follow(a);
    return code;
}

void agent_rollback(struct agent *a) {
    db_rollback(a->db);
    follow(a);
}

/* ---- open and close ---- */

static enum err check_dir(const char *dir, struct error *e) {
    if (files_exist(dir, AGENT_UNFINISHED))
        return error_at(e, ERR_NO_INPUT, dir, 0, 0,
                        "an init here was interrupted: run plek-agent init --dir %.100s again",
                        dir);
    if (!files_exist(dir, VAULT_AGENT))
        return error_at(e, ERR_NO_INPUT, dir, 0, 0,
                        "no agent here: run plek-agent init --dir %.100s first", dir);
    return ERR_OK;
}

static void describe(void *ctx, const char **ret_member, const char **ret_network) {
    const struct agent *a = ctx;
    const struct member *self =
        a->directory && a->network.id ? directory_member(a->directory, &a->network.member) : NULL;
    const char *network = a->directory ? directory_name(a->directory) : NULL;
    *ret_member = self ? self->name : "";
    *ret_network = network ? network : "";
}

/* Where people reach the screens, as far as the settings say. */
static void default_url(const struct agent_settings *s, char *out, size_t size) {
    size_t host = strcspn(s->web_hosts, " ,");
    const char *listen = s->web_listen[0] ? s->web_listen : AGENT_WEB_LISTEN;
    if (host > 0)
        snprintf(out, size, "https://%.*s", (int)host, s->web_hosts);
    else
        snprintf(out, size, "%s%s", s->web_cert[0] ? "https://" : "http://", listen);
}

/* What the rules refuse changed nothing: within the savepoint, or not at all. */
static enum err begin_request(void *ctx, struct error *e) {
    struct agent *a = ctx;
    enum err code = agent_begin(a, e);
    if (code != ERR_OK)
        return code;
    code = db_savepoint(a->db, e);
    if (code != ERR_OK)
        db_rollback(a->db);
    return code;
}

static void abandon_request(void *ctx, bool fatal) {
    struct agent *a = ctx;
    db_undo(a->db);
    if (fatal)
        agent_rollback(a);
    else
        db_rollback(a->db);
}

static enum err commit_request(void *ctx, struct error *e) {
    struct agent *a = ctx;
    enum err code = db_release(a->db, e);
    if (code == ERR_OK)
        return agent_commit(a, e);
    agent_rollback(a);
    return code;
}

static enum err refresh_request(void *ctx, struct error *e) {
    return agent_refresh(ctx, e);
}

static enum err open_access(struct agent *a, struct error *e) {
    struct access_config config = {.users = {a->db, SQL_USER_NAMED},
                                   .entropy = a->entropy,
                                   .describe = describe,
                                   .refresh = refresh_request,
                                   .begin = begin_request,
                                   .commit = commit_request,
                                   .abandon = abandon_request,
                                   .ctx = a,
                                   .editors = true};
    char url[sizeof a->settings.web_hosts + 16];
    a->access = access_new(&config);
    if (!a->access)
        return error_set(e, ERR_NO_MEMORY, "no memory for who may log in");
    default_url(&a->settings, url, sizeof url);
    access_set_url(a->access, url);
    return ERR_OK;
}

static enum err fill(struct agent *a, const char *vfs, struct error *e) {
    char path[FILES_PATH_MAX];
    enum err code = settings_read(a->dir, &a->settings, e);
    if (code == ERR_OK)
        code = vault_open_agent(a->dir, &a->keys, e);
    if (code == ERR_OK)
        code = files_path(a->dir, AGENT_DB, path, e);
    if (code == ERR_OK)
        code = agent_store_open(path, vfs, &a->db, e);
    if (code == ERR_OK)
        code = open_access(a, e);
    return code != ERR_OK ? code : agent_reload(a, e);
}

enum err agent_open(const char *dir, const char *vfs, const struct entropy *entropy,
                    struct agent **ret, struct error *e) {
    enum err code = check_dir(dir, e);
    if (code != ERR_OK)
        return code;
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return error_set(e, ERR_NO_MEMORY, "no memory to open the agent");
    a->entropy = *entropy;
    int n = snprintf(a->dir, sizeof a->dir, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof a->dir)
        code = error_set(e, ERR_TOO_LARGE, "DIR is longer than %zu bytes", sizeof a->dir - 1);
    else
        code = fill(a, vfs, e);
    if (code != ERR_OK) {
        agent_close(a);
        return code;
    }
    *ret = a;
    return ERR_OK;
}

void agent_close(struct agent *a) {
    if (!a)
        return;
    import_sessions_free(a->import_sessions);
    access_free(a->access);
    db_close(a->db);
    policy_free(a->policy);
    directory_free(a->directory);
    agent_network_done(&a->network);
    sign_pair_wipe(&a->keys);
    boxes_wipe_memory(&a->boxes);
    free(a);
}
