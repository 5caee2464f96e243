/* Owns the messages waiting for one websocket peer. Must not know what a message says. */
#include "outgoing.h"

#include <string.h>

/* The session's windows bound what it sends by itself. Answers to what a peer sends are not in
 * them: one that sends for ever and reads nothing is stopped here. */
#define MAX_MESSAGES 65536
#define MAX_BYTES ((size_t)8 * 1024 * 1024)
#define WRITES_PER_PASS 16

void outgoing_init(struct outgoing *o) {
    ring_init(&o->messages, sizeof(struct blob *), MAX_MESSAGES);
    o->bytes = 0;
}

void outgoing_done(struct outgoing *o) {
    struct blob *message;
    while (ring_pop(&o->messages, &message))
        blob_unref(message);
    ring_done(&o->messages);
    o->bytes = 0;
}

enum err outgoing_push(struct outgoing *o, struct lws *wsi, struct blob *take_message,
                       struct error *e) {
    enum err err = ERR_OK;
    if (o->bytes >= MAX_BYTES)
        err = error_set(e, ERR_CAP, "the peer reads nothing: %zu bytes wait for it already",
                        o->bytes);
    else
        err = ring_push(&o->messages, &take_message, e);
    if (err) {
        blob_unref(take_message);
        return err;
    }
    o->bytes += blob_bytes(take_message).len;
    lws_callback_on_writable(wsi);
    return ERR_OK;
}

/* A client masks the payload in place, so a shared blob is copied first. */
static int write_one(struct outgoing *o, struct lws *wsi, unsigned char *room) {
    struct blob *message = NULL;
    ring_pop(&o->messages, &message);
    struct bytes bytes = blob_bytes(message);
    memcpy(room + LWS_PRE, bytes.data, bytes.len);
    int written = lws_write(wsi, room + LWS_PRE, bytes.len, LWS_WRITE_BINARY);
    o->bytes -= bytes.len;
    blob_unref(message);
    return written < 0 ? -1 : 0;
}

int outgoing_write(struct outgoing *o, struct lws *wsi, unsigned char *room) {
    for (int i = 0; i < WRITES_PER_PASS && !outgoing_empty(o); i++) {
        if (write_one(o, wsi, room) < 0)
            return -1;
        if (lws_partial_buffered(wsi))
            break;
    }
    if (!outgoing_empty(o))
        lws_callback_on_writable(wsi);
    return 0;
}

bool outgoing_empty(const struct outgoing *o) {
    return o->messages.count == 0;
}
