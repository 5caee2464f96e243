/* Owns one handshake per test and the three checks of its messages, each of which also sees to it
 * that outputs stay untouched on failure. For test_hello.c and test_handshake.c. */
#ifndef PLEK_TEST_HELLO_CHECKS_H
#define PLEK_TEST_HELLO_CHECKS_H

#include "handshake.h"

static struct handshake hs;

static inline void setup(void) {
    handshake_init(&hs);
}
static inline void teardown(void) {
    handshake_done(&hs);
}
static inline enum err parse_hub(struct bytes in) {
    struct hub_hello hello;
    struct error e = {0};
    party_fill(&hello, sizeof hello);
    enum err rc = hub_hello_parse(in, &hs.party.hub.pub, &hello, &e);
    if (rc != ERR_OK)
        cr_expect(e.code == rc && party_untouched(&hello, sizeof hello));
    return rc;
}

static inline enum err verify_agent(struct bytes in, struct bytes hub_hello) {
    struct agent_hello hello;
    struct error e = {0};
    party_fill(&hello, sizeof hello);
    enum err rc = agent_hello_verify(in, &hs.party.hub.pub, hub_hello, &hello, &e);
    if (rc != ERR_OK)
        cr_expect(e.code == rc && party_untouched(&hello, sizeof hello));
    return rc;
}

static inline enum err verify_answer(struct bytes in, struct bytes hub_hello,
                                     struct bytes agent_hello) {
    struct welcome welcome;
    struct refused refused;
    struct error e = {0};
    uint8_t welcomed; /* a pattern is no bool */
    party_fill(&welcome, sizeof welcome);
    party_fill(&refused, sizeof refused);
    party_fill(&welcomed, sizeof welcomed);
    enum err rc = answer_verify(in, &hs.party.hub.pub, hub_hello, agent_hello, (bool *)&welcomed,
                                &welcome, &refused, &e);
    if (rc != ERR_OK)
        cr_expect(e.code == rc && party_untouched(&welcome, sizeof welcome) &&
                  party_untouched(&refused, sizeof refused) && party_untouched(&welcomed, 1));
    else
        cr_expect(party_untouched(welcomed ? (void *)&refused : (void *)&welcome,
                                  welcomed ? sizeof refused : sizeof welcome));
    return rc;
}

static inline struct bytes hub_hello(void) {
    return buf_bytes(&hs.hub_hello);
}
static inline struct bytes agent_hello(void) {
    return buf_bytes(&hs.agent_hello);
}
static inline struct bytes answer(void) {
    return buf_bytes(&hs.answer);
}

static inline struct refused good_refusal(void) {
    struct refused r = {.code = ERR_INVITE_USED,
                        .hub_time_ms = 1800000000123,
                        .detail = "used",
                        .retry_after_ms = 1500,
                        .used_ms = 1799999999000,
                        .used_by = hs.party.member.pub};
    return r;
}

static inline void build_refusal(const struct refused *r, struct buf *out) {
    struct error e = {0};
    buf_init(out, HELLO_MAX_BYTES);
    cr_assert_eq(refused_build(r, hub_hello(), agent_hello(), &hs.party.hub, out, &e), ERR_OK, "%s",
                 e.detail);
}

#endif
