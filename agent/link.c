/* Owns the connection to the hub: when to connect, bytes to the session machine, its effects to the
 * store and the socket. Must not decide anything the machine or the domain decides. */
#include "link.h"

#include <openssl/ssl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "boxes.h"
#include "clock.h"
#include "failpoint.h"
#include "keepalive.h"
#include "log.h"
#include "outbox.h"
#include "outgoing.h"

#define READ_SIZE (16 * 1024)
#define CLASS_KEYS 1 /* of a delivery; 0: the hub's feed */
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define RETRY_AFTER_MAX_MS (60 * 60 * 1000) /* a hub may ask for patience, not for silence */
#define STABLE_MS 60000                     /* a connection this old resets the back-off */
#define CONNECT_TIMEOUT_S 20

struct link {
    struct link_config config;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2];
    lws_retry_bo_t keepalive;
    struct lws *wsi;
    struct agent_session *session;
    struct outgoing outgoing;
    struct buf incoming;
    unsigned char *write_room;
    uv_timer_t retry, wake, outbox;
    uv_idle_t pause; /* active while something is gathered */
    bool arrived;    /* since its last turn */
    struct batch batch;
    int64_t retry_ms, connected_ms, retry_after_ms;
    bool stopping, closing, refused, pumping, was_established;
    bool cert_refused;
    bool entry_leaves; /* an entry is among what waits to be written */
    struct error why;
};

static void pump(struct link *link);
static void flush_batch(struct link *link);
static void connect_now(struct link *link);
static void wipe_old_keys(struct link *link);

/* ---- ending and trying again ---- */

static void on_retry(uv_timer_t *timer) {
    wipe_old_keys(timer->data);
    connect_now(timer->data);
}

/* Decorrelated jitter: anywhere between the least wait and three times the last; after what the hub
 * asked for, which it asks of all at once. */
static int64_t next_wait_ms(struct link *link) {
    int64_t span = link->retry_ms * 3 - RETRY_MIN_MS;
    int64_t wait = RETRY_MIN_MS + (int64_t)randombytes_uniform((uint32_t)(span > 0 ? span : 1) + 1);
    link->retry_ms = wait > RETRY_MAX_MS ? RETRY_MAX_MS : wait;
    return link->retry_after_ms + link->retry_ms;
}

static void retry_later(struct link *link) {
    if (link->stopping)
        return;
    int64_t wait = next_wait_ms(link);
    char quoted[ERROR_DETAIL_MAX * 2];
    log_event(LOG_INFO, "disconnected", "hub=%s code=%s reason=%s retry_ms=%lld",
              agent_hub_address(link->config.agent), error_name(link->why.code),
              log_quote(link->why.detail, quoted, sizeof quoted), (long long)wait);
    uv_timer_start(&link->retry, on_retry, (uint64_t)wait, 0);
}

static void note_why(struct link *link, enum err code, const char *detail) {
    if (!link->why.code)
        error_set(&link->why, code, "%s", detail);
}

/* The connection is gone, whoever ended it. */
static void on_end(struct link *link) {
    link->wsi = NULL;
    uv_idle_stop(&link->pause);
    flush_batch(link);
    int64_t now_ms = clock_monotonic_ms();
    if (link->was_established && now_ms - link->connected_ms > STABLE_MS)
        link->retry_ms = RETRY_MIN_MS;
    agent_session_free(link->session);
    link->session = NULL;
    outgoing_done(&link->outgoing);
    buf_done(&link->incoming);
    uv_timer_stop(&link->wake);
    note_why(link, ERR_UNAVAILABLE, "the connection ended");
    agent_note_connection(link->config.agent, false, link->why.code, link->why.detail,
                          clock_wall_ms());
    link->config.changed(link->config.ctx);
    link->config.ended(link->config.ctx, &link->why, link->refused);
    retry_later(link);
}

static void close_soon(struct link *link, enum err code, const char *reason) {
    note_why(link, code, reason);
    link->closing = true;
    if (link->wsi)
        lws_callback_on_writable(link->wsi);
}

