/* Owns a small network for the hub's tests.
 * Must not reach into the hub: what agents and operators can do is done here as they do it. */
#include "town.h"

#include <criterion/criterion.h>

#include "join.h"

/* ---- randomness ---- */

static void stream_fill(void *ctx, void *out, size_t len) {
    struct stream *s = ctx;
    uint8_t *at = out;
    while (len > 0) {
        uint64_t input[2] = {s->seed, s->used++};
        struct hash block = hash_blake2b(bytes_of(input, sizeof input));
        size_t n = len < HASH_LEN ? len : HASH_LEN;
        memcpy(at, block.b, n);
        at += n;
        len -= n;
    }
}

struct entropy stream_entropy(struct stream *s) {
    return (struct entropy){stream_fill, s};
}

uint64_t stream_next(struct stream *s, uint64_t bound) {
    uint64_t value;
    stream_fill(s, &value, sizeof value);
    return value % bound;
}

static struct sign_pair new_sign_pair(struct town *t) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    stream_fill(&t->stream, seed, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

/* ---- the hub ---- */

void town_init(struct town *t, uint64_t seed, const char *charter) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    memset(t, 0, sizeof *t);
    scratch_init(&t->scratch);
    scratch_path(&t->scratch, "hub", t->dir);
    t->stream.seed = seed;
    t->now_ms = TOWN_START_MS;
    struct entropy entropy = stream_entropy(&t->stream);
    struct bytes json = charter ? bytes_str(charter) : bytes_of(NULL, 0);
    cr_assert_eq(hub_init(t->dir, "Town", json, &entropy, t->now_ms, &e), ERR_OK, "%s", e.detail);
    town_open(t);
}

void town_open(struct town *t) {
    struct error e = {0};
    struct entropy entropy = stream_entropy(&t->stream);
    cr_assert_eq(hub_open(t->dir, t->vfs, &entropy, &t->hub, &e), ERR_OK, "%s", e.detail);
}

void town_close(struct town *t) {
    hub_close(t->hub);
    t->hub = NULL;
}

void town_done(struct town *t) {
    town_close(t);
    scratch_done(&t->scratch);
}

enum err town_call(struct town *t, enum api_method method, const char *path, json_t *take_query,
                   json_t *take_body, json_t **ret, struct error *e) {
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    struct api_request request = {.method = method,
                                  .path = path,
                                  .query = take_query,
                                  .body = take_body,
                                  .actor = "uid:1000",
                                  .role = API_ADMIN,
                                  .now_ms = t->now_ms};
    *ret = NULL;
    json_t *answer = NULL;
    enum err err = access_call(hub_access(t->hub), routes, count, t->hub, &request, &answer);
    if (err == ERR_OK) {
        *ret = answer;
    } else {
        cr_assert_eq(api_error_from_json(answer, e), err);
        json_decref(answer);
    }
    json_decref(take_query);
    json_decref(take_body);
    return err;
}

json_t *town_get(struct town *t, const char *path) {
    struct error e = {0};
    json_t *answer = NULL;
    cr_assert_eq(town_call(t, API_GET, path, NULL, NULL, &answer, &e), ERR_OK, "%s", e.detail);
    return answer;
}

void town_change(struct town *t, const char *name, const char *verb) {
    struct error e = {0};
    char path[API_PATH_MAX];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "/v1/members/%s/%s", name, verb);
    cr_assert_eq(town_call(t, API_POST, path, NULL, NULL, &answer, &e), ERR_OK, "%s", e.detail);
    json_decref(answer);
}

void town_begin(struct town *t) {
    struct error e = {0};
    cr_assert_eq(hub_begin(t->hub, &e), ERR_OK, "%s", e.detail);
}

void town_commit(struct town *t) {
    struct error e = {0};
    cr_assert_eq(hub_commit(t->hub, &e), ERR_OK, "%s", e.detail);
}

/* ---- persons ---- */

void town_invite(struct town *t, const char *name, const char *role,
                 char uri[static INVITE_URI_MAX]) {
    struct error e = {0};
    json_t *answer = NULL;
    json_t *body = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "role", role, "address",
                             "ws://127.0.0.1:7535", "again", 1);
    cr_assert_eq(town_call(t, API_POST, "/v1/invitations", NULL, body, &answer, &e), ERR_OK, "%s",
                 e.detail);
    snprintf(uri, INVITE_URI_MAX, "%s", json_string_value(json_object_get(answer, "uri")));
    json_decref(answer);
}

