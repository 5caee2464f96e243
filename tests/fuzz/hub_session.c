/* Fuzzes the hub's side of a connection: the input is a script of what the peer sends, how the
 * store and the workers answer, in which order, and how the clock goes. The peer holds real keys,
 * so that most of it lies behind the handshake. Checked against docs/protocol.md: what may be asked
 * of the store and sent when, credit, window, order, and one end. */
#include "fuzz.h"
#include "hub/deliver.h"
#include "hub/session.h"
#include "ring.h"
#include "unit/session_kit.h"

#define MAX_STEPS 120
#define MAX_PUSHES 256 /* of one run */
#define MAX_ITEMS 8    /* of a page */
#define MAX_DRAIN 400  /* effects that one call can lead to */

/* Content of entries and excerpts: it is not looked into here. */
static const uint8_t filler[32 * 10000];

static const enum err codes[] = {ERR_OK,   ERR_RATE,      ERR_SEQ,         ERR_FORK,
                                 ERR_OLD,  ERR_DISK_FULL, ERR_STORE,       ERR_BUSY,
                                 ERR_KIND, ERR_SUSPENDED, ERR_UNAVAILABLE, ERR_MALFORMED};

struct push {
    uint64_t req;
    size_t frame_len;
    struct hash hash;
    bool asked, answered;
    enum err code;
};

struct run {
    struct kit kit;
    struct puppet puppet;
    struct hub_session *hub;
    int64_t now_ms;
    bool hello_sent, greet_asked, greet_open, joined, closed, left;
    bool dead;                    /* has to be closed once it was drained */
    bool may_answer, may_welcome; /* what the worker said lets one answer go out */
    uint64_t greet_req, load_req;
    struct blob *hello; /* what was to be verified */
    struct push pushes[MAX_PUSHES];
    size_t push_count;
    uint64_t credit, pushed;
    struct head acked;
    bool load_open, pulled;
    struct ring expected; /* struct delivery still to be sent, in order */
    uint64_t delivered, taken, reached[HUB_CLASSES];
    size_t queued;
};

/* Mostly small; now and then so large that credit or window matters. */
static struct bytes content(struct fuzz_input *in) {
    uint8_t how = fuzz_byte(in);
    return bytes_of(filler, how < 0xe0 ? 1u + how : (how - 0xe0u) * 10000u + 1);
}

/* ---- what comes out ---- */

static void on_answer(struct run *r, struct bytes message) {
    struct welcome welcome;
    struct refused refused;
    FUZZ_CHECK(r->may_answer);
    r->may_answer = false;
    bool welcomed = puppet_welcomed(&r->puppet, message, &welcome, &refused);
    FUZZ_CHECK(welcomed == r->may_welcome);
    if (welcomed) {
        FUZZ_CHECK(welcome.credit_bytes == HUB_CREDIT_BYTES && welcome.features == 0);
        r->credit = welcome.credit_bytes;
    }
}

static void on_ack(struct run *r, const struct frame *frame) {
    uint64_t credit = HUB_CREDIT_BYTES;
    for (size_t i = 0; i < r->push_count && r->pushes[i].answered; i++)
        credit += r->pushes[i].frame_len;
    FUZZ_CHECK(frame->ack.credit_bytes >= r->credit && frame->ack.credit_bytes <= credit);
    r->credit = frame->ack.credit_bytes;
    FUZZ_CHECK(frame->ack.seq >= r->acked.seq);
    r->acked.seq = frame->ack.seq;
    bool known = frame->ack.seq == 0;
    for (size_t i = 0; i < r->push_count; i++)
        known = known ||
                (r->pushes[i].answered && r->pushes[i].code == ERR_OK && frame->ack.seq <= i + 1);
    FUZZ_CHECK(known);
}

static void on_reject(struct run *r, const struct frame *frame) {
    uint64_t seq = frame->reject.head.seq;
    FUZZ_CHECK(seq >= 1 && seq <= r->push_count);
    const struct push *p = &r->pushes[seq - 1];
    FUZZ_CHECK(p->answered && p->code == frame->reject.code);
}