/* ---- store effects ---- */

static void complete(struct link *link, struct batch_step *step, int64_t now_ms) {
    switch (step->effect.kind) {
    case AGENT_EFFECT_NEXT:
        if (!step->code && step->entry) {
            link->entry_leaves = true;
            failpoint("agent-before-send");
        }
        agent_session_next_entry(link->session, step->effect.req, step->code,
                                 step->code ? NULL : step->entry, &step->head, now_ms);
        break;
    case AGENT_EFFECT_WELCOMED:
    case AGENT_EFFECT_TAKE:
    case AGENT_EFFECT_REACHED:
    case AGENT_EFFECT_ACKED:
        agent_session_done(link->session, step->effect.req, step->code, now_ms);
        break;
    case AGENT_EFFECT_SEND:
    case AGENT_EFFECT_CLOSE:
    case AGENT_EFFECT_WAKE:
    case AGENT_EFFECT_REFUSED:
    case AGENT_EFFECT_REJECTED:
        break;
    }
}

static void flush_batch(struct link *link) {
    bool changes = false;
    if (link->batch.count == 0)
        return;
    batch_run(&link->batch, link->config.agent, link->config.log);
    for (size_t i = 0; i < link->batch.count; i++) {
        const struct agent_effect *effect = &link->batch.steps[i].effect;
        changes |= effect->kind == AGENT_EFFECT_TAKE && effect->class_ <= CLASS_KEYS;
        complete(link, &link->batch.steps[i], clock_monotonic_ms());
    }
    batch_clear(&link->batch);
    if (agent_take_again(link->config.agent))
        close_soon(link, ERR_UNAVAILABLE, "connects again to ask for history that is missing");
    /* A member resumed, a new charter, a key renewed: what audiences see, or who they are, may have
     * changed. */
    if (changes && agent_dirty(link->config.agent))
        agent_session_outbox(link->session, clock_monotonic_ms());
}

/* ---- effects ---- */

static void on_wake(uv_timer_t *timer) {
    struct link *link = timer->data;
    if (!link->session)
        return;
    agent_session_wake(link->session, clock_monotonic_ms());
    pump(link);
}

static void set_wake(struct link *link, int64_t at_ms) {
    int64_t in_ms = at_ms - clock_monotonic_ms();
    uv_update_time(link->config.loop);
    uv_timer_start(&link->wake, on_wake, (uint64_t)(in_ms > 0 ? in_ms : 0), 0);
}

static void take_refusal(struct link *link, const struct refused *refused) {
    link->refused = true;
    link->retry_after_ms =
        refused->retry_after_ms < RETRY_AFTER_MAX_MS ? refused->retry_after_ms : RETRY_AFTER_MAX_MS;
    error_set(&link->why, refused->code, "%s",
              refused->detail[0] ? refused->detail : error_text(refused->code));
}

static void carry_out(struct link *link, struct agent_effect *effect) {
    struct error e = {0};
    switch (effect->kind) {
    case AGENT_EFFECT_SEND:
        if (outgoing_push(&link->outgoing, link->wsi, effect->data, &e))
            close_soon(link, e.code, e.detail);
        return;
    case AGENT_EFFECT_CLOSE:
        close_soon(link, effect->code, effect->reason);
        return;
    case AGENT_EFFECT_WAKE:
        set_wake(link, effect->at_ms);
        return;
    case AGENT_EFFECT_REFUSED:
        take_refusal(link, &effect->refused);
        batch_add(&link->batch, effect);
        return;
    case AGENT_EFFECT_WELCOMED:
    case AGENT_EFFECT_TAKE:
    case AGENT_EFFECT_REACHED:
    case AGENT_EFFECT_NEXT:
    case AGENT_EFFECT_ACKED:
    case AGENT_EFFECT_REJECTED:
        batch_add(&link->batch, effect);
        return;
    }
}

