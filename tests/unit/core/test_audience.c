/* Tests audience keys: what a key id binds, grants and their refusals, sealed views, padding. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "audience.h"
#include "codec.h"
#include "entry_fixture.h"
#include "flip.h"
#include "plek.pb-c.h"
#include "seal_craft.h"

#define BIG (4 * VIEW_MAX_BYTES)

static void init(void) {
    cr_assert_eq(keys_init(NULL), ERR_OK);
}
TestSuite(audience, .init = init, .timeout = 60);

static struct audience_ctx fixture_ctx(void) {
    struct header h = fixture_header(false);
    struct audience_ctx ctx = {h.network, h.member, h.agent, {0}};
    memset(ctx.audience, 0x31, sizeof ctx.audience);
    return ctx;
}

static struct audience_key fixture_key(uint8_t byte) {
    struct audience_key key;
    memset(key.b, byte, sizeof key.b);
    return key;
}

/* ---- key ids ---- */

Test(audience, key_id_is_the_hash_that_is_written_down) {
    struct audience_ctx ctx = fixture_ctx();
    struct audience_key key = fixture_key(0x61);
    struct buf bytes;
    buf_init(&bytes, 1024);
    buf_append_str(&bytes, "plek/1/key-id");
    buf_append(&bytes, ctx.network.b, 32);
    buf_append(&bytes, ctx.member.b, 32);
    buf_append(&bytes, ctx.agent.b, 32);
    buf_append(&bytes, ctx.audience, 16);
    buf_append(&bytes, key.b, 32);
    struct hash expected = hash_blake2b(buf_bytes(&bytes)), id = audience_key_id(&ctx, &key);
    cr_assert(hash_equal(&id, &expected));
    buf_done(&bytes);
}

