/* Fuzzes the agent's side of a connection: the input is a script of what the peer sends, how store
 * and outbox answer, in which order, and how the clock goes. The peer holds the hub's keys, so that
 * most of it lies behind the handshake. Checked against docs/protocol.md: nothing is believed
 * before the welcome verifies; what may be asked of the store when; credit, window, order, and one
 * end. */
#include "agent/session.h"
#include "agent/taking.h"
#include "fuzz.h"
#include "unit/session_kit.h"

#define MAX_STEPS 120
#define MAX_OUT 256  /* entries pushed in one run */
#define MAX_TAKE 512 /* takes and reaches asked for in one run */
#define MAX_DRAIN 700

static const uint8_t filler[32 * 10000];
static const enum err codes[] = {ERR_OK,   ERR_OLD,      ERR_NO_KEY, ERR_SIGNATURE,
                                 ERR_FORK, ERR_AHEAD,    ERR_STORE,  ERR_DISK_FULL,
                                 ERR_RATE, ERR_PROTOCOL, ERR_SEQ,    ERR_MALFORMED};

/* A TAKE or REACHED, in the order of the frames. */
struct item {
    uint64_t req, position;
    size_t frame_len;
    uint32_t class_;
    bool is_reached, done;
};

/* A Reached of the hub, behind the first `behind` excerpts that it delivered. */
struct said {
    uint64_t upto;
    size_t behind;
    uint32_t class_;
};

struct run {
    struct kit kit;
    struct puppet puppet;
    struct agent_session *agent;
    struct welcome welcome; /* what we signed */
    int64_t now_ms;
    bool closed, dead, hello_came, hello_given, answered; /* answered: with our own signature */
    bool refusable; /* a refusal that we signed is on its way */
    bool opened, welcomed_asked, welcomed_done, pulled, may_push;
    uint64_t welcomed_req;
    struct hash waiting[MAX_TAKE]; /* delivered, not yet asked to be stored */
    struct item waiting_item[MAX_TAKE];
    size_t given, asked; /* of waiting */
    struct item items[MAX_TAKE];
    size_t item_count;
    struct said said[MAX_TAKE];
    size_t said_count;
    uint64_t hub_stored, delivered, taken_said;
    bool next_open, acked_open;
    uint64_t next_req, acked_req;
    size_t next_max;
    uint64_t pushed, credit, sent_seq, acked_seq;
    size_t rejects;
};

static struct bytes content(struct fuzz_input *in) {
    uint8_t how = fuzz_byte(in);
    return bytes_of(filler, how < 0xe0 ? 1u + how : (how - 0xe0u) * 10000u + 1);
}

/* ---- what comes out ---- */

static void on_frame(struct run *r, struct bytes message) {
    struct frame frame = puppet_open(&r->puppet, message);
    switch (frame.kind) {
    case FRAME_PULL:
        FUZZ_CHECK(!r->pulled && r->welcomed_done);
        r->pulled = true;
        break;
    case FRAME_PUSH:
        r->pushed += r->puppet.plain.len;
        FUZZ_CHECK(r->may_push && r->pushed <= r->credit);
        break;
    case FRAME_TAKEN: {
        uint64_t done = 0;
        for (size_t i = 0; i < r->item_count && r->items[i].done; i++)
            done += r->items[i].frame_len;
        FUZZ_CHECK(frame.taken.bytes > r->taken_said && frame.taken.bytes <= done);
        r->taken_said = frame.taken.bytes;
        break;
    }
    case FRAME_ACK:
    case FRAME_REJECT:
    case FRAME_DELIVER:
    case FRAME_REACHED:
    case FRAME_LEAVE:
        fuzz_broken("an agent sends no such frame", __FILE__, __LINE__);
    }
}

static void on_send(struct run *r, struct bytes message) {
    if (r->opened) {
        on_frame(r, message);
        return;
    }
    struct error e = {0};
    struct agent_hello hello;
    FUZZ_CHECK(r->hello_given && !r->hello_came);
    FUZZ_CHECK(agent_hello_verify(message, &r->kit.hub.pub, buf_bytes(&r->puppet.hub_hello), &hello,
                                  &e) == ERR_OK);
    r->hello_came = true;
    buf_append(&r->puppet.agent_hello, message.data, message.len);
}

static void add_item(struct run *r, const struct item *item) {
    FUZZ_CHECK(r->item_count < MAX_TAKE);
    r->items[r->item_count++] = *item;
}

