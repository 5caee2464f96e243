/* Owns what the session tests share: seeded randomness, one network's keys, heads, and a puppet
 * that speaks either side of the protocol by hand. Must not know a session's state. */
#ifndef PLEK_TEST_SESSION_KIT_H
#define PLEK_TEST_SESSION_KIT_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "feed.h"
#include "frame.h"

/* ---- randomness: splitmix64 ---- */

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r) {
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline size_t rng_below(struct rng *r, size_t limit) {
    return (size_t)(rng_next(r) % limit);
}

static inline void rng_fill(void *ctx, void *out, size_t len) {
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)rng_next(ctx);
}

/* ---- one network ---- */

struct kit {
    struct rng rng;
    struct entropy entropy;
    struct sign_pair hub, member, agent;
    struct cert cert;
    struct buf cert_bytes;
};

static inline void kit_pair(struct kit *k, struct sign_pair *ret) {
    uint8_t seed[SEED_LEN];
    entropy_fill(&k->entropy, seed, sizeof seed);
    sign_pair_from_seed(ret, seed);
}

static inline void kit_init(struct kit *k, uint64_t seed) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    memset(k, 0, sizeof *k);
    k->rng.state = seed;
    k->entropy = (struct entropy){rng_fill, &k->rng};
    kit_pair(k, &k->hub);
    kit_pair(k, &k->member);
    kit_pair(k, &k->agent);
    uint8_t box_seed[SEED_LEN];
    struct box_pair box;
    entropy_fill(&k->entropy, box_seed, sizeof box_seed);
    box_pair_from_seed(&box, box_seed);
    k->cert = (struct cert){.network = k->hub.pub,
                            .member = k->member.pub,
                            .agent = k->agent.pub,
                            .box = box.pub,
                            .serial = 1,
                            .not_after_ms = INT64_C(4000000000000),
                            .label = "test"};
    buf_init(&k->cert_bytes, CERT_MAX_BYTES);
    cr_assert_eq(cert_issue(&k->cert, &k->member, &k->agent, &k->cert_bytes, &e), ERR_OK, "%s",
                 e.detail);
}

static inline void kit_done(struct kit *k) {
    buf_done(&k->cert_bytes);
}

static inline struct head kit_head(uint64_t seq) {
    struct head head = {0};
    if (seq == 0)
        return head;
    head.incarnation = 1;
    head.seq = seq;
    head.hash = hash_sha256(bytes_of(&seq, sizeof seq));
    return head;
}

/* ---- the puppet ---- */

struct puppet {
    struct kit *kit;
    struct sign_pair hub; /* what it signs with when it plays the hub */
    struct hello_secret secret;
    struct channel channel;
    struct buf hub_hello, agent_hello, answer;
    struct buf plain; /* of the last frame opened */
};

static inline void puppet_init(struct puppet *p, struct kit *k) {
    memset(p, 0, sizeof *p);
    p->kit = k;
    p->hub = k->hub;
    hello_secret_from_entropy(&p->secret, &k->entropy);
    buf_init(&p->hub_hello, HELLO_MAX_BYTES);
    buf_init(&p->agent_hello, HELLO_MAX_BYTES);
    buf_init(&p->answer, HELLO_MAX_BYTES);
    buf_init(&p->plain, FRAME_MAX_BYTES);
}

static inline void puppet_done(struct puppet *p) {
    buf_done(&p->hub_hello);
    buf_done(&p->agent_hello);
    buf_done(&p->answer);
    buf_done(&p->plain);
}

/* As the agent: answers a hub hello with a signed hello, which stays in p->agent_hello. */
static inline struct bytes puppet_hello(struct puppet *p, struct bytes hub_hello,
                                        const struct head *hub_head) {
    struct error e = {0};
    struct agent_hello fields = {.network = p->kit->hub.pub,
                                 .cert_bytes = buf_bytes(&p->kit->cert_bytes),
                                 .has_hub_head = hub_head != NULL};
    if (hub_head != NULL)
        fields.hub_head = *hub_head;
    buf_append(&p->hub_hello, hub_hello.data, hub_hello.len);
    cr_assert_eq(agent_hello_build(&fields, &p->secret, &p->kit->hub.pub, hub_hello, &p->kit->agent,
                                   &p->agent_hello, &e),
                 ERR_OK, "%s", e.detail);
    return buf_bytes(&p->agent_hello);
}