void person_make(struct town *t, struct person *p, const char *invite_uri) {
    struct error e = {0};
    struct invite invite;
    uint8_t seed[SEED_LEN];
    memset(p, 0, sizeof *p);
    cr_assert_eq(invite_parse(invite_uri, &invite, &e), ERR_OK, "%s", e.detail);
    sign_pair_from_seed(&p->invite, invite.seed);
    p->member = new_sign_pair(t);
    p->next = new_sign_pair(t);
    p->agent = new_sign_pair(t);
    stream_fill(&t->stream, seed, sizeof seed);
    box_pair_from_seed(&p->box, seed);
    p->cert = (struct cert){.network = invite.network,
                            .member = p->member.pub,
                            .agent = p->agent.pub,
                            .box = p->box.pub,
                            .serial = 1,
                            .not_after_ms = TOWN_START_MS + 400 * 24 * TOWN_HOUR_MS,
                            .label = "desk"};
    struct buf out;
    buf_init(&out, CERT_MAX_BYTES);
    cr_assert_eq(cert_issue(&p->cert, &p->member, &p->agent, &out, &e), ERR_OK, "%s", e.detail);
    memcpy(p->cert_bytes, out.data, out.len);
    p->cert_len = out.len;
    buf_done(&out);
    buf_init(&out, JOIN_MAX_BYTES);
    struct hash next = hash_blake2b(bytes_of(p->next.pub.b, KEY_LEN));
    cr_assert_eq(join_build(&invite.network, &p->invite, &p->member, &next, &p->agent,
                            bytes_of(p->cert_bytes, p->cert_len), &out, &e),
                 ERR_OK, "%s", e.detail);
    memcpy(p->join_bytes, out.data, out.len);
    p->join_len = out.len;
    buf_done(&out);
}

struct greeting person_greet(struct town *t, const struct person *p, bool with_join) {
    struct error e = {0};
    struct greeting g = {.code = ERR_INTERNAL};
    struct agent_hello hello = {.network = p->cert.network,
                                .cert = p->cert,
                                .cert_bytes = bytes_of(p->cert_bytes, p->cert_len)};
    memset(hello.kx.b, 0x5a, KEY_LEN);
    if (with_join)
        hello.join = bytes_of(p->join_bytes, p->join_len);
    town_begin(t);
    cr_assert_eq(hub_greet(t->hub, &hello, t->now_ms, &g, &e), ERR_OK, "%s", e.detail);
    town_commit(t);
    return g;
}

void person_join(struct town *t, struct person *p, const char *name, const char *role) {
    char uri[INVITE_URI_MAX];
    town_invite(t, name, role, uri);
    person_make(t, p, uri);
    snprintf(p->name, sizeof p->name, "%s", name);
    struct greeting g = person_greet(t, p, true);
    cr_assert_eq(g.code, ERR_OK, "%s", g.error.detail);
}

/* ---- audiences ---- */

void circle_rotate(struct town *t, struct circle *c, const struct person *owner) {
    struct audience_ctx ctx = {
        .network = hub_keys(t->hub)->pub, .member = owner->member.pub, .agent = owner->agent.pub};
    memcpy(ctx.audience, c->id, AUDIENCE_ID_LEN);
    stream_fill(&t->stream, c->key.b, AUDIENCE_KEY_LEN);
    c->key_id = audience_key_id(&ctx, &c->key);
}

void circle_new(struct town *t, struct circle *c, const struct person *owner) {
    stream_fill(&t->stream, c->id, AUDIENCE_ID_LEN);
    circle_rotate(t, c, owner);
}

/* ---- entries ---- */

void draft_init(const struct town *t, struct draft *d, const struct person *p) {
    bool first = p->head.seq == 0;
    d->count = 0;
    d->header = (struct header){.network = hub_keys(t->hub)->pub,
                                .member = p->member.pub,
                                .agent = p->agent.pub,
                                .incarnation = first ? 1 : p->head.incarnation,
                                .seq = p->head.seq + 1,
                                .prev = p->head.hash,
                                .claimed_ms = t->now_ms,
                                .kind = first ? ENTRY_OPEN : ENTRY_UPDATE};
}

static struct view *next_view(struct draft *d, struct buf **ret_data) {
    cr_assert_lt(d->count, DRAFT_MAX_VIEWS);
    *ret_data = &d->data[d->count];
    buf_init(*ret_data, VIEW_MAX_BYTES);
    struct view *v = &d->views[d->count++];
    memset(v, 0, sizeof *v);
    return v;
}

