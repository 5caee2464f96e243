/* Owns the key files' form and the sealing of member keys under a passphrase (see vault.h).
 * Must not sign, and must not leave a secret in memory when it returns.
 *
 * A file is text: a first line with its kind, then
 *     agent.key:   sign <seed>
 *     box-N.key:   since <ms> / box <seed>
 *     member*.key: public <hex> / unsealed <64 bytes>
 *                  or sealed argon2id13 <ops> <bytes of memory> <salt> <nonce> <80 bytes>
 * in base64url. The 64 bytes are the key's seed and the hash of its successor's public key. */
#include "vault.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

#define FILE_MAX 1024
#define WORDS_MAX 16
#define KIND_AGENT "plek-agent-key"
#define KIND_BOX "plek-box-key"
#define KIND_MEMBER "plek-member-key"
#define FORMAT "1"
#define CONTENT_LEN (SEED_LEN + HASH_LEN)
#define BOX_LEN (CONTENT_LEN + crypto_secretbox_MACBYTES)
#define BASE64_SIZE(len) (4 * (((len) + 2) / 3) + 1)
/* What a file may ask of this machine; files made here use libsodium's interactive limits. */
#define OPS_MAX 20
#define MEMORY_MAX (INT64_C(1) << 30)

/* A file's words, pointing into text. Wiped by its owner. */
struct key_file {
    char path[FILES_PATH_MAX];
    char text[FILE_MAX + 1];
    char *words[WORDS_MAX];
    size_t count;
};

static enum err read_words(const char *dir, const char *name, struct key_file *f, struct error *e) {
    enum err code = files_path(dir, name, f->path, e);
    if (code != ERR_OK)
        return code;
    struct buf content;
    buf_init(&content, FILE_MAX);
    code = files_read(f->path, &content, e);
    if (code == ERR_OK) {
        if (content.len > 0)
            memcpy(f->text, content.data, content.len);
        f->text[content.len] = '\0';
        char *rest = NULL;
        f->count = 0;
        for (char *w = strtok_r(f->text, " \r\n", &rest); w && f->count < WORDS_MAX;
             w = strtok_r(NULL, " \r\n", &rest))
            f->words[f->count++] = w;
    }
    buf_wipe_done(&content);
    return code;
}

static bool word_is(const struct key_file *f, size_t at, const char *word) {
    return at < f->count && strcmp(f->words[at], word) == 0;
}

static enum err bad_file(const struct key_file *f, struct error *e) {
    return error_at(
        e, ERR_DATA, f->path, 0, 0,
        "found something else than a key file of this version; restore it from a backup");
}

static bool word_bytes(const struct key_file *f, size_t at, uint8_t *ret, size_t len) {
    return at < f->count &&
           base64_decode(ret, len, f->words[at], strlen(f->words[at]), NULL) == ERR_OK;
}

static void append_base64(struct buf *out, const uint8_t *data, size_t len) {
    char text[BASE64_SIZE(BOX_LEN)];
    base64_encode(text, sizeof text, bytes_of(data, len));
    buf_append_str(out, text);
    sodium_memzero(text, sizeof text);
}

/* ---- member keys ------------------------------------------------------------------------------
 */