static void on_take(struct run *r, const struct agent_effect *effect) {
    FUZZ_CHECK(r->opened && r->asked < r->given);
    struct item item = r->waiting_item[r->asked];
    struct hash hash = hash_blake2b(blob_bytes(effect->data));
    FUZZ_CHECK(hash_equal(&hash, &r->waiting[r->asked]));
    FUZZ_CHECK(effect->class_ == item.class_ && effect->position == item.position);
    r->asked++;
    item.req = effect->req;
    add_item(r, &item);
    size_t open = 0;
    for (size_t i = 0; i < r->item_count; i++)
        open += r->items[i].done ? 0 : r->items[i].frame_len;
    FUZZ_CHECK(open <= FRAME_WINDOW_BYTES + FRAME_MAX_BYTES);
}

/* Of those that say the same, the first: what is asked of it is asked of all. */
static const struct said *said_of(const struct run *r, const struct agent_effect *effect) {
    for (size_t i = 0; i < r->said_count; i++)
        if (r->said[i].class_ == effect->class_ && r->said[i].upto == effect->position)
            return &r->said[i];
    return NULL;
}

/* A position is stored only after all that was delivered before it, whatever came after it. */
static void on_reached(struct run *r, const struct agent_effect *effect) {
    FUZZ_CHECK(r->opened);
    const struct said *said = said_of(r, effect);
    FUZZ_CHECK(said != NULL && r->asked >= said->behind);
    size_t taken = 0;
    for (size_t i = 0; i < r->item_count && taken < said->behind; i++) {
        FUZZ_CHECK(r->items[i].is_reached || r->items[i].done);
        taken += !r->items[i].is_reached;
    }
    struct item item = {.req = effect->req,
                        .class_ = effect->class_,
                        .position = effect->position,
                        .is_reached = true};
    add_item(r, &item);
}

static void on_welcomed(struct run *r, const struct agent_effect *effect) {
    FUZZ_CHECK(r->answered && !r->welcomed_asked && !r->opened);
    FUZZ_CHECK(effect->welcome.hub_head.seq == r->welcome.hub_head.seq);
    FUZZ_CHECK(effect->welcome.credit_bytes == r->welcome.credit_bytes);
    FUZZ_CHECK(effect->welcome.has_own_head == r->welcome.has_own_head);
    r->welcomed_asked = r->opened = true;
    r->welcomed_req = effect->req;
}

static void on_effect(struct run *r, struct agent_effect *effect) {
    FUZZ_CHECK(!r->closed);
    switch (effect->kind) {
    case AGENT_EFFECT_SEND:
        on_send(r, blob_bytes(effect->data));
        break;
    case AGENT_EFFECT_CLOSE:
        FUZZ_CHECK(effect->code != ERR_OK && effect->reason[0] != '\0');
        r->closed = true;
        break;
    case AGENT_EFFECT_WAKE:
        break;
    case AGENT_EFFECT_WELCOMED:
        on_welcomed(r, effect);
        break;
    case AGENT_EFFECT_REFUSED:
        FUZZ_CHECK(r->refusable);
        r->refusable = false;
        break;
    case AGENT_EFFECT_TAKE:
        on_take(r, effect);
        break;
    case AGENT_EFFECT_REACHED:
        on_reached(r, effect);
        break;
    case AGENT_EFFECT_NEXT:
        FUZZ_CHECK(r->may_push && !r->next_open);
        FUZZ_CHECK(r->hub_stored >= r->welcome.hub_head.seq);
        FUZZ_CHECK(r->pushed + effect->max_bytes <= r->credit);
        r->next_open = true;
        r->next_req = effect->req;
        r->next_max = effect->max_bytes;
        r->sent_seq = effect->head.seq;
        break;
    case AGENT_EFFECT_ACKED:
        FUZZ_CHECK(r->opened && !r->acked_open && effect->head.seq >= r->acked_seq);
        r->acked_open = true;
        r->acked_req = effect->req;
        r->acked_seq = effect->head.seq;
        break;
    case AGENT_EFFECT_REJECTED:
        FUZZ_CHECK(r->rejects > 0 && effect->code != ERR_OK);
        r->rejects--;
        break;
    }
}

static void drain(struct run *r) {
    struct agent_effect effect;
    int count = 0;
    while (agent_session_next(r->agent, &effect)) {
        FUZZ_CHECK(++count < MAX_DRAIN);
        on_effect(r, &effect);
        blob_unref(effect.data);
    }
    FUZZ_CHECK(!r->dead || r->closed);
    FUZZ_CHECK(agent_session_established(r->agent) == (r->opened && !r->closed));
    FUZZ_CHECK(!agent_session_caught_up(r->agent) ||
               (r->opened && r->hub_stored >= r->welcome.hub_head.seq));
}

