/* Owns the scripted run over an agent's store: figures, sharing, sealing, what arrives, imports,
 * taking back, keys growing old. The world of the sharing tests plays its partners and the hub. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_private.h"
#include "agent/outbox.h"
#include "agent/vault.h"
#include "blob.h"
#include "db_private.h"
#include "script.h"
#include "unit/agent/world.h"
#include "vfs/crash_vfs.h"

#define KEYS_RENEW "/v1/keys/renew"

/* ---- one deed ---- */

static enum err open_agent(struct stage *s, const char *vfs, struct error *e) {
    struct entropy entropy = stage_entropy(s);
    return agent_open(s->script->dir, vfs, &entropy, &s->agent, e);
}

static void close_agent(struct stage *s) {
    agent_close(s->agent);
}

static sqlite3 *db_of(struct stage *s) {
    return agent_db(s->agent)->handle;
}

static void no_sync(struct stage *s) {
#ifdef PLEK_FAILPOINTS
    db_test_set_synchronous(agent_db(s->agent), 0);
#else
    (void)s;
#endif
}

static void answer_early(struct stage *s) {
    if (s->answered)
        s->answered(s->answered_ctx);
}

static enum err perform(struct stage *s, const struct deed *d, struct error *e) {
    struct agent_effect effect = {.class_ = d->class_,
                                  .position = d->position,
                                  .received_ms = d->now_ms,
                                  .data = d->bytes[0],
                                  .head = d->head,
                                  .tip = true,
                                  .welcome = d->welcome};
    if (d->kind == DEED_NEXT)
        return outbox_next(s->agent, &d->head, ENTRY_MAX_BYTES, d->now_ms, &s->entry, &s->head, e);
    effect.kind = d->kind == DEED_TAKE      ? AGENT_EFFECT_TAKE
                  : d->kind == DEED_REACHED ? AGENT_EFFECT_REACHED
                  : d->kind == DEED_ACKED   ? AGENT_EFFECT_ACKED
                                            : AGENT_EFFECT_WELCOMED;
    return agent_perform(s->agent, &effect, d->now_ms, e);
}

/* As the shell does it (link.c): what fails fatally takes the batch back, and memory follows. */
static enum err run_batch(struct stage *s, const struct deed *d, enum err *ret_verdict,
                          struct error *e) {
    struct error why = {0};
    blob_unref(s->entry);
    s->entry = NULL;
    enum err fatal = agent_begin(s->agent, e);
    if (fatal)
        return fatal;
    enum err verdict = perform(s, d, &why);
    if (script_is_fatal(verdict)) {
        fatal = verdict;
        *e = why;
        agent_rollback(s->agent);
    } else {
        answer_early(s);
        fatal = agent_commit(s->agent, e);
    }
    *ret_verdict = verdict;
    return fatal;
}

/* Key files are not in the VFS: one that an earlier try left goes first, and each makes its own. */
static void forget_next_key(struct stage *s) {
    char name[VAULT_BOX_NAME_SIZE], path[PATH_MAX + VAULT_BOX_NAME_SIZE];
    const struct boxes *boxes = &s->agent->boxes;
    snprintf(path, sizeof path, "%s/%s", s->script->dir,
             vault_box_name(boxes->list[0].number + 1, name));
    (void)unlink(path);
}

static enum err run(struct stage *s, const struct deed *d, enum err *ret_verdict, struct error *e) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    if (d->kind == DEED_CALL && strcmp(d->path, KEYS_RENEW) == 0)
        forget_next_key(s);
    switch (d->kind) {
    case DEED_CALL:
        return stage_call(s, agent_access(s->agent), routes, count, s->agent, d, e);
    case DEED_REST:
        agent_rest(s->agent);
        return ERR_OK;
    default:
        return run_batch(s, d, ret_verdict, e);
    }
}

static const struct script_side agent_side = {open_agent, close_agent, run, db_of, no_sync};

/* ---- the run ---- */

struct making {
    struct script *script;
    struct stage stage;
    struct world *w;
};

