/* Owns the scripted run over a hub's store: invitations, members, entries in groups, grants,
 * charters, publishing, and what is over being pruned. The town of the hub's tests plays members.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "blob.h"
#include "db_private.h"
#include "hub/hub_private.h"
#include "hub/store_private.h"
#include "renewal.h"
#include "script.h"
#include "unit/hub/town.h"
#include "vfs/crash_vfs.h"

#define DAY_MS (24 * TOWN_HOUR_MS)
#define PEOPLE 3

/* ---- one deed ---- */

/* A member's entries are not counted: a deed is tried thousands of times at its one moment. */
static enum err open_hub(struct stage *s, const char *vfs, struct error *e) {
    struct entropy entropy = stage_entropy(s);
    enum err err = hub_open(s->script->dir, vfs, &entropy, &s->hub, e);
    if (err == ERR_OK)
        s->hub->settings.member_rate = s->hub->settings.member_burst = INT32_MAX;
    return err;
}

static void close_hub(struct stage *s) {
    hub_close(s->hub);
}

static sqlite3 *db_of(struct stage *s) {
    return s->hub->store->db->handle;
}

static void no_sync(struct stage *s) {
#ifdef PLEK_FAILPOINTS
    store_test_set_synchronous(s->hub->store, 0);
#else
    (void)s;
#endif
}

static enum err greet(struct stage *s, const struct deed *d, enum err *ret_verdict,
                      struct error *e) {
    struct greeting g = {.code = ERR_INTERNAL};
    struct agent_hello hello = {.network = hub_keys(s->hub)->pub,
                                .cert_bytes = blob_bytes(d->bytes[0]),
                                .join = blob_bytes(d->bytes[1])};
    memset(hello.kx.b, 0x5a, KEY_LEN);
    enum err err = cert_verify(hello.cert_bytes, &hello.cert, e);
    if (err == ERR_OK)
        err = hub_greet(s->hub, &hello, d->now_ms, &g, e);
    *ret_verdict = g.code;
    if (err == ERR_OK && script_is_fatal(g.code)) {
        *e = g.error;
        return g.code;
    }
    return err;
}

static enum err accept_one(struct stage *s, const struct deed *d, int i, enum err *ret_verdict,
                           struct error *e) {
    struct entry *entry = NULL;
    struct head head;
    struct error reject = {0};
    enum feed_verdict verdict = FEED_REJECT;
    struct bytes bytes = blob_bytes(d->bytes[i]);
    enum err err = entry_parse(bytes, &entry, e);
    if (err == ERR_OK)
        err =
            hub_accept(s->hub, entry, bytes, &d->agent[i], d->now_ms, &verdict, &head, &reject, e);
    if (err == ERR_OK && verdict != FEED_ACCEPT && verdict != FEED_HELD)
        *ret_verdict = reject.code;
    entry_free(entry);
    return err;
}

static enum err run_group(struct stage *s, const struct deed *d, enum err *ret_verdict,
                          struct error *e) {
    enum err err = ERR_OK;
    if (d->kind == DEED_GREET)
        err = greet(s, d, ret_verdict, e);
    for (int i = 0; d->kind == DEED_ACCEPT && i < SCRIPT_GROUP && d->bytes[i] && !err; i++)
        err = accept_one(s, d, i, ret_verdict, e);
    return err;
}

/* As the store thread does it (keeper.c): one that fails does not take the others with it. */
static enum err run_write(struct stage *s, const struct deed *d, enum err *ret_verdict,
                          struct error *e) {
    struct error commit = {0};
    enum err err = hub_begin(s->hub, e);
    if (err)
        return err;
    err = run_group(s, d, ret_verdict, e);
    if (s->answered)
        s->answered(s->answered_ctx);
    enum err failed = hub_commit(s->hub, &commit);
    if (!err && failed)
        *e = commit;
    return err ? err : failed;
}

static enum err run(struct stage *s, const struct deed *d, enum err *ret_verdict, struct error *e) {
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    switch (d->kind) {
    case DEED_CALL:
        return stage_call(s, hub_access(s->hub), routes, count, s->hub, d, e);
    case DEED_IDLE:
        (void)hub_idle(s->hub, d->now_ms);
        return ERR_OK;
    default:
        return run_write(s, d, ret_verdict, e);
    }
}

static const struct script_side hub_side = {open_hub, close_hub, run, db_of, no_sync};

/* ---- the run ---- */

struct making {
    struct script *script;
    struct stage stage;
    struct town town;
    struct person people[PEOPLE];
    struct circle circles[PEOPLE];
    int gone; /* who is no member any more; PEOPLE: nobody */
};