/* ---- what the peer sends ---- */

static void give(struct run *r, struct bytes message) {
    agent_session_bytes(r->agent, message, r->now_ms);
    drain(r);
}

/* Bytes of anybody: they can only end it, unless they repeat our own hello. */
static void send_raw(struct run *r, struct bytes message) {
    struct error e = {0};
    struct hub_hello hello;
    bool is_hello = !r->hello_came && !r->hello_given &&
                    hub_hello_parse(message, &r->kit.hub.pub, &hello, &e) == ERR_OK;
    if (is_hello)
        return;
    r->dead = true;
    give(r, message);
}

static void send_hub_hello(struct run *r, struct fuzz_input *in) {
    if (r->hello_given)
        return;
    struct buf copy;
    struct bytes hello = puppet_hub_hello(&r->puppet);
    uint8_t damage = fuzz_byte(in);
    r->hello_given = true;
    buf_init(&copy, HELLO_MAX_BYTES);
    buf_append(&copy, hello.data, hello.len);
    if (damage >= 0xf0) {
        struct error e = {0};
        struct hub_hello parsed;
        copy.data[fuzz_below(in, copy.len)] ^= (uint8_t)(1 + damage % 8);
        r->dead = hub_hello_parse(buf_bytes(&copy), &r->kit.hub.pub, &parsed, &e) != ERR_OK;
        /* Nobody holds the secret of a changed key: no answer comes. */
        r->answered = !r->dead && !key_equal(&parsed.kx, &r->puppet.secret.kx.pub);
        r->puppet.hub_hello.len = 0;
        buf_append(&r->puppet.hub_hello, copy.data, copy.len);
    }
    give(r, buf_bytes(&copy));
    buf_done(&copy);
}

static void send_refusal(struct run *r, struct fuzz_input *in) {
    struct error e = {0};
    struct refused refused = {.code = codes[1 + fuzz_byte(in) % 11],
                              .hub_time_ms = r->now_ms,
                              .retry_after_ms = (uint32_t)fuzz_number(in)};
    FUZZ_CHECK(refused_build(&refused, buf_bytes(&r->puppet.hub_hello),
                             buf_bytes(&r->puppet.agent_hello), &r->kit.hub, &r->puppet.answer,
                             &e) == ERR_OK);
    r->refusable = r->dead = true;
    give(r, buf_bytes(&r->puppet.answer));
}

static void send_answer(struct run *r, struct fuzz_input *in) {
    if (!r->hello_came || r->answered || r->closed)
        return;
    r->answered = true;
    uint8_t mood = fuzz_byte(in);
    if (mood >= 0xf0) {
        send_refusal(r, in);
        return;
    }
    struct bytes hello = buf_bytes(&r->puppet.agent_hello);
    struct buf copy;
    r->welcome = (struct welcome){.hub_time_ms = (int64_t)fuzz_number(in),
                                  .hub_head = kit_head(fuzz_byte(in) % 4),
                                  .has_own_head = mood % 2 == 1,
                                  .own_head = kit_head(fuzz_byte(in) % 4),
                                  .credit_bytes = mood % 4 < 2 ? 1u << 21 : fuzz_number(in)};
    r->credit = r->welcome.credit_bytes;
    r->acked_seq = r->welcome.has_own_head ? r->welcome.own_head.seq : 0;
    buf_init(&copy, HELLO_MAX_BYTES);
    buf_append(&copy, hello.data, hello.len);
    r->puppet.agent_hello.len = 0;
    hello = puppet_welcome(&r->puppet, buf_bytes(&copy), &r->welcome);
    if (mood >= 0xe0) { /* signed, then changed: nothing of it is believed */
        r->puppet.answer.data[fuzz_below(in, hello.len)] ^= (uint8_t)(1 + mood % 8);
        r->answered = false;
        r->dead = true;
    }
    give(r, buf_bytes(&r->puppet.answer));
    buf_done(&copy);
}

static bool expect_deliver(struct run *r, const struct frame *f, size_t len) {
    uint64_t hub_next = r->hub_stored;
    if (r->given == MAX_TAKE)
        return false;
    for (size_t i = 0; i < r->given; i++)
        if (r->waiting_item[i].class_ == 0)
            hub_next = r->waiting_item[i].position;
    if (f->deliver.class_ == 0 && f->deliver.position != hub_next + 1)
        return false;
    r->waiting[r->given] = hash_blake2b(f->deliver.excerpt);
    r->waiting_item[r->given++] = (struct item){
        .frame_len = len, .class_ = f->deliver.class_, .position = f->deliver.position};
    r->delivered += len;
    return true;
}