static enum err passphrase_key(uint8_t ret[static crypto_secretbox_KEYBYTES],
                               struct bytes passphrase,
                               const uint8_t salt[static crypto_pwhash_SALTBYTES],
                               unsigned long long ops, size_t memory, struct error *e) {
    if (crypto_pwhash(ret, crypto_secretbox_KEYBYTES, (const char *)passphrase.data, passphrase.len,
                      salt, ops, memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return error_set(e, ERR_NO_MEMORY, "opening a sealed key needs %zu MiB of free memory",
                         memory >> 20);
    return ERR_OK;
}

static enum err append_sealed(struct buf *out, const uint8_t content[static CONTENT_LEN],
                              struct bytes passphrase, const struct entropy *entropy,
                              struct error *e) {
    uint8_t salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES];
    uint8_t key[crypto_secretbox_KEYBYTES], box[BOX_LEN];
    entropy_fill(entropy, salt, sizeof salt);
    entropy_fill(entropy, nonce, sizeof nonce);
    enum err code = passphrase_key(key, passphrase, salt, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                   crypto_pwhash_MEMLIMIT_INTERACTIVE, e);
    if (code != ERR_OK)
        return code;
    crypto_secretbox_easy(box, content, CONTENT_LEN, nonce, key);
    buf_printf(out, "sealed argon2id13 %llu %zu ",
               (unsigned long long)crypto_pwhash_OPSLIMIT_INTERACTIVE,
               (size_t)crypto_pwhash_MEMLIMIT_INTERACTIVE);
    append_base64(out, salt, sizeof salt);
    buf_append_str(out, " ");
    append_base64(out, nonce, sizeof nonce);
    buf_append_str(out, " ");
    append_base64(out, box, sizeof box);
    buf_append_str(out, "\n");
    sodium_memzero(key, sizeof key);
    return ERR_OK;
}

static enum err write_member(const char *dir, const char *name, const uint8_t seed[static SEED_LEN],
                             const struct hash *next, struct bytes passphrase,
                             const struct entropy *entropy, struct error *e) {
    struct sign_pair pair;
    sign_pair_from_seed(&pair, seed);
    char hex[2 * KEY_LEN + 1];
    hex_encode(hex, bytes_of(pair.pub.b, KEY_LEN));
    sign_pair_wipe(&pair);
    uint8_t content[CONTENT_LEN];
    memcpy(content, seed, SEED_LEN);
    memcpy(content + SEED_LEN, next->b, HASH_LEN);

    struct buf out;
    buf_init(&out, FILE_MAX);
    buf_printf(&out, KIND_MEMBER " " FORMAT "\npublic %s\n", hex);
    enum err code = ERR_OK;
    if (passphrase.len > 0) {
        code = append_sealed(&out, content, passphrase, entropy, e);
    } else {
        buf_append_str(&out, "unsealed ");
        append_base64(&out, content, sizeof content);
        buf_append_str(&out, "\n");
    }
    code = code != ERR_OK ? code : buf_failed(&out, e);
    code = code != ERR_OK ? code : files_write(dir, name, buf_bytes(&out), e);
    buf_wipe_done(&out);
    sodium_memzero(content, sizeof content);
    return code;
}

static enum err open_sealed(const struct key_file *f, struct bytes passphrase,
                            uint8_t content[static CONTENT_LEN], struct error *e) {
    uint8_t salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES], box[BOX_LEN];
    if (f->count != 11 || !word_is(f, 5, "argon2id13") || !word_bytes(f, 8, salt, sizeof salt) ||
        !word_bytes(f, 9, nonce, sizeof nonce) || !word_bytes(f, 10, box, sizeof box))
        return bad_file(f, e);
    char *end_ops = NULL, *end_memory = NULL;
    unsigned long long ops = strtoull(f->words[6], &end_ops, 10);
    unsigned long long memory = strtoull(f->words[7], &end_memory, 10);
    if (*end_ops != '\0' || *end_memory != '\0' || ops < crypto_pwhash_OPSLIMIT_MIN ||
        ops > OPS_MAX || memory < crypto_pwhash_MEMLIMIT_MIN || memory > (uint64_t)MEMORY_MAX)
        return bad_file(f, e);
    if (passphrase.len == 0)
        return error_at(e, ERR_USAGE, f->path, 0, 0,
                        "the member key is sealed by a passphrase: give --passphrase-file FILE");
    uint8_t key[crypto_secretbox_KEYBYTES];
    enum err code = passphrase_key(key, passphrase, salt, ops, (size_t)memory, e);
    if (code != ERR_OK)
        return code;
    int opened = crypto_secretbox_open_easy(content, box, sizeof box, nonce, key);
    sodium_memzero(key, sizeof key);
    if (opened != 0)
        return error_at(e, ERR_PERMISSION, f->path, 0, 0,
                        "the passphrase does not open this key: check the passphrase file");
    return ERR_OK;
}

