/* Owns somebody in the middle of a plain websocket (middle.h). */
#include "middle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX (4 * 1024 * 1024)
#define KEPT_MAX 16384
#define BINARY 2
#define FORGED_BYTES 40 /* about an ack's */

struct kept {
    uint8_t data[KEPT_MAX];
    size_t len;
};

struct middle {
    pthread_mutex_t lock;
    enum middle_attack attack;
    enum proxy_way way;
    unsigned at, done;
    struct prng prng;
    struct kept hello, answer, sealed; /* of the newest session that was only relayed */
};

/* One connection. */
struct stream {
    struct middle *middle;
    struct buf pending[2];
    bool upgraded[2];
    unsigned count[2]; /* messages so far */
    struct kept held;  /* SWAP */
    struct kept last;  /* the last sealed message down */
    bool holds;
};

struct frame {
    int opcode;
    const uint8_t *mask; /* NULL: none */
    uint8_t *payload;
    size_t len, whole;
};

/* ---- websocket frames ---- */

/* The first whole frame of `in`; false: more has to come. Unmasks it in place. */
static bool read_frame(uint8_t *in, size_t len, struct frame *ret) {
    if (len < 2)
        return false;
    size_t payload = in[1] & 0x7f, at = 2;
    size_t more = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    bool masked = in[1] & 0x80;
    if (len < at + more + (masked ? 4 : 0))
        return false;
    for (size_t i = 0; i < more; i++)
        payload = (i ? payload << 8 : 0) | in[at + i];
    at += more;
    const uint8_t *mask = masked ? in + at : NULL;
    at += masked ? 4 : 0;
    if (len - at < payload)
        return false;
    *ret = (struct frame){in[0] & 0x0f, mask, in + at, payload, at + payload};
    for (size_t i = 0; i < payload && masked; i++)
        in[at + i] ^= mask[i % 4];
    return true;
}

/* A client's frames are masked; zeros are a mask, too. */
static void write_frame(struct buf *out, int opcode, bool masked, struct bytes payload) {
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t at = 2, more = payload.len < 126 ? 0 : payload.len < 65536 ? 2 : 8;
    head[1] = (uint8_t)(more == 0 ? payload.len : more == 2 ? 126 : 127);
    for (size_t i = 0; i < more; i++)
        head[at++] = (uint8_t)(payload.len >> (8 * (more - 1 - i)));
    if (masked) {
        head[1] |= 0x80;
        at += 4;
    }
    buf_append(out, head, at);
    buf_append(out, payload.data, payload.len);
}

static void say(struct buf out[2], enum proxy_way way, struct bytes message) {
    write_frame(&out[way], BINARY, way == PROXY_UP, message);
}

/* ---- attacks ---- */

static void keep(struct kept *kept, struct bytes message) {
    kept->len = message.len < KEPT_MAX ? message.len : 0;
    memcpy(kept->data, message.data, kept->len);
}

static struct bytes bytes_kept(const struct kept *kept) {
    return bytes_of(kept->data, kept->len);
}

static void keep_all(struct middle *m, enum proxy_way way, unsigned number, struct bytes message) {
    if (way == PROXY_DOWN)
        keep(number == 0 ? &m->hello : number == 1 ? &m->answer : &m->sealed, message);
}

/* MIDDLE_FLIP to MIDDLE_REFLECT, on the message they are about. */
static void attack_one(struct stream *s, enum proxy_way way, uint8_t *data, size_t len,
                       struct buf out[2]) {
    struct middle *m = s->middle;
    struct bytes message = bytes_of(data, len);
    m->done++;
    switch (m->attack) {
    case MIDDLE_FLIP:
        data[prng_below(&m->prng, len)] ^= (uint8_t)(1 << prng_below(&m->prng, 8));
        say(out, way, message);
        return;
    case MIDDLE_DROP:
        return;
    case MIDDLE_SWAP:
        keep(&s->held, message);
        s->holds = true;
        return;
    case MIDDLE_TWICE:
        say(out, way, message);
        say(out, way, message);
        return;
    case MIDDLE_REFLECT:
        say(out, way, message);
        say(out, way == PROXY_UP ? PROXY_DOWN : PROXY_UP, message);
        return;
    case MIDDLE_RELAY:
    case MIDDLE_FORGE_BYTES:
    case MIDDLE_FORGE_REPEAT:
    case MIDDLE_FORGE_OTHER:
    case MIDDLE_FORGE_OWN:
    case MIDDLE_OWN_KEY:
    case MIDDLE_OLD_ANSWER:
    case MIDDLE_OLD_HANDSHAKE:
        return; /* not about one message */
    }
}

static void forge(struct stream *s, struct bytes swallowed, struct buf out[2]) {
    struct middle *m = s->middle;
    uint8_t made_up[FORGED_BYTES];
    m->done++;
    prng_fill(&m->prng, made_up, sizeof made_up);
    if (m->attack == MIDDLE_FORGE_REPEAT && s->last.len > 0)
        say(out, PROXY_DOWN, bytes_kept(&s->last));
    else if (m->attack == MIDDLE_FORGE_OTHER)
        say(out, PROXY_DOWN, bytes_kept(&m->sealed));
    else if (m->attack == MIDDLE_FORGE_OWN)
        say(out, PROXY_DOWN, swallowed);
    else
        say(out, PROXY_DOWN, bytes_of(made_up, sizeof made_up));
}