static void on_deliver(struct run *r, const struct frame *frame, size_t frame_len) {
    struct delivery next;
    FUZZ_CHECK(ring_pop(&r->expected, &next));
    FUZZ_CHECK(next.class_ == frame->deliver.class_ && next.position == frame->deliver.position);
    FUZZ_CHECK(next.received_ms == frame->deliver.received_ms);
    FUZZ_CHECK(bytes_equal(frame->deliver.excerpt, blob_bytes(next.excerpt)));
    blob_unref(next.excerpt);
    FUZZ_CHECK(r->delivered - r->taken < HUB_WINDOW_BYTES);
    FUZZ_CHECK(r->queued <= HUB_WINDOW_BYTES);
    r->delivered += frame_len;
}

static void on_frame(struct run *r, struct bytes message) {
    struct frame frame = puppet_open(&r->puppet, message);
    FUZZ_CHECK(!r->left);
    switch (frame.kind) {
    case FRAME_ACK:
        on_ack(r, &frame);
        break;
    case FRAME_REJECT:
        on_reject(r, &frame);
        break;
    case FRAME_DELIVER:
        on_deliver(r, &frame, r->puppet.plain.len);
        break;
    case FRAME_REACHED:
        FUZZ_CHECK(frame.reached.upto >= r->reached[frame.reached.class_]);
        r->reached[frame.reached.class_] = frame.reached.upto;
        break;
    case FRAME_LEAVE:
        r->left = true;
        break;
    case FRAME_PUSH:
    case FRAME_PULL:
    case FRAME_TAKEN:
        fuzz_broken("a hub sends no such frame", __FILE__, __LINE__);
    }
}

static void on_send(struct run *r, struct bytes message) {
    struct error e = {0};
    if (r->puppet.hub_hello.len == 0 && !r->greet_asked) {
        struct hub_hello hello;
        FUZZ_CHECK(hub_hello_parse(message, &r->kit.hub.pub, &hello, &e) == ERR_OK);
        buf_append(&r->puppet.hub_hello, message.data, message.len);
    } else if (r->puppet.channel.ready) {
        on_frame(r, message);
    } else {
        on_answer(r, message);
    }
}

static void on_accept(struct run *r, const struct hub_effect *effect) {
    size_t open_bytes = 0, at = MAX_PUSHES;
    for (size_t i = r->push_count; i-- > 0;)
        if (!r->pushes[i].asked)
            at = i; /* in the order they were pushed */
    FUZZ_CHECK(at < r->push_count);
    struct push *p = &r->pushes[at];
    struct hash hash = hash_blake2b(blob_bytes(effect->data));
    FUZZ_CHECK(hash_equal(&hash, &p->hash));
    p->asked = true;
    p->req = effect->req;
    for (size_t i = 0; i < r->push_count; i++) {
        if (r->pushes[i].asked && !r->pushes[i].answered)
            open_bytes += r->pushes[i].frame_len;
    }
    FUZZ_CHECK(open_bytes <= HUB_CREDIT_BYTES);
    FUZZ_CHECK(key_equal(&effect->agent, &r->kit.agent.pub));
}

static void on_effect(struct run *r, struct hub_effect *effect) {
    FUZZ_CHECK(!r->closed);
    switch (effect->kind) {
    case HUB_EFFECT_SEND:
        on_send(r, blob_bytes(effect->data));
        break;
    case HUB_EFFECT_CLOSE:
        FUZZ_CHECK(effect->code != ERR_OK && effect->reason[0] != '\0');
        r->closed = true;
        break;
    case HUB_EFFECT_WAKE:
        FUZZ_CHECK(!r->joined);
        break;
    case HUB_EFFECT_GREET:
        FUZZ_CHECK(!r->greet_asked);
        r->greet_asked = r->greet_open = true;
        r->greet_req = effect->req;
        r->hello = blob_ref(effect->data);
        FUZZ_CHECK(bytes_equal(effect->hub_hello, buf_bytes(&r->puppet.hub_hello)));
        break;
    case HUB_EFFECT_ACCEPT:
        FUZZ_CHECK(r->joined);
        on_accept(r, effect);
        break;
    case HUB_EFFECT_LOAD:
        FUZZ_CHECK(r->joined && !r->load_open && r->expected.count == 0);
        FUZZ_CHECK(key_equal(&effect->agent, &r->kit.agent.pub));
        for (int c = 1; c < HUB_CLASSES && !r->pulled; c++)
            FUZZ_CHECK(effect->cursors.after[c] == DELIVER_POSITION_NONE);
        r->load_open = true;
        r->load_req = effect->req;
        break;
    case HUB_EFFECT_JOINED:
        FUZZ_CHECK(!r->joined && r->puppet.channel.ready);
        FUZZ_CHECK(key_equal(&effect->agent, &r->kit.agent.pub));
        r->joined = true;
        break;
    }
}