Test(audience, key_id_binds_every_bit_of_author_audience_and_key) {
    struct {
        struct audience_ctx ctx;
        struct audience_key key;
    } given = {fixture_ctx(), fixture_key(0x61)}, other;
    struct hash id = audience_key_id(&given.ctx, &given.key);
    for (size_t bit = 0; bit < sizeof given * 8; bit++) {
        memcpy(&other, &given, sizeof given);
        ((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct hash changed = audience_key_id(&other.ctx, &other.key);
        cr_assert_not(hash_equal(&changed, &id), "bit %zu", bit);
    }
}

Test(audience, wiped_keys_are_zero) {
    struct audience_key key = fixture_key(0x61), zero = fixture_key(0);
    audience_key_wipe(&key);
    cr_assert_eq(memcmp(&key, &zero, sizeof key), 0);
}

/* ---- grants ---- */

struct granted {
    struct audience_ctx ctx;
    struct audience_key key;
    struct hash key_id;
    struct box_pair recipient;
    struct buf sealed;
};

static struct granted granted(void) {
    struct granted g = {.ctx = fixture_ctx(), .key = fixture_key(0x61)};
    uint8_t seed[SEED_LEN];
    memset(seed, 0x71, sizeof seed);
    g.recipient = fixture_box_pair(0x72);
    g.key_id = audience_key_id(&g.ctx, &g.key);
    buf_init(&g.sealed, GRANT_MAX_BYTES);
    cr_assert_eq(grant_seal(&g.ctx, &g.key, &g.recipient.pub, seed, &g.sealed, NULL), ERR_OK);
    return g;
}

/* Whatever fails must leave its outputs alone. */
static enum err try_grant(const struct granted *g, const struct header *enclosing,
                          const struct hash *key_id, struct bytes sealed,
                          const struct box_pair *recipient) {
    struct audience_ctx ctx, ctx_before;
    struct audience_key key = fixture_key(0xee), key_before = key;
    struct error e = {0};
    memset(&ctx, 0xee, sizeof ctx);
    ctx_before = ctx;
    enum err err = grant_open(enclosing, key_id, sealed, recipient, &ctx, &key, &e);
    if (err != ERR_OK) {
        cr_assert_eq(e.code, err);
        cr_assert_eq(memcmp(&ctx, &ctx_before, sizeof ctx), 0);
        cr_assert_eq(memcmp(&key, &key_before, sizeof key), 0);
        return err;
    }
    cr_assert_eq(memcmp(&ctx, &g->ctx, sizeof ctx), 0);
    cr_assert_eq(memcmp(&key, &g->key, sizeof key), 0);
    return ERR_OK;
}

Test(audience, a_grant_opens_for_its_recipient) {
    struct granted g = granted();
    struct header h = fixture_header(false);
    cr_assert_eq(try_grant(&g, &h, &g.key_id, buf_bytes(&g.sealed), &g.recipient), ERR_OK);
    buf_done(&g.sealed);
}

/* The bytes inside are the canonical message, and the box is the one libsodium opens. */
Test(audience, a_grant_is_a_sealed_box_of_the_message) {
    struct granted g = granted();
    uint8_t opened[GRANT_MAX_BYTES];
    cr_assert_eq(crypto_box_seal_open(opened, g.sealed.data, g.sealed.len, g.recipient.pub.b,
                                      g.recipient.secret),
                 0);
    ProtobufCMessage *message = NULL;
    cr_assert_eq(codec_decode(&plek__grant__descriptor,
                              bytes_of(opened, g.sealed.len - crypto_box_SEALBYTES),
                              GRANT_MAX_BYTES, "grant", &message, NULL),
                 ERR_OK);
    Plek__Grant *grant = (Plek__Grant *)message;
    cr_assert(bytes_equal(codec_bytes(grant->audience), bytes_of(g.ctx.audience, 16)));
    cr_assert(bytes_equal(codec_bytes(grant->key), bytes_of(g.key.b, 32)));
    codec_free(message);
    buf_done(&g.sealed);
}

Test(audience, another_recipient_cannot_open_a_grant) {
    struct granted g = granted();
    struct header h = fixture_header(false);
    struct box_pair other = fixture_box_pair(0x73);
    cr_assert_eq(try_grant(&g, &h, &g.key_id, buf_bytes(&g.sealed), &other), ERR_DECRYPT);
    buf_done(&g.sealed);
}

Test(audience, a_grant_under_another_authors_header_is_refused) {
    struct granted g = granted();
    struct header h = fixture_header(false);
    h.agent = fixture_sign_pair(8).pub;
    cr_assert_eq(try_grant(&g, &h, &g.key_id, buf_bytes(&g.sealed), &g.recipient), ERR_GRANT);
    h = fixture_header(false);
    h.member = fixture_sign_pair(8).pub;
    cr_assert_eq(try_grant(&g, &h, &g.key_id, buf_bytes(&g.sealed), &g.recipient), ERR_GRANT);
    h = fixture_header(false);
    h.network = fixture_sign_pair(8).pub;
    cr_assert_eq(try_grant(&g, &h, &g.key_id, buf_bytes(&g.sealed), &g.recipient), ERR_GRANT);
    buf_done(&g.sealed);
}

Test(audience, a_grant_under_another_key_id_is_refused) {
    struct granted g = granted();
    struct header h = fixture_header(false);
    struct audience_key other = fixture_key(0x62);
    struct hash id = audience_key_id(&g.ctx, &other);
    cr_assert_eq(try_grant(&g, &h, &id, buf_bytes(&g.sealed), &g.recipient), ERR_GRANT);
    struct audience_ctx elsewhere = g.ctx;
    elsewhere.audience[0] ^= 1;
    id = audience_key_id(&elsewhere, &g.key);
    cr_assert_eq(try_grant(&g, &h, &id, buf_bytes(&g.sealed), &g.recipient), ERR_GRANT);
    buf_done(&g.sealed);
}

static void expect_grant_refused(struct bytes damaged, size_t at, void *ctx) {
    const struct granted *g = ctx;
    struct header h = fixture_header(false);
    enum err err = try_grant(g, &h, &g->key_id, damaged, &g->recipient);
    cr_assert(err == ERR_DECRYPT || err == ERR_MALFORMED, "bit or length %zu: %s", at,
              error_name(err));
}

Test(audience, every_bit_and_length_of_a_grant_matters) {
    struct granted g = granted();
    cr_assert_eq(flip_each_bit(buf_bytes(&g.sealed), expect_grant_refused, &g), g.sealed.len * 8);
    cr_assert_eq(truncate_each(buf_bytes(&g.sealed), expect_grant_refused, &g), g.sealed.len);
    buf_append_u8(&g.sealed, 0);
    expect_grant_refused(buf_bytes(&g.sealed), g.sealed.len, &g);
    buf_done(&g.sealed);
}

/* Properly sealed, but not a Grant inside. */
Test(audience, other_bytes_in_a_box_are_malformed) {
    struct granted g = granted();
    struct header h = fixture_header(false);
    uint8_t inside[52], box[100];
    _Static_assert(sizeof box == sizeof inside + crypto_box_SEALBYTES, "a box of a grant's size");
    memset(inside, 0, sizeof inside);
    cr_assert_eq(crypto_box_seal(box, inside, sizeof inside, g.recipient.pub.b), 0);
    cr_assert_eq(try_grant(&g, &h, &g.key_id, bytes_of(box, sizeof box), &g.recipient),
                 ERR_MALFORMED);
    buf_done(&g.sealed);
}

Test(audience, low_order_recipients_are_refused) {
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct audience_ctx ctx = fixture_ctx();
    struct audience_key key = fixture_key(0x61);
    static const uint8_t seed[SEED_LEN] = {1};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct public_key low;
        struct buf out;
        buf_init(&out, GRANT_MAX_BYTES);
        cr_assert_eq(hex_decode(low.b, KEY_LEN, keys[i], NULL), ERR_OK);
        cr_assert_eq(grant_seal(&ctx, &key, &low, seed, &out, NULL), ERR_LOW_ORDER, "%s", keys[i]);
        cr_assert_eq(out.len, 0);
        buf_done(&out);
    }
}

/* ---- views ---- */

static const uint8_t NONCE[VIEW_NONCE_LEN] = {9, 8, 7};

static struct buf sealed_view(struct bytes plain) {
    struct audience_ctx ctx = fixture_ctx();
    struct audience_key key = fixture_key(0x61);
    struct error e = {0};
    struct buf out;
    buf_init(&out, BIG);
    cr_assert_eq(view_seal(&ctx, &key, 3, 17, VIEW_STATE, plain, NONCE, &out, &e), ERR_OK, "%s",
                 e.detail);
    return out;
}

struct opening {
    struct audience_ctx ctx;
    struct audience_key key;
    uint64_t incarnation, seq;
    uint32_t kind;
};

static struct opening right_opening(void) {
    return (struct opening){fixture_ctx(), fixture_key(0x61), 3, 17, VIEW_STATE};
}

/* On failure the output must be as it was. */
static enum err try_open(const struct opening *o, struct bytes sealed, struct buf *ret) {
    struct error e = {0};
    size_t before = ret->len;
    enum err err = view_open(&o->ctx, &o->key, o->incarnation, o->seq, o->kind, sealed, ret, &e);
    if (err != ERR_OK) {
        cr_assert_eq(e.code, err);
        cr_assert_eq(ret->len, before);
    }
    return err;
}

static void expect_opening(const struct opening *o, struct bytes sealed, enum err expected) {
    struct buf plain;
    buf_init(&plain, BIG);
    enum err err = try_open(o, sealed, &plain);
    cr_assert_eq(err, expected, "found %s, expected %s", error_name(err), error_name(expected));
    buf_wipe_done(&plain);
}

Test(audience, views_round_trip_at_every_padding_step) {
    static const struct {
        size_t len, padded;
    } cases[] = {
        {0, 256},     {1, 256},       {254, 256},      {255, 256},
        {256, 512},   {511, 512},     {512, 1024},     {1023, 1024},
        {1024, 2048}, {65535, 65536}, {65536, 131072}, {VIEW_PLAIN_MAX, 131072},
    };
    uint8_t *text = malloc(VIEW_PLAIN_MAX + 1);
    for (size_t i = 0; i < VIEW_PLAIN_MAX + 1; i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes plain = bytes_of(text, cases[i].len);
        struct buf sealed = sealed_view(plain), opened;
        struct opening o = right_opening();
        cr_assert_eq(sealed.len, cases[i].padded + VIEW_OVERHEAD, "%zu bytes", cases[i].len);
        cr_assert_leq(sealed.len, VIEW_MAX_BYTES);
        buf_init(&opened, BIG);
        cr_assert_eq(try_open(&o, buf_bytes(&sealed), &opened), ERR_OK);
        cr_assert(bytes_equal(buf_bytes(&opened), plain));
        buf_done(&opened);
        buf_done(&sealed);
    }
    free(text);
}

Test(audience, text_that_ends_like_padding_comes_back_whole) {
    static const uint8_t ends[][3] = {{0x80, 0, 0}, {0, 0, 0}, {0x80, 0x80, 0x80}, {1, 0x80, 0}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct bytes plain = bytes_of(ends[i], 3);
        struct buf sealed = sealed_view(plain), opened;
        struct opening o = right_opening();
        buf_init(&opened, BIG);
        cr_assert_eq(try_open(&o, buf_bytes(&sealed), &opened), ERR_OK);
        cr_assert(bytes_equal(buf_bytes(&opened), plain));
        buf_done(&opened);
        buf_done(&sealed);
    }
}

Test(audience, more_than_a_view_holds_is_refused) {
    struct audience_ctx ctx = fixture_ctx();
    struct audience_key key = fixture_key(0x61);
    uint8_t *text = calloc(1, VIEW_PLAIN_MAX + 1);
    struct buf out;
    buf_init(&out, BIG);
    cr_assert_eq(view_seal(&ctx, &key, 3, 17, VIEW_STATE, bytes_of(text, VIEW_PLAIN_MAX + 1), NONCE,
                           &out, NULL),
                 ERR_CAP);
    cr_assert_eq(out.len, 0);
    buf_done(&out);
    free(text);
}

Test(audience, a_view_opens_only_at_its_own_place) {
    struct buf sealed = sealed_view(bytes_str("the figures"));
    struct bytes in = buf_bytes(&sealed);
    struct opening o = right_opening();
    expect_opening(&o, in, ERR_OK);
    o.seq++;
    expect_opening(&o, in, ERR_DECRYPT);
    o = right_opening();
    o.incarnation++;
    expect_opening(&o, in, ERR_DECRYPT);
    o = right_opening();
    o.kind = VIEW_HISTORY;
    expect_opening(&o, in, ERR_DECRYPT);
    o = right_opening();
    o.key.b[0] ^= 1;
    expect_opening(&o, in, ERR_DECRYPT);
    uint8_t *const fields[] = {o.ctx.network.b, o.ctx.member.b, o.ctx.agent.b, o.ctx.audience};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        o = right_opening();
        fields[i][0] ^= 1;
        expect_opening(&o, in, ERR_DECRYPT);
    }
    buf_done(&sealed);
}

