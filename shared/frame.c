/* Implements frames in place: the two that carry entries are the hot path of both daemons.
 * tests/unit/core/test_frame.c holds this against protobuf-c. Must not allocate but in buffers. */
#include "frame.h"

#include <string.h>

#include "wire.h"

#define ANSWER_REFUSED 2 /* fields of message Answer */
#define ANSWER_SIGNATURE 3
/* Everything in a frame but an entry or an excerpt. */
#define FIELDS_MAX_BYTES (HELLO_MAX_BYTES + 1024)

/* The one field that is left out of the small fields and follows them. number 0: none. */
struct payload {
    unsigned number;
    struct bytes content;
};

/* ---- encoding ---- */

static void put_fields(const struct frame *f, struct buf *out) {
    switch (f->kind) {
    case FRAME_PUSH:
        break;
    case FRAME_ACK:
        wire_put_uint(out, 1, f->ack.incarnation);
        wire_put_uint(out, 2, f->ack.seq);
        wire_put_uint(out, 3, f->ack.credit_bytes);
        break;
    case FRAME_REJECT:
        wire_put_uint(out, 1, f->reject.head.incarnation);
        wire_put_uint(out, 2, f->reject.head.seq);
        wire_put_bytes(out, 3, bytes_of(f->reject.head.hash.b, HASH_LEN));
        wire_put_uint(out, 4, error_wire(f->reject.code));
        if (f->reject.detail[0] != '\0')
            wire_put_bytes(out, 5,
                           bytes_of(f->reject.detail, strnlen(f->reject.detail, FRAME_DETAIL_MAX)));
        break;
    case FRAME_PULL:
        for (unsigned class_ = 1; class_ < FRAME_CLASSES; class_++)
            wire_put_uint(out, class_, f->pull.after[class_]);
        break;
    case FRAME_DELIVER:
        wire_put_uint(out, 1, f->deliver.class_);
        wire_put_uint(out, 2, f->deliver.position);
        wire_put_uint(out, 3, (uint64_t)f->deliver.received_ms);
        break;
    case FRAME_REACHED:
        wire_put_uint(out, 1, f->reached.class_);
        wire_put_uint(out, 2, f->reached.upto);
        wire_put_uint(out, 3, f->reached.tip);
        break;
    case FRAME_TAKEN:
        wire_put_uint(out, 1, f->taken.bytes);
        break;
    case FRAME_LEAVE:
        wire_put_bytes(out, 1, f->leave.refused);
        wire_put_bytes(out, 2, bytes_of(f->leave.signature.b, SIGNATURE_LEN));
        break;
    }
}

static struct payload payload_of(const struct frame *f) {
    if (f->kind == FRAME_PUSH)
        return (struct payload){1, f->push.entry};
    if (f->kind == FRAME_DELIVER)
        return (struct payload){4, f->deliver.excerpt};
    return (struct payload){0, {NULL, 0}};
}

enum err frame_encode(const struct frame *frame, struct buf *out, struct error *e) {
    struct payload payload = payload_of(frame);
    struct buf fields;
    buf_init(&fields, FIELDS_MAX_BYTES);
    put_fields(frame, &fields);
    enum err rc = buf_failed(&fields, e);
    size_t len = fields.len + (payload.number != 0 ? wire_size_bytes(payload.content.len) : 0);
    if (rc == ERR_OK && wire_size_bytes(len) > FRAME_MAX_BYTES)
        rc = error_set(e, ERR_CAP, "frame %s: %zu bytes, expected at most %d",
                       frame_name(frame->kind), wire_size_bytes(len), FRAME_MAX_BYTES);
    if (rc == ERR_OK) {
        size_t before = out->len;
        wire_put_open(out, (unsigned)frame->kind, len);
        buf_append(out, fields.data, fields.len);
        if (payload.number != 0)
            wire_put_bytes(out, payload.number, payload.content);
        rc = buf_failed(out, e);
        if (rc != ERR_OK)
            out->len = before;
    }
    buf_done(&fields);
    return rc;
}

/* ---- decoding: what makes a field wrong makes the cursor bad ---- */

static void read_push(struct wire *w, struct frame *f) {
    f->push.entry = wire_bytes(w, 1);
}

static void read_ack(struct wire *w, struct frame *f) {
    f->ack.incarnation = wire_uint(w, 1, UINT64_MAX);
    f->ack.seq = wire_uint(w, 2, UINT64_MAX);
    f->ack.credit_bytes = wire_uint(w, 3, UINT64_MAX);
}

static void read_reject(struct wire *w, struct frame *f) {
    f->reject.head.incarnation = wire_uint(w, 1, UINT64_MAX);
    f->reject.head.seq = wire_uint(w, 2, UINT64_MAX);
    wire_take(w, 3, f->reject.head.hash.b, HASH_LEN);
    uint64_t code = wire_uint(w, 4, UINT32_MAX);
    w->bad = w->bad || code == 0;
    f->reject.code = error_from_wire((uint32_t)code);
    if (!wire_has_bytes(w, 5))
        return;
    struct bytes detail = wire_bytes(w, 5);
    if (w->bad || detail.len == 0 || detail.len > FRAME_DETAIL_MAX || !utf8_valid(detail)) {
        w->bad = true;
        return;
    }
    memcpy(f->reject.detail, detail.data, detail.len);
}