/* The first field of a hello that has 32 bytes is the network's key: another's instead. */
static void put_own_key(struct middle *m, uint8_t *hello, size_t len) {
    for (size_t i = 0; i + 33 < len; i++)
        if (hello[i] == 32) {
            prng_fill(&m->prng, hello + i + 1, 32);
            return;
        }
}

/* True: said, or swallowed. */
static bool play_hub(struct stream *s, enum proxy_way way, unsigned number, uint8_t *data,
                     size_t len, struct buf out[2]) {
    struct middle *m = s->middle;
    if (m->attack == MIDDLE_OWN_KEY && way == PROXY_DOWN && number == 0) {
        put_own_key(m, data, len);
        say(out, PROXY_DOWN, bytes_of(data, len));
    } else if (m->attack == MIDDLE_OLD_ANSWER && way == PROXY_DOWN && number == 1) {
        say(out, PROXY_DOWN, bytes_kept(&m->answer));
    } else if (m->attack == MIDDLE_OLD_HANDSHAKE && way == PROXY_DOWN && number == 0) {
        say(out, PROXY_DOWN, bytes_kept(&m->hello));
    } else if (m->attack == MIDDLE_OLD_HANDSHAKE && way == PROXY_UP && number == 0) {
        say(out, PROXY_DOWN, bytes_kept(&m->answer));
    } else {
        return false;
    }
    m->done++;
    return true;
}

static void take_message(struct stream *s, enum proxy_way way, uint8_t *data, size_t len,
                         struct buf out[2]) {
    struct middle *m = s->middle;
    unsigned number = s->count[way]++;
    struct bytes message = bytes_of(data, len);
    bool forges = m->attack >= MIDDLE_FORGE_BYTES && m->attack <= MIDDLE_FORGE_OWN;
    bool aims = m->attack >= MIDDLE_FLIP && m->attack <= MIDDLE_REFLECT;
    if (m->attack == MIDDLE_RELAY)
        keep_all(m, way, number, message);
    if (forges && way == PROXY_UP && number > 0) {
        forge(s, message, out);
    } else if (aims && m->done == 0 && way == m->way && number >= m->at && len > 0) {
        attack_one(s, way, data, len, out);
    } else if (!play_hub(s, way, number, data, len, out)) {
        say(out, way, message);
        if (s->holds && way == m->way) {
            say(out, way, bytes_kept(&s->held));
            s->holds = false;
        }
    }
    if (way == PROXY_DOWN && number > 1)
        keep(&s->last, message);
}

/* ---- the proxy's side ---- */

static void *opened(void *ctx) {
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->middle = ctx;
    buf_init(&s->pending[PROXY_UP], PENDING_MAX);
    buf_init(&s->pending[PROXY_DOWN], PENDING_MAX);
    return s;
}

static void closed(void *connection) {
    struct stream *s = connection;
    buf_done(&s->pending[PROXY_UP]);
    buf_done(&s->pending[PROXY_DOWN]);
    free(s);
}

/* How many bytes of what waits went on. */
static size_t take_next(struct stream *s, enum proxy_way way, uint8_t *data, size_t len,
                        struct buf out[2]) {
    struct frame frame;
    if (!s->upgraded[way]) {
        uint8_t *blank = memmem(data, len, "\r\n\r\n", 4);
        size_t head = blank ? (size_t)(blank - data) + 4 : 0;
        buf_append(&out[way], data, head);
        s->upgraded[way] = head > 0;
        return head;
    }
    if (!read_frame(data, len, &frame))
        return 0;
    if (frame.opcode == BINARY)
        take_message(s, way, frame.payload, frame.len, out);
    else
        write_frame(&out[way], frame.opcode, way == PROXY_UP, bytes_of(frame.payload, frame.len));
    return frame.whole;
}

static void passes(void *connection, enum proxy_way way, struct bytes in, struct buf out[2]) {
    struct stream *s = connection;
    size_t len = 0, at = 0, used;
    buf_append(&s->pending[way], in.data, in.len);
    uint8_t *data = buf_take(&s->pending[way], &len);
    pthread_mutex_lock(&s->middle->lock);
    while ((used = take_next(s, way, data + at, len - at, out)) > 0)
        at += used;
    pthread_mutex_unlock(&s->middle->lock);
    buf_init(&s->pending[way], PENDING_MAX);
    buf_append(&s->pending[way], data + at, len - at);
    free(data);
}

struct middle *middle_new(uint64_t seed) {
    struct middle *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    pthread_mutex_init(&m->lock, NULL);
    m->prng.state = seed;
    return m;
}

void middle_free(struct middle *m) {
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct proxy_hook middle_hook(struct middle *m) {
    return (struct proxy_hook){opened, passes, closed, m};
}

void middle_set(struct middle *m, enum middle_attack attack, enum proxy_way way, unsigned at) {
    pthread_mutex_lock(&m->lock);
    m->attack = attack;
    m->way = way;
    m->at = at;
    m->done = 0;
    pthread_mutex_unlock(&m->lock);
}

unsigned middle_done(struct middle *m) {
    pthread_mutex_lock(&m->lock);
    unsigned done = m->done;
    pthread_mutex_unlock(&m->lock);
    return done;
}