/* False: the session has to end. True: it may. */
static bool expect_frame(struct run *r, struct bytes plain) {
    struct error e = {0};
    struct frame frame;
    if (frame_decode(plain, &frame, &e) != ERR_OK)
        return false;
    switch (frame.kind) {
    case FRAME_DELIVER:
        return expect_deliver(r, &frame, plain.len);
    case FRAME_ACK:
        if (frame.ack.credit_bytes < r->credit)
            return false;
        r->credit = frame.ack.credit_bytes;
        return true;
    case FRAME_REJECT:
        r->rejects++;
        return true;
    case FRAME_REACHED:
        r->said[r->said_count++] =
            (struct said){frame.reached.upto, r->given, frame.reached.class_};
        return true;
    case FRAME_PUSH:
    case FRAME_PULL:
    case FRAME_TAKEN:
    case FRAME_LEAVE: /* with our signature or not, that is the end */
        return false;
    }
    return false;
}

static void send_plain(struct run *r, struct bytes plain) {
    if (!r->opened || plain.len > FRAME_MAX_BYTES || r->given == MAX_TAKE ||
        r->said_count == MAX_TAKE || r->item_count + 2 >= MAX_TAKE)
        return;
    struct blob *sealed = puppet_seal(&r->puppet, plain);
    r->dead = r->dead || (!r->closed && !expect_frame(r, plain));
    give(r, blob_bytes(sealed));
    blob_unref(sealed);
}

static void frame_fields(struct run *r, struct fuzz_input *in, struct frame *f) {
    switch (fuzz_byte(in) % 6) {
    case 0:
        f->kind = FRAME_ACK;
        f->ack.incarnation = 1;
        f->ack.seq = fuzz_byte(in) % 2 == 0 ? r->sent_seq + 1 : fuzz_number(in);
        f->ack.credit_bytes = fuzz_byte(in) % 4 != 0 ? r->credit + fuzz_byte(in) : fuzz_number(in);
        break;
    case 1:
        f->kind = FRAME_REJECT;
        f->reject.head = kit_head(r->sent_seq + fuzz_byte(in) % 3);
        f->reject.code = codes[1 + fuzz_byte(in) % 11];
        break;
    case 2:
        f->kind = FRAME_REACHED;
        f->reached.class_ = fuzz_byte(in) % FRAME_CLASSES;
        f->reached.upto = f->reached.class_ == 0 ? r->hub_stored : fuzz_number(in);
        f->reached.tip = fuzz_byte(in) % 2 == 0;
        break;
    default:
        f->kind = FRAME_DELIVER;
        f->deliver.class_ = fuzz_byte(in) % FRAME_CLASSES;
        f->deliver.position = fuzz_byte(in) % 4;
        f->deliver.received_ms = (int64_t)fuzz_number(in);
        f->deliver.excerpt = content(in);
    }
}

static void send_frame(struct run *r, struct fuzz_input *in) {
    struct error e = {0};
    struct frame frame = {.kind = FRAME_LEAVE};
    struct buf plain;
    buf_init(&plain, FRAME_MAX_BYTES);
    frame_fields(r, in, &frame);
    FUZZ_CHECK(frame_encode(&frame, &plain, &e) == ERR_OK);
    send_plain(r, buf_bytes(&plain));
    buf_done(&plain);
}

static void send_leave(struct run *r, struct fuzz_input *in) {
    struct error e = {0};
    struct refused refused = {.code = codes[1 + fuzz_byte(in) % 11], .hub_time_ms = r->now_ms};
    struct frame leave;
    struct buf answer, plain;
    if (!r->opened || r->closed)
        return;
    bool ours = fuzz_byte(in) % 4 != 0;
    buf_init(&answer, HELLO_MAX_BYTES);
    buf_init(&plain, FRAME_MAX_BYTES);
    FUZZ_CHECK(refused_build(&refused, buf_bytes(&r->puppet.hub_hello),
                             buf_bytes(&r->puppet.agent_hello), ours ? &r->kit.hub : &r->kit.member,
                             &answer, &e) == ERR_OK);
    FUZZ_CHECK(frame_leave_from_answer(buf_bytes(&answer), &leave, &e) == ERR_OK);
    FUZZ_CHECK(frame_encode(&leave, &plain, &e) == ERR_OK);
    r->refusable = ours;
    send_plain(r, buf_bytes(&plain));
    buf_done(&answer);
    buf_done(&plain);
}

/* ---- what store and outbox answer ---- */

