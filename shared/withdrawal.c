/* Implements the plaintext of a withdraw view (see withdrawal.h). */
#include "withdrawal.h"

#include "codec.h"
#include "entry.h"
#include "plek.pb-c.h"

enum err withdrawal_encode(uint64_t counter, struct buf *out, struct error *e) {
    Plek__Withdraw message = PLEK__WITHDRAW__INIT;
    message.counter = counter;
    codec_encode(&message, out);
    return buf_failed(out, e);
}

enum err withdrawal_decode(struct bytes plain, uint64_t *ret_counter, struct error *e) {
    ProtobufCMessage *decoded = NULL;
    enum err code = codec_decode_view(&plek__withdraw__descriptor, plain, VIEW_MAX_BYTES,
                                      "withdrawal", &decoded, e);
    if (code != ERR_OK)
        return code;
    uint64_t counter = ((const Plek__Withdraw *)(const void *)decoded)->counter;
    codec_free(decoded);
    if (counter == 0 || counter > INT64_MAX)
        return error_set(e, ERR_MALFORMED, "withdrawal: found counter %llu, expected 1 to 2^63-1",
                         (unsigned long long)counter);
    *ret_counter = counter;
    return ERR_OK;
}