static struct audience_ctx ctx_of(const struct draft *d, const struct circle *c) {
    struct audience_ctx ctx = {d->header.network, d->header.member, d->header.agent, {0}};
    memcpy(ctx.audience, c->id, AUDIENCE_ID_LEN);
    return ctx;
}

void draft_grant(struct town *t, struct draft *d, const struct circle *c,
                 const struct public_key *recipient, const struct public_key *box) {
    struct error e = {0};
    struct buf *data = NULL;
    struct view *v = next_view(d, &data);
    struct audience_ctx ctx = ctx_of(d, c);
    uint8_t seed[SEED_LEN];
    stream_fill(&t->stream, seed, sizeof seed);
    cr_assert_eq(grant_seal(&ctx, &c->key, box, seed, data, &e), ERR_OK, "%s", e.detail);
    *v = (struct view){.target = target_key(recipient),
                       .kind = VIEW_GRANT,
                       .key_id = c->key_id,
                       .data = buf_bytes(data)};
}

void draft_grant_to(struct town *t, struct draft *d, const struct circle *c,
                    const struct person *to) {
    draft_grant(t, d, c, &to->agent.pub, &to->box.pub);
}

void draft_grant_hub(struct town *t, struct draft *d, const struct circle *c) {
    draft_grant(t, d, c, &hub_keys(t->hub)->pub, directory_hub_box(hub_directory(t->hub)));
}

static void draft_sealed(struct town *t, struct draft *d, const struct circle *c, uint32_t kind,
                         struct bytes plain) {
    struct error e = {0};
    struct buf *data = NULL;
    struct view *v = next_view(d, &data);
    struct audience_ctx ctx = ctx_of(d, c);
    uint8_t nonce[VIEW_NONCE_LEN];
    stream_fill(&t->stream, nonce, sizeof nonce);
    cr_assert_eq(view_seal(&ctx, &c->key, d->header.incarnation, d->header.seq, kind, plain, nonce,
                           data, &e),
                 ERR_OK, "%s", e.detail);
    *v = (struct view){.target = target_audience(c->id),
                       .kind = kind,
                       .key_id = c->key_id,
                       .data = buf_bytes(data)};
}

void draft_state(struct town *t, struct draft *d, const struct circle *c, struct bytes plain) {
    draft_sealed(t, d, c, VIEW_STATE, plain);
}

void draft_history(struct town *t, struct draft *d, const struct circle *c,
                   const struct history *h) {
    struct error e = {0};
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    cr_assert_eq(history_encode(h, &plain, &e), ERR_OK, "%s", e.detail);
    draft_sealed(t, d, c, VIEW_HISTORY, buf_bytes(&plain));
    buf_done(&plain);
}

void draft_raw(struct draft *d, uint32_t kind, struct target target, struct hash key_id,
               struct bytes data) {
    struct buf *room = NULL;
    struct view *v = next_view(d, &room);
    buf_append(room, data.data, data.len);
    *v = (struct view){.target = target, .kind = kind, .key_id = key_id, .data = buf_bytes(room)};
}