static bool ends(const struct item *item, enum err code) {
    return code != ERR_OK && (item->is_reached || item->class_ == 0 || taking_is_local(code));
}

static void complete_item(struct run *r, struct fuzz_input *in) {
    if (r->item_count == 0)
        return;
    struct item *item = &r->items[fuzz_below(in, r->item_count)];
    uint8_t mood = fuzz_byte(in);
    enum err code = mood < 0xc0 ? ERR_OK : codes[mood % 12];
    if (!item->done && !r->closed) {
        r->dead = r->dead || ends(item, code);
        item->done = !ends(item, code);
        if (item->done && !item->is_reached && item->class_ == 0 && item->position > r->hub_stored)
            r->hub_stored = item->position;
    }
    agent_session_done(r->agent, item->req, code, r->now_ms);
}

static void complete_next(struct run *r, struct fuzz_input *in) {
    if (!r->next_open)
        return;
    uint8_t mood = fuzz_byte(in);
    struct bytes bytes = content(in);
    struct head head = kit_head(r->sent_seq + 1);
    struct blob *entry = NULL;
    enum err code = mood < 0xf0 ? ERR_OK : codes[1 + mood % 11];
    r->next_open = false;
    if (mood % 8 != 0 && bytes.len <= r->next_max)
        entry = blob_new(bytes);
    r->dead = r->dead || (!r->closed && taking_is_local(code));
    agent_session_next_entry(r->agent, r->next_req, code, entry, entry != NULL ? &head : NULL,
                             r->now_ms);
    blob_unref(entry);
}

static void complete_welcomed(struct run *r, struct fuzz_input *in) {
    if (!r->welcomed_asked)
        return;
    uint8_t mood = fuzz_byte(in);
    enum err code = mood < 0xe0 ? ERR_OK : codes[mood % 12];
    if (!r->welcomed_done && !r->closed) {
        r->welcomed_done = code == ERR_OK || code == ERR_AHEAD || code == ERR_FORK;
        r->may_push = code == ERR_OK;
        r->dead = r->dead || !r->welcomed_done;
    }
    agent_session_done(r->agent, r->welcomed_req, code, r->now_ms);
}

static void complete_acked(struct run *r, struct fuzz_input *in) {
    if (!r->acked_open)
        return;
    enum err code = fuzz_byte(in) < 0xf0 ? ERR_OK : ERR_STORE;
    r->acked_open = false;
    r->dead = r->dead || (code != ERR_OK && !r->closed);
    agent_session_done(r->agent, r->acked_req, code, r->now_ms);
}

/* ---- a run ---- */

static void step(struct run *r, struct fuzz_input *in) {
    switch (fuzz_byte(in) % 16) {
    case 0:
        send_raw(r, fuzz_piece(in));
        break;
    case 1:
        send_plain(r, fuzz_piece(in));
        break;
    case 2:
        r->now_ms += (int64_t)fuzz_below(in, 65536) - 20000;
        agent_session_wake(r->agent, r->now_ms);
        break;
    case 3:
        agent_session_outbox(r->agent, r->now_ms);
        break;
    case 4:
        agent_session_queued(r->agent, (size_t)fuzz_below(in, 1u << 22), r->now_ms);
        break;
    case 5:
        send_leave(r, in);
        break;
    case 6:
        send_hub_hello(r, in);
        break;
    case 7:
        send_answer(r, in);
        break;
    case 8:
        complete_welcomed(r, in);
        break;
    case 9:
        complete_acked(r, in);
        break;
    case 10:
        complete_next(r, in);
        break;
    case 11:
    case 12:
        complete_item(r, in);
        break;
    default:
        send_frame(r, in);
    }
    drain(r);
}

static void run_init(struct run *r) {
    struct error e = {0};
    kit_init(&r->kit, 1);
    puppet_init(&r->puppet, &r->kit);
    r->now_ms = 1000000;
    struct agent_session_config config = {.network = r->kit.hub.pub,
                                          .keys = &r->kit.agent,
                                          .cert = buf_bytes(&r->kit.cert_bytes),
                                          .own = kit_head(9),
                                          .entropy = &r->kit.entropy};
    FUZZ_CHECK(agent_session_new(&config, r->now_ms, &r->agent, &e) == ERR_OK);
    drain(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = fuzz_input(data, size);
    struct run *r = calloc(1, sizeof *r);
    FUZZ_CHECK(r != NULL);
    run_init(r);
    for (int i = 0; i < MAX_STEPS && in.left > 0; i++)
        step(r, &in);
    agent_session_free(r->agent);
    puppet_done(&r->puppet);
    kit_done(&r->kit);
    free(r);
    return 0;
}