static void drain(struct run *r) {
    struct hub_effect effect;
    int count = 0;
    while (hub_session_next(r->hub, &effect)) {
        FUZZ_CHECK(++count < MAX_DRAIN);
        on_effect(r, &effect);
        blob_unref(effect.data);
    }
    FUZZ_CHECK(!r->dead || r->closed);
    FUZZ_CHECK(hub_session_established(r->hub) == (r->joined && !r->closed));
    FUZZ_CHECK((hub_session_cert(r->hub) != NULL) == r->joined);
}

/* ---- what the peer sends ---- */

static void give(struct run *r, struct bytes message) {
    hub_session_bytes(r->hub, message, r->now_ms);
    drain(r);
}

/* Outside the channel nothing but one hello is ever taken. */
static void send_raw(struct run *r, struct bytes message) {
    r->dead = r->dead || r->greet_asked || message.len > HELLO_MAX_BYTES;
    give(r, message);
}

static void send_hello(struct run *r, struct fuzz_input *in) {
    if (r->hello_sent)
        return;
    r->hello_sent = true;
    struct head head = kit_head(fuzz_number(in) & INT64_MAX);
    struct buf hub_hello = r->puppet.hub_hello; /* stands there from the first SEND */
    buf_init(&r->puppet.hub_hello, HELLO_MAX_BYTES);
    struct bytes hello =
        puppet_hello(&r->puppet, buf_bytes(&hub_hello), fuzz_byte(in) % 2 == 0 ? &head : NULL);
    buf_done(&hub_hello);
    uint8_t damage = fuzz_byte(in);
    if (damage >= 0xf0)
        r->puppet.agent_hello.data[fuzz_below(in, hello.len)] ^= (uint8_t)(1 + damage % 8);
    send_raw(r, hello);
}

/* One more push is under way when the machine takes this frame. */
static bool expect_push(struct run *r, const struct frame *frame, size_t len) {
    if (len > r->credit - r->pushed || r->push_count == MAX_PUSHES)
        return false;
    r->pushed += len;
    r->pushes[r->push_count++] =
        (struct push){.frame_len = len, .hash = hash_blake2b(frame->push.entry)};
    return true;
}

/* Whether the hub has to take this plain frame, by the rules; what it then knows. */
static bool expect_frame(struct run *r, struct bytes plain) {
    struct error e = {0};
    struct frame frame;
    if (plain.len > FRAME_MAX_BYTES || frame_decode(plain, &frame, &e) != ERR_OK)
        return false;
    switch (frame.kind) {
    case FRAME_PUSH:
        return expect_push(r, &frame, plain.len);
    case FRAME_PULL:
        if (r->pulled)
            return false;
        r->pulled = true;
        return true;
    case FRAME_TAKEN:
        if (frame.taken.bytes < r->taken || frame.taken.bytes > r->delivered)
            return false;
        r->taken = frame.taken.bytes;
        return true;
    case FRAME_ACK:
    case FRAME_REJECT:
    case FRAME_DELIVER:
    case FRAME_REACHED:
    case FRAME_LEAVE:
        return false;
    }
    return false;
}

static void send_plain(struct run *r, struct bytes plain) {
    if (!r->puppet.channel.ready || plain.len > FRAME_MAX_BYTES || r->push_count == MAX_PUSHES)
        return;
    struct blob *sealed = puppet_seal(&r->puppet, plain);
    if (!r->closed && !expect_frame(r, plain))
        r->dead = true;
    give(r, blob_bytes(sealed));
    blob_unref(sealed);
}

