/* Owns a hub played by hand (false_hub.h). */
#include "false_hub.h"

#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "codec.h"
#include "directory.h"

#define MEMBER "A"
#define HOUR_MS INT64_C(3600000)

static const char charter[] =
    "{\"format\": 1, \"name\": \"Hostile\", \"time_zone\": \"Europe/Amsterdam\", \"k\": 1,"
    " \"longest_validity\": \"7d\", \"services\": ["
    "{\"code\": \"bed\", \"unit\": \"bed\", \"decimals\": 0, \"validity\": \"24h\"}]}";

/* ---- its feed ---- */

void false_hub_craft(struct false_hub *h, uint32_t kind, struct bytes payload, struct craft *ret) {
    memset(ret, 0, sizeof *ret);
    ret->signer = &h->kit.hub;
    ret->header = (struct header){.network = h->kit.hub.pub,
                                  .member = h->kit.hub.pub,
                                  .agent = h->kit.hub.pub,
                                  .incarnation = 1,
                                  .seq = h->head.seq + 1,
                                  .prev = h->head.hash,
                                  .claimed_ms = clock_wall_ms(),
                                  .kind = kind};
    ret->views[0] = (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = payload};
    ret->count = 1;
}

void false_hub_excerpt(const struct craft *c, struct head *head, struct buf *out) {
    struct buf bytes;
    struct entry *entry = NULL;
    struct error e = {0};
    uint32_t which[ENTRY_MAX_VIEWS];
    for (uint32_t i = 0; i < c->count; i++)
        which[i] = i;
    craft_build(c, &bytes, NULL);
    cr_assert_eq(entry_parse(buf_bytes(&bytes), &entry, &e), ERR_OK, "%s", e.detail);
    buf_init(out, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_excerpt(entry, which, c->count, out, &e), ERR_OK, "%s", e.detail);
    if (head)
        *head = (struct head){c->header.incarnation, c->header.seq, entry->hash};
    entry_free(entry);
    buf_done(&bytes);
}

void false_hub_append(struct false_hub *h, uint32_t kind, struct bytes payload) {
    struct craft c;
    cr_assert_lt(h->head.seq, (uint64_t)FALSE_HUB_FEED);
    false_hub_craft(h, kind, payload, &c);
    false_hub_excerpt(&c, &h->head, &h->feed[c.header.seq - 1]);
}

static void append_event(struct false_hub *h, uint32_t kind, struct buf *take_payload) {
    false_hub_append(h, kind, buf_bytes(take_payload));
    buf_done(take_payload);
}

static void append_invited(struct false_hub *h, const struct public_key *key, const char *name) {
    struct error e = {0};
    struct buf out;
    struct invitation i = {.invite = *key,
                           .name = name,
                           .role = ROLE_PROVIDER,
                           .expires_ms = clock_wall_ms() + 24 * HOUR_MS};
    buf_init(&out, VIEW_MAX_BYTES);
    cr_assert_eq(event_invited(&i, &out, &e), ERR_OK, "%s", e.detail);
    append_event(h, ENTRY_HUB_INVITED, &out);
}

static void append_admitted(struct false_hub *h, struct bytes join) {
    struct error e = {0};
    struct buf out;
    buf_init(&out, VIEW_MAX_BYTES);
    cr_assert_eq(event_admitted(join, &out, &e), ERR_OK, "%s", e.detail);
    append_event(h, ENTRY_HUB_ADMITTED, &out);
}

static void make_uri(struct false_hub *h, char out[static INVITE_URI_MAX], struct sign_pair *ret) {
    struct error e = {0};
    struct invite invite = {.network = h->kit.hub.pub,
                            .expires_ms = clock_wall_ms() / 1000 * 1000 + 24 * HOUR_MS};
    snprintf(invite.address, sizeof invite.address, "ws://%s", h->address);
    entropy_fill(&h->kit.entropy, invite.seed, SEED_LEN);
    sign_pair_from_seed(ret, invite.seed);
    cr_assert_eq(invite_format(&invite, out, &e), ERR_OK, "%s", e.detail);
}