struct entry *draft_build(struct draft *d, const struct sign_pair *key) {
    struct error e = {0};
    struct entry *entry = NULL;
    struct buf out;
    buf_init(&out, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_build(&d->header, d->views, d->count, key, &out, NULL, &e), ERR_OK, "%s",
                 e.detail);
    cr_assert_eq(entry_parse(buf_bytes(&out), &entry, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(entry_verify(entry, &key->pub, &e), ERR_OK, "%s", e.detail);
    buf_done(&out);
    for (size_t i = 0; i < d->count; i++)
        buf_done(&d->data[i]);
    d->count = 0;
    return entry;
}

struct outcome town_accept(struct town *t, const struct entry *entry,
                           const struct public_key *agent) {
    struct outcome o = {.verdict = FEED_REJECT};
    struct error e = {0};
    o.err = hub_accept(t->hub, entry, bytes_of(NULL, 0), agent, t->now_ms, &o.verdict, &o.head,
                       &o.reject, &e);
    return o;
}

struct outcome person_send(struct town *t, struct person *p, struct entry *take_entry) {
    town_begin(t);
    struct outcome o = town_accept(t, take_entry, &p->agent.pub);
    town_commit(t);
    if (o.err == ERR_OK && o.verdict == FEED_ACCEPT)
        p->head = o.head;
    entry_free(take_entry);
    return o;
}

void person_publish(struct town *t, struct person *p, struct draft *d) {
    struct outcome o = person_send(t, p, draft_build(d, &p->agent));
    cr_assert_eq(o.err, ERR_OK);
    cr_assert_eq(o.verdict, FEED_ACCEPT, "%s: %s", error_name(o.reject.code), o.reject.detail);
}

/* ---- figures ---- */

static void fill_line(const struct town *t, const struct figures *f, struct line *line) {
    *line = (struct line){.site = f->site};
    snprintf(line->service, sizeof line->service, "%s", f->service);
    snprintf(line->ward, sizeof line->ward, "%s", f->ward ? f->ward : "");
    struct capacity *c = &line->capacity;
    c->total = f->total;
    c->occupied = f->occupied;
    c->free = f->free;
    c->held = f->held;
    c->blocked = f->blocked;
    c->need = f->need;
    c->status = STATUS_ADMITTING;
    c->observed_ms = f->observed_ms ? f->observed_ms : t->now_ms;
    c->valid_until_ms = f->valid_until_ms ? f->valid_until_ms : c->observed_ms + 24 * TOWN_HOUR_MS;
}

/* One site per id, in the region of its first line. */
static size_t fill_sites(const struct figures *rows, size_t count, struct site *sites) {
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < made && sites[k].id != rows[i].site)
            k++;
        if (k < made)
            continue;
        sites[made] = (struct site){.id = rows[i].site};
        snprintf(sites[made].name, sizeof sites[made].name, "Site %u", rows[i].site);
        snprintf(sites[made].region, sizeof sites[made].region, "%s",
                 rows[i].region ? rows[i].region : "");
        made++;
    }
    return made;
}

void figures_encode(const struct town *t, const char *precision, const struct figures *rows,
                    size_t count, struct buf *out) {
    struct error e = {0};
    struct policy_audience audience = {.name = "all", .all_services = true};
    struct snapshot *snapshot = NULL;
    struct line *lines = calloc(count, sizeof *lines);
    struct site *sites = calloc(count, sizeof *sites);
    cr_assert(lines && sites);
    for (size_t i = 0; i < count; i++)
        fill_line(t, &rows[i], &lines[i]);
    size_t site_count = fill_sites(rows, count, sites);
    cr_assert_eq(precision_parse(precision, &audience.precision, &e), ERR_OK, "%s", e.detail);
    const struct directory *d = hub_directory(t->hub);
    cr_assert_eq(snapshot_compose(&audience, directory_charter(d), directory_charter_version(d),
                                  sites, site_count, lines, count, &snapshot, &e),
                 ERR_OK, "%s", e.detail);
    snapshot->counter = 1;
    buf_init(out, VIEW_PLAIN_MAX);
    cr_assert_eq(snapshot_encode(snapshot, out, &e), ERR_OK, "%s", e.detail);
    snapshot_free(snapshot);
    free(lines);
    free(sites);
}

/* ---- reading ---- */

struct page town_load(struct town *t, const struct public_key *reader, const struct cursors *after,
                      size_t max_bytes) {
    struct error e = {0};
    struct page page = {.items = NULL};
    cr_assert_eq(hub_load(t->hub, reader, after, max_bytes, &page, &e), ERR_OK, "%s", e.detail);
    return page;
}

void person_share(struct town *t, struct person *p, struct circle *c, const char *precision,
                  const struct figures *rows, size_t count) {
    struct draft d;
    struct buf plain;
    bool first = p->head.seq == 0;
    figures_encode(t, precision, rows, count, &plain);
    if (first)
        circle_new(t, c, p);
    draft_init(t, &d, p);
    if (first)
        draft_grant_hub(t, &d, c);
    draft_state(t, &d, c, buf_bytes(&plain));
    person_publish(t, p, &d);
    buf_done(&plain);
}

void expect_row(const json_t *rows, size_t index, const char *expected) {
    json_t *want = json_loads(expected, 0, NULL);
    json_t *got = json_array_get(rows, index);
    cr_assert(want && got, "row %zu", index);
    const char *key;
    json_t *value;
    json_object_foreach(want, key, value) {
        char *found = json_dumps(json_object_get(got, key), JSON_ENCODE_ANY | JSON_COMPACT);
        char *wanted = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        cr_assert_str_eq(found ? found : "(absent)", wanted, "row %zu, %s", index, key);
        free(found);
        free(wanted);
    }
    json_decref(want);
}