static void send_frame(struct run *r, struct fuzz_input *in) {
    struct error e = {0};
    struct frame frame = {.kind = FRAME_PUSH};
    struct buf plain;
    buf_init(&plain, FRAME_MAX_BYTES);
    switch (fuzz_byte(in) % 4) {
    case 0:
        frame.kind = FRAME_PULL;
        for (int c = 1; c < FRAME_CLASSES; c++)
            frame.pull.after[c] = fuzz_number(in);
        break;
    case 1:
        frame.kind = FRAME_TAKEN;
        frame.taken.bytes = fuzz_byte(in) % 2 == 0 ? r->delivered : fuzz_number(in);
        break;
    default:
        frame.push.entry = content(in);
    }
    FUZZ_CHECK(frame_encode(&frame, &plain, &e) == ERR_OK);
    send_plain(r, buf_bytes(&plain));
    buf_done(&plain);
}

static void send_damaged(struct run *r, struct fuzz_input *in) {
    if (!r->puppet.channel.ready)
        return;
    struct buf copy;
    struct blob *sealed = puppet_seal(&r->puppet, bytes_str("\x3a\x02\x08"));
    buf_init(&copy, 256);
    buf_append(&copy, blob_bytes(sealed).data, blob_bytes(sealed).len);
    copy.data[fuzz_below(in, copy.len)] ^= (uint8_t)(1 + fuzz_byte(in) % 255);
    r->dead = true;
    give(r, buf_bytes(&copy));
    buf_done(&copy);
    blob_unref(sealed);
}

/* ---- what the workers and the store answer ---- */

/* As hub/verify.c and hub_greet do: nobody is welcomed whose hello does not verify. */
static void complete_greet(struct run *r, struct fuzz_input *in) {
    struct agent_hello hello;
    struct greeting g = {.welcome = {.hub_time_ms = r->now_ms, .hub_head = kit_head(9)}};
    if (!r->greet_open)
        return;
    r->greet_open = false;
    g.code = agent_hello_verify(blob_bytes(r->hello), &r->kit.hub.pub,
                                buf_bytes(&r->puppet.hub_hello), &hello, &g.error);
    g.unsigned_close = g.code != ERR_OK;
    uint8_t mood = fuzz_byte(in);
    if (g.code == ERR_OK && mood >= 0xe0) {
        g.code = codes[1 + mood % 11];
        g.refused = (struct refused){.code = g.code, .hub_time_ms = r->now_ms};
        (void)error_set(&g.error, g.code, "refused");
    }
    if (g.code == ERR_OK) {
        g.kx = hello.kx;
        g.cert = hello.cert;
    }
    if (!r->closed) {
        r->may_answer = !g.unsigned_close;
        r->may_welcome = g.code == ERR_OK;
        r->dead = r->dead || g.code != ERR_OK;
    }
    hub_session_greeted(r->hub, r->greet_req, &g, r->now_ms);
    drain(r);
    FUZZ_CHECK(r->closed || !r->may_answer);
}

static bool is_passing(enum err code) {
    return code == ERR_DISK_FULL || code == ERR_STORE || code == ERR_BUSY ||
           code == ERR_UNAVAILABLE;
}

static void complete_accept(struct run *r, struct fuzz_input *in) {
    if (r->push_count == 0)
        return;
    size_t at = (size_t)fuzz_below(in, r->push_count);
    struct push *p = &r->pushes[at];
    uint8_t mood = fuzz_byte(in);
    enum err code = mood < 128 ? ERR_OK : codes[mood % 12];
    struct head entry = kit_head(at + 1), head = kit_head(1 + fuzz_below(in, r->push_count));
    struct error error = {0};
    (void)error_set(&error, code, "not taken");
    bool nameless = mood == 255;
    if (!p->asked)
        return;
    if (!p->answered && !r->closed) {
        p->code = code;
        p->answered = true; /* told a second time, it must change nothing */
        r->dead = r->dead || is_passing(code) || nameless;
    }
    hub_session_accepted(r->hub, p->req, code, &error, nameless ? NULL : &entry, &head, r->now_ms);
    drain(r);
}