static void found_network(struct false_hub *h, char uri[static INVITE_URI_MAX]) {
    struct error e = {0};
    struct buf out;
    struct sign_pair invite;
    buf_init(&out, VIEW_MAX_BYTES);
    cr_assert_eq(event_genesis("Hostile", &h->box.pub, &out, &e), ERR_OK);
    append_event(h, ENTRY_HUB_GENESIS, &out);
    buf_init(&out, VIEW_MAX_BYTES);
    cr_assert_eq(event_charter(1, bytes_str(charter), &out, &e), ERR_OK, "%s", e.detail);
    append_event(h, ENTRY_HUB_CHARTER, &out);
    make_uri(h, uri, &invite);
    actor_init(&h->partner, uri, 4711);
    append_invited(h, &invite.pub, "B");
    append_admitted(h, buf_bytes(&h->partner.join));
    make_uri(h, uri, &h->invite);
    append_invited(h, &h->invite.pub, MEMBER);
}

/* ---- the session ---- */

static struct process *process(struct false_hub *h) {
    return network_process(&h->net, MEMBER);
}

void false_hub_send(struct false_hub *h, struct bytes message) {
    peer_send_frame(&h->peer, PEER_BINARY, message.data, message.len);
}

void false_hub_send_plain(struct false_hub *h, struct bytes plain) {
    struct blob *sealed = puppet_seal(&h->puppet, plain);
    false_hub_send(h, blob_bytes(sealed));
    blob_unref(sealed);
}

void false_hub_send_frame(struct false_hub *h, const struct frame *frame) {
    size_t len = 0;
    struct blob *sealed = puppet_frame(&h->puppet, frame, &len);
    false_hub_send(h, blob_bytes(sealed));
    blob_unref(sealed);
    if (frame->kind == FRAME_DELIVER)
        h->delivered += len;
}

static void note_push(struct false_hub *h, const struct frame *frame) {
    struct entry *entry = NULL;
    struct error e = {0};
    cr_assert_eq(entry_parse(frame->push.entry, &entry, &e), ERR_OK, "%s", e.detail);
    h->pushed = (struct head){entry->header.incarnation, entry->header.seq, entry->hash};
    entry_free(entry);
    h->pushed_bytes += h->puppet.plain.len;
    if (h->silent)
        return;
    struct frame ack = {
        .kind = FRAME_ACK,
        .ack = {h->pushed.incarnation, h->pushed.seq, UINT64_C(2) * 1024 * 1024 + h->pushed_bytes}};
    false_hub_send_frame(h, &ack);
    h->acked = h->pushed;
}

int false_hub_next(struct false_hub *h, struct frame *ret) {
    static uint8_t data[PEER_FRAME_MAX];
    size_t len = 0;
    if (peer_read_frame(&h->peer, data, sizeof data, &len) != PEER_BINARY) {
        h->connected = false;
        return 0;
    }
    *ret = puppet_open(&h->puppet, bytes_of(data, len));
    if (ret->kind == FRAME_TAKEN)
        h->taken = ret->taken.bytes;
    if (ret->kind == FRAME_PUSH)
        note_push(h, ret);
    return (int)ret->kind;
}

void false_hub_accept(struct false_hub *h) {
    struct lab *lab = h->net.lab;
    if (!lab_running(process(h)))
        network_run_agent(&h->net, MEMBER, NULL);
    h->log_from = strlen(lab_log(lab, process(h)));
    peer_accept(&h->peer, h->listener);
    puppet_init(&h->puppet, &h->kit);
    (void)puppet_hub_hello(&h->puppet);
    h->connected = true;
    h->delivered = h->taken = h->pushed_bytes = 0;
}

static uint8_t agent_hello[HELLO_MAX_BYTES];
static size_t agent_hello_len;

