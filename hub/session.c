/* Implements the hub's side of one connection (docs/protocol.md, "Session" and "Frames"): an
 * explicit state, a table of frame handlers, and effects made only when the shell asks for the next
 * one. Must not know the store, the directory or the socket. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "deliver.h"
#include "feed.h"
#include "frame.h"
#include "plek.pb-c.h"
#include "ring.h"

_Static_assert(HUB_CREDIT_BYTES >= FRAME_MAX_BYTES, "the largest push has to fit the credit");

#define HUB_MAX_PUSHES 8192 /* open ACCEPTs; no valid entry is small enough to get here */
#define HUB_MAX_EFFECTS 16  /* queued at once; one call makes at most three */
#define HUB_RETRY_MS 5000   /* what a refusal by a passing trouble asks for */

/* The kind of request stands in the top byte of its id, so that a late or foreign completion of
 * another kind cannot match. */
#define REQ_KIND_SHIFT 56
enum req_kind { REQ_GREET = 1, REQ_LOAD = 2, REQ_ACCEPT = 3 };

enum state {
    STATE_HELLO,    /* our hello is sent, theirs awaited */
    STATE_GREETING, /* theirs is with the verify worker */
    STATE_OPEN,     /* the channel is up */
    STATE_CLOSING,  /* CLOSE follows what is queued */
    STATE_CLOSED
};

/* A push between ACCEPT and its completion, or completed behind an open one. */
struct push {
    size_t bytes;
    bool done;
};

struct pushing {
    struct ring open;   /* struct push, oldest first */
    uint64_t first_req; /* number of the oldest */
    uint64_t pushed;    /* bytes of Push frames received */
    uint64_t credit;    /* how many may have been, in all */
    struct head acked;  /* seq 0: nothing */
    bool ack_due;
};

struct hub_session {
    enum state state;
    const struct sign_pair *keys;
    struct hello_secret secret; /* wiped once the channel is up */
    struct channel channel;
    struct blob *hub_hello, *agent_hello;
    int64_t deadline_ms;
    int64_t greeted_ms, hub_time_ms; /* our clock and the hub's time at the welcome */
    bool has_cert;
    struct cert cert;
    struct ring effects; /* struct hub_effect */
    struct pushing push;
    struct deliver deliver;
    uint64_t load_req; /* number of the last LOAD */
    enum err close_code;
    char close_reason[ERROR_DETAIL_MAX];
};

static uint64_t req_of(enum req_kind kind, uint64_t number) {
    return (uint64_t)kind << REQ_KIND_SHIFT | number;
}

/* ---- closing ---- */

static void fail(struct hub_session *s, enum err code, const char *reason) {
    if (s->state >= STATE_CLOSING)
        return;
    s->state = STATE_CLOSING;
    s->close_code = code;
    snprintf(s->close_reason, sizeof s->close_reason, "%s",
             reason != NULL && reason[0] != '\0' ? reason : error_text(code));
    deliver_done(&s->deliver);
}

static void fail_with(struct hub_session *s, const struct error *e) {
    fail(s, e->code, e->detail);
}

/* ---- effects and sending ---- */

/* Takes over effect->data. */
static void queue_effect(struct hub_session *s, const struct hub_effect *effect) {
    struct error e = {0};
    if (ring_push(&s->effects, effect, &e) == ERR_OK)
        return;
    blob_unref(effect->data);
    fail_with(s, &e);
}

static void queue_send(struct hub_session *s, struct blob *take_data) {
    if (take_data == NULL) {
        fail(s, ERR_NO_MEMORY, "no memory for a message to send");
        return;
    }
    queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_SEND, .data = take_data});
}

/* Encodes and seals; the queue keeps the order that sealing fixed. Returns the frame's bytes, which
 * is what windows count; 0 when the session failed. */
static size_t send_frame(struct hub_session *s, const struct frame *frame) {
    struct error e = {0};
    struct blob *message;
    size_t len = 0;
    if (frame_seal(frame, &s->channel, &message, &len, &e) == ERR_OK)
        queue_send(s, message);
    else
        fail_with(s, &e);
    return len;
}

/* ---- leaving ---- */

static bool is_passing(enum err code) {
    return code == ERR_BUSY || code == ERR_DISK_FULL || code == ERR_STORE || code == ERR_IO ||
           code == ERR_NO_MEMORY || code == ERR_LOCKED || code == ERR_UNAVAILABLE ||
           code == ERR_INTERNAL || code == ERR_RECOVERING;
}