static void page_make(struct fuzz_input *in, struct page *ret) {
    size_t count = (size_t)fuzz_below(in, MAX_ITEMS + 1);
    *ret = (struct page){.count = count, .tip = fuzz_byte(in) % 2 == 0};
    ret->items = calloc(count + 1, sizeof *ret->items);
    FUZZ_CHECK(ret->items != NULL);
    for (size_t i = 0; i < count; i++) {
        ret->items[i] =
            (struct delivery){.class_ = (enum deliver_class)(fuzz_byte(in) % HUB_CLASSES),
                              .position = fuzz_number(in),
                              .received_ms = (int64_t)fuzz_number(in),
                              .excerpt = blob_new(content(in))};
    }
    for (int c = 0; c < HUB_CLASSES; c++)
        ret->upto[c] = fuzz_number(in);
}

static void complete_load(struct run *r, struct fuzz_input *in) {
    struct error e = {0};
    struct page page;
    if (!r->load_open)
        return;
    r->load_open = false;
    uint8_t mood = fuzz_byte(in);
    enum err code = mood < 0xf0 ? ERR_OK : codes[1 + mood % 11];
    page_make(in, &page);
    for (size_t i = 0; i < page.count && code == ERR_OK && !r->closed; i++) {
        struct delivery copy = page.items[i];
        copy.excerpt = blob_ref(copy.excerpt);
        FUZZ_CHECK(ring_push(&r->expected, &copy, &e) == ERR_OK);
    }
    r->dead = r->dead || (code != ERR_OK && !r->closed);
    hub_session_loaded(r->hub, r->load_req, code, &page, r->now_ms);
    FUZZ_CHECK(page.items == NULL || code != ERR_OK || r->closed);
    drain(r);
}

/* A completion that nobody asked for: late, doubled, of another kind. */
static void complete_foreign(struct run *r, struct fuzz_input *in) {
    uint64_t req = fuzz_number(in) | (uint64_t)fuzz_byte(in) << 56;
    struct head head = kit_head(1);
    struct page page = {0};
    for (size_t i = 0; i < r->push_count; i++)
        if (r->pushes[i].asked && r->pushes[i].req == req && !r->pushes[i].answered)
            return;
    if ((r->load_open && req == r->load_req) || (r->greet_open && req == r->greet_req))
        return;
    hub_session_accepted(r->hub, req, ERR_OK, NULL, &head, &head, r->now_ms);
    hub_session_loaded(r->hub, req, ERR_OK, &page, r->now_ms);
    drain(r);
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
        send_damaged(r, in);
        break;
    case 3:
        r->now_ms += (int64_t)fuzz_below(in, 65536) - 20000;
        hub_session_wake(r->hub, r->now_ms);
        break;
    case 4:
        hub_session_news(r->hub, r->now_ms);
        break;
    case 5:
        r->queued = (size_t)fuzz_below(in, 4 * HUB_WINDOW_BYTES);
        hub_session_queued(r->hub, r->queued, r->now_ms);
        break;
    case 6: {
        enum err code = codes[1 + fuzz_byte(in) % 11];
        r->dead = true;
        hub_session_expel(r->hub, code, "has to go", r->now_ms);
        break;
    }
    case 7:
        complete_foreign(r, in);
        break;
    case 8:
        send_hello(r, in);
        break;
    case 9:
        complete_greet(r, in);
        break;
    case 10:
    case 11:
        complete_load(r, in);
        break;
    case 12:
    case 13:
        complete_accept(r, in);
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
    ring_init(&r->expected, sizeof(struct delivery), MAX_ITEMS);
    FUZZ_CHECK(hub_session_new(&r->kit.hub, &r->kit.entropy, r->now_ms, &r->hub, &e) == ERR_OK);
    drain(r);
}

static void run_done(struct run *r) {
    struct delivery left;
    hub_session_free(r->hub);
    while (ring_pop(&r->expected, &left))
        blob_unref(left.excerpt);
    ring_done(&r->expected);
    blob_unref(r->hello);
    puppet_done(&r->puppet);
    kit_done(&r->kit);
    free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = fuzz_input(data, size);
    struct run *r = calloc(1, sizeof *r);
    FUZZ_CHECK(r != NULL);
    run_init(r);
    for (int i = 0; i < MAX_STEPS && in.left > 0; i++)
        step(r, &in);
    run_done(r);
    return 0;
}
