/* Tests byte views, the capped buffer, hex and the check of UTF-8. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

Test(bytes, equality) {
    cr_assert(bytes_equal(bytes_str("abc"), bytes_of("abcd", 3)));
    cr_assert_not(bytes_equal(bytes_str("abc"), bytes_str("abd")));
    cr_assert_not(bytes_equal(bytes_str("abc"), bytes_str("ab")));
    cr_assert(bytes_equal(bytes_of(NULL, 0), bytes_str("")));
}

Test(buf, appends_in_order) {
    struct buf b = {.max = 100};
    buf_append_u8(&b, 0x01);
    buf_append_u32be(&b, 0x02030405);
    buf_append_u64be(&b, UINT64_C(0x060708090a0b0c0d));
    buf_append_str(&b, "é");
    buf_printf(&b, "%d-%s", 42, "x");
    buf_append(&b, NULL, 0);
    static const uint8_t expected[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\xC3\xA9"
                                      "42-x";
    cr_assert(bytes_equal(buf_bytes(&b), bytes_of(expected, sizeof(expected) - 1)));
    cr_assert_eq(buf_failed(&b, NULL), ERR_OK);
    buf_done(&b);
    cr_assert_eq(b.len, 0);
    cr_assert_null(b.data);
}

Test(buf, holds_exactly_its_max) {
    for (size_t max = 0; max <= 200; max++) {
        struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++) {
            buf_append_u8(&b, (uint8_t)('a' + i % 26));
        }
        cr_assert_eq(buf_failed(&b, NULL), ERR_OK, "max %zu", max);
        cr_assert_eq(b.len, max);
        cr_assert_eq(strlen(buf_text(&b)), max);
        buf_append_u8(&b, 'z');
        struct error e;
        cr_assert_eq(buf_failed(&b, &e), ERR_TOO_LARGE, "max %zu", max);
        cr_assert_eq(e.code, ERR_TOO_LARGE);
        buf_done(&b);
    }
}

Test(buf, a_failure_is_sticky) {
    struct buf b = {.max = 4};
    buf_append_str(&b, "abc");
    buf_append_str(&b, "de");
    buf_append_str(&b, "f"); /* would fit on its own */
    cr_assert_eq(buf_failed(&b, NULL), ERR_TOO_LARGE);
    cr_assert_eq(buf_bytes(&b).len, 0);
    cr_assert_str_empty(buf_text(&b));
    size_t len = 99;
    cr_assert_null(buf_take(&b, &len));
    cr_assert_eq(len, 0);
}

Test(buf, a_huge_length_does_not_wrap) {
    struct buf b = {.max = SIZE_MAX};
    buf_append_str(&b, "a");
    buf_append(&b, "x", SIZE_MAX);
    cr_assert_eq(buf_failed(&b, NULL), ERR_TOO_LARGE);
    buf_done(&b);
    buf_init(&b, SIZE_MAX);
    buf_append(&b, "x", SIZE_MAX);
    cr_assert_eq(buf_failed(&b, NULL), ERR_NO_MEMORY);
    buf_done(&b);
}

Test(buf, printf_fits_or_fails_as_a_whole) {
    struct buf b = {.max = 5};
    buf_printf(&b, "%s", "12345");
    cr_assert_str_eq(buf_text(&b), "12345");
    buf_done(&b);
    buf_init(&b, 5);
    buf_printf(&b, "%s", "123456");
    cr_assert_eq(buf_failed(&b, NULL), ERR_TOO_LARGE);
    buf_done(&b);
}

Test(buf, text_of_an_empty_one) {
    struct buf b = {.max = 5};
    cr_assert_str_empty(buf_text(&b));
    buf_printf(&b, "%s", "");
    cr_assert_str_empty(buf_text(&b));
    buf_done(&b);
    buf_done(NULL);
    buf_wipe_done(NULL);
    buf_wipe_done(&b);
}

