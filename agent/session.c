/* Implements the agent's side of one connection (docs/protocol.md, "Session" and "Frames"): an
 * explicit state, a table of frame handlers, and effects made only when the shell asks for the next
 * one. Must not know the store, the outbox or the socket. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "pushing.h"
#include "ring.h"
#include "taking.h"

_Static_assert(AGENT_CLASSES == FRAME_CLASSES, "classes are the protocol's");

#define AGENT_MAX_EFFECTS 16 /* queued at once; one call makes at most three */

/* The kind of request stands in the top byte of its id, so that a late or foreign completion of
 * another kind cannot match. */
#define REQ_KIND_SHIFT 56
enum req_kind { REQ_WELCOMED = 1, REQ_TAKING = 2, REQ_NEXT = 3, REQ_ACKED = 4 };

enum state {
    STATE_HELLO,   /* the hub's hello is awaited */
    STATE_ANSWER,  /* ours is sent, the answer awaited */
    STATE_OPEN,    /* the channel is up */
    STATE_CLOSING, /* CLOSE follows what is queued */
    STATE_CLOSED
};

struct agent_session {
    enum state state;
    struct agent_session_config config;
    struct hello_secret secret; /* wiped once the channel is up */
    struct public_key hub_kx;
    struct channel channel;
    struct blob *hub_hello, *agent_hello;
    int64_t deadline_ms;
    struct welcome welcome;
    bool welcomed; /* the store is through with the welcome */
    bool pull_due;
    struct ring effects; /* struct agent_effect */
    struct taking taking;
    struct pushing pushing;
    uint64_t next_req, acked_req; /* numbers of the last NEXT and ACKED */
    bool acked_open, acked_due;
    enum err close_code;
    char close_reason[ERROR_DETAIL_MAX];
};

static uint64_t req_of(enum req_kind kind, uint64_t number) {
    return (uint64_t)kind << REQ_KIND_SHIFT | number;
}

/* ---- closing, effects, sending ---- */

static void fail(struct agent_session *s, enum err code, const char *reason) {
    if (s->state >= STATE_CLOSING)
        return;
    s->state = STATE_CLOSING;
    s->close_code = code;
    snprintf(s->close_reason, sizeof s->close_reason, "%.*s", ERROR_DETAIL_MAX - 1,
             reason != NULL && reason[0] != '\0' ? reason : error_text(code));
}

static void fail_with(struct agent_session *s, const struct error *e) {
    fail(s, e->code, e->detail);
}

/* Takes over effect->data. */
static void queue_effect(struct agent_session *s, const struct agent_effect *effect) {
    struct error e = {0};
    if (ring_push(&s->effects, effect, &e) == ERR_OK)
        return;
    blob_unref(effect->data);
    fail_with(s, &e);
}

static void queue_send(struct agent_session *s, struct blob *take_data) {
    if (take_data == NULL) {
        fail(s, ERR_NO_MEMORY, "no memory for a message to send");
        return;
    }
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_SEND, .data = take_data});
}

static void queue_wake(struct agent_session *s, int64_t at_ms) {
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_WAKE, .at_ms = at_ms});
}

/* The queue keeps the order that sealing fixed. */
static void send_frame(struct agent_session *s, const struct frame *frame) {
    struct error e = {0};
    struct blob *message;
    size_t frame_len;
    if (frame_seal(frame, &s->channel, &message, &frame_len, &e) == ERR_OK)
        queue_send(s, message);
    else
        fail_with(s, &e);
}

/* ---- life ---- */

enum err agent_session_new(const struct agent_session_config *config, int64_t now_ms,
                           struct agent_session **ret, struct error *e) {
    struct agent_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for a connection");
    s->config = *config;
    s->deadline_ms = now_ms + AGENT_HANDSHAKE_MS;
    ring_init(&s->effects, sizeof(struct agent_effect), AGENT_MAX_EFFECTS);
    taking_init(&s->taking, config->hub_head.seq, config->after);
    hello_secret_from_entropy(&s->secret, config->entropy);
    queue_wake(s, s->deadline_ms);
    *ret = s;
    return ERR_OK;
}

void agent_session_free(struct agent_session *s) {
    if (s == NULL)
        return;
    struct agent_effect effect;
    while (ring_pop(&s->effects, &effect))
        blob_unref(effect.data);
    taking_done(&s->taking);
    pushing_done(&s->pushing);
    blob_unref(s->hub_hello);
    blob_unref(s->agent_hello);
    hello_secret_wipe(&s->secret);
    channel_wipe(&s->channel);
    free(s);
}

bool agent_session_established(const struct agent_session *s) {
    return s->state == STATE_OPEN;
}

static bool hub_feed_held(const struct agent_session *s) {
    return s->taking.hub_stored >= s->welcome.hub_head.seq;
}