static void expect_view_refused(struct bytes damaged, size_t at, void *ctx) {
    struct opening o = right_opening();
    struct buf plain;
    buf_init(&plain, BIG);
    enum err err = try_open(&o, damaged, &plain);
    cr_assert(err == ERR_DECRYPT || err == ERR_MALFORMED, "bit or length %zu: %s", at,
              error_name(err));
    *(size_t *)ctx += err == ERR_DECRYPT;
    buf_done(&plain);
}

Test(audience, every_bit_and_length_of_a_view_matters) {
    struct buf sealed = sealed_view(bytes_str("the figures"));
    size_t undecrypted = 0;
    size_t bits = flip_each_bit(buf_bytes(&sealed), expect_view_refused, &undecrypted);
    cr_assert_eq(bits, sealed.len * 8);
    cr_assert_eq(undecrypted, bits);
    cr_assert_eq(truncate_each(buf_bytes(&sealed), expect_view_refused, &undecrypted), sealed.len);
    cr_assert_eq(undecrypted, bits, "no shorter length is that of a view");
    buf_done(&sealed);
}

Test(audience, sizes_no_view_has_are_refused_first) {
    uint8_t *bytes = calloc(1, VIEW_MAX_BYTES + 1);
    struct opening o = right_opening();
    expect_opening(&o, bytes_of(bytes, 0), ERR_MALFORMED);
    expect_opening(&o, bytes_of(bytes, VIEW_OVERHEAD + 255), ERR_MALFORMED);
    expect_opening(&o, bytes_of(bytes, VIEW_OVERHEAD + 256), ERR_DECRYPT);
    expect_opening(&o, bytes_of(bytes, VIEW_OVERHEAD + 768), ERR_MALFORMED);
    expect_opening(&o, bytes_of(bytes, VIEW_MAX_BYTES), ERR_MALFORMED);
    expect_opening(&o, bytes_of(bytes, VIEW_MAX_BYTES + 1), ERR_CAP);
    free(bytes);
}