static enum err send_leave(struct hub_session *s, enum err code, const char *detail, int64_t now_ms,
                           struct error *e) {
    struct refused refused = {.code = code,
                              .hub_time_ms = s->hub_time_ms + (now_ms - s->greeted_ms),
                              .retry_after_ms = is_passing(code) ? HUB_RETRY_MS : 0};
    struct error text; /* cuts at a character */
    (void)error_set(&text, code, "%s", detail != NULL ? detail : "");
    snprintf(refused.detail, sizeof refused.detail, "%s", text.detail);
    struct buf answer;
    struct frame leave;
    buf_init(&answer, HELLO_MAX_BYTES);
    enum err rc = refused_build(&refused, blob_bytes(s->hub_hello), blob_bytes(s->agent_hello),
                                s->keys, &answer, e);
    if (rc == ERR_OK)
        rc = frame_leave_from_answer(buf_bytes(&answer), &leave, e);
    if (rc == ERR_OK)
        (void)send_frame(s, &leave);
    buf_done(&answer);
    return rc;
}

/* A signed farewell when there is a channel for it; the close either way. */
static void leave(struct hub_session *s, enum err code, const char *detail, int64_t now_ms) {
    if (s->state == STATE_OPEN) {
        struct error e = {0};
        /* A farewell that cannot be made must not keep the session open. */
        if (send_leave(s, code, detail, now_ms, &e) != ERR_OK)
            fail_with(s, &e);
    }
    fail(s, code, detail);
}

void hub_session_expel(struct hub_session *s, enum err code, const char *detail, int64_t now_ms) {
    leave(s, code, detail, now_ms);
}

/* ---- life ---- */

enum err hub_session_new(const struct sign_pair *keys, const struct entropy *entropy,
                         int64_t now_ms, struct hub_session **ret, struct error *e) {
    struct hub_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for a connection");
    s->keys = keys;
    s->deadline_ms = now_ms + HUB_HANDSHAKE_MS;
    ring_init(&s->effects, sizeof(struct hub_effect), HUB_MAX_EFFECTS);
    ring_init(&s->push.open, sizeof(struct push), HUB_MAX_PUSHES);
    s->push.credit = HUB_CREDIT_BYTES;
    deliver_init(&s->deliver);
    hello_secret_from_entropy(&s->secret, entropy);
    struct buf hello;
    buf_init(&hello, HELLO_MAX_BYTES);
    enum err rc = hub_hello_build(&keys->pub, &s->secret, &hello, e);
    if (rc == ERR_OK && (s->hub_hello = blob_take_buf(&hello)) == NULL)
        rc = error_set(e, ERR_NO_MEMORY, "no memory for a connection");
    buf_done(&hello);
    if (rc != ERR_OK) {
        hub_session_free(s);
        return rc;
    }
    queue_send(s, blob_ref(s->hub_hello));
    queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_WAKE, .at_ms = s->deadline_ms});
    *ret = s;
    return ERR_OK;
}

void hub_session_free(struct hub_session *s) {
    if (s == NULL)
        return;
    struct hub_effect effect;
    while (ring_pop(&s->effects, &effect))
        blob_unref(effect.data);
    ring_done(&s->push.open);
    deliver_done(&s->deliver);
    blob_unref(s->hub_hello);
    blob_unref(s->agent_hello);
    hello_secret_wipe(&s->secret);
    channel_wipe(&s->channel);
    free(s);
}

bool hub_session_established(const struct hub_session *s) {
    return s->state == STATE_OPEN;
}

const struct cert *hub_session_cert(const struct hub_session *s) {
    return s->has_cert ? &s->cert : NULL;
}

void hub_session_wake(struct hub_session *s, int64_t now_ms) {
    if (s->state != STATE_HELLO && s->state != STATE_GREETING)
        return;
    if (now_ms >= s->deadline_ms)
        fail(s, ERR_TIMEOUT, "the handshake took too long");
    else
        queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_WAKE, .at_ms = s->deadline_ms});
}

/* ---- handshake ---- */