/* As the agent: verifies the answer; opens the channel when it is a welcome. */
static inline bool puppet_welcomed(struct puppet *p, struct bytes answer,
                                   struct welcome *ret_welcome, struct refused *ret_refused) {
    struct error e = {0};
    struct hub_hello hello;
    bool welcomed = false;
    struct bytes hub_hello = buf_bytes(&p->hub_hello), agent_hello = buf_bytes(&p->agent_hello);
    cr_assert_eq(answer_verify(answer, &p->kit->hub.pub, hub_hello, agent_hello, &welcomed,
                               ret_welcome, ret_refused, &e),
                 ERR_OK, "%s", e.detail);
    if (!welcomed)
        return false;
    cr_assert_eq(hub_hello_parse(hub_hello, &p->kit->hub.pub, &hello, &e), ERR_OK);
    cr_assert_eq(
        channel_init(&p->channel, true, &p->secret, &hello.kx, hub_hello, agent_hello, answer, &e),
        ERR_OK);
    return true;
}

/* As the hub: the first message. */
static inline struct bytes puppet_hub_hello(struct puppet *p) {
    struct error e = {0};
    cr_assert_eq(hub_hello_build(&p->kit->hub.pub, &p->secret, &p->hub_hello, &e), ERR_OK);
    return buf_bytes(&p->hub_hello);
}

/* As the hub: the welcome to an agent's hello, signed with p->hub; opens the channel. */
static inline struct bytes puppet_welcome(struct puppet *p, struct bytes agent_hello,
                                          const struct welcome *welcome) {
    struct error e = {0};
    struct agent_hello fields;
    struct bytes hub_hello = buf_bytes(&p->hub_hello);
    buf_append(&p->agent_hello, agent_hello.data, agent_hello.len);
    cr_assert_eq(agent_hello_verify(agent_hello, &p->kit->hub.pub, hub_hello, &fields, &e), ERR_OK,
                 "%s", e.detail);
    cr_assert_eq(welcome_build(welcome, hub_hello, agent_hello, &p->hub, &p->answer, &e), ERR_OK);
    cr_assert_eq(channel_init(&p->channel, false, &p->secret, &fields.kx, hub_hello, agent_hello,
                              buf_bytes(&p->answer), &e),
                 ERR_OK);
    return buf_bytes(&p->answer);
}

/* Seals any bytes as the next message. The caller frees the blob. */
static inline struct blob *puppet_seal(struct puppet *p, struct bytes plain) {
    struct error e = {0};
    struct buf sealed;
    buf_init(&sealed, FRAME_MAX_BYTES + CHANNEL_OVERHEAD);
    cr_assert_eq(channel_seal(&p->channel, plain, &sealed, &e), ERR_OK, "%s", e.detail);
    struct blob *blob = blob_new(buf_bytes(&sealed));
    cr_assert_not_null(blob);
    buf_done(&sealed);
    return blob;
}

static inline struct blob *puppet_frame(struct puppet *p, const struct frame *frame,
                                        size_t *ret_len) {
    struct error e = {0};
    struct buf plain;
    buf_init(&plain, FRAME_MAX_BYTES);
    cr_assert_eq(frame_encode(frame, &plain, &e), ERR_OK, "%s", e.detail);
    struct blob *blob = puppet_seal(p, buf_bytes(&plain));
    if (ret_len != NULL)
        *ret_len = plain.len;
    buf_done(&plain);
    return blob;
}

/* Opens a message; what the frame borrows stands until the next call. */
static inline struct frame puppet_open(struct puppet *p, struct bytes sealed) {
    struct error e = {0};
    struct frame frame;
    buf_done(&p->plain);
    buf_init(&p->plain, FRAME_MAX_BYTES);
    cr_assert_eq(channel_open(&p->channel, sealed, &p->plain, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(frame_decode(buf_bytes(&p->plain), &frame, &e), ERR_OK, "%s", e.detail);
    return frame;
}

#endif
