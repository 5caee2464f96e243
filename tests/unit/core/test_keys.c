/* Tests of keys: known values from the standards, signing under a domain, text forms. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "flip.h"
#include "party.h"

static void setup(void) {
    struct error e;
    cr_assert_eq(keys_init(&e), ERR_OK);
}
TestSuite(keys, .init = setup);

static void expect_hex(const uint8_t *bytes, size_t len, const char *expected) {
    char hex[2 * 64 + 1];
    cr_assert_leq(len, 64);
    hex_encode(hex, bytes_of(bytes, len));
    cr_expect_str_eq(hex, expected);
}

Test(keys, ed25519_public_key_of_rfc_8032_test_1) {
    uint8_t seed[SEED_LEN];
    struct error e;
    cr_assert_eq(hex_decode(seed, sizeof seed,
                            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &e),
                 ERR_OK);
    struct sign_pair pair;
    sign_pair_from_seed(&pair, seed);
    expect_hex(pair.pub.b, KEY_LEN,
               "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

Test(keys, box_pair_is_the_x25519_key_of_the_seeds_sha512) {
    struct box_pair pair = party_box_pair(5);
    expect_hex(pair.pub.b, KEY_LEN,
               "c44e429251771ec76197c7a1f8ea289a18ca3dd7a7e102ba7cc84df6b55cbe1a");
    uint8_t derived[KEY_LEN];
    crypto_scalarmult_base(derived, pair.secret);
    cr_expect_arr_eq(derived, pair.pub.b, KEY_LEN);
}

Test(keys, wiping_leaves_zeroes) {
    struct sign_pair sign = party_sign_pair(1);
    struct box_pair box = party_box_pair(1);
    sign_pair_wipe(&sign);
    box_pair_wipe(&box);
    cr_expect(sodium_is_zero((const uint8_t *)&sign, sizeof sign));
    cr_expect(sodium_is_zero((const uint8_t *)&box, sizeof box));
}

Test(keys, hashes_of_the_standards) {
    struct hash h = hash_sha256(bytes_str("abc")); /* FIPS 180-4 */
    expect_hex(h.b, HASH_LEN, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = hash_sha256(bytes_of(NULL, 0));
    expect_hex(h.b, HASH_LEN, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    h = hash_blake2b(bytes_str("abc")); /* RFC 7693, 32 bytes of output */
    expect_hex(h.b, HASH_LEN, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    h = hash_blake2b(bytes_of(NULL, 0));
    expect_hex(h.b, HASH_LEN, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

Test(keys, comparing) {
    struct public_key a = {{1}}, b = {{1}}, zero = {{0}};
    b.b[31] = 1;
    cr_expect(key_equal(&a, &a));
    cr_expect_not(key_equal(&a, &b));
    cr_expect_lt(key_compare(&a, &b), 0);
    cr_expect_gt(key_compare(&b, &a), 0);
    cr_expect_eq(key_compare(&a, &a), 0);
    cr_expect(key_is_zero(&zero));
    cr_expect_not(key_is_zero(&b));
    struct hash h = {{0}}, other = {{0}};
    other.b[31] = 0x80;
    cr_expect(hash_equal(&h, &h));
    cr_expect_not(hash_equal(&h, &other));
}

Test(keys, exact_sizes_or_nothing) {
    uint8_t in[SIGNATURE_LEN + 1] = {7};
    struct public_key key;
    struct hash hash;
    struct signature sig;
    struct error e;
    party_fill(&key, sizeof key);
    party_fill(&hash, sizeof hash);
    party_fill(&sig, sizeof sig);
    for (size_t len = 0; len <= sizeof in; len++) {
        if (len != KEY_LEN) {
            cr_expect_eq(key_from_bytes(&key, bytes_of(in, len), &e), ERR_MALFORMED);
            cr_expect_eq(hash_from_bytes(&hash, bytes_of(in, len), &e), ERR_MALFORMED);
        }
        if (len != SIGNATURE_LEN)
            cr_expect_eq(signature_from_bytes(&sig, bytes_of(in, len), &e), ERR_MALFORMED);
    }
    cr_expect(party_untouched(&key, sizeof key));
    cr_expect(party_untouched(&hash, sizeof hash));
    cr_expect(party_untouched(&sig, sizeof sig));
    cr_expect_eq(key_from_bytes(&key, bytes_of(in, KEY_LEN), &e), ERR_OK);
    cr_expect_eq(hash_from_bytes(&hash, bytes_of(in, HASH_LEN), &e), ERR_OK);
    cr_expect_eq(signature_from_bytes(&sig, bytes_of(in, SIGNATURE_LEN), &e), ERR_OK);
    cr_expect_arr_eq(key.b, in, KEY_LEN);
    cr_expect_arr_eq(hash.b, in, HASH_LEN);
    cr_expect_arr_eq(sig.b, in, SIGNATURE_LEN);
}

Test(keys, low_order_points_are_refused) {
    /* The points of order 1, 2, 4 and 8 on Curve25519 and their non-canonical forms. */
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct error e;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct public_key key;
        cr_assert_eq(hex_decode(key.b, KEY_LEN, points[i], &e), ERR_OK);
        cr_expect_eq(box_key_check(&key, &e), ERR_LOW_ORDER, "%s", points[i]);
    }
    struct box_pair good = party_box_pair(5);
    cr_expect_eq(box_key_check(&good.pub, &e), ERR_OK);
}

/* ---- signing ---- */

Test(keys, signature_has_the_documented_layout) {
    struct sign_pair hub = party_sign_pair(1);
    struct bytes parts[] = {bytes_str("abc"), bytes_of(NULL, 0)};
    struct signature sig;
    sign_parts(&sig, &hub, DOMAIN_ENTRY, parts, 2);
    expect_hex(sig.b, SIGNATURE_LEN,
               "f7185734f11577088f74954337f022173209df7a7c0a90d5662ccdb0d4747d28"
               "8e6cdea757c7046e99f21b6326f0d8c00344b35670306828dcbc2c2f0505bf0c");
    static const uint8_t message[] = "plek/1/entry\0"
                                     "\0\0\0\0\0\0\0\3abc"
                                     "\0\0\0\0\0\0\0"; /* and the NUL of the literal */
    cr_expect_eq(crypto_sign_verify_detached(sig.b, message, sizeof message, hub.pub.b), 0);
}

Test(keys, nothing_but_what_was_signed_verifies) {
    struct sign_pair hub = party_sign_pair(1), other = party_sign_pair(2);
    struct bytes parts[] = {bytes_str("abc"), bytes_str("de")};
    struct signature sig;
    struct error e;
    sign_parts(&sig, &hub, DOMAIN_ENTRY, parts, 2);
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, parts, 2, &sig, &e), ERR_OK);
    cr_expect_eq(verify_parts(&other.pub, DOMAIN_ENTRY, parts, 2, &sig, &e), ERR_SIGNATURE);
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_CERT, parts, 2, &sig, &e), ERR_SIGNATURE);
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, parts, 1, &sig, &e), ERR_SIGNATURE);
    struct bytes shifted[] = {bytes_str("ab"), bytes_str("cde")};
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, shifted, 2, &sig, &e), ERR_SIGNATURE);
    struct bytes swapped[] = {parts[1], parts[0]};
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, swapped, 2, &sig, &e), ERR_SIGNATURE);
}

