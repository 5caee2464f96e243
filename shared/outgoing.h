/* Owns the messages waiting for one websocket peer, in order, and writing them when it can take
 * them. Loop thread only. Must not know what a message says. */
#ifndef PLEK_OUTGOING_H
#define PLEK_OUTGOING_H

#include <libwebsockets.h>

#include "blob.h"
#include "ring.h"

struct outgoing {
    struct ring messages; /* struct blob * */
    size_t bytes;
};

void outgoing_init(struct outgoing *o);
void outgoing_done(struct outgoing *o);
/* Takes over the message and asks for a writable callback. ERR_CAP, ERR_NO_MEMORY: released. */
enum err outgoing_push(struct outgoing *o, struct lws *wsi, struct blob *take_message,
                       struct error *e) MUST_USE;
/* In a writable callback: sends some; `room` has LWS_PRE bytes before max_bytes of payload. Asks
 * for another callback when more waits. -1: the connection is broken. */
int outgoing_write(struct outgoing *o, struct lws *wsi, unsigned char *room);
bool outgoing_empty(const struct outgoing *o);

#endif