static void call(struct making *m, enum api_method method, const char *path, const char *body) {
    struct deed d = script_call(method, path, body, m->w->now_ms);
    script_add(m->script, &m->stage, &d);
}

static void post(struct making *m, const char *path, const char *body) {
    call(m, API_POST, path, body);
}

/* Every entry that is due, and the hub's word that it holds it. */
static void push(struct making *m) {
    struct world_agent *self = &m->w->agents[0];
    for (;;) {
        struct deed next = {
            .kind = DEED_NEXT, .title = "seals", .now_ms = m->w->now_ms, .head = self->head};
        next.again = true;
        script_add(m->script, &m->stage, &next);
        if (!m->stage.entry)
            return;
        world_accept(m->w, 0, m->stage.entry);
        struct deed acked = {.kind = DEED_ACKED,
                             .title = "is acknowledged",
                             .now_ms = m->w->now_ms,
                             .again = true,
                             .head = self->head};
        script_add(m->script, &m->stage, &acked);
    }
}

static void take(struct making *m, uint32_t class_, uint64_t position, struct bytes excerpt) {
    struct deed d = {.kind = DEED_TAKE,
                     .now_ms = m->w->now_ms,
                     .class_ = class_,
                     .position = position,
                     .again = class_ != 0};
    snprintf(d.title, sizeof d.title, "takes %llu of class %u", (unsigned long long)position,
             class_);
    d.bytes[0] = blob_new(excerpt);
    script_add(m->script, &m->stage, &d);
}

static void take_feed(struct making *m) {
    size_t held = (size_t)directory_head(agent_directory(m->stage.agent)).seq;
    for (size_t k = held; k < m->w->feed_count; k++)
        take(m, 0, k + 1, blob_bytes(m->w->feed[k]));
}

/* What the others sent since, as the hub hands it out. */
static void pull(struct making *m) {
    static const struct {
        uint32_t kind, class_;
    } order[] = {
        {VIEW_PLAIN, 1}, {VIEW_GRANT, 1}, {VIEW_STATE, 2}, {VIEW_WITHDRAW, 2}, {VIEW_HISTORY, 4}};
    struct world_agent *self = &m->w->agents[0];
    for (size_t o = 0; o < sizeof order / sizeof order[0]; o++) {
        for (size_t k = self->delivered; k < m->w->log_count; k++) {
            struct buf excerpt;
            buf_init(&excerpt, ENTRY_MAX_BYTES);
            if (m->w->log[k].author != 0 &&
                world_excerpt(m->w, &m->w->log[k], 0, order[o].kind, false, &excerpt))
                take(m, order[o].class_, k + 1, buf_bytes(&excerpt));
            buf_done(&excerpt);
        }
    }
    self->delivered = m->w->log_count;
    struct deed reached = {.kind = DEED_REACHED,
                           .title = "reaches the tip",
                           .now_ms = m->w->now_ms,
                           .again = true,
                           .class_ = 2,
                           .position = m->w->log_count};
    script_add(m->script, &m->stage, &reached);
}

static void own_figures(struct making *m) {
    post(m, "/v1/sites", "{\"name\":\"Annex\"}");
    call(m, API_PUT, "/v1/sites/Annex", "{\"phone\":\"020-1234\"}");
    post(m, "/v1/lines",
         "{\"service\":\"bed\",\"site\":\"Annex\",\"set\":{\"free\":\"3\",\"occupied\":\"9\"}}");
    m->w->now_ms += WORLD_HOUR;
    post(m, "/v1/lines",
         "{\"service\":\"care\",\"site\":\"Annex\",\"ward\":\"day\",\"set\":{\"free\":\"3.5\"}}");
    post(m, "/v1/confirm", "{\"all\":true}");
    post(m, "/v1/undo", "{\"service\":\"bed\",\"site\":\"Annex\"}");
    post(m, "/v1/import",
         "{\"text\":\"ward,free\\nnorth,2\\neast,4\\nwest,0\\n\",\"site\":\"Annex\",\"profile\":"
         "\"{\\\"format\\\":1,\\\"service\\\":\\\"bed\\\",\\\"ward\\\":{\\\"column\\\":"
         "\\\"ward\\\"},\\\"columns\\\":{\\\"free\\\":\\\"free\\\"}}\"}");
    post(m, "/v1/places",
         "{\"service\":\"bed\",\"site\":\"Annex\",\"ward\":\"cots\",\"code\":\"K1\"}");
    call(m, API_PUT, "/v1/places",
         "{\"service\":\"bed\",\"site\":\"Annex\",\"ward\":\"cots\",\"code\":\"K1\","
         "\"set\":{\"state\":\"occupied\"}}");
    post(m, "/v1/users", "{\"name\":\"balie\",\"role\":\"editor\"}");
}