static void expect_no_signature(struct bytes damaged, size_t at, void *ctx) {
    struct sign_pair hub = party_sign_pair(1);
    const struct bytes *part = ctx;
    struct signature sig;
    struct error e;
    cr_assert_eq(signature_from_bytes(&sig, damaged, &e), ERR_OK);
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, part, 1, &sig, &e), ERR_SIGNATURE, "bit %zu",
                 at);
}

Test(keys, every_flipped_bit_of_a_signature_is_noticed) {
    struct sign_pair hub = party_sign_pair(1);
    struct bytes part = bytes_str("abc");
    struct signature sig;
    sign_parts(&sig, &hub, DOMAIN_ENTRY, &part, 1);
    cr_expect_eq(flip_each_bit(bytes_of(sig.b, SIGNATURE_LEN), expect_no_signature, &part), 512);
}

Test(keys, long_messages_up_to_the_cap) {
    struct sign_pair hub = party_sign_pair(1);
    size_t overhead = strlen(DOMAIN_ENTRY) + 1 + 8;
    size_t lengths[] = {4096 - overhead, 4097 - overhead, SIGN_MAX_BYTES - overhead};
    uint8_t *data = calloc(1, SIGN_MAX_BYTES);
    cr_assert_not_null(data);
    struct signature sig;
    struct error e;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes part = bytes_of(data, lengths[i]);
        sign_parts(&sig, &hub, DOMAIN_ENTRY, &part, 1);
        cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, &part, 1, &sig, &e), ERR_OK, "%zu", i);
        data[lengths[i] - 1] ^= 1;
        cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, &part, 1, &sig, &e), ERR_SIGNATURE);
        data[lengths[i] - 1] ^= 1;
    }
    struct bytes beyond = bytes_of(data, SIGN_MAX_BYTES - overhead + 1);
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, &beyond, 1, &sig, &e), ERR_CAP);
    struct bytes huge[] = {bytes_of(data, 8), bytes_of(data, SIZE_MAX)};
    cr_expect_eq(verify_parts(&hub.pub, DOMAIN_ENTRY, huge, 2, &sig, &e), ERR_CAP);
    free(data);
}