static void read_pull(struct wire *w, struct frame *f) {
    for (unsigned class_ = 1; class_ < FRAME_CLASSES; class_++)
        f->pull.after[class_] = wire_uint(w, class_, UINT64_MAX);
}

static void read_deliver(struct wire *w, struct frame *f) {
    f->deliver.class_ = (uint32_t)wire_uint(w, 1, FRAME_CLASSES - 1);
    f->deliver.position = wire_uint(w, 2, UINT64_MAX);
    f->deliver.received_ms = (int64_t)wire_uint(w, 3, UINT64_MAX);
    f->deliver.excerpt = wire_bytes(w, 4);
}

static void read_reached(struct wire *w, struct frame *f) {
    f->reached.class_ = (uint32_t)wire_uint(w, 1, FRAME_CLASSES - 1);
    f->reached.upto = wire_uint(w, 2, UINT64_MAX);
    f->reached.tip = wire_uint(w, 3, 1) != 0;
}

static void read_taken(struct wire *w, struct frame *f) {
    f->taken.bytes = wire_uint(w, 1, UINT64_MAX);
}

static void read_leave(struct wire *w, struct frame *f) {
    f->leave.refused = wire_bytes(w, 1);
    wire_take(w, 2, f->leave.signature.b, SIGNATURE_LEN);
}

struct frame_row {
    const char *name;
    void (*read)(struct wire *w, struct frame *f);
};

static const struct frame_row rows[FRAME_KINDS] = {
    [FRAME_PUSH] = {"push", read_push},          [FRAME_ACK] = {"ack", read_ack},
    [FRAME_REJECT] = {"reject", read_reject},    [FRAME_PULL] = {"pull", read_pull},
    [FRAME_DELIVER] = {"deliver", read_deliver}, [FRAME_REACHED] = {"reached", read_reached},
    [FRAME_TAKEN] = {"taken", read_taken},       [FRAME_LEAVE] = {"leave", read_leave},
};

const char *frame_name(enum frame_kind kind) {
    unsigned row = (unsigned)kind;
    return row < FRAME_KINDS && rows[row].name != NULL ? rows[row].name : "unknown";
}

enum err frame_decode(struct bytes in, struct frame *ret, struct error *e) {
    if (in.len > FRAME_MAX_BYTES)
        return error_set(e, ERR_CAP, "frame: %zu bytes, expected at most %d", in.len,
                         FRAME_MAX_BYTES);
    struct wire outer = wire_open(in);
    unsigned kind = FRAME_PUSH;
    while (kind < FRAME_KINDS && !wire_has_bytes(&outer, kind))
        kind++;
    if (kind == FRAME_KINDS)
        return error_set(e, ERR_MALFORMED, "frame: %zu bytes do not start with a known kind",
                         in.len);
    struct frame frame = {.kind = (enum frame_kind)kind};
    struct wire body = wire_open(wire_bytes(&outer, kind));
    rows[kind].read(&body, &frame);
    if (!wire_done(&outer) || !wire_done(&body))
        return error_set(e, ERR_MALFORMED, "frame %s: %zu bytes are not its canonical form",
                         rows[kind].name, in.len);
    *ret = frame;
    return ERR_OK;
}

/* ---- in the channel ---- */

enum err frame_seal(const struct frame *frame, struct channel *c, struct blob **ret,
                    size_t *ret_len, struct error *e) {
    struct buf plain, sealed;
    buf_init(&plain, FRAME_MAX_BYTES);
    buf_init(&sealed, FRAME_MAX_BYTES + CHANNEL_OVERHEAD);
    enum err rc = frame_encode(frame, &plain, e);
    if (rc == ERR_OK)
        rc = channel_seal(c, buf_bytes(&plain), &sealed, e);
    struct blob *message = rc == ERR_OK ? blob_take_buf(&sealed) : NULL;
    if (rc == ERR_OK && message == NULL)
        rc = error_set(e, ERR_NO_MEMORY, "no memory for a message to send");
    if (rc == ERR_OK) {
        *ret = message;
        *ret_len = plain.len;
    }
    buf_done(&plain);
    buf_done(&sealed);
    return rc;
}

enum err frame_open(struct bytes message, struct channel *c, struct buf *plain, struct frame *ret,
                    struct error *e) {
    enum err rc = channel_open(c, message, plain, e);
    return rc != ERR_OK ? rc : frame_decode(buf_bytes(plain), ret, e);
}

/* ---- Leave and Answer ---- */

enum err frame_leave_from_answer(struct bytes answer, struct frame *ret, struct error *e) {
    struct frame frame = {.kind = FRAME_LEAVE};
    struct wire w = wire_open(answer);
    frame.leave.refused = wire_bytes(&w, ANSWER_REFUSED);
    wire_take(&w, ANSWER_SIGNATURE, frame.leave.signature.b, SIGNATURE_LEN);
    if (!wire_done(&w))
        return error_set(e, ERR_MALFORMED, "leave: %zu bytes are not a signed refusal", answer.len);
    *ret = frame;
    return ERR_OK;
}

enum err frame_leave_to_answer(const struct frame *leave, struct buf *out, struct error *e) {
    wire_put_bytes(out, ANSWER_REFUSED, leave->leave.refused);
    wire_put_bytes(out, ANSWER_SIGNATURE, bytes_of(leave->leave.signature.b, SIGNATURE_LEN));
    return buf_failed(out, e);
}