static bool read_public(const struct key_file *f, struct public_key *ret) {
    return word_is(f, 0, KIND_MEMBER) && word_is(f, 1, FORMAT) && word_is(f, 2, "public") &&
           f->count >= 6 && hex_decode(ret->b, KEY_LEN, f->words[3], NULL) == ERR_OK;
}

enum err vault_member_public(const char *dir, struct public_key *ret, bool *ret_sealed,
                             struct error *e) {
    struct key_file f;
    struct public_key key;
    enum err code = read_words(dir, VAULT_MEMBER, &f, e);
    if (code == ERR_OK && !read_public(&f, &key))
        code = bad_file(&f, e);
    if (code == ERR_OK) {
        *ret = key;
        *ret_sealed = word_is(&f, 4, "sealed");
    }
    sodium_memzero(&f, sizeof f);
    return code;
}

static enum err open_content(const struct key_file *f, struct bytes passphrase,
                             uint8_t content[static CONTENT_LEN], struct public_key *ret_public,
                             struct error *e) {
    if (!read_public(f, ret_public))
        return bad_file(f, e);
    if (word_is(f, 4, "sealed"))
        return open_sealed(f, passphrase, content, e);
    if (!word_is(f, 4, "unsealed") || f->count != 6 || !word_bytes(f, 5, content, CONTENT_LEN))
        return bad_file(f, e);
    return ERR_OK;
}

enum err vault_open_member(const char *dir, struct bytes passphrase, struct sign_pair *ret,
                           struct hash *ret_next, struct error *e) {
    struct key_file f;
    uint8_t content[CONTENT_LEN];
    struct public_key named;
    enum err code = read_words(dir, VAULT_MEMBER, &f, e);
    if (code == ERR_OK)
        code = open_content(&f, passphrase, content, &named, e);
    if (code == ERR_OK) {
        struct sign_pair pair;
        sign_pair_from_seed(&pair, content);
        if (key_equal(&pair.pub, &named)) {
            *ret = pair;
            memcpy(ret_next->b, content + SEED_LEN, HASH_LEN);
        } else {
            code = bad_file(&f, e);
        }
        sign_pair_wipe(&pair);
    }
    sodium_memzero(content, sizeof content);
    sodium_memzero(&f, sizeof f);
    return code;
}

/* ---- the agent's keys ---------------------------------------------------------------------------
 */

static enum err write_agent(const char *dir, const struct entropy *entropy, struct error *e) {
    uint8_t seed[SEED_LEN];
    entropy_fill(entropy, seed, sizeof seed);
    struct buf out;
    buf_init(&out, FILE_MAX);
    buf_append_str(&out, KIND_AGENT " " FORMAT "\nsign ");
    append_base64(&out, seed, SEED_LEN);
    buf_append_str(&out, "\n");
    sodium_memzero(seed, sizeof seed);
    enum err code = buf_failed(&out, e);
    code = code != ERR_OK ? code : files_write(dir, VAULT_AGENT, buf_bytes(&out), e);
    buf_wipe_done(&out);
    return code;
}

enum err vault_open_agent(const char *dir, struct sign_pair *ret, struct error *e) {
    struct key_file f;
    uint8_t seed[SEED_LEN];
    enum err code = read_words(dir, VAULT_AGENT, &f, e);
    if (code == ERR_OK && (f.count != 4 || !word_is(&f, 0, KIND_AGENT) || !word_is(&f, 1, FORMAT) ||
                           !word_is(&f, 2, "sign") || !word_bytes(&f, 3, seed, SEED_LEN)))
        code = bad_file(&f, e);
    if (code == ERR_OK)
        sign_pair_from_seed(ret, seed);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(&f, sizeof f);
    return code;
}

char *vault_box_name(int64_t number, char out[static VAULT_BOX_NAME_SIZE]) {
    snprintf(out, VAULT_BOX_NAME_SIZE, "box-%lld.key", (long long)number);
    return out;
}

