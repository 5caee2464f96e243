/* Implements the plain view of a key renewal (see renewal.h). */
#include "renewal.h"

#include "codec.h"
#include "plek.pb-c.h"

enum err renewal_encode(const struct public_key *box, int64_t since_ms, struct buf *out,
                        struct error *e) {
    Plek__BoxRenewal message = PLEK__BOX_RENEWAL__INIT;
    message.box = codec_binary(bytes_of(box->b, KEY_LEN));
    message.since_ms = since_ms;
    codec_encode(&message, out);
    return buf_failed(out, e);
}

enum err renewal_decode(struct bytes view, struct public_key *ret_box, struct error *e) {
    ProtobufCMessage *decoded = NULL;
    struct public_key box;
    enum err code = codec_decode(&plek__box_renewal__descriptor, view, RENEWAL_MAX_BYTES,
                                 "key renewal", &decoded, e);
    if (code != ERR_OK)
        return code;
    code = key_from_bytes(&box, codec_bytes(((const Plek__BoxRenewal *)(const void *)decoded)->box),
                          e);
    codec_free(decoded);
    if (code == ERR_OK)
        code = box_key_check(&box, e);
    if (code == ERR_OK)
        *ret_box = box;
    return code;
}
