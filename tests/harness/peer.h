/* Owns a stranger: a TCP client that speaks HTTP and websocket frames by hand, well or badly; or a
 * server that a program under test connects to. Must not know the protocol inside the frames. Reads
 * have deadlines; failures end the test. */
#ifndef PLEK_TEST_PEER_H
#define PLEK_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_TEXT 1
#define PEER_BINARY 2
#define PEER_CLOSE 8
#define PEER_PING 9
#define PEER_PONG 10
#define PEER_FRAME_HEAD 14
#define PEER_FRAME_MAX (1024 * 1024 + 8192)

struct peer {
    int fd;
    bool server; /* the other side connected to us: its frames are masked, ours are not */
    uint8_t buffered[4096]; /* read with the HTTP answer, not consumed yet */
    size_t buffered_len;
};

/* "127.0.0.1:43121" */
void peer_open(struct peer *p, const char *address);
void peer_close(struct peer *p);
/* Listens on a free port of this host ("127.0.0.1"); the address goes into `out`. The listener. */
int peer_listen(const char *host, char *out, size_t size);
/* Waits for the next connection and upgrades it to a websocket. */
void peer_accept(struct peer *p, int listener);
/* False when the other side closed already. */
bool peer_send(struct peer *p, const void *data, size_t len);
bool peer_send_text(struct peer *p, const char *text);
/* Reads up to the blank line that ends an HTTP head, at most size - 1 bytes; false: closed before.
 */
bool peer_read_head(struct peer *p, char *out, size_t size);
/* Upgrades to a websocket; subprotocol NULL: names none. False: refused (no 101). */
bool peer_upgrade(struct peer *p, const char *subprotocol);
/* One whole frame into `frame`, which has room for its payload and PEER_FRAME_HEAD; how long it is.
 */
size_t peer_put_frame(const struct peer *p, int opcode, const void *data, size_t len,
                      uint8_t *frame);
/* One whole frame, sent. */
bool peer_send_frame(struct peer *p, int opcode, const void *data, size_t len);
/* The next frame that is not a ping (those are answered): its opcode; -1 when the connection ended
 * instead. The payload is cut at size. */
int peer_read_frame(struct peer *p, void *ret, size_t size, size_t *ret_len);
/* Reads frames until a close frame or the end; the close frame's reason goes into `reason` ("" when
 * there was none). Fails when neither comes within `seconds`. Returns the status code, 0: none. */
int peer_wait_closed(struct peer *p, int seconds, char *reason, size_t size);

#endif