static void post(struct making *m, const char *path, const char *body) {
    struct deed d = script_call(API_POST, path, body, m->town.now_ms);
    script_add(m->script, &m->stage, &d);
}

static void idle(struct making *m) {
    struct deed d = {.kind = DEED_IDLE, .title = "rests", .now_ms = m->town.now_ms};
    script_add(m->script, &m->stage, &d);
}

static void join(struct making *m, struct person *p, const char *name, const char *role) {
    char body[160];
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"role\":\"%s\",\"address\":\"ws://127.0.0.1:7535\","
             "\"again\":true}", /* a power cut may have left it without an answer */
             name, role);
    post(m, "/v1/invitations", body);
    const char *uri = json_string_value(json_object_get(m->stage.answer, "uri"));
    cr_assert_not_null(uri);
    person_make(&m->town, p, uri);
    snprintf(p->name, sizeof p->name, "%s", name);
    struct deed d = {.kind = DEED_GREET, .now_ms = m->town.now_ms, .again = true};
    snprintf(d.title, sizeof d.title, "%s joins", name);
    d.bytes[0] = blob_new(bytes_of(p->cert_bytes, p->cert_len));
    d.bytes[1] = blob_new(bytes_of(p->join_bytes, p->join_len));
    script_add(m->script, &m->stage, &d);
    cr_assert_eq(m->script->deeds[m->script->count - 1].code, ERR_OK);
}

static struct bytes figures(struct making *m, int i, int64_t beds, struct buf *out) {
    const struct figures rows[] = {
        {.site = 1, .region = "NL-GR", .service = "bed", .free = known(beds)},
        {.site = 2, .region = "NL-DR", .service = "bed", .total = known(20 + i)}};
    figures_encode(&m->town, "exact", rows, 2, out);
    return buf_bytes(out);
}

/* Signs the draft as the person's next entry. */
static void put_entry(struct making *m, int i, struct draft *draft, struct deed *d, int slot) {
    struct person *p = &m->people[i];
    struct buf bytes;
    struct hash hash;
    struct error e = {0};
    buf_init(&bytes, ENTRY_MAX_BYTES);
    cr_assert_eq(
        entry_build(&draft->header, draft->views, draft->count, &p->agent, &bytes, &hash, &e),
        ERR_OK, "%s", e.detail);
    p->head = (struct head){draft->header.incarnation, draft->header.seq, hash};
    d->bytes[slot] = blob_new(buf_bytes(&bytes));
    d->agent[slot] = p->agent.pub;
    for (size_t k = 0; k < draft->count; k++)
        buf_done(&draft->data[k]);
    buf_done(&bytes);
}

/* The one of them that a person grants its circle to. */
static const struct person *reader_of(const struct making *m, int i) {
    int next = (i + 1) % PEOPLE;
    return &m->people[next == m->gone ? (next + 1) % PEOPLE : next];
}

/* The next entry of a person: a state, and a grant to the hub and to the next of them when the
 * circle is new. */
static void entry(struct making *m, int i, int64_t beds, bool grant, struct deed *d, int slot) {
    struct person *p = &m->people[i];
    struct draft draft;
    struct buf plain;
    draft_init(&m->town, &draft, p);
    if (grant) {
        draft_grant_hub(&m->town, &draft, &m->circles[i]);
        draft_grant_to(&m->town, &draft, &m->circles[i], reader_of(m, i));
    }
    draft_state(&m->town, &draft, &m->circles[i], figures(m, i, beds, &plain));
    put_entry(m, i, &draft, d, slot);
    buf_done(&plain);
}

/* A person's agent announces its next X25519 key; grants to it are sealed to that from here on. */
static void renew(struct making *m, int i) {
    struct deed d = {
        .kind = DEED_ACCEPT, .title = "a key is renewed", .now_ms = m->town.now_ms, .again = true};
    struct draft draft;
    struct buf view;
    struct error e = {0};
    uint8_t seed[SEED_LEN];
    memset(seed, 0x30 + i, sizeof seed);
    box_pair_from_seed(&m->people[i].box, seed);
    buf_init(&view, RENEWAL_MAX_BYTES);
    cr_assert_eq(renewal_encode(&m->people[i].box.pub, d.now_ms, &view, &e), ERR_OK);
    draft_init(&m->town, &draft, &m->people[i]);
    draft.header.kind = ENTRY_BOX_RENEWAL;
    draft_raw(&draft, VIEW_PLAIN, target_plain(), (struct hash){{0}}, buf_bytes(&view));
    put_entry(m, i, &draft, &d, 0);
    buf_done(&view);
    cr_assert_eq(script_add(m->script, &m->stage, &d)->code, ERR_OK);
}