Test(buf, take_hands_over_and_empties) {
    struct buf b = {.max = 1000};
    for (int i = 0; i < 500; i++) {
        buf_append_u8(&b, (uint8_t)i);
    }
    size_t len = 0;
    uint8_t *data = buf_take(&b, &len);
    cr_assert_eq(len, 500);
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(data[i], (uint8_t)i);
    }
    free(data);
    cr_assert_eq(b.len, 0);
    buf_append_str(&b, "again");
    cr_assert_str_eq(buf_text(&b), "again");
    buf_wipe_done(&b);
    cr_assert_eq(b.max, 1000);
}

Test(hex, golden) {
    char out[17];
    hex_encode(out, bytes_of("\x00\x01\x7f\x80\xab\xcd\xef\xff", 8));
    cr_assert_str_eq(out, "00017f80abcdefff");
    hex_encode(out, bytes_of(NULL, 0));
    cr_assert_str_empty(out);
}

Test(hex, every_byte_comes_back) {
    for (int i = 0; i < 256; i++) {
        uint8_t in = (uint8_t)i;
        uint8_t back = (uint8_t)~in;
        char out[3];
        hex_encode(out, bytes_of(&in, 1));
        cr_assert_eq(hex_decode(&back, 1, out, NULL), ERR_OK);
        cr_assert_eq(back, in);
    }
    uint8_t upper = 0;
    cr_assert_eq(hex_decode(&upper, 1, "AF", NULL), ERR_OK);
    cr_assert_eq(upper, 0xAF);
}

Test(hex, refuses_and_writes_nothing) {
    static const char *const bad[] = {"",           "0",    "00",   "000",  "00000", "000000",
                                      "000g",       "g000", "0 00", "-100", "0x00",  "00:0",
                                      "00\xC3\xA9", "@@@@", "````", "////", "::::"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t out[2] = {0x55, 0x66};
        struct error e = {0};
        cr_assert_eq(hex_decode(out, 2, bad[i], &e), ERR_DATA, "%s", bad[i]);
        cr_assert(e.detail[0]);
        cr_assert(out[0] == 0x55 && out[1] == 0x66, "%s", bad[i]);
    }
}

static bool valid(const char *s) {
    return utf8_valid(bytes_str(s));
}

Test(utf8, the_edges_of_each_length) {
    cr_assert(valid(""));
    cr_assert(utf8_valid(bytes_of(NULL, 0)));
    cr_assert(valid("\x01 plain \x7f"));
    cr_assert(valid("\xC2\x80 \xDF\xBF"));
    cr_assert(valid("\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF"));
    cr_assert(valid("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"));
}

Test(utf8, refuses_overlong_surrogates_and_beyond) {
    cr_assert_not(utf8_valid(bytes_of("a\0b", 3)), "NUL");
    cr_assert_not(valid("\x80"), "lone continuation");
    cr_assert_not(valid("\xC0\x80"), "overlong NUL");
    cr_assert_not(valid("\xC1\xBF"), "overlong two");
    cr_assert_not(valid("\xE0\x9F\xBF"), "overlong three");
    cr_assert_not(valid("\xF0\x8F\xBF\xBF"), "overlong four");
    cr_assert_not(valid("\xED\xA0\x80"), "first surrogate");
    cr_assert_not(valid("\xED\xBF\xBF"), "last surrogate");
    cr_assert_not(valid("\xF4\x90\x80\x80"), "U+110000");
    cr_assert_not(valid("\xF5\x80\x80\x80"), "F5");
    cr_assert_not(valid("\xFF"), "FF");
    cr_assert_not(valid("\xC3("), "no continuation");
    cr_assert_not(valid("\xF0\x9F\x98("), "no third continuation");
}

/* Valid exactly where a character ends. */
Test(utf8, truncation_at_every_byte) {
    static const char text[] = "aé€😀b";
    static const size_t ends[] = {0, 1, 3, 6, 10, 11};
    for (size_t len = 0; len < sizeof(text); len++) {
        bool at_end = false;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
            at_end = at_end || ends[i] == len;
        }
        cr_assert_eq(utf8_valid(bytes_of(text, len)), at_end, "%zu bytes", len);
    }
}