static struct buf sealed_with_padding(const uint8_t *padded, size_t len) {
    struct opening o = right_opening();
    return seal_padded(&o.ctx, &o.key, o.incarnation, o.seq, o.kind, NONCE, bytes_of(padded, len));
}

Test(audience, a_view_is_the_aead_that_is_written_down) {
    uint8_t padded[256] = "the figures\x80";
    struct buf theirs = sealed_with_padding(padded, sizeof padded);
    struct buf mine = sealed_view(bytes_str("the figures"));
    cr_assert(bytes_equal(buf_bytes(&mine), buf_bytes(&theirs)));
    buf_done(&mine);
    buf_done(&theirs);
}

Test(audience, other_padding_is_malformed) {
    uint8_t padded[512] = {0};
    struct opening o = right_opening();
    struct buf sealed = sealed_with_padding(padded, 256);
    expect_opening(&o, buf_bytes(&sealed), ERR_MALFORMED);
    buf_done(&sealed);
    padded[10] = 0x81;
    sealed = sealed_with_padding(padded, 256);
    expect_opening(&o, buf_bytes(&sealed), ERR_MALFORMED);
    buf_done(&sealed);
    padded[10] = 0x80; /* ten bytes, which 256 would have held */
    sealed = sealed_with_padding(padded, 512);
    expect_opening(&o, buf_bytes(&sealed), ERR_MALFORMED);
    buf_done(&sealed);
    sealed = sealed_with_padding(padded, 256);
    expect_opening(&o, buf_bytes(&sealed), ERR_OK);
    buf_done(&sealed);
}
