/* Fuzzes frames: what is read gives the same bytes when it is written (docs/protocol.md, "Frames"),
 * and a Leave becomes an Answer and comes back. */
#include <string.h>

#include "frame.h"
#include "fuzz.h"

static void check_leave(const struct frame *leave) {
    struct error e = {0};
    struct buf answer;
    struct frame again;
    buf_init(&answer, HELLO_MAX_BYTES);
    if (frame_leave_to_answer(leave, &answer, &e) == ERR_OK) {
        FUZZ_CHECK(frame_leave_from_answer(buf_bytes(&answer), &again, &e) == ERR_OK);
        FUZZ_CHECK(bytes_equal(again.leave.refused, leave->leave.refused));
        FUZZ_CHECK(memcmp(again.leave.signature.b, leave->leave.signature.b, SIGNATURE_LEN) == 0);
    }
    buf_done(&answer);
}

/* A code that this version does not know reads as `protocol`: its number is not kept. */
static bool keeps_bytes(const struct frame *frame) {
    return frame->kind != FRAME_REJECT || frame->reject.code != ERR_PROTOCOL;
}

static void check_frame(const struct frame *frame, struct bytes in) {
    struct error e = {0};
    struct buf out;
    struct frame again;
    buf_init(&out, FRAME_MAX_BYTES);
    FUZZ_CHECK(frame->kind >= FRAME_PUSH && frame->kind <= FRAME_LEAVE);
    FUZZ_CHECK(strcmp(frame_name(frame->kind), "unknown") != 0);
    FUZZ_CHECK(frame_encode(frame, &out, &e) == ERR_OK);
    FUZZ_CHECK(bytes_equal(buf_bytes(&out), in) || !keeps_bytes(frame));
    FUZZ_CHECK(frame_decode(buf_bytes(&out), &again, &e) == ERR_OK);
    FUZZ_CHECK(again.kind == frame->kind);
    if (frame->kind == FRAME_REJECT)
        FUZZ_CHECK(frame->reject.code != ERR_OK && frame->reject.code < ERR_COUNT &&
                   utf8_valid(bytes_str(frame->reject.detail)));
    if (frame->kind == FRAME_DELIVER)
        FUZZ_CHECK(frame->deliver.class_ < FRAME_CLASSES);
    if (frame->kind == FRAME_REACHED)
        FUZZ_CHECK(frame->reached.class_ < FRAME_CLASSES);
    if (frame->kind == FRAME_LEAVE)
        check_leave(frame);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_of(data, size);
    struct error e = {0};
    struct frame frame;
    fuzz_init();
    fuzz_fill(&frame, sizeof frame);
    if (fuzz_accepted(frame_decode(in, &frame, &e), &e))
        check_frame(&frame, in);
    else
        FUZZ_CHECK(fuzz_untouched(&frame, sizeof frame));
    e = (struct error){0};
    fuzz_fill(&frame, sizeof frame);
    if (!fuzz_accepted(frame_leave_from_answer(in, &frame, &e), &e))
        FUZZ_CHECK(fuzz_untouched(&frame, sizeof frame));
    return 0;
}