static const char policy[] =
    "{\"policy\":\"{\\\"audiences\\\":[{\\\"name\\\":\\\"near\\\",\\\"members\\\":[\\\"West\\\","
    "\\\"@hub\\\"],\\\"services\\\":[\\\"*\\\"],\\\"precision\\\":\\\"%s\\\",\\\"history\\\":true},"
    "{\\\"name\\\":\\\"far\\\",\\\"members\\\":[\\\"Oost\\\"],\\\"services\\\":[\\\"bed\\\"],"
    "\\\"precision\\\":\\\"band\\\"}]}\"}";

static void apply(struct making *m, const char *precision) {
    char body[512];
    snprintf(body, sizeof body, policy, precision);
    post(m, "/v1/policy", body);
}

static void share(struct making *m) {
    post(m, "/v1/partners/West/approve", "{}");
    post(m, "/v1/partners/Oost/approve", "{}");
    apply(m, "exact");
    push(m);
    m->w->now_ms += WORLD_HOUR;
    post(m, "/v1/lines", "{\"service\":\"bed\",\"site\":\"Annex\",\"set\":{\"free\":\"1\"}}");
    push(m);
    apply(m, "light"); /* another precision, another key */
    push(m);
    post(m, "/v1/pause", "{\"audience\":\"far\"}");
    push(m);
}

static void partners(struct making *m) {
    static const char all[] = "{\"audiences\":[{\"name\":\"all\",\"members\":[\"Noord\"],"
                              "\"services\":[\"*\"],\"precision\":\"exact\",\"history\":true}]}";
    for (int i = 1; i < 3; i++) {
        world_feed(m->w, i);
        world_approve(m->w, i, "Noord");
        world_policy(m->w, i, all);
        world_set(m->w, i, "bed", "", "free=4 occupied=2");
        world_set(m->w, i, "care", "night", "free=2.5");
        world_push(m->w, i);
    }
    pull(m);
    m->w->now_ms += WORLD_HOUR;
    world_set(m->w, 1, "bed", "", "free=5 occupied=1");
    world_push(m->w, 1);
    pull(m);
}

static void members(struct making *m) {
    world_add(m->w, "Zuid", ROLE_PROVIDER, NULL);
    world_member_event(m->w, 2, ENTRY_HUB_SUSPENDED);
    take_feed(m);
    push(m);
    world_member_event(m->w, 2, ENTRY_HUB_RESUMED);
    take_feed(m);
    push(m);
}

#define NEAR_KEY_MS "SELECT key_ms FROM audience WHERE name = 'near'"

/* Own and a partner's X25519 key are renewed: grants go again, to the new one. */
static void renew_keys(struct making *m) {
    struct error e = {0};
    json_t *answer = NULL;
    post(m, KEYS_RENEW, "{}");
    push(m);
    world_feed(m->w, 1);
    cr_assert_eq(boxes_renew(m->w->agents[1].agent, m->w->now_ms, &answer, &e), ERR_OK, "%s",
                 e.detail);
    json_decref(answer);
    size_t before = m->w->log_count;
    world_push(m->w, 1);
    cr_assert_gt(m->w->log_count, before);
    pull(m);
    before = m->w->log_count;
    push(m);
    cr_assert_gt(m->w->log_count, before, "nothing is granted to a renewed key");
}