static void take_hello(struct hub_session *s, struct bytes message) {
    if (message.len > HELLO_MAX_BYTES) {
        fail(s, ERR_CAP, "the agent's hello exceeds its cap");
        return;
    }
    s->agent_hello = blob_new(message);
    if (s->agent_hello == NULL) {
        fail(s, ERR_NO_MEMORY, "no memory for the agent's hello");
        return;
    }
    s->state = STATE_GREETING;
    queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_GREET,
                                         .req = req_of(REQ_GREET, 0),
                                         .data = blob_ref(s->agent_hello),
                                         .hub_hello = blob_bytes(s->hub_hello)});
}

static void send_refused(struct hub_session *s, const struct greeting *g) {
    struct error e = {0};
    struct buf answer;
    buf_init(&answer, HELLO_MAX_BYTES);
    enum err rc = refused_build(&g->refused, blob_bytes(s->hub_hello), blob_bytes(s->agent_hello),
                                s->keys, &answer, &e);
    if (rc == ERR_OK)
        queue_send(s, blob_take_buf(&answer));
    else
        fail_with(s, &e);
    buf_done(&answer);
}

static enum err head_in_hello(struct bytes hello, uint64_t *ret_seq, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__agent_hello__descriptor, hello, HELLO_MAX_BYTES,
                               "agent hello", &message, e);
    if (rc != ERR_OK)
        return rc;
    const Plek__AgentHello *agent_hello = (const Plek__AgentHello *)message;
    *ret_seq = agent_hello->hub_head != NULL ? agent_hello->hub_head->seq : 0;
    codec_free(message);
    return ERR_OK;
}

/* The position in the hub's feed that the agent says it holds. Only after the worker verified these
 * very bytes. */
static enum err read_hub_cursor(struct bytes signed_hello, uint64_t *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__signed_agent_hello__descriptor, signed_hello, HELLO_MAX_BYTES,
                               "signed agent hello", &message, e);
    if (rc != ERR_OK)
        return rc;
    rc = head_in_hello(codec_bytes(((const Plek__SignedAgentHello *)message)->hello), ret, e);
    codec_free(message);
    return rc;
}

/* Everything that can fail comes before the state changes. */
static enum err open_channel(struct hub_session *s, const struct greeting *g, struct blob **ret,
                             struct error *e) {
    struct bytes hub_hello = blob_bytes(s->hub_hello), agent_hello = blob_bytes(s->agent_hello);
    uint64_t hub_cursor = 0;
    enum err rc = read_hub_cursor(agent_hello, &hub_cursor, e);
    if (rc != ERR_OK)
        return rc;
    struct welcome welcome = g->welcome;
    welcome.features = 0;
    welcome.credit_bytes = s->push.credit;
    struct buf answer;
    buf_init(&answer, HELLO_MAX_BYTES);
    rc = welcome_build(&welcome, hub_hello, agent_hello, s->keys, &answer, e);
    if (rc == ERR_OK)
        rc = channel_init(&s->channel, false, &s->secret, &g->kx, hub_hello, agent_hello,
                          buf_bytes(&answer), e);
    if (rc == ERR_OK && (*ret = blob_take_buf(&answer)) == NULL)
        rc = error_set(e, ERR_NO_MEMORY, "no memory for the welcome");
    buf_done(&answer);
    if (rc == ERR_OK)
        deliver_start(&s->deliver, hub_cursor);
    return rc;
}

static void welcome_agent(struct hub_session *s, const struct greeting *g, int64_t now_ms) {
    struct error e = {0};
    struct blob *answer = NULL;
    if (open_channel(s, g, &answer, &e) != ERR_OK) {
        fail_with(s, &e);
        return;
    }
    hello_secret_wipe(&s->secret);
    s->cert = g->cert;
    s->has_cert = true;
    s->greeted_ms = now_ms;
    s->hub_time_ms = g->welcome.hub_time_ms;
    if (g->welcome.has_own_head)
        s->push.acked = g->welcome.own_head;
    s->state = STATE_OPEN;
    queue_send(s, answer);
    queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_JOINED, .agent = s->cert.agent});
}

void hub_session_greeted(struct hub_session *s, uint64_t req, const struct greeting *g,
                         int64_t now_ms) {
    if (s->state != STATE_GREETING || req != req_of(REQ_GREET, 0))
        return;
    if (g->code == ERR_OK) {
        welcome_agent(s, g, now_ms);
        return;
    }
    if (!g->unsigned_close)
        send_refused(s, g);
    fail(s, g->code, g->error.detail);
}