static void note_established(struct link *link) {
    if (link->was_established || !agent_session_established(link->session))
        return;
    link->was_established = true;
    link->connected_ms = clock_monotonic_ms();
    agent_note_connection(link->config.agent, true, ERR_OK, "", clock_wall_ms());
    log_event(LOG_INFO, "connected", "hub=%s", agent_hub_address(link->config.agent));
}

static void wipe_old_keys(struct link *link) {
    struct error e = {0};
    if (boxes_wipe_old(link->config.agent, clock_wall_ms(), &e))
        log_event(LOG_WARN, "key-kept", "code=%s file=%s detail=\"%s\"", error_name(e.code), e.file,
                  e.detail);
}

static void on_outbox_timer(uv_timer_t *timer) {
    wipe_old_keys(timer->data);
    link_outbox(timer->data);
}

/* Keys age without anything else happening. */
static void set_outbox_timer(struct link *link) {
    int64_t now_ms = clock_wall_ms(), at_ms = outbox_wake_at(link->config.agent, now_ms);
    int64_t wipe_ms = boxes_wipe_at(link->config.agent);
    at_ms = wipe_ms < at_ms ? wipe_ms : at_ms;
    if (at_ms == INT64_MAX) {
        uv_timer_stop(&link->outbox);
        return;
    }
    int64_t in_ms = at_ms > now_ms ? at_ms - now_ms : RETRY_MIN_MS;
    uv_timer_start(&link->outbox, on_outbox_timer, (uint64_t)in_ms, 0);
}

/* False: the batch is full, and more may be there. */
static bool carry_out_all(struct link *link) {
    struct agent_effect effect;
    while (!batch_full(&link->batch)) {
        if (!agent_session_next(link->session, &effect))
            return true;
        carry_out(link, &effect);
    }
    return false;
}

static void pump(struct link *link) {
    if (link->pumping || !link->session)
        return;
    link->pumping = true;
    uv_idle_stop(&link->pause);
    for (;;) {
        bool more = !carry_out_all(link);
        bool stepped = link->batch.count > 0;
        flush_batch(link);
        if (!more && !stepped)
            break;
    }
    link->pumping = false;
    note_established(link);
    set_outbox_timer(link);
    link->config.changed(link->config.ctx);
}

/* A commit costs more than what is in it: while more keeps arriving, it waits. The loop does not
 * sleep meanwhile: one turn in which nothing came ends it. */
static void on_pause(uv_idle_t *pause) {
    struct link *link = pause->data;
    if (!link->arrived)
        pump(link);
    link->arrived = false;
}

static void gather(struct link *link) {
    link->arrived = true;
    if (!carry_out_all(link) || batch_ready(&link->batch))
        pump(link);
    else
        uv_idle_start(&link->pause, on_pause);
}

/* ---- libwebsockets ---- */

static int on_open(struct link *link, struct lws *wsi) {
    struct agent_session_config config;
    struct error e = {0};
    link->wsi = wsi;
    outgoing_init(&link->outgoing);
    buf_init(&link->incoming, HELLO_MAX_BYTES);
    enum err err = agent_session_fill(link->config.agent, &config, &e);
    if (!err)
        err = agent_session_new(&config, clock_monotonic_ms(), &link->session, &e);
    if (err) {
        note_why(link, err, e.detail);
        return -1;
    }
    pump(link);
    return 0;
}

static int on_receive(struct link *link, struct lws *wsi, struct bytes piece) {
    if (link->closing || !link->session)
        return 0;
    link->incoming.max = FRAME_MAX_BYTES + CHANNEL_OVERHEAD;
    buf_append(&link->incoming, piece.data, piece.len);
    if (link->incoming.failed || !lws_frame_is_binary(wsi)) {
        close_soon(link, ERR_CAP,
                   "the hub sent a message larger than its cap, or one that is not binary");
        return 0;
    }
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
        return 0;
    lws_validity_confirmed(wsi); /* our ping may wait behind what a busy hub does not read yet */
    agent_session_bytes(link->session, buf_bytes(&link->incoming), clock_monotonic_ms());
    buf_done(&link->incoming);
    buf_init(&link->incoming, FRAME_MAX_BYTES + CHANNEL_OVERHEAD);
    gather(link);
    return 0;
}