void false_hub_take_hello(struct false_hub *h) {
    struct error e = {0};
    struct agent_hello hello;
    false_hub_send(h, buf_bytes(&h->puppet.hub_hello));
    cr_assert_eq(peer_read_frame(&h->peer, agent_hello, sizeof agent_hello, &agent_hello_len),
                 PEER_BINARY, "the agent did not answer the hello");
    cr_assert_eq(agent_hello_verify(bytes_of(agent_hello, agent_hello_len), &h->kit.hub.pub,
                                    buf_bytes(&h->puppet.hub_hello), &hello, &e),
                 ERR_OK, "%s", e.detail);
    h->named = hello.has_hub_head ? hello.hub_head : (struct head){0};
    if (key_is_zero(&h->agent)) {
        h->agent = hello.cert.agent;
        h->member = hello.cert.member;
        h->kit.cert = hello.cert;
        append_admitted(h, hello.join);
    }
}

static void deliver_at(struct false_hub *h, uint32_t class_, uint64_t position,
                       struct bytes excerpt) {
    struct frame frame = {.kind = FRAME_DELIVER,
                          .deliver = {.class_ = class_,
                                      .position = position,
                                      .received_ms = clock_wall_ms(),
                                      .excerpt = excerpt}};
    false_hub_send_frame(h, &frame);
}

static void reached(struct false_hub *h, uint32_t class_, uint64_t upto, bool tip) {
    struct frame frame = {.kind = FRAME_REACHED, .reached = {class_, upto, tip}};
    false_hub_send_frame(h, &frame);
}

void false_hub_welcome(struct false_hub *h, const struct head *own_head) {
    struct frame frame;
    struct welcome welcome = {.hub_time_ms = clock_wall_ms(),
                              .hub_head = h->head,
                              .has_own_head = own_head || h->acked.seq > 0,
                              .own_head = own_head ? *own_head : h->acked,
                              .credit_bytes = UINT64_C(2) * 1024 * 1024};
    false_hub_send(h, puppet_welcome(&h->puppet, bytes_of(agent_hello, agent_hello_len), &welcome));
    for (uint64_t seq = h->named.seq + 1; seq <= h->head.seq; seq++)
        deliver_at(h, 0, seq, buf_bytes(&h->feed[seq - 1]));
    reached(h, 0, h->head.seq, false);
    do {
        cr_assert_neq(false_hub_next(h, &frame), 0, "the agent hung up: %s",
                      lab_log(h->net.lab, process(h)) + h->log_from);
    } while (frame.kind != FRAME_PULL);
    reached(h, FALSE_HUB_STATES, h->positions[FALSE_HUB_STATES], true);
    h->held = h->head.seq;
    false_hub_wait_taken(h);
}

void false_hub_meet(struct false_hub *h) {
    if (h->connected) {
        h->log_from = strlen(lab_log(h->net.lab, process(h)));
        return;
    }
    false_hub_accept(h);
    false_hub_take_hello(h);
    false_hub_welcome(h, NULL);
}

void false_hub_part(struct false_hub *h) {
    peer_close(&h->peer);
    puppet_done(&h->puppet);
    memset(&h->puppet, 0, sizeof h->puppet);
    h->connected = false;
    h->silent = false;
    if (lab_running(process(h)))
        lab_kill(h->net.lab, process(h));
}

void false_hub_deliver(struct false_hub *h, uint32_t class_, struct bytes excerpt) {
    deliver_at(h, class_, class_ == 0 ? h->held + 1 : ++h->positions[class_], excerpt);
}

void false_hub_wait_taken(struct false_hub *h) {
    struct frame frame;
    while (h->taken < h->delivered)
        cr_assert_neq(false_hub_next(h, &frame), 0, "the agent hung up: %s",
                      lab_log(h->net.lab, process(h)) + h->log_from);
    cr_assert_eq(h->taken, h->delivered);
}