/* ---- text forms ---- */

Test(keys, fingerprint_as_people_read_it) {
    struct sign_pair member = party_sign_pair(2), other = party_sign_pair(3);
    char text[FINGERPRINT_SIZE];
    cr_expect_str_eq(fingerprint_text(&member.pub, text),
                     "IM2G-4MTL-M4Q3-4SQH-BP5S-5NER-E4ZC-7JPE");
    cr_expect(fingerprint_matches(&member.pub, text));
    cr_expect(fingerprint_matches(&member.pub, " im2g4mtl m4q34SQH bp5s5ner e4zc7jpe "));
    cr_expect_not(fingerprint_matches(&other.pub, text));
    cr_expect_not(fingerprint_matches(&member.pub, ""));
    cr_expect_not(fingerprint_matches(&member.pub, "IM2G-4MTL-M4Q3-4SQH-BP5S-5NER-E4ZC-7JP"));
    cr_expect_not(fingerprint_matches(&member.pub, "IM2G-4MTL-M4Q3-4SQH-BP5S-5NER-E4ZC-7JPEE"));
    cr_expect_not(fingerprint_matches(&member.pub, "IM2G-4MTL-M4Q3-4SQH-BP5S-5NER-E4ZC-7JPF"));
    cr_expect_not(fingerprint_matches(&member.pub, "IM2G_4MTL-M4Q3-4SQH-BP5S-5NER-E4ZC-7JPE"));
}

Test(keys, base64url_of_rfc_4648) {
    static const char *const known[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};
    struct error e;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[16];
        uint8_t back[8];
        size_t len = strlen(known[i][0]);
        base64_encode(text, sizeof text, bytes_str(known[i][0]));
        cr_expect_str_eq(text, known[i][1]);
        cr_expect_eq(base64_decode(back, len, text, strlen(text), &e), ERR_OK, "%s", text);
        cr_expect_eq(memcmp(back, known[i][0], len), 0);
    }
}

Test(keys, base64url_refuses_other_forms_and_shows_nothing) {
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {
        {"Zg==", 1}, {"Z", 1},    {"Zh", 1},      {"Zm9", 2},  {"Zm8", 1},
        {"Zm8", 3},  {"Zm+v", 3}, {"Zm/v", 3},    {"Zm v", 3}, {"Zm9v\n", 3},
        {"", 1},     {"Zm9v", 0}, {"Zm\x80v", 3},
    };
    uint8_t out[4];
    party_fill(out, sizeof out);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error e = {0};
        cr_expect_eq(base64_decode(out, bad[i].len, bad[i].text, strlen(bad[i].text), &e), ERR_DATA,
                     "%s", bad[i].text);
        cr_expect_null(strstr(e.detail, "Zm"), "%s", e.detail);
    }
    cr_expect(party_untouched(out, sizeof out));
}

static void count_up(void *ctx, void *out, size_t len) {
    uint8_t *next = ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (*next)++;
}

Test(keys, entropy_is_the_callers) {
    uint8_t next = 3, out[4];
    struct entropy entropy = {count_up, &next};
    entropy_fill(&entropy, out, sizeof out);
    cr_expect_arr_eq(out, ((uint8_t[]){3, 4, 5, 6}), 4);
    cr_expect_eq(next, 7);
}
