/* Fuzzes what travels in views beside states and history: grants, the padding of sealed views,
 * withdrawals, key renewals. Sealed with keys we hold, so that what lies behind the seal is reached
 * (docs/protocol.md, "Audience keys"). */
#include <sodium.h>
#include <string.h>

#include "audience.h"
#include "fuzz.h"
#include "renewal.h"
#include "unit/core/seal_craft.h"
#include "withdrawal.h"

struct stage {
    struct audience_ctx ctx;
    struct audience_key key;
    struct hash key_id;
    struct box_pair recipient;
    struct header header;
};

static void stage_init(struct stage *s) {
    uint8_t seed[SEED_LEN] = {9};
    memset(s, 0, sizeof *s);
    s->ctx.network.b[0] = s->header.network.b[0] = 1;
    s->ctx.member.b[0] = s->header.member.b[0] = 2;
    s->ctx.agent.b[0] = s->header.agent.b[0] = 3;
    s->ctx.audience[0] = 4;
    s->key.b[0] = 5;
    s->key_id = audience_key_id(&s->ctx, &s->key);
    box_pair_from_seed(&s->recipient, seed);
}

/* ---- grants ---- */

static void try_grant(const struct stage *s, struct bytes sealed) {
    struct error e = {0};
    struct audience_ctx ctx;
    struct audience_key key;
    fuzz_fill(&ctx, sizeof ctx);
    fuzz_fill(&key, sizeof key);
    if (fuzz_accepted(grant_open(&s->header, &s->key_id, sealed, &s->recipient, &ctx, &key, &e),
                      &e)) {
        struct hash id = audience_key_id(&ctx, &key);
        FUZZ_CHECK(hash_equal(&id, &s->key_id));
    } else {
        FUZZ_CHECK(fuzz_untouched(&ctx, sizeof ctx) && fuzz_untouched(&key, sizeof key));
    }
}

/* Any bytes in a box for us, as anybody can make one. */
static void try_boxed_grant(const struct stage *s, struct bytes plain) {
    uint8_t sealed[crypto_box_SEALBYTES + 512], seed[SEED_LEN] = {8};
    uint8_t nonce[crypto_box_NONCEBYTES];
    struct box_pair once;
    struct bytes cut = {plain.data, plain.len < 512 ? plain.len : 512};
    box_pair_from_seed(&once, seed);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof nonce);
    crypto_generichash_update(&state, once.pub.b, KEY_LEN);
    crypto_generichash_update(&state, s->recipient.pub.b, KEY_LEN);
    crypto_generichash_final(&state, nonce, sizeof nonce);
    memcpy(sealed, once.pub.b, KEY_LEN);
    FUZZ_CHECK(crypto_box_easy(sealed + KEY_LEN, cut.data, cut.len, nonce, s->recipient.pub.b,
                               once.secret) == 0);
    try_grant(s, bytes_of(sealed, crypto_box_SEALBYTES + cut.len));
}

/* ---- sealed views ---- */

static enum err open_view(const struct stage *s, struct bytes sealed, struct buf *plain) {
    struct error e = {0};
    buf_init(plain, VIEW_MAX_BYTES);
    enum err rc = view_open(&s->ctx, &s->key, 2, 3, VIEW_STATE, sealed, plain, &e);
    if (!fuzz_accepted(rc, &e))
        FUZZ_CHECK(plain->len == 0);
    return rc;
}

static void try_view(const struct stage *s, struct bytes content) {
    static const uint8_t nonce[VIEW_NONCE_LEN] = {6};
    struct error e = {0};
    struct buf sealed, plain;
    buf_init(&sealed, VIEW_MAX_BYTES);
    FUZZ_CHECK(open_view(s, content, &plain) != ERR_OK); /* nobody knew the key */
    buf_done(&plain);
    if (fuzz_accepted(view_seal(&s->ctx, &s->key, 2, 3, VIEW_STATE, content, nonce, &sealed, &e),
                      &e)) {
        FUZZ_CHECK(((sealed.len - VIEW_OVERHEAD) & (sealed.len - VIEW_OVERHEAD - 1)) == 0);
        FUZZ_CHECK(open_view(s, buf_bytes(&sealed), &plain) == ERR_OK);
        FUZZ_CHECK(bytes_equal(buf_bytes(&plain), content));
        buf_done(&plain);
        sealed.data[content.len % sealed.len] ^= 1;
        FUZZ_CHECK(open_view(s, buf_bytes(&sealed), &plain) != ERR_OK);
        buf_done(&plain);
    }
    buf_done(&sealed);
}

/* Sealed by somebody who pads as he likes: opened exactly when it ends in 0x80 and zeros, to the
 * smallest step that held the mark. */
static void try_padding(const struct stage *s, struct bytes content) {
    static const uint8_t nonce[VIEW_NONCE_LEN] = {6};
    static uint8_t padded[VIEW_MAX_BYTES];
    size_t step = 256, len = content.len < sizeof padded / 2 ? content.len : sizeof padded / 2;
    while (step < len)
        step *= 2;
    memset(padded, 0, step);
    memcpy(padded, content.data, len);
    while (len > 0 && padded[len - 1] == 0)
        len--;
    bool good = len > 0 && padded[len - 1] == 0x80 && (step == 256 || len > step / 2);
    struct buf plain,
        sealed = seal_padded(&s->ctx, &s->key, 2, 3, VIEW_STATE, nonce, bytes_of(padded, step));
    FUZZ_CHECK((open_view(s, buf_bytes(&sealed), &plain) == ERR_OK) == good);
    FUZZ_CHECK(!good || bytes_equal(buf_bytes(&plain), bytes_of(padded, len - 1)));
    buf_done(&plain);
    buf_done(&sealed);
}

/* ---- small plaintexts ---- */

static void try_withdrawal(struct bytes in) {
    struct error e = {0};
    uint64_t counter, again;
    fuzz_fill(&counter, sizeof counter);
    if (!fuzz_accepted(withdrawal_decode(in, &counter, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&counter, sizeof counter));
        return;
    }
    struct buf out;
    buf_init(&out, 64);
    FUZZ_CHECK(withdrawal_encode(counter, &out, &e) == ERR_OK);
    FUZZ_CHECK(withdrawal_decode(buf_bytes(&out), &again, &e) == ERR_OK && again == counter);
    buf_done(&out);
}

static void try_renewal(struct bytes in) {
    struct error e = {0};
    struct public_key box;
    fuzz_fill(&box, sizeof box);
    if (fuzz_accepted(renewal_decode(in, &box, &e), &e))
        FUZZ_CHECK(in.len <= RENEWAL_MAX_BYTES && box_key_check(&box, &e) == ERR_OK);
    else
        FUZZ_CHECK(fuzz_untouched(&box, sizeof box));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in) % 6;
    struct bytes content = fuzz_rest(&in);
    struct stage s;
    stage_init(&s);
    switch (how) {
    case 0:
        try_grant(&s, content);
        break;
    case 1:
        try_boxed_grant(&s, content);
        break;
    case 2:
        try_view(&s, content);
        break;
    case 3:
        try_withdrawal(content);
        break;
    case 5:
        try_padding(&s, content);
        break;
    default:
        try_renewal(content);
    }
    return 0;
}
