/* Implements packed lines (see judged.h). Must not know the store.
 *
 *     line  = moved u8, [site, region, service: text], id, observed_ms, valid_until_ms, room: u64,
 *             status, light, known: u8, ward, attributes: text
 *     text  = length u16, its bytes, 0
 *
 * Numbers begin with their highest byte. */
#include "judged.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define FIXED_LEN (4 * 8 + 3)

enum known { NOTHING, AVAILABLE, LOWER_BOUND };

/* ---- packing ---- */

static void put_text(struct buf *out, const char *text) {
    size_t len = strlen(text);
    assert(len <= UINT16_MAX);
    buf_append_u8(out, (uint8_t)(len >> 8));
    buf_append_u8(out, (uint8_t)len);
    buf_append(out, text, len + 1);
}

void judged_pack(struct buf *out, const struct judged_lines *line, const struct disclosed *figure) {
    enum known known = figure->available.known ? AVAILABLE
                       : figure->has_band      ? LOWER_BOUND
                                               : NOTHING;
    int64_t room = known == AVAILABLE ? figure->available.value : figure->low;
    buf_append_u8(out, line->moved);
    if (line->moved) {
        put_text(out, line->place.site);
        put_text(out, line->place.region);
        put_text(out, line->place.service);
    }
    buf_append_u64be(out, (uint64_t)line->id);
    buf_append_u64be(out, (uint64_t)figure->observed_ms);
    buf_append_u64be(out, (uint64_t)figure->valid_until_ms);
    buf_append_u64be(out, known == NOTHING ? 0 : (uint64_t)room);
    buf_append_u8(out, (uint8_t)figure->status);
    buf_append_u8(out, (uint8_t)figure->light);
    buf_append_u8(out, (uint8_t)known);
    put_text(out, line->ward);
    put_text(out, line->attributes);
}

/* ---- walking ---- */

static void skip(struct bytes *in, size_t len) {
    in->data += len;
    in->len -= len;
}

static bool take_text(struct bytes *in, const char **ret) {
    if (in->len < 3)
        return false;
    size_t len = (size_t)in->data[0] << 8 | in->data[1];
    if (len > in->len - 3 || in->data[2 + len] != 0)
        return false;
    *ret = (const char *)in->data + 2;
    skip(in, len + 3);
    return true;
}

static int64_t take_number(struct bytes *in) {
    uint64_t number;
    memcpy(&number, in->data, sizeof number);
    skip(in, sizeof number);
    return (int64_t)be64toh(number);
}

static bool take_place(struct bytes *in, struct judged_place *ret) {
    return take_text(in, &ret->site) && take_text(in, &ret->region) && take_text(in, &ret->service);
}

static void take_figure(struct bytes *in, struct disclosed *ret) {
    ret->observed_ms = take_number(in);
    ret->valid_until_ms = take_number(in);
    ret->low = ret->available.value = take_number(in);
    ret->status = (enum status)in->data[0];
    ret->light = (enum light)in->data[1];
    ret->available.known = in->data[2] == AVAILABLE;
    ret->has_band = in->data[2] == LOWER_BOUND;
    skip(in, 3);
}

bool judged_next(struct judged_lines *lines, struct disclosed *ret_figure) {
    struct bytes in = lines->left;
    if (in.len == 0)
        return false;
    lines->moved = in.data[0] != 0;
    skip(&in, 1);
    if ((lines->moved && !take_place(&in, &lines->place)) || in.len < FIXED_LEN)
        return false;
    lines->id = take_number(&in);
    take_figure(&in, ret_figure);
    if (!lines->place.site || !take_text(&in, &lines->ward) || !take_text(&in, &lines->attributes))
        return false;
    lines->left = in;
    return true;
}
