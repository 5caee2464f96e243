/* Every case of Project Wycheproof for the three primitives whose input a stranger chooses: Ed25519
 * verification, X25519, XChaCha20-Poly1305 (tests/vectors/wycheproof/README.md). Through our own
 * checks where the wire meets them, else the very libsodium call that shared_core makes. Wycheproof
 * leaves some X25519 cases open ("acceptable"): here none is. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "audience.h"

#define FOLDER "tests/vectors/wycheproof/"
#define ANY_MAX 4096 /* bytes of any field in these files */

struct field {
    uint8_t b[ANY_MAX];
    size_t len;
};

static struct field field_of(const json_t *object, const char *key) {
    struct field f = {.len = 0};
    const char *hex = json_string_value(json_object_get(object, key));
    struct error e = {0};
    cr_assert_not_null(hex, "%s", key);
    f.len = strlen(hex) / 2;
    cr_assert_leq(f.len, sizeof f.b);
    cr_assert_eq(hex_decode(f.b, f.len, hex, &e), ERR_OK, "%s", key);
    return f;
}

static struct bytes view(const struct field *f) {
    return bytes_of(f->b, f->len);
}

static bool has_flag(const json_t *test, const char *name) {
    size_t i;
    const json_t *flag;
    json_array_foreach(json_object_get(test, "flags"), i, flag) {
        if (strcmp(json_string_value(flag), name) == 0)
            return true;
    }
    return false;
}

static bool is_valid(const json_t *test) {
    return strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
}

static int number_of(const json_t *test) {
    return (int)json_integer_value(json_object_get(test, "tcId"));
}

/* Calls `each` for every case and checks that it saw as many as the file says there are. */
static void run(const char *file, void (*each)(const json_t *group, const json_t *test)) {
    struct error e = {0};
    json_error_t fault;
    size_t g, t, count = 0;
    const json_t *group, *test;
    cr_assert_eq(keys_init(&e), ERR_OK);
    json_t *root = json_load_file(file, 0, &fault);
    cr_assert_not_null(root, "%s: %s", file, fault.text);
    json_array_foreach(json_object_get(root, "testGroups"), g, group) {
        json_array_foreach(json_object_get(group, "tests"), t, test) {
            each(group, test);
            count++;
        }
    }
    cr_assert_gt(count, 0u);
    cr_assert_eq(count, (size_t)json_integer_value(json_object_get(root, "numberOfTests")));
    json_decref(root);
}

/* What verify_parts does once the parts are one message: our signatures always have a domain, so
 * its own messages cannot be Wycheproof's. A signature of another length never gets that far. */
static void verify(const json_t *group, const json_t *test) {
    struct field msg = field_of(test, "msg"), sig = field_of(test, "sig");
    struct field key = field_of(json_object_get(group, "publicKey"), "pk");
    struct error e = {0};
    struct signature signature;
    bool accepted = signature_from_bytes(&signature, view(&sig), &e) == ERR_OK &&
                    key.len == KEY_LEN &&
                    crypto_sign_verify_detached(signature.b, msg.b, msg.len, key.b) == 0;
    cr_assert_eq(accepted, is_valid(test), "case %d", number_of(test));
}

Test(wycheproof, ed25519) {
    run(FOLDER "ed25519_test.json", verify);
}

/* A key whose shared secret is zero with any scalar is refused before it is used, and by libsodium
 * when it is. All other open cases (points on the twist, coordinates not reduced) are computed as
 * RFC 7748 says: a peer that sends one only hurts itself. */
static void exchange(const json_t *group, const json_t *test) {
    (void)group;
    struct field public = field_of(test, "public"), private = field_of(test, "private");
    struct field shared = field_of(test, "shared");
    struct error e = {0};
    struct public_key key;
    uint8_t found[crypto_scalarmult_BYTES];
    bool zero = has_flag(test, "ZeroSharedSecret");
    cr_assert(!zero || !is_valid(test));
    cr_assert_eq(key_from_bytes(&key, view(&public), &e), ERR_OK);
    cr_assert_eq(box_key_check(&key, &e), zero ? ERR_LOW_ORDER : ERR_OK, "case %d",
                 number_of(test));
    cr_assert_eq(crypto_scalarmult(found, private.b, key.b) == 0, !zero, "case %d",
                 number_of(test));
    if (!zero)
        cr_assert_arr_eq(found, shared.b, sizeof found, "case %d", number_of(test));
}

Test(wycheproof, x25519) {
    run(FOLDER "x25519_test.json", exchange);
}

/* Nonces of another length cannot be said here: ours stand in a fixed place of the view. */
static void unseal(const json_t *group, const json_t *test) {
    struct field key = field_of(test, "key"), iv = field_of(test, "iv"),
                 aad = field_of(test, "aad");
    struct field msg = field_of(test, "msg"), ct = field_of(test, "ct"),
                 tag = field_of(test, "tag");
    struct field sealed = ct;
    uint8_t plain[ANY_MAX];
    unsigned long long len = 0;
    (void)group;
    if (iv.len != VIEW_NONCE_LEN) {
        cr_assert(has_flag(test, "InvalidNonceSize") && !is_valid(test));
        return;
    }
    cr_assert_eq(tag.len, (size_t)VIEW_OVERHEAD - VIEW_NONCE_LEN);
    memcpy(sealed.b + ct.len, tag.b, tag.len);
    bool opened =
        crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &len, NULL, sealed.b, ct.len + tag.len,
                                                   aad.b, aad.len, iv.b, key.b) == 0;
    cr_assert_eq(opened, is_valid(test), "case %d", number_of(test));
    if (!opened)
        return;
    cr_assert(bytes_equal(bytes_of(plain, (size_t)len), view(&msg)), "case %d", number_of(test));
    uint8_t again[ANY_MAX];
    crypto_aead_xchacha20poly1305_ietf_encrypt(again, &len, msg.b, msg.len, aad.b, aad.len, NULL,
                                               iv.b, key.b);
    cr_assert(bytes_equal(bytes_of(again, (size_t)len), bytes_of(sealed.b, ct.len + tag.len)),
              "case %d", number_of(test));
}

Test(wycheproof, xchacha20_poly1305) {
    run(FOLDER "xchacha20_poly1305_test.json", unseal);
}