bool agent_session_caught_up(const struct agent_session *s) {
    return s->state == STATE_OPEN && hub_feed_held(s) && s->taking.tip_stored;
}

void agent_session_wake(struct agent_session *s, int64_t now_ms) {
    if (s->state == STATE_HELLO || s->state == STATE_ANSWER) {
        if (now_ms >= s->deadline_ms)
            fail(s, ERR_TIMEOUT, "the handshake took too long");
        else
            queue_wake(s, s->deadline_ms);
        return;
    }
    if (s->state != STATE_OPEN || s->pushing.retry_ms == 0)
        return;
    if (now_ms >= s->pushing.retry_ms)
        pushing_retry(&s->pushing, now_ms);
    if (s->pushing.retry_ms != 0)
        queue_wake(s, s->pushing.retry_ms);
}

/* ---- handshake ---- */

static enum err build_hello(struct agent_session *s, struct error *e) {
    struct agent_hello hello = {.network = s->config.network,
                                .cert_bytes = s->config.cert,
                                .has_hub_head = s->config.hub_head.seq > 0,
                                .hub_head = s->config.hub_head,
                                .join = s->config.join};
    struct buf out;
    buf_init(&out, HELLO_MAX_BYTES);
    enum err rc = agent_hello_build(&hello, &s->secret, &s->config.network,
                                    blob_bytes(s->hub_hello), s->config.keys, &out, e);
    if (rc == ERR_OK && (s->agent_hello = blob_take_buf(&out)) == NULL)
        rc = error_set(e, ERR_NO_MEMORY, "no memory for the hello");
    buf_done(&out);
    return rc;
}

static void take_hub_hello(struct agent_session *s, struct bytes message) {
    struct error e = {0};
    struct hub_hello hello;
    enum err rc = hub_hello_parse(message, &s->config.network, &hello, &e);
    if (rc == ERR_OK && (s->hub_hello = blob_new(message)) == NULL)
        rc = error_set(&e, ERR_NO_MEMORY, "no memory for the hub's hello");
    if (rc == ERR_OK)
        rc = build_hello(s, &e);
    if (rc != ERR_OK) {
        fail_with(s, &e);
        return;
    }
    s->hub_kx = hello.kx;
    s->state = STATE_ANSWER;
    queue_send(s, blob_ref(s->agent_hello));
}

static void be_refused(struct agent_session *s, const struct refused *refused) {
    queue_effect(s, &(struct agent_effect){
                        .kind = AGENT_EFFECT_REFUSED, .code = refused->code, .refused = *refused});
    fail(s, refused->code, refused->detail);
}

static void take_answer(struct agent_session *s, struct bytes message) {
    struct error e = {0};
    struct refused refused;
    bool welcomed = false;
    struct bytes hub_hello = blob_bytes(s->hub_hello), agent_hello = blob_bytes(s->agent_hello);
    enum err rc = answer_verify(message, &s->config.network, hub_hello, agent_hello, &welcomed,
                                &s->welcome, &refused, &e);
    if (rc == ERR_OK && !welcomed) {
        be_refused(s, &refused);
        return;
    }
    if (rc == ERR_OK)
        rc = channel_init(&s->channel, true, &s->secret, &s->hub_kx, hub_hello, agent_hello,
                          message, &e);
    if (rc != ERR_OK) {
        fail_with(s, &e);
        return;
    }
    hello_secret_wipe(&s->secret);
    pushing_init(&s->pushing, &s->welcome);
    s->state = STATE_OPEN;
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_WELCOMED,
                                           .req = req_of(REQ_WELCOMED, 0),
                                           .welcome = s->welcome});
}

/* ---- frames from the hub ---- */

static void on_ack(struct agent_session *s, const struct frame *frame, size_t frame_len,
                   int64_t now_ms) {
    (void)frame_len;
    (void)now_ms;
    struct error e = {0};
    bool moved = false;
    if (pushing_ack(&s->pushing, frame, &moved, &e) != ERR_OK)
        fail_with(s, &e);
    s->acked_due = s->acked_due || moved;
}

static void on_reject(struct agent_session *s, const struct frame *frame, size_t frame_len,
                      int64_t now_ms) {
    (void)frame_len;
    struct error e = {0};
    bool cause = false;
    if (pushing_reject(&s->pushing, frame, now_ms, &cause, &e) != ERR_OK) {
        fail_with(s, &e);
        return;
    }
    if (!cause)
        return;
    struct agent_effect effect = {
        .kind = AGENT_EFFECT_REJECTED, .code = frame->reject.code, .head = frame->reject.head};
    struct error text; /* cuts at a character */
    (void)error_set(&text, frame->reject.code, "%s", frame->reject.detail);
    snprintf(effect.reason, sizeof effect.reason, "%s", text.detail);
    queue_effect(s, &effect);
    if (s->pushing.retry_ms != 0)
        queue_wake(s, s->pushing.retry_ms);
}