static int on_writable(struct link *link, struct lws *wsi) {
    if (outgoing_write(&link->outgoing, wsi, link->write_room) < 0)
        return -1;
    if (link->entry_leaves && outgoing_empty(&link->outgoing)) {
        link->entry_leaves = false;
        failpoint("agent-after-send");
    }
    if (link->closing && outgoing_empty(&link->outgoing)) {
        const char *name = error_name(link->why.code);
        lws_close_reason(
            wsi, link->why.code ? LWS_CLOSE_STATUS_POLICY_VIOLATION : LWS_CLOSE_STATUS_NORMAL,
            (unsigned char *)(uintptr_t)name, strlen(name));
        return -1;
    }
    if (link->session && !link->closing) {
        agent_session_queued(link->session, link->outgoing.bytes, clock_monotonic_ms());
        gather(link);
    }
    return 0;
}

/* libwebsockets says in words why there is no connection, but not so for a certificate. */
static void note_failure(struct link *link, const char *why, size_t len) {
    const char *address = agent_hub_address(link->config.agent);
    if (link->cert_refused)
        error_set(
            &link->why, ERR_CERTIFICATE,
            "the certificate of %s does not verify: expected one for that name by an authority "
            "known here; name the hub's with `ca` in agent.conf or --ca",
            address);
    else
        error_set(&link->why, ERR_UNAVAILABLE, "%s cannot be reached: %.*s", address,
                  why ? (int)len : 9, why ? why : "no answer");
}

/* What the hub's close frame says. It is not signed: for the log and the message only. */
static void note_peer_close(struct link *link, struct bytes frame) {
    char text[ERROR_DETAIL_MAX / 2];
    size_t len = frame.len > 2 ? frame.len - 2 : 0;
    snprintf(text, sizeof text, "the hub closed the connection: %.*s", (int)len,
             len ? (const char *)frame.data + 2 : "");
    note_why(link, ERR_UNAVAILABLE, len ? text : "the hub closed the connection");
}

/* The system's authorities, looked up in their directory when one is needed: read all at once, as
 * OpenSSL does by default, they take a megabyte for as long as the daemon runs. What the usual
 * environment variables name is used as everywhere. */
static int trust_system(SSL_CTX *tls) {
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *dir = getenv(X509_get_default_cert_dir_env());
    if (file)
        return SSL_CTX_set_default_verify_paths(tls) == 1 ? 0 : 1;
    return SSL_CTX_load_verify_dir(tls, dir ? dir : X509_get_default_cert_dir()) == 1 ? 0 : 1;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS)
        return trust_system(user);
    const struct lws_protocols *protocol = lws_get_protocol(wsi);
    struct link *link = protocol ? protocol->user : NULL;
    if (!link)
        return 0;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return on_open(link, wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(link, wsi, bytes_of(in, len));
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writable(link, wsi);
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
        link->cert_refused |= len == 0; /* OpenSSL's verdict; 0 leaves it as it is */
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        note_failure(link, in, len);
        on_end(link);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        note_peer_close(link, bytes_of(in, len));
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        on_end(link);
        return 0;
    default:
        return 0;
    }
}

