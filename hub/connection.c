/* Owns one websocket connection: bytes to the session machine, effects to the socket and the
 * queues. Must not decide anything the session machine decides. */
#include "connection.h"

#include <string.h>

#include "clock.h"

#define US_PER_MS 1000
#define CLOSE_GRACE_S 10 /* for what is still to be written; a peer may never read it */

static void pump(struct connection *c);

enum err connection_open(struct connection *c, const struct connection_host *host, struct lws *wsi,
                         uint64_t id, struct error *e) {
    c->host = host;
    c->wsi = wsi;
    c->id = id;
    buf_init(&c->incoming, HELLO_MAX_BYTES);
    outgoing_init(&c->outgoing);
    lws_get_peer_simple(wsi, c->address, sizeof c->address);
    enum err err = hub_session_new(host->keys, host->entropy, clock_monotonic_ms(), &c->session, e);
    if (!err)
        pump(c);
    return err;
}

void connection_done(struct connection *c) {
    outgoing_done(&c->outgoing);
    buf_done(&c->incoming);
    hub_session_free(c->session);
    c->session = NULL;
}

static void close_soon(struct connection *c, enum err code, const char *reason) {
    if (c->closing)
        return;
    c->closing = true;
    c->close_code = code;
    snprintf(c->close_reason, sizeof c->close_reason, "%s", reason);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, CLOSE_GRACE_S);
    lws_callback_on_writable(c->wsi);
}

static void set_timer(struct connection *c, int64_t at_ms) {
    int64_t in_ms = at_ms - clock_monotonic_ms();
    c->wake_at_ms = at_ms;
    lws_set_timer_usecs(c->wsi, (in_ms > 1 ? in_ms : 1) * US_PER_MS);
}

static void submit(struct connection *c, enum job_kind kind, struct hub_effect *effect) {
    struct job *job = job_new(kind);
    if (!job) {
        close_soon(c, ERR_NO_MEMORY, "out of memory");
        return;
    }
    job->connection = c->id;
    job->req = effect->req;
    job->data = effect->data;
    effect->data = NULL;
    job->agent = effect->agent;
    job->cursors = effect->cursors;
    job->max_bytes = effect->max_bytes;
    bool whole = true;
    if (kind == JOB_GREET) {
        job->hub_hello_copy = blob_new(effect->hub_hello);
        whole = job->hub_hello_copy != NULL;
    }
    if (!whole || !c->host->submit(c->host->ctx, job)) {
        job_free(job);
        hub_session_expel(c->session, ERR_BUSY, "the hub's queues are full", clock_monotonic_ms());
    }
}

static void carry_out(struct connection *c, struct hub_effect *effect) {
    struct error e = {0};
    switch (effect->kind) {
    case HUB_EFFECT_SEND:
        if (outgoing_push(&c->outgoing, c->wsi, effect->data, &e))
            close_soon(c, e.code, e.detail);
        effect->data = NULL;
        return;
    case HUB_EFFECT_CLOSE:
        close_soon(c, effect->code, effect->reason);
        return;
    case HUB_EFFECT_WAKE:
        set_timer(c, effect->at_ms);
        return;
    case HUB_EFFECT_GREET:
        submit(c, JOB_GREET, effect);
        return;
    case HUB_EFFECT_ACCEPT:
        submit(c, JOB_ACCEPT, effect);
        return;
    case HUB_EFFECT_LOAD:
        submit(c, JOB_LOAD, effect);
        return;
    case HUB_EFFECT_JOINED:
        c->host->joined(c->host->ctx, c, &effect->agent);
        return;
    }
}

static void pump(struct connection *c) {
    struct hub_effect effect;
    while (hub_session_next(c->session, &effect)) {
        carry_out(c, &effect);
        blob_unref(effect.data);
    }
}

