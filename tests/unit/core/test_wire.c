/* Tests the field cursor: shortest varints only, exact types and lengths, sticky failure. */
#include <criterion/criterion.h>
#include <string.h>

#include "wire.h"

static struct wire over(const char *text, size_t len) {
    return wire_open(bytes_of(text, len));
}
#define OVER(literal) over(literal, sizeof(literal) - 1)

Test(wire, reads_what_it_wrote_at_every_varint_length) {
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t v = bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
        struct buf out;
        buf_init(&out, 64);
        wire_put_uint(&out, 7, v);
        cr_assert_eq(out.len, wire_size_uint(v), "%u bits", bits);
        struct wire w = wire_open(buf_bytes(&out));
        cr_assert(wire_has_uint(&w, 7));
        cr_assert_not(wire_has_bytes(&w, 7));
        cr_assert_eq(wire_uint(&w, 7, UINT64_MAX), v, "%u bits", bits);
        cr_assert(wire_done(&w));
        buf_done(&out);
    }
}

Test(wire, reads_bytes_in_place) {
    struct wire w = OVER("\x0a\x03"
                         "abc"
                         "\x12\x00");
    struct bytes first = wire_bytes(&w, 1);
    cr_assert(bytes_equal(first, bytes_str("abc")));
    cr_assert_eq(wire_bytes(&w, 2).len, 0);
    cr_assert(wire_done(&w));
}

Test(wire, size_of_bytes_is_what_is_written) {
    static const uint8_t zeros[20000];
    const size_t lens[] = {0, 1, 127, 128, 16383, 16384, 20000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct buf out;
        buf_init(&out, 1 << 16);
        wire_put_bytes(&out, 3, bytes_of(zeros, lens[i]));
        cr_assert_eq(out.len, wire_size_bytes(lens[i]));
        buf_done(&out);
    }
}

Test(wire, refuses_longer_varints_than_needed) {
    struct wire w = OVER("\x08\x80\x00");
    (void)wire_uint(&w, 1, UINT64_MAX);
    cr_assert(w.bad, "zero in two bytes");
    w = OVER("\x08\xff\x00");
    (void)wire_uint(&w, 1, UINT64_MAX);
    cr_assert(w.bad, "127 in two bytes");
    w = OVER("\x0a\x81\x00"
             "a");
    (void)wire_bytes(&w, 1);
    cr_assert(w.bad, "length 1 in two bytes");
}

Test(wire, refuses_varints_over_64_bits) {
    struct wire w = OVER("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    cr_assert_eq(wire_uint(&w, 1, UINT64_MAX), UINT64_MAX);
    cr_assert(wire_done(&w));
    w = OVER("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    (void)wire_uint(&w, 1, UINT64_MAX);
    cr_assert(w.bad, "bit 64");
    w = OVER("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01");
    (void)wire_uint(&w, 1, UINT64_MAX);
    cr_assert(w.bad, "eleven bytes");
}

Test(wire, refuses_values_over_the_bound) {
    struct wire w = OVER("\x08\x05");
    cr_assert_eq(wire_uint(&w, 1, 5), 5);
    w = OVER("\x08\x05");
    cr_assert_eq(wire_uint(&w, 1, 4), 0);
    cr_assert(w.bad);
}

Test(wire, refuses_wrong_field_type_and_length) {
    uint8_t two[2] = {7, 7};
    struct wire w = OVER("\x12\x01"
                         "a");
    (void)wire_bytes(&w, 1);
    cr_assert(w.bad, "field 2 for 1");
    w = OVER("\x08\x01");
    (void)wire_bytes(&w, 1);
    cr_assert(w.bad, "a varint for bytes");
    w = OVER("\x0a\x02"
             "a");
    (void)wire_bytes(&w, 1);
    cr_assert(w.bad, "shorter than it says");
    w = OVER("\x0a\x01"
             "a");
    wire_take(&w, 1, two, sizeof two);
    cr_assert(w.bad, "one byte for two");
    cr_assert(two[0] == 7 && two[1] == 7, "untouched");
}

Test(wire, failure_is_sticky) {
    struct wire w = OVER("\x08\x01\x10\x02");
    (void)wire_uint(&w, 2, 9);
    cr_assert(w.bad);
    cr_assert_eq(wire_uint(&w, 1, 9), 0, "even what stands there");
    cr_assert_not(wire_has_uint(&w, 1));
    cr_assert_not(wire_done(&w));
}

Test(wire, leftovers_are_not_done) {
    struct wire w = OVER("\x08\x01\x10\x02");
    cr_assert_eq(wire_uint(&w, 1, 9), 1);
    cr_assert_not(wire_done(&w));
    struct wire nothing = wire_open(bytes_of(NULL, 0));
    cr_assert(wire_done(&nothing));
    (void)wire_uint(&nothing, 1, 9);
    cr_assert(nothing.bad);
}