/* ---- frames from the agent ---- */

static void on_push(struct hub_session *s, const struct frame *frame, size_t frame_len,
                    int64_t now_ms) {
    struct pushing *p = &s->push;
    if (frame_len > p->credit - p->pushed) {
        leave(s, ERR_CAP, "pushed beyond the credit", now_ms);
        return;
    }
    struct error e = {0};
    struct push push = {.bytes = frame_len};
    uint64_t req = req_of(REQ_ACCEPT, p->first_req + p->open.count);
    if (ring_push(&p->open, &push, &e) != ERR_OK) {
        leave(s, e.code, e.detail, now_ms);
        return;
    }
    p->pushed += frame_len;
    struct blob *entry = blob_new(frame->push.entry);
    if (entry == NULL) {
        leave(s, ERR_NO_MEMORY, "no memory for a pushed entry", now_ms);
        return;
    }
    queue_effect(s,
                 &(struct hub_effect){
                     .kind = HUB_EFFECT_ACCEPT, .req = req, .data = entry, .agent = s->cert.agent});
}

static void on_pull(struct hub_session *s, const struct frame *frame, size_t frame_len,
                    int64_t now_ms) {
    (void)frame_len;
    (void)now_ms;
    struct error e = {0};
    if (deliver_pull(&s->deliver, frame->pull.after, &e) != ERR_OK)
        fail_with(s, &e);
}

static void on_taken(struct hub_session *s, const struct frame *frame, size_t frame_len,
                     int64_t now_ms) {
    (void)frame_len;
    (void)now_ms;
    struct error e = {0};
    if (deliver_taken(&s->deliver, frame->taken.bytes, &e) != ERR_OK)
        fail_with(s, &e);
}

typedef void frame_handler(struct hub_session *s, const struct frame *frame, size_t frame_len,
                           int64_t now_ms);
/* What an agent never sends has no handler. */
static frame_handler *const handlers[FRAME_KINDS] = {
    [FRAME_PUSH] = on_push, [FRAME_PULL] = on_pull, [FRAME_TAKEN] = on_taken};

static void take_frame(struct hub_session *s, struct bytes message, int64_t now_ms) {
    struct error e = {0};
    struct frame frame;
    struct buf plain;
    buf_init(&plain, FRAME_MAX_BYTES);
    enum err rc = frame_open(message, &s->channel, &plain, &frame, &e);
    if (rc == ERR_OK && handlers[frame.kind] == NULL)
        rc = error_set(&e, ERR_PROTOCOL, "an agent sent a %s frame", frame_name(frame.kind));
    if (rc == ERR_OK)
        handlers[frame.kind](s, &frame, plain.len, now_ms);
    else
        fail_with(s, &e);
    buf_done(&plain);
}

void hub_session_bytes(struct hub_session *s, struct bytes message, int64_t now_ms) {
    switch (s->state) {
    case STATE_HELLO:
        take_hello(s, message);
        break;
    case STATE_GREETING:
        fail(s, ERR_PROTOCOL, "a message before the hello was answered");
        break;
    case STATE_OPEN:
        take_frame(s, message, now_ms);
        break;
    case STATE_CLOSING:
    case STATE_CLOSED:
        break;
    }
}

/* ---- completions of pushes ---- */

/* Credit comes back in the order of the pushes, so that what is open stays bounded by it. */
static void return_credit(struct pushing *p) {
    const struct push *oldest;
    while ((oldest = ring_at(&p->open, 0)) != NULL && oldest->done) {
        p->credit += oldest->bytes;
        p->first_req++;
        (void)ring_pop(&p->open, NULL);
        p->ack_due = true;
    }
}

static void send_reject(struct hub_session *s, enum err code, const struct error *error,
                        const struct head *entry) {
    struct frame frame = {.kind = FRAME_REJECT, .reject = {.head = *entry, .code = code}};
    if (error != NULL) {
        struct error text; /* cuts at a character */
        (void)error_set(&text, code, "%s", error->detail);
        snprintf(frame.reject.detail, sizeof frame.reject.detail, "%s", text.detail);
    }
    (void)send_frame(s, &frame);
}

