/* Implements the reading and writing of vectors' fields. Must not know any format of the protocol.
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_MAX_BYTES (1 << 20)

const struct vector_file vector_files[VECTOR_FILES] = {
    {"certificate", vector_certificate},
    {"join", vector_join},
    {"tree", vector_tree},
    {"entry", vector_entry},
    {"audience", vector_audience},
    {"handshake", vector_handshake},
};

static _Noreturn void fail(const char *where, const char *why) {
    fprintf(stderr, "vectors: %s: %s\n", where, why);
    abort();
}

void vector_check(enum err err, const struct error *e, const char *what) {
    if (err != ERR_OK)
        fail(what, e != NULL && e->detail[0] != '\0' ? e->detail : error_text(err));
}

const json_t *vector_get_member(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        fail(key, "is missing");
    return value;
}

const char *vector_get_text(const json_t *object, const char *key) {
    const char *text = json_string_value(vector_get_member(object, key));
    if (text == NULL)
        fail(key, "is not a string");
    return text;
}

int64_t vector_get_int(const json_t *object, const char *key) {
    const json_t *value = vector_get_member(object, key);
    if (!json_is_integer(value))
        fail(key, "is not an integer");
    return json_integer_value(value);
}

void vector_get(const json_t *object, const char *key, void *ret, size_t len) {
    struct error e = {0};
    vector_check(hex_decode(ret, len, vector_get_text(object, key), &e), &e, key);
}

struct buf vector_buf_of(const json_t *hex) {
    const char *text = json_string_value(hex);
    if (text == NULL)
        fail("hex", "is not a string");
    size_t len = strlen(text) / 2;
    uint8_t *bytes = malloc(len + 1);
    struct buf buf;
    struct error e = {0};
    if (bytes == NULL)
        fail("hex", "no memory");
    vector_check(hex_decode(bytes, len, text, &e), &e, "hex");
    buf_init(&buf, VECTOR_MAX_BYTES);
    buf_append(&buf, bytes, len);
    free(bytes);
    return buf;
}

struct buf vector_get_buf(const json_t *object, const char *key) {
    return vector_buf_of(vector_get_member(object, key));
}

struct sign_pair vector_get_sign_pair(const json_t *object, const char *key) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    vector_get(object, key, seed, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

struct box_pair vector_get_box_pair(const json_t *object, const char *key) {
    uint8_t seed[SEED_LEN];
    struct box_pair pair;
    vector_get(object, key, seed, sizeof seed);
    box_pair_from_seed(&pair, seed);
    return pair;
}

json_t *vector_hex(struct bytes value) {
    char *text = malloc(2 * value.len + 1);
    if (text == NULL)
        fail("hex", "no memory");
    hex_encode(text, value);
    json_t *string = json_string(text);
    free(text);
    return string;
}

void vector_put(json_t *object, const char *key, struct bytes value) {
    if (json_object_set_new(object, key, vector_hex(value)) != 0)
        fail(key, "no memory");
}

void vector_put_text(json_t *object, const char *key, const char *value) {
    if (json_object_set_new(object, key, json_string(value)) != 0)
        fail(key, "not UTF-8, or no memory");
}