/* Somebody who could read an audience leaves: those who stay get another key. */
static void leave(struct making *m) {
    post(m, "/v1/partners/Zuid/approve", "{}");
    post(m, "/v1/policy",
         "{\"policy\":\"{\\\"audiences\\\":[{\\\"name\\\":\\\"near\\\",\\\"members\\\":["
         "\\\"West\\\","
         "\\\"Zuid\\\",\\\"@hub\\\"],\\\"services\\\":[\\\"*\\\"],\\\"precision\\\":\\\"exact\\\","
         "\\\"history\\\":true}]}\"}");
    push(m);
    m->w->now_ms += WORLD_HOUR;
    world_member_event(m->w, 3, ENTRY_HUB_REMOVED);
    take_feed(m);
    push(m);
    cr_assert_eq(world_number(m->stage.agent, NEAR_KEY_MS), m->w->now_ms, "the key stays");
}

static void take_back(struct making *m) {
    post(m, "/v1/withdraw", "{\"audience\":\"near\"}");
    push(m);
    apply(m, "exact");
    push(m);
    post(m, "/v1/partners/West/forget", "{}");
    push(m);
}

static void grow_old(struct making *m) {
    struct deed rest = {.kind = DEED_REST, .title = "rests", .now_ms = m->w->now_ms, .again = true};
    script_add(m->script, &m->stage, &rest);
    m->w->now_ms += 8 * WORLD_DAY;
    post(m, "/v1/confirm", "{\"all\":true}");
    push(m);
    m->w->now_ms += 40 * WORLD_DAY;
    post(m, "/v1/lines", "{\"service\":\"bed\",\"site\":\"Annex\",\"set\":{\"free\":\"7\"}}");
    push(m);
}

/* The hub holds more than this agent signed: it was put back from a backup. */
static void come_back(struct making *m) {
    struct deed d = {.kind = DEED_WELCOMED,
                     .title = "learns that it was restored",
                     .now_ms = m->w->now_ms,
                     .again = true,
                     .welcome = {.hub_time_ms = m->w->now_ms,
                                 .hub_head = directory_head(agent_directory(m->stage.agent)),
                                 .has_own_head = true,
                                 .own_head = m->w->agents[0].head}};
    d.welcome.own_head.seq += 3;
    script_add(m->script, &m->stage, &d);
    post(m, "/v1/lines", "{\"service\":\"bed\",\"site\":\"Annex\",\"set\":{\"free\":\"2\"}}");
}

void script_agent(struct script *s) {
    struct error e = {0};
    struct making m = {.script = s, .w = calloc(1, sizeof *m.w)};
    cr_assert_not_null(m.w);
    *s = (struct script){.name = "agent", .side = &agent_side};
    world_init(m.w, NULL);
    world_add(m.w, "Noord", ROLE_PROVIDER, NULL);
    world_add(m.w, "West", ROLE_PROVIDER, NULL);
    world_add(m.w, "Oost", ROLE_PROVIDER, NULL);
    world_feed(m.w, 0);
    agent_close(m.w->agents[0].agent);
    memcpy(s->dir, m.w->agents[0].dir, sizeof s->dir);
    struct crash_vfs *vfs = crash_vfs_new("script-agent");
    cr_assert_not_null(vfs);
    cr_assert_eq(stage_open(&m.stage, s, "script-agent", &e), ERR_OK, "%s", e.detail);
    m.w->agents[0].agent = m.stage.agent;
    s->before = stage_tables(&m.stage, NULL);
    own_figures(&m);
    share(&m);
    partners(&m);
    members(&m);
    renew_keys(&m);
    leave(&m);
    take_back(&m);
    grow_old(&m);
    come_back(&m);
    m.w->agents[0].agent = NULL;
    stage_close(&m.stage);
    crash_vfs_free(vfs);
    s->scratch = m.w->scratch;
    m.w->scratch.dir[0] = '\0'; /* the script's now */
    world_done(m.w);
    free(m.w);
}