/* No more than what was pushed here: an older session's pushes may have gone further. */
static void raise_ack(struct pushing *p, const struct head *entry, const struct head *head) {
    const struct head *held = head_after(entry, head) ? head : entry;
    if (!head_after(held, &p->acked))
        return;
    p->acked = *held;
    p->ack_due = true;
}

void hub_session_accepted(struct hub_session *s, uint64_t req, enum err code,
                          const struct error *error, const struct head *entry,
                          const struct head *head, int64_t now_ms) {
    if (s->state != STATE_OPEN || req >> REQ_KIND_SHIFT != REQ_ACCEPT)
        return;
    struct pushing *p = &s->push;
    uint64_t number = req & ~(UINT64_MAX << REQ_KIND_SHIFT);
    if (number < p->first_req)
        return;
    struct push *push = ring_at(&p->open, (size_t)(number - p->first_req));
    if (push == NULL || push->done)
        return;
    const char *detail = error != NULL ? error->detail : NULL;
    /* Without a head the bytes are no entry at all: there is nothing to reject by name. */
    bool nameless = entry == NULL || entry->seq == 0;
    if (is_passing(code) || nameless || (code == ERR_OK && head == NULL)) {
        leave(s, code != ERR_OK ? code : ERR_INTERNAL, detail, now_ms);
        return;
    }
    push->done = true;
    if (code == ERR_OK)
        raise_ack(p, entry, head);
    else
        send_reject(s, code, error, entry);
    return_credit(p);
}

/* ---- delivering ---- */

void hub_session_news(struct hub_session *s, int64_t now_ms) {
    (void)now_ms;
    s->deliver.load_due = true;
}

void hub_session_queued(struct hub_session *s, size_t bytes, int64_t now_ms) {
    (void)now_ms;
    s->deliver.queued = bytes;
}

void hub_session_loaded(struct hub_session *s, uint64_t req, enum err code, struct page *take_page,
                        int64_t now_ms) {
    struct error e = {0};
    if (s->state != STATE_OPEN || !s->deliver.load_open || req != req_of(REQ_LOAD, s->load_req)) {
        page_done(take_page);
        return;
    }
    if (code != ERR_OK) {
        page_done(take_page);
        s->deliver.load_open = false;
        leave(s, code, "what is to be delivered could not be read", now_ms);
        return;
    }
    if (deliver_loaded(&s->deliver, take_page, &e) != ERR_OK)
        leave(s, e.code, e.detail, now_ms);
}

/* ---- the next effect ---- */

static void send_ack(struct hub_session *s) {
    struct frame frame = {.kind = FRAME_ACK,
                          .ack = {.incarnation = s->push.acked.incarnation,
                                  .seq = s->push.acked.seq,
                                  .credit_bytes = s->push.credit}};
    s->push.ack_due = false;
    (void)send_frame(s, &frame);
}

static void queue_load(struct hub_session *s) {
    s->load_req++;
    queue_effect(s, &(struct hub_effect){.kind = HUB_EFFECT_LOAD,
                                         .req = req_of(REQ_LOAD, s->load_req),
                                         .agent = s->cert.agent,
                                         .cursors = s->deliver.loading,
                                         .max_bytes = DELIVER_PAGE_BYTES});
}

/* Makes at most one more effect; false when there is nothing to do. */
static bool pump(struct hub_session *s) {
    if (s->state != STATE_OPEN)
        return false;
    if (s->push.ack_due) {
        send_ack(s);
        return true;
    }
    struct frame frame;
    switch (deliver_next(&s->deliver, &frame)) {
    case DELIVER_NOTHING:
        return false;
    case DELIVER_FRAME: {
        size_t len = send_frame(s, &frame);
        if (s->state == STATE_OPEN)
            deliver_sent(&s->deliver, &frame, len);
        return true;
    }
    case DELIVER_LOAD:
        queue_load(s);
        return true;
    }
    return false;
}

bool hub_session_next(struct hub_session *s, struct hub_effect *ret) {
    do {
        if (ring_pop(&s->effects, ret))
            return true;
        if (s->state == STATE_CLOSING) {
            s->state = STATE_CLOSED;
            *ret = (struct hub_effect){.kind = HUB_EFFECT_CLOSE, .code = s->close_code};
            snprintf(ret->reason, sizeof ret->reason, "%s", s->close_reason);
            return true;
        }
    } while (pump(s) || s->state == STATE_CLOSING);
    return false;
}