void false_hub_expect_hang_up(struct false_hub *h, enum err code) {
    struct frame frame;
    uint8_t data[64];
    size_t len = 0;
    if (h->puppet.channel.ready)
        while (false_hub_next(h, &frame) != 0)
            continue;
    else
        while (peer_read_frame(&h->peer, data, sizeof data, &len) == PEER_BINARY)
            continue;
    const char *wanted = lab_text(h->net.lab, "code=%s ", error_name(code));
    EVENTUALLY(strstr(lab_log(h->net.lab, process(h)) + h->log_from, " disconnected "));
    const char *line = strstr(lab_log(h->net.lab, process(h)) + h->log_from, " disconnected ");
    cr_assert(strstr(line, wanted), "expected %s, found%.200s", wanted, line);
    false_hub_part(h);
}

static int64_t refusals(struct false_hub *h, enum err code) {
    json_t *counts = json_object_get(AGENT(&h->net, MEMBER, "status"), "refusals");
    return json_integer_value(json_object_get(counts, error_name(code)));
}

void false_hub_refused(struct false_hub *h, uint32_t class_, struct bytes excerpt, enum err code) {
    int64_t before = refusals(h, code);
    false_hub_deliver(h, class_, excerpt);
    false_hub_wait_taken(h);
    cr_assert_eq(refusals(h, code), before + 1, "not counted as %s: %s", error_name(code),
                 lab_log(h->net.lab, process(h)) + h->log_from);
}

/* ---- what the partner says ---- */

void false_hub_sealed(struct false_hub *h, uint32_t kind, struct bytes plain, struct craft *ret) {
    struct error e = {0};
    struct actor *b = &h->partner;
    uint8_t nonce[VIEW_NONCE_LEN];
    actor_craft(b, ret);
    buf_done(&ret->data[0]);
    buf_init(&ret->data[0], VIEW_MAX_BYTES);
    entropy_fill(&b->kit.entropy, nonce, sizeof nonce);
    cr_assert_eq(view_seal(&b->ctx, &b->key, ret->header.incarnation, ret->header.seq, kind, plain,
                           nonce, &ret->data[0], &e),
                 ERR_OK, "%s", e.detail);
    ret->views[0].kind = kind;
    ret->views[0].data = buf_bytes(&ret->data[0]);
}

void false_hub_state(struct false_hub *h, change_snapshot *change, struct craft *ret) {
    Plek__Snapshot snapshot = PLEK__SNAPSHOT__INIT;
    Plek__SiteCard site = PLEK__SITE_CARD__INIT;
    Plek__Line line = PLEK__LINE__INIT;
    Plek__SiteCard *sites[] = {&site};
    Plek__Line *lines[] = {&line};
    char *words[] = {(char *)(uintptr_t) "bed"};
    struct buf plain;
    site.id = 1;
    site.name = (char *)(uintptr_t) "Huis";
    line.site = 1;
    line.has_observed_s = line.has_available = true;
    line.available = (int64_t)++h->counter;
    snapshot.counter = h->counter;
    snapshot.charter = 1;
    snapshot.base_s = clock_wall_ms() / 1000;
    snapshot.precision = 1;
    snapshot.n_words = snapshot.n_sites = snapshot.n_lines = 1;
    snapshot.words = words;
    snapshot.sites = sites;
    snapshot.lines = lines;
    snapshot.has_valid_s = true;
    snapshot.valid_s = 3600;
    if (change)
        change(&snapshot);
    buf_init(&plain, VIEW_PLAIN_MAX);
    codec_encode(&snapshot, &plain);
    cr_assert_eq(buf_failed(&plain, NULL), ERR_OK);
    false_hub_sealed(h, VIEW_STATE, buf_bytes(&plain), ret);
    buf_done(&plain);
}

static void take(struct false_hub *h, uint32_t class_, struct craft *c) {
    struct buf excerpt;
    false_hub_excerpt(c, &h->partner.head, &excerpt);
    false_hub_deliver(h, class_, buf_bytes(&excerpt));
    false_hub_wait_taken(h);
    buf_done(&excerpt);
    craft_done(c);
}

