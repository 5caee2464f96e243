/* Tests the packed lines that find judges: what was packed comes out, and nothing that is cut or
 * overwritten is walked beyond its end. */
#include "judged.h"

#include <stdlib.h>

#include "unit/agent/agent_kit.h"

static const struct judged_place places[] = {{"Huis Noord", "NL-NH", "bed"}, {"", "", "care"}};

static const struct {
    struct judged_lines line;
    struct disclosed figure;
} lines[] = {
    {{.place = {"Huis Noord", "NL-NH", "bed"},
      .moved = true,
      .id = INT64_MAX,
      .ward = "West",
      .attributes = "security=high,age=adult"},
     {.status = STATUS_ADMITTING,
      .light = LIGHT_GREEN,
      .observed_ms = KIT_NOW,
      .valid_until_ms = KIT_NOW + KIT_DAY,
      .available = {true, -3}}},
    {{.id = 2, .ward = "", .attributes = ""}, {.has_band = true, .low = 6}},
    {{.place = {"", "", "care"}, .moved = true, .id = 3, .ward = "\xc3\xa9", .attributes = ""},
     {.status = STATUS_STOPPED, .observed_ms = INT64_MIN, .valid_until_ms = -1}},
};
#define COUNT (sizeof lines / sizeof lines[0])

static void packed(struct buf *out) {
    buf_init(out, JUDGED_MAX_BYTES);
    for (size_t i = 0; i < COUNT; i++)
        judged_pack(out, &lines[i].line, &lines[i].figure);
    cr_assert_eq(buf_failed(out, NULL), ERR_OK);
}

Test(judged, lines_come_out_as_they_were_packed) {
    struct buf buf;
    packed(&buf);
    struct judged_lines at = {.left = buf_bytes(&buf)};
    struct disclosed figure = {.has_band = true, .available = {true, 9}};
    for (size_t i = 0; i < COUNT; i++) {
        const struct judged_place *place = &places[i / 2];
        const struct disclosed *expected = &lines[i].figure;
        cr_assert(judged_next(&at, &figure));
        cr_expect_eq(at.moved, lines[i].line.moved);
        cr_expect_str_eq(at.place.site, place->site);
        cr_expect_str_eq(at.place.region, place->region);
        cr_expect_str_eq(at.place.service, place->service);
        cr_expect_eq(at.id, lines[i].line.id);
        cr_expect_str_eq(at.ward, lines[i].line.ward);
        cr_expect_str_eq(at.attributes, lines[i].line.attributes);
        cr_expect_eq(figure.status, expected->status);
        cr_expect_eq(figure.light, expected->light);
        cr_expect_eq(figure.observed_ms, expected->observed_ms);
        cr_expect_eq(figure.valid_until_ms, expected->valid_until_ms);
        cr_expect_eq(figure.available.known, expected->available.known);
        cr_expect_eq(figure.has_band, expected->has_band);
        cr_expect(!expected->available.known || figure.available.value == -3);
        cr_expect(!expected->has_band || figure.low == 6);
    }
    cr_assert_not(judged_next(&at, &figure));
    cr_assert_eq(at.left.len, 0u);
    buf_done(&buf);
}

/* How many lines are walked, and whether all of it was. */
static size_t walk(struct bytes in, bool *ret_whole) {
    struct judged_lines at = {.left = in};
    struct disclosed figure;
    size_t count = 0;
    for (; judged_next(&at, &figure); count++)
        cr_assert_leq(strlen(at.place.site) + strlen(at.ward) + strlen(at.attributes), in.len);
    *ret_whole = at.left.len == 0;
    return count;
}

Test(judged, cut_at_any_byte_it_is_damaged_or_ends_there) {
    struct buf buf;
    size_t ends = 0;
    packed(&buf);
    for (size_t len = 0; len <= buf.len; len++) {
        bool whole = false;
        uint8_t *exact = malloc(len + (len == 0)); /* a sanitizer sees what is read beyond it */
        cr_assert_not_null(exact);
        memcpy(exact, buf.data, len);
        size_t count = walk(bytes_of(exact, len), &whole);
        cr_assert(!whole || count == ends, "%zu bytes: %zu lines", len, count);
        ends += whole;
        free(exact);
    }
    cr_assert_eq(ends, COUNT + 1);
    buf_done(&buf);
}

Test(judged, with_any_byte_another_it_is_walked_within_its_bounds) {
    struct buf buf;
    bool whole = false;
    packed(&buf);
    for (size_t at = 0; at < buf.len; at++)
        for (int flip = 1; flip < 256; flip <<= 1) {
            buf.data[at] ^= (uint8_t)flip;
            cr_assert_leq(walk(buf_bytes(&buf), &whole), COUNT + 1);
            buf.data[at] ^= (uint8_t)flip;
        }
    buf_done(&buf);
}

Test(judged, a_line_without_a_place_is_damaged) {
    struct buf buf;
    bool whole = true;
    buf_init(&buf, JUDGED_MAX_BYTES);
    judged_pack(&buf, &lines[1].line, &lines[1].figure);
    cr_assert_eq(walk(buf_bytes(&buf), &whole), 0u);
    cr_assert_not(whole);
    buf_done(&buf);
}