static void on_deliver(struct agent_session *s, const struct frame *frame, size_t frame_len,
                       int64_t now_ms) {
    (void)now_ms;
    struct error e = {0};
    uint64_t number = 0;
    if (taking_deliver(&s->taking, frame, frame_len, &number, &e) != ERR_OK) {
        fail_with(s, &e);
        return;
    }
    struct blob *excerpt = blob_new(frame->deliver.excerpt);
    if (excerpt == NULL) {
        fail(s, ERR_NO_MEMORY, "no memory for a delivered entry");
        return;
    }
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_TAKE,
                                           .req = req_of(REQ_TAKING, number),
                                           .data = excerpt,
                                           .class_ = frame->deliver.class_,
                                           .position = frame->deliver.position,
                                           .received_ms = frame->deliver.received_ms});
}

static void on_reached(struct agent_session *s, const struct frame *frame, size_t frame_len,
                       int64_t now_ms) {
    (void)frame_len;
    (void)now_ms;
    struct error e = {0};
    if (taking_reached(&s->taking, frame, &e) != ERR_OK)
        fail_with(s, &e);
}

static void on_leave(struct agent_session *s, const struct frame *frame, size_t frame_len,
                     int64_t now_ms) {
    (void)frame_len;
    (void)now_ms;
    struct error e = {0};
    struct buf answer;
    struct welcome welcome;
    struct refused refused;
    bool welcomed = false;
    buf_init(&answer, HELLO_MAX_BYTES);
    enum err rc = frame_leave_to_answer(frame, &answer, &e);
    if (rc == ERR_OK)
        rc = answer_verify(buf_bytes(&answer), &s->config.network, blob_bytes(s->hub_hello),
                           blob_bytes(s->agent_hello), &welcomed, &welcome, &refused, &e);
    buf_done(&answer);
    if (rc == ERR_OK && !welcomed)
        be_refused(s, &refused);
    else
        fail(s, rc != ERR_OK ? rc : ERR_PROTOCOL, e.detail);
}

typedef void frame_handler(struct agent_session *s, const struct frame *frame, size_t frame_len,
                           int64_t now_ms);
/* What a hub never sends has no handler. */
static frame_handler *const handlers[FRAME_KINDS] = {[FRAME_ACK] = on_ack,
                                                     [FRAME_REJECT] = on_reject,
                                                     [FRAME_DELIVER] = on_deliver,
                                                     [FRAME_REACHED] = on_reached,
                                                     [FRAME_LEAVE] = on_leave};

static void take_frame(struct agent_session *s, struct bytes message, int64_t now_ms) {
    struct error e = {0};
    struct frame frame;
    struct buf plain;
    buf_init(&plain, FRAME_MAX_BYTES);
    enum err rc = frame_open(message, &s->channel, &plain, &frame, &e);
    if (rc == ERR_OK && handlers[frame.kind] == NULL)
        rc = error_set(&e, ERR_PROTOCOL, "the hub sent a %s frame", frame_name(frame.kind));
    if (rc == ERR_OK)
        handlers[frame.kind](s, &frame, plain.len, now_ms);
    else
        fail_with(s, &e);
    buf_done(&plain);
}

void agent_session_bytes(struct agent_session *s, struct bytes message, int64_t now_ms) {
    switch (s->state) {
    case STATE_HELLO:
        take_hub_hello(s, message);
        break;
    case STATE_ANSWER:
        take_answer(s, message);
        break;
    case STATE_OPEN:
        take_frame(s, message, now_ms);
        break;
    case STATE_CLOSING:
    case STATE_CLOSED:
        break;
    }
}

/* ---- completions ---- */

static void welcomed_done(struct agent_session *s, enum err code) {
    if (s->welcomed)
        return;
    if (code != ERR_OK && code != ERR_AHEAD && code != ERR_FORK) {
        fail(s, code, "the welcome could not be stored");
        return;
    }
    s->welcomed = true;
    s->pull_due = true;
    s->pushing.may_push = code == ERR_OK;
}

static void acked_done(struct agent_session *s, uint64_t number, enum err code) {
    if (!s->acked_open || number != s->acked_req)
        return;
    s->acked_open = false;
    if (code != ERR_OK)
        fail(s, code, "an acknowledgement could not be stored");
}