bool vault_has_box(const char *dir, int64_t number) {
    char name[VAULT_BOX_NAME_SIZE];
    return files_exist(dir, vault_box_name(number, name));
}

enum err vault_make_box(const char *dir, int64_t number, const struct entropy *entropy,
                        int64_t now_ms, struct error *e) {
    char name[VAULT_BOX_NAME_SIZE];
    uint8_t seed[SEED_LEN];
    struct buf out;
    entropy_fill(entropy, seed, sizeof seed);
    buf_init(&out, FILE_MAX);
    buf_printf(&out, KIND_BOX " " FORMAT "\nsince %lld\nbox ", (long long)now_ms);
    append_base64(&out, seed, SEED_LEN);
    buf_append_str(&out, "\n");
    sodium_memzero(seed, sizeof seed);
    enum err code = buf_failed(&out, e);
    if (code == ERR_OK)
        code = files_write(dir, vault_box_name(number, name), buf_bytes(&out), e);
    buf_wipe_done(&out);
    return code;
}

static bool word_time(const struct key_file *f, size_t at, int64_t *ret) {
    char *end = NULL;
    if (at >= f->count)
        return false;
    *ret = strtoll(f->words[at], &end, 10);
    return *end == '\0';
}

enum err vault_open_box(const char *dir, int64_t number, struct box_pair *ret,
                        int64_t *ret_since_ms, struct error *e) {
    char name[VAULT_BOX_NAME_SIZE];
    struct key_file f;
    uint8_t seed[SEED_LEN];
    int64_t since_ms = 0;
    enum err code = read_words(dir, vault_box_name(number, name), &f, e);
    if (code == ERR_OK && (f.count != 6 || !word_is(&f, 0, KIND_BOX) || !word_is(&f, 1, FORMAT) ||
                           !word_is(&f, 2, "since") || !word_time(&f, 3, &since_ms) ||
                           !word_is(&f, 4, "box") || !word_bytes(&f, 5, seed, SEED_LEN)))
        code = bad_file(&f, e);
    if (code == ERR_OK) {
        box_pair_from_seed(ret, seed);
        *ret_since_ms = since_ms;
    }
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(&f, sizeof f);
    return code;
}

enum err vault_wipe_box(const char *dir, int64_t number, struct error *e) {
    char name[VAULT_BOX_NAME_SIZE];
    return files_wipe(dir, vault_box_name(number, name), e);
}

enum err vault_create_agent(const char *dir, const struct entropy *entropy, int64_t now_ms,
                            struct error *e) {
    enum err code = write_agent(dir, entropy, e);
    return code == ERR_OK ? vault_make_box(dir, 1, entropy, now_ms, e) : code;
}

enum err vault_create(const char *dir, struct bytes passphrase, const struct entropy *entropy,
                      int64_t now_ms, struct error *e) {
    if (passphrase.len > VAULT_PASSPHRASE_MAX)
        return error_set(e, ERR_TOO_LARGE, "found a passphrase of %zu bytes, expected at most %d",
                         passphrase.len, VAULT_PASSPHRASE_MAX);
    uint8_t seeds[2][SEED_LEN];
    entropy_fill(entropy, seeds, sizeof seeds);
    struct sign_pair next;
    sign_pair_from_seed(&next, seeds[1]);
    struct hash commitment = hash_blake2b(bytes_of(next.pub.b, KEY_LEN));
    sign_pair_wipe(&next);
    const struct hash none = {0};
    enum err code = vault_create_agent(dir, entropy, now_ms, e);
    if (code == ERR_OK)
        code = write_member(dir, VAULT_MEMBER_NEXT, seeds[1], &none, passphrase, entropy, e);
    if (code == ERR_OK)
        code = write_member(dir, VAULT_MEMBER, seeds[0], &commitment, passphrase, entropy, e);
    sodium_memzero(seeds, sizeof seeds);
    return code;
}