static void grant(struct false_hub *h) {
    struct craft c;
    struct error e = {0};
    struct actor *b = &h->partner;
    uint8_t seed[SEED_LEN];
    actor_craft(b, &c);
    entropy_fill(&b->kit.entropy, seed, sizeof seed);
    buf_init(&c.data[1], GRANT_MAX_BYTES);
    cr_assert_eq(grant_seal(&b->ctx, &b->key, &h->kit.cert.box, seed, &c.data[1], &e), ERR_OK);
    c.header.kind = ENTRY_OPEN;
    c.views[0] = (struct view){.target = target_key(&h->agent),
                               .kind = VIEW_GRANT,
                               .key_id = b->key_id,
                               .data = buf_bytes(&c.data[1])};
    take(h, FALSE_HUB_KEYS, &c);
    h->granted = true;
}

static bool finds(struct false_hub *h) {
    json_t *row = row_where(AGENT(&h->net, MEMBER, "find", "bed"), "member", "B");
    return number_at(row, "available") == (int64_t)h->counter;
}

void false_hub_prove(struct false_hub *h) {
    struct craft c;
    false_hub_meet(h);
    /* A kind that nobody knows moves the head, and clears the alarm of one that was refused. */
    false_hub_append(h, 99, bytes_of("later", 5));
    false_hub_deliver(h, 0, buf_bytes(&h->feed[h->head.seq - 1]));
    h->held = h->head.seq;
    if (!h->granted)
        grant(h);
    false_hub_state(h, NULL, &c);
    take(h, FALSE_HUB_STATES, &c);
    cr_assert(finds(h), "the partner's figure did not come through");
}

/* ---- life ---- */

static void share_back(struct false_hub *h) {
    AGENT_DO(&h->net, MEMBER, "partner", "approve", "B");
    AGENT_DO(&h->net, MEMBER, "set", "bed", "free=1");
    network_policy(&h->net, MEMBER,
                   "{\"audiences\":[{\"name\":\"b\",\"members\":[\"B\"],\"services\":[\"*\"],"
                   "\"precision\":\"exact\"}]}");
    struct frame frame;
    while (h->acked.seq < 1)
        cr_assert_neq(false_hub_next(h, &frame), 0);
}

void false_hub_open(struct false_hub *h, struct lab *lab) {
    char uri[INVITE_URI_MAX];
    uint8_t seed[SEED_LEN];
    memset(h, 0, sizeof *h);
    kit_init(&h->kit, 99);
    h->kit.entropy.ctx = &h->kit.rng;
    entropy_fill(&h->kit.entropy, seed, sizeof seed);
    box_pair_from_seed(&h->box, seed);
    h->net.lab = lab;
    h->listener = peer_listen("127.0.0.1", h->address, sizeof h->address);
    found_network(h, uri);
    AGENT_DO(&h->net, MEMBER, "init", "--unsealed");
    struct process *join =
        lab_start(lab, "join", NULL,
                  LAB_ARGV("plek-agent", "join", uri, "--dir", network_dir(&h->net, MEMBER)));
    peer_accept(&h->peer, h->listener);
    puppet_init(&h->puppet, &h->kit);
    (void)puppet_hub_hello(&h->puppet);
    false_hub_take_hello(h);
    h->connected = true;
    lab_start(lab, MEMBER, NULL, LAB_ARGV("true")); /* a name to be asked for */
    lab_wait_end(lab, process(h));
    false_hub_welcome(h, NULL);
    cr_assert_eq(lab_wait_end(lab, join), 0, "%s", lab_log(lab, join));
    false_hub_part(h);
    false_hub_meet(h);
    share_back(h);
    false_hub_prove(h);
}

void false_hub_close(struct false_hub *h) {
    if (h->puppet.kit)
        false_hub_part(h);
    for (int i = 0; i < FALSE_HUB_FEED; i++)
        buf_done(&h->feed[i]);
    if (h->listener > 0)
        close(h->listener);
    actor_done(&h->partner);
    kit_done(&h->kit);
}