void agent_session_done(struct agent_session *s, uint64_t req, enum err code, int64_t now_ms) {
    (void)now_ms;
    if (s->state != STATE_OPEN)
        return;
    uint64_t number = req & ~(UINT64_MAX << REQ_KIND_SHIFT);
    switch ((enum req_kind)(req >> REQ_KIND_SHIFT)) {
    case REQ_WELCOMED:
        welcomed_done(s, code);
        break;
    case REQ_TAKING:
        code = taking_finish(&s->taking, number, code);
        if (code != ERR_OK)
            fail(s, code, "what the hub delivered could not be applied");
        break;
    case REQ_ACKED:
        acked_done(s, number, code);
        break;
    case REQ_NEXT: /* agent_session_next_entry's */
        break;
    }
}

static void push_entry(struct agent_session *s, struct blob *entry, const struct head *head) {
    struct error e = {0};
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = blob_bytes(entry)}};
    struct blob *message = NULL;
    size_t frame_len;
    enum err rc = frame_seal(&frame, &s->channel, &message, &frame_len, &e);
    if (rc == ERR_OK)
        rc = pushing_send(&s->pushing, head, frame_len, &e);
    if (rc == ERR_OK) {
        queue_send(s, message);
        return;
    }
    blob_unref(message);
    fail_with(s, &e);
}

void agent_session_next_entry(struct agent_session *s, uint64_t req, enum err code,
                              struct blob *entry, const struct head *head, int64_t now_ms) {
    (void)now_ms;
    if (s->state != STATE_OPEN || !s->pushing.next_open || req != req_of(REQ_NEXT, s->next_req))
        return;
    if (code != ERR_OK && taking_is_local(code))
        fail(s, code, "the next entry could not be made or read");
    else if (code != ERR_OK || entry == NULL || head == NULL || !pushing_goes(&s->pushing))
        pushing_nothing(&s->pushing);
    else
        push_entry(s, entry, head);
}

void agent_session_outbox(struct agent_session *s, int64_t now_ms) {
    (void)now_ms;
    s->pushing.outbox_due = true;
}

void agent_session_queued(struct agent_session *s, size_t bytes, int64_t now_ms) {
    (void)now_ms;
    s->pushing.queued = bytes;
}

/* ---- the next effect ---- */

static void send_pull(struct agent_session *s) {
    struct frame frame = {.kind = FRAME_PULL};
    for (int class_ = 1; class_ < FRAME_CLASSES; class_++)
        frame.pull.after[class_] = s->config.after[class_];
    s->pull_due = false;
    send_frame(s, &frame);
}

static void send_taken(struct agent_session *s) {
    struct frame frame = {.kind = FRAME_TAKEN, .taken = {.bytes = s->taking.taken}};
    s->taking.taken_due = false;
    send_frame(s, &frame);
}

static void queue_reached(struct agent_session *s, const struct taking_item *item,
                          uint64_t number) {
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_REACHED,
                                           .req = req_of(REQ_TAKING, number),
                                           .class_ = item->class_,
                                           .position = item->position,
                                           .tip = item->tip});
}

/* One at a time; what is acknowledged meanwhile is one newer head. */
static void queue_acked(struct agent_session *s) {
    s->acked_due = false;
    s->acked_open = true;
    s->acked_req++;
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_ACKED,
                                           .req = req_of(REQ_ACKED, s->acked_req),
                                           .head = s->pushing.acked});
}

static void queue_next(struct agent_session *s, size_t max_bytes) {
    s->next_req++;
    queue_effect(s, &(struct agent_effect){.kind = AGENT_EFFECT_NEXT,
                                           .req = req_of(REQ_NEXT, s->next_req),
                                           .head = s->pushing.last_sent,
                                           .max_bytes = max_bytes});
}

/* Makes at most one more effect; false when there is nothing to do. */
static bool pump(struct agent_session *s) {
    struct taking_item reached;
    uint64_t number;
    size_t max_bytes;
    if (s->state != STATE_OPEN)
        return false;
    if (s->pull_due)
        send_pull(s);
    else if (s->acked_due && !s->acked_open)
        queue_acked(s);
    else if (taking_next_reached(&s->taking, &reached, &number))
        queue_reached(s, &reached, number);
    else if (s->taking.taken_due)
        send_taken(s);
    else if (hub_feed_held(s) && pushing_ask(&s->pushing, &max_bytes))
        queue_next(s, max_bytes);
    else
        return false;
    return true;
}

bool agent_session_next(struct agent_session *s, struct agent_effect *ret) {
    do {
        if (ring_pop(&s->effects, ret))
            return true;
        if (s->state == STATE_CLOSING) {
            s->state = STATE_CLOSED;
            *ret = (struct agent_effect){.kind = AGENT_EFFECT_CLOSE, .code = s->close_code};
            snprintf(ret->reason, sizeof ret->reason, "%s", s->close_reason);
            return true;
        }
    } while (pump(s) || s->state == STATE_CLOSING);
    return false;
}
