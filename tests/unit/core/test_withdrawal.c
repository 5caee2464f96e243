/* Tests the plaintext of a withdrawal: what was written is read, unknown fields are passed over,
 * the rest is refused. */
#include "withdrawal.h"

#include <criterion/criterion.h>

static enum err decode(const uint8_t *bytes, size_t len, uint64_t *ret) {
    struct error e = {0};
    enum err code = withdrawal_decode(bytes_of(bytes, len), ret, &e);
    cr_expect_eq(code, e.code);
    return code;
}

Test(withdrawal, what_was_written_is_read) {
    static const uint64_t counters[] = {1, 2, 127, 128, INT64_MAX};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        struct error e = {0};
        struct buf out;
        uint64_t found = 0;
        buf_init(&out, 64);
        cr_assert_eq(withdrawal_encode(counters[i], &out, &e), ERR_OK, "%s", e.detail);
        cr_assert_eq(withdrawal_decode(buf_bytes(&out), &found, &e), ERR_OK, "%s", e.detail);
        cr_expect_eq(found, counters[i]);
        buf_done(&out);
    }
}

Test(withdrawal, the_counter_stands_first_and_is_required) {
    uint64_t found = 77;
    cr_expect_eq(decode((const uint8_t[]){0x08, 0x05}, 2, &found), ERR_OK);
    cr_expect_eq(found, 5u);
    cr_expect_eq(decode((const uint8_t[]){0x08, 0x06, 0x10, 0x01}, 4, &found), ERR_OK,
                 "unknown field");
    cr_expect_eq(found, 6u);
    found = 77;
    cr_expect_eq(decode((const uint8_t[]){0}, 0, &found), ERR_MALFORMED, "no counter");
    cr_expect_eq(decode((const uint8_t[]){0x08, 0x00}, 2, &found), ERR_MALFORMED, "counter 0");
    cr_expect_eq(decode((const uint8_t[]){0x08}, 1, &found), ERR_MALFORMED, "cut off");
    static const uint8_t huge[] = {0x08, 0x80, 0x80, 0x80, 0x80, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x01}; /* 2^63 */
    cr_expect_eq(decode(huge, sizeof huge, &found), ERR_MALFORMED, "beyond 2^63-1");
    cr_expect_eq(found, 77u, "touched after a failure");
}