static void connect_now(struct link *link) {
    const char *address = agent_hub_address(link->config.agent);
    bool tls = strncmp(address, "wss://", 6) == 0;
    char host[INVITE_ADDRESS_MAX];
    snprintf(host, sizeof host, "%s", address + (tls ? 6 : 5));
    char *colon = strrchr(host, ':');
    int port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    if (colon)
        *colon = '\0';
    char *name = host;
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        name = host + 1;
    }
    link->closing = link->refused = link->was_established = link->entry_leaves = false;
    link->cert_refused = false;
    link->retry_after_ms = 0;
    link->why = (struct error){0};
    struct lws_client_connect_info info = {
        .context = link->config.context,
        .vhost = link->vhost,
        .address = name,
        .host = name,
        .origin = name,
        .port = port,
        .path = "/",
        .protocol = "plek.v1",
        .local_protocol_name = "plek.v1",
        .ssl_connection = tls ? LCCSCF_USE_SSL : 0,
        .alpn = "http/1.1",
        .retry_and_idle_policy = &link->keepalive,
        .pwsi = &link->wsi,
    };
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (!wsi && !uv_is_active((uv_handle_t *)&link->retry)) {
        note_why(link, ERR_UNAVAILABLE, "the connection could not be started");
        on_end(link);
    }
}

/* ---- life ---- */

enum err link_open(const struct link_config *config, struct link **ret, struct error *e) {
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the connection");
    enum err code = batch_init(&link->batch, e);
    if (code != ERR_OK) {
        free(link);
        return code;
    }
    link->config = *config;
    link->retry_ms = RETRY_MIN_MS;
    link->keepalive = keepalive_policy();
    link->write_room = malloc(LWS_PRE + FRAME_MAX_BYTES + CHANNEL_OVERHEAD);
    outgoing_init(&link->outgoing);
    link->protocols[0] = (struct lws_protocols){
        .name = "plek.v1", .callback = callback, .rx_buffer_size = READ_SIZE, .user = link};
    const char *ca = config->settings->ca;
    struct lws_context_creation_info info = {
        .vhost_name = "hub",
        .port = CONTEXT_PORT_NO_LISTEN,
        /* A vhost without the first gets no client TLS; the second: see trust_system. */
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
        .protocols = link->protocols,
        .retry_and_idle_policy = &link->keepalive,
        .connect_timeout_secs = CONNECT_TIMEOUT_S,
        .timeout_secs = CONNECT_TIMEOUT_S,
        .client_ssl_ca_filepath = ca[0] ? ca : NULL,
    };
    if (link->write_room)
        link->vhost = lws_create_vhost(config->context, &info);
    if (!link->vhost) {
        batch_done(&link->batch);
        free(link->write_room);
        free(link);
        return error_set(e, ERR_CONFIG, "the connection to the hub cannot be set up%s%s",
                         ca[0] ? "; is this certificate file readable: " : "", ca);
    }
    uv_timer_init(config->loop, &link->retry);
    uv_timer_init(config->loop, &link->wake);
    uv_timer_init(config->loop, &link->outbox);
    uv_idle_init(config->loop, &link->pause);
    link->retry.data = link->wake.data = link->outbox.data = link->pause.data = link;
    *ret = link;
    return ERR_OK;
}

void link_start(struct link *link) {
    uv_timer_start(&link->retry, on_retry, 0, 0);
}

void link_stop(struct link *link) {
    if (link->stopping)
        return;
    link->stopping = true;
    uv_close((uv_handle_t *)&link->retry, NULL);
    uv_close((uv_handle_t *)&link->wake, NULL);
    uv_close((uv_handle_t *)&link->outbox, NULL);
    uv_close((uv_handle_t *)&link->pause, NULL);
    if (link->wsi && !link->session) /* still connecting: nothing to say goodbye to */
        lws_set_timeout(link->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    if (link->wsi)
        close_soon(link, ERR_OK, "stopping");
    else
        link->config.ended(link->config.ctx, &link->why, false);
}

void link_free(struct link *link) {
    if (!link)
        return;
    agent_session_free(link->session);
    outgoing_done(&link->outgoing);
    buf_done(&link->incoming);
    batch_done(&link->batch);
    free(link->write_room);
    free(link);
}

void link_outbox(struct link *link) {
    if (!link->session)
        return;
    agent_session_outbox(link->session, clock_monotonic_ms());
    pump(link);
}

bool link_caught_up(const struct link *link) {
    return link->session && agent_session_caught_up(link->session);
}
