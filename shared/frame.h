/* Owns frames: what the two ends tell each other inside the channel, as plain structs and as bytes.
 * Strict: only canonical bytes are read. Source: docs/protocol.md, "Frames"; plek.proto, Frame.
 * Must not know which side may send what, nor what is inside an entry. */
#ifndef PLEK_FRAME_H
#define PLEK_FRAME_H

#include "blob.h"
#include "channel.h"

#define FRAME_CLASSES 5               /* hub feed, grants, states, messages, history */
#define FRAME_WINDOW_BYTES (1u << 20) /* delivered and not yet taken */
#define FRAME_DETAIL_MAX REFUSED_DETAIL_MAX
#define FRAME_PUSH_OVERHEAD 10 /* a Push is at most this much longer than its entry */
#define FRAME_EXCERPT_MAX_BYTES (FRAME_MAX_BYTES - 64) /* what surely fits a Deliver */

/* The field numbers of message Frame. */
enum frame_kind {
    FRAME_PUSH = 1,
    FRAME_ACK = 2,
    FRAME_REJECT = 3,
    FRAME_PULL = 4,
    FRAME_DELIVER = 5,
    FRAME_REACHED = 6,
    FRAME_TAKEN = 7,
    FRAME_LEAVE = 8
};
#define FRAME_KINDS 9 /* one more than the highest: the size of a table by kind */

struct frame {
    enum frame_kind kind;
    union {
        struct {
            struct bytes entry; /* Entry; borrowed, not looked into */
        } push;
        struct {
            uint64_t incarnation, seq, credit_bytes;
        } ack;
        struct {
            struct head head;
            enum err code; /* never ERR_OK; ERR_PROTOCOL for a code of a later version */
            char detail[FRAME_DETAIL_MAX + 1]; /* UTF-8; "" = none */
        } reject;
        struct {
            uint64_t after[FRAME_CLASSES]; /* [0] is unused: the hello says it */
        } pull;
        struct {
            uint32_t class_;
            uint64_t position;
            int64_t received_ms;
            struct bytes excerpt; /* Excerpt; borrowed, not looked into */
        } deliver;
        struct {
            uint32_t class_;
            uint64_t upto;
            bool tip;
        } reached;
        struct {
            uint64_t bytes;
        } taken;
        struct {
            struct bytes refused; /* Refused; borrowed */
            struct signature signature;
        } leave;
    };
};

/* Appends the frame's bytes. ERR_CAP over FRAME_MAX_BYTES, ERR_TOO_LARGE, ERR_NO_MEMORY; nothing is
 * appended then. */
enum err frame_encode(const struct frame *frame, struct buf *out, struct error *e) MUST_USE;
/* What is borrowed points into `in`. ERR_CAP, ERR_MALFORMED. */
enum err frame_decode(struct bytes in, struct frame *ret, struct error *e) MUST_USE;
/* Both with the channel around it. The first gives a whole message, the caller's, and the length of
 * the frame in it, which is what windows count; whatever fails of either, the connection is over.
 * ERR_NO_MEMORY and what frame_encode and channel_seal say. */
enum err frame_seal(const struct frame *frame, struct channel *c, struct blob **ret,
                    size_t *ret_len, struct error *e) MUST_USE;
/* `plain` is the caller's: an empty buffer of FRAME_MAX_BYTES, from which *ret borrows. What
 * channel_open and frame_decode say. */
enum err frame_open(struct bytes message, struct channel *c, struct buf *plain, struct frame *ret,
                    struct error *e) MUST_USE;
const char *frame_name(enum frame_kind kind); /* "push", ...; "unknown" */

/* A Leave carries a signed refusal (hello.h) without the wrapping of an Answer; both ways.
 * The first borrows from `answer`: ERR_MALFORMED unless it is a refusal. */
enum err frame_leave_from_answer(struct bytes answer, struct frame *ret, struct error *e) MUST_USE;
enum err frame_leave_to_answer(const struct frame *leave, struct buf *out, struct error *e)
    MUST_USE;

#endif
