/* Tests the plain view of a key renewal: what was written is read, anything else is refused. */
#include "renewal.h"

#include <criterion/criterion.h>
#include <string.h>

static struct box_pair pair(void) {
    const uint8_t seed[SEED_LEN] = {4};
    struct box_pair made;
    box_pair_from_seed(&made, seed);
    return made;
}

static enum err decode(struct bytes view, struct public_key *ret) {
    struct error e = {0};
    enum err code = renewal_decode(view, ret, &e);
    cr_expect_eq(code, e.code);
    return code;
}

static void encode(const struct public_key *box, int64_t since_ms, struct buf *out) {
    struct error e = {0};
    buf_init(out, RENEWAL_MAX_BYTES);
    cr_assert_eq(renewal_encode(box, since_ms, out, &e), ERR_OK, "%s", e.detail);
}

Test(renewal, what_was_written_is_read) {
    static const int64_t times[] = {INT64_MIN, -1, 0, 1789300800000, INT64_MAX};
    struct public_key box = pair().pub, found;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct buf out;
        encode(&box, times[i], &out);
        cr_assert_eq(decode(buf_bytes(&out), &found), ERR_OK);
        cr_expect(key_equal(&found, &box));
        buf_done(&out);
    }
}

Test(renewal, keys_of_low_order_are_refused) {
    const struct public_key zero = {{0}}, one = {{1}};
    struct public_key found = {{9}};
    const struct public_key *low[] = {&zero, &one};
    for (size_t i = 0; i < 2; i++) {
        struct buf out;
        encode(low[i], 1, &out);
        cr_expect_eq(decode(buf_bytes(&out), &found), ERR_LOW_ORDER);
        buf_done(&out);
    }
    cr_expect_eq(found.b[0], 9, "untouched");
}

Test(renewal, anything_else_is_refused) {
    struct public_key box = pair().pub, found;
    struct buf out;
    encode(&box, 5, &out);
    for (size_t len = 0; len < out.len; len++)
        cr_expect_eq(decode(bytes_of(out.data, len), &found), ERR_MALFORMED, "cut at %zu", len);
    uint8_t more[RENEWAL_MAX_BYTES + 1] = {0};
    memcpy(more, out.data, out.len);
    more[out.len] = 0x18; /* a field that this version does not know */
    more[out.len + 1] = 1;
    cr_expect_eq(decode(bytes_of(more, out.len + 2), &found), ERR_MALFORMED);
    cr_expect_eq(decode(bytes_of(more, sizeof more), &found), ERR_CAP);
    for (size_t bit = 0; bit < 8 * 2; bit++) { /* the key's tag and length */
        more[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_expect_neq(decode(bytes_of(more, out.len), &found), ERR_OK, "bit %zu", bit);
        more[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_done(&out);
}