/* All that are named by bits, in one group. */
static void publish(struct making *m, unsigned who, int64_t beds, bool grant) {
    struct deed d = {.kind = DEED_ACCEPT, .now_ms = m->town.now_ms, .again = true};
    int slot = 0;
    for (int i = 0; i < PEOPLE; i++)
        if (who & 1u << i)
            entry(m, i, beds + i, grant, &d, slot++);
    snprintf(d.title, sizeof d.title, "accepts %d entries", slot);
    script_add(m->script, &m->stage, &d);
}

static void grow(struct making *m) {
    static const char *const names[PEOPLE] = {"Noord", "Oost", "West"};
    for (int i = 0; i < PEOPLE; i++)
        join(m, &m->people[i], names[i], "provider");
    for (int i = 0; i < PEOPLE; i++)
        circle_new(&m->town, &m->circles[i], &m->people[i]);
    publish(m, 7, 4, true);
    post(m, "/v1/published", "{}");
    for (int hour = 0; hour < 4; hour++) {
        m->town.now_ms += TOWN_HOUR_MS;
        publish(m, 1u << hour % PEOPLE | 1u, 5 + hour, false);
    }
    renew(m, 1);
    circle_rotate(&m->town, &m->circles[0], &m->people[0]);
    publish(m, 1, 9, true);
    renew(m, 1); /* a newer one takes its place */
    idle(m);
}

static void decide(struct making *m) {
    char text[16384];
    post(m, "/v1/members/Oost/suspend", "{}");
    publish(m, 4, 3, false);
    post(m, "/v1/members/Oost/resume", "{}");
    publish(m, 2, 6, false);
    json_t *charter = json_loads(charter_default_json(), 0, NULL);
    cr_assert_eq(json_object_set_new(charter, "k", json_integer(2)), 0);
    char *dumped = json_dumps(charter, JSON_COMPACT);
    json_t *body = json_pack("{s:s}", "text", dumped);
    char *packed = json_dumps(body, JSON_COMPACT);
    cr_assert_lt(snprintf(text, sizeof text, "%s", packed), (int)sizeof text);
    post(m, "/v1/charter", text);
    free(packed);
    free(dumped);
    json_decref(body);
    json_decref(charter);
    post(m, "/v1/published", "{}");
    post(m, "/v1/users", "{\"name\":\"balie\",\"role\":\"viewer\"}");
    post(m, "/v1/tokens", "{\"name\":\"bi\",\"role\":\"viewer\"}");
}

/* Figures are pruned and days made final, a small step at a time. */
static void grow_old(struct making *m) {
    for (int i = 0; i < PEOPLE; i++)
        circle_rotate(&m->town, &m->circles[i], &m->people[i]);
    publish(m, 7, 8, true);
    m->town.now_ms += 40 * DAY_MS;
    publish(m, 7, 9, false);
    for (int i = 0; i < 4; i++)
        idle(m);
    char agent[2 * KEY_LEN + 1], body[2 * KEY_LEN + 32];
    hex_encode(agent, bytes_of(m->people[2].agent.pub.b, KEY_LEN));
    snprintf(body, sizeof body, "{\"agent\":\"%s\"}", agent);
    post(m, "/v1/members/West/revoke", body);
    post(m, "/v1/members/West/remove", "{}");
    publish(m, 3, 10, false);
    m->gone = 2; /* those who stay make keys that it does not get */
    for (int i = 0; i < 2; i++)
        circle_rotate(&m->town, &m->circles[i], &m->people[i]);
    publish(m, 3, 11, true);
    publish(m, 3, 12, false);
    idle(m);
}

void script_hub(struct script *s) {
    struct error e = {0};
    struct making *m = calloc(1, sizeof *m);
    cr_assert_not_null(m);
    *s = (struct script){.name = "hub", .side = &hub_side};
    town_init(&m->town, 7, NULL);
    town_close(&m->town);
    m->script = s;
    m->gone = PEOPLE;
    memcpy(s->dir, m->town.dir, sizeof s->dir);
    struct crash_vfs *vfs = crash_vfs_new("script-hub");
    cr_assert_not_null(vfs);
    cr_assert_eq(stage_open(&m->stage, s, "script-hub", &e), ERR_OK, "%s", e.detail);
    m->town.hub = m->stage.hub;
    s->before = stage_tables(&m->stage, NULL);
    grow(m);
    decide(m);
    grow_old(m);
    stage_close(&m->stage);
    crash_vfs_free(vfs);
    s->scratch = m->town.scratch;
    free(m);
}
