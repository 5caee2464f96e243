/* Owns what the tests of entries, feeds and audiences share: keys from fixed seeds, a header,
 * views. Must not assert: it only makes things. */
#ifndef PLEK_TEST_ENTRY_FIXTURE_H
#define PLEK_TEST_ENTRY_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "entry.h"

static inline struct sign_pair fixture_sign_pair(uint8_t seed_byte) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    memset(seed, seed_byte, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

static inline struct box_pair fixture_box_pair(uint8_t seed_byte) {
    uint8_t seed[SEED_LEN];
    struct box_pair pair;
    memset(seed, seed_byte, sizeof seed);
    box_pair_from_seed(&pair, seed);
    return pair;
}

static inline struct hash fixture_hash(uint8_t byte) {
    struct hash h;
    memset(h.b, byte, sizeof h.b);
    return h;
}

static inline struct target fixture_target(size_t len, uint8_t byte) {
    struct target t = {.len = len};
    memset(t.b, byte, len);
    return t;
}

/* An update at 3.17, with the optional fields when asked for. */
static inline struct header fixture_header(bool full) {
    static const char checkpoint[] = "example.invalid/plek\n12\nAAAA\n";
    struct header h = {
        .network = fixture_sign_pair(1).pub,
        .member = fixture_sign_pair(2).pub,
        .agent = fixture_sign_pair(3).pub,
        .incarnation = 3,
        .seq = 17,
        .prev = fixture_hash(0x44),
        .claimed_ms = 1763733600123,
        .kind = ENTRY_UPDATE,
    };
    if (!full)
        return h;
    h.has_hub_head = true;
    h.hub_head = (struct head){1, 300, fixture_hash(0x55)};
    h.checkpoint = bytes_str(checkpoint);
    return h;
}

static inline struct view fixture_view(uint32_t kind, size_t target_len, uint8_t byte,
                                       struct bytes data) {
    return (struct view){
        .target = fixture_target(target_len, byte),
        .kind = kind,
        .key_id = fixture_hash((uint8_t)(byte ^ 0x80)),
        .data = data,
    };
}

/* Three views: a state, a grant, a view of a kind nobody knows. Data is borrowed from constants. */
#define FIXTURE_VIEWS 3
static inline void fixture_views(struct view ret[static FIXTURE_VIEWS]) {
    ret[0] = fixture_view(VIEW_STATE, 16, 0x11, bytes_str("the figures of one audience"));
    ret[1] = fixture_view(VIEW_GRANT, 32, 0x12, bytes_str("a grant"));
    ret[2] = fixture_view(4000000000u, 16, 0x13, bytes_str("?"));
}

#endif