int connection_receive(struct connection *c, struct bytes piece, bool final, bool binary) {
    if (c->closing)
        return 0;
    c->incoming.max =
        hub_session_established(c->session) ? FRAME_MAX_BYTES + CHANNEL_OVERHEAD : HELLO_MAX_BYTES;
    buf_append(&c->incoming, piece.data, piece.len);
    if (!binary || c->incoming.failed) {
        close_soon(c, binary ? ERR_CAP : ERR_PROTOCOL,
                   binary ? "message larger than its cap" : "expected binary messages");
        return 0;
    }
    if (!final)
        return 0;
    hub_session_bytes(c->session, buf_bytes(&c->incoming), clock_monotonic_ms());
    buf_done(&c->incoming);
    buf_init(&c->incoming, HELLO_MAX_BYTES);
    pump(c);
    return 0;
}

/* RFC 6455 section 7.4: what kind of end this is, for the peer's log. */
static enum lws_close_status close_status(enum err code) {
    switch ((int)code) {
    case ERR_OK:
        return LWS_CLOSE_STATUS_NORMAL;
    case ERR_CAP:
    case ERR_TOO_LARGE:
        return LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE;
    case ERR_BUSY:
    case ERR_STORE:
    case ERR_DISK_FULL:
    case ERR_NO_MEMORY:
        return LWS_CLOSE_STATUS_UNEXPECTED_CONDITION;
    default:
        return LWS_CLOSE_STATUS_POLICY_VIOLATION;
    }
}

/* libwebsockets sends the close frame and waits a moment for the peer's. Not from a writable
 * callback: Debian's build closes twice then, and the second time without the frame. */
static int say_close(struct connection *c) {
    const char *name = error_name(c->close_code);
    lws_close_reason(c->wsi, close_status(c->close_code), (unsigned char *)(uintptr_t)name,
                     strlen(name));
    return -1;
}

int connection_writable(struct connection *c) {
    if (outgoing_write(&c->outgoing, c->wsi, c->host->write_room) < 0)
        return -1;
    if (c->closing && outgoing_empty(&c->outgoing))
        lws_set_timer_usecs(c->wsi, 1);
    if (!c->closing) {
        hub_session_queued(c->session, c->outgoing.bytes, clock_monotonic_ms());
        pump(c);
    }
    return 0;
}

int connection_timer(struct connection *c) {
    if (c->closing)
        return outgoing_empty(&c->outgoing) ? say_close(c) : 0;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < c->wake_at_ms) {
        set_timer(c, c->wake_at_ms);
        return 0;
    }
    hub_session_wake(c->session, now_ms);
    pump(c);
    return 0;
}

bool connection_finish(struct connection *c, struct job *job) {
    int64_t now_ms = clock_monotonic_ms();
    if (c->closing)
        return false;
    switch (job->kind) {
    case JOB_GREET:
        hub_session_greeted(c->session, job->req, &job->greeting, now_ms);
        break;
    case JOB_ACCEPT:
        hub_session_accepted(c->session, job->req, job->code, &job->error, &job->entry_head,
                             &job->head, now_ms);
        /* An acceptance only moves what the next ack says. Rejections each queue a message. */
        if (!job->code)
            return true;
        break;
    case JOB_LOAD:
        hub_session_loaded(c->session, job->req, job->code, &job->page, now_ms);
        break;
    case JOB_API:
    case JOB_NOTE:
    case JOB_NEWS:
        return false;
    }
    pump(c);
    return false;
}

void connection_pump(struct connection *c) {
    if (!c->closing)
        pump(c);
}

void connection_news(struct connection *c) {
    if (c->closing)
        return;
    hub_session_news(c->session, clock_monotonic_ms());
    pump(c);
}

void connection_expel(struct connection *c, enum err code, const char *detail) {
    if (c->closing)
        return;
    hub_session_expel(c->session, code, detail, clock_monotonic_ms());
    pump(c);
}

void connection_pause(struct connection *c, bool paused) {
    c->paused = paused;
    lws_rx_flow_control(c->wsi, !paused);
    if (paused) /* it has just sent something; its pong may stand behind what is not read now */
        lws_validity_confirmed(c->wsi);
}
