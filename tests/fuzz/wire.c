/* Fuzzes the field cursor (shared/wire.h): the input's first half asks for fields, the second half
 * is the message. What was read, written again, is what was there. */
#include <string.h>

#include "fuzz.h"
#include "wire.h"

#define MAX_STEPS 64

/* One field as the script asks for it, copied to `out` when it was there. */
static void step(struct wire *w, struct fuzz_input *script, struct buf *out) {
    unsigned field = 1 + (unsigned)fuzz_below(script, WIRE_MAX_FIELD);
    unsigned how = fuzz_byte(script) % 4;
    uint8_t taken[32];
    uint64_t max = UINT64_MAX;
    struct bytes content = {NULL, 0};
    switch (how) {
    case 0:
        max = fuzz_number(script);
        /* fall through */
    case 1: {
        bool there = wire_has_uint(w, field);
        uint64_t v = wire_uint(w, field, max);
        FUZZ_CHECK(there || w->bad);
        FUZZ_CHECK(v <= max && (!w->bad || v == 0));
        if (!w->bad)
            wire_put_uint(out, field, v);
        break;
    }
    case 2:
        content = wire_bytes(w, field);
        FUZZ_CHECK(!w->bad || (content.data == NULL && content.len == 0));
        FUZZ_CHECK(content.len <= (size_t)(content.len > 0 ? w->at - content.data : 0));
        if (!w->bad)
            wire_put_bytes(out, field, content);
        break;
    default:
        fuzz_fill(taken, sizeof taken);
        wire_take(w, field, taken, sizeof taken);
        FUZZ_CHECK(!w->bad || fuzz_untouched(taken, sizeof taken));
        if (!w->bad)
            wire_put_bytes(out, field, bytes_of(taken, sizeof taken));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = fuzz_input(data, size);
    struct bytes script_bytes = fuzz_piece(&in), message = fuzz_rest(&in);
    struct fuzz_input script = fuzz_input(script_bytes.data, script_bytes.len);
    struct wire w = wire_open(message);
    struct buf out;
    buf_init(&out, message.len + 16);
    for (int i = 0; i < MAX_STEPS && script.left > 0 && !w.bad; i++) {
        step(&w, &script, &out);
        FUZZ_CHECK(w.at <= w.end);
    }
    FUZZ_CHECK(buf_failed(&out, NULL) == ERR_OK);
    if (!w.bad) {
        size_t read = message.len - (size_t)(w.end - w.at);
        FUZZ_CHECK(wire_done(&w) == (read == message.len));
        FUZZ_CHECK(bytes_equal(buf_bytes(&out), bytes_of(message.data, read)));
    } else {
        FUZZ_CHECK(!wire_done(&w));
        FUZZ_CHECK(!wire_has_bytes(&w, 1) && !wire_has_uint(&w, 1));
    }
    buf_done(&out);
    return 0;
}
