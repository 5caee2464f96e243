/* Owns the step from a golden vector's inputs to its outputs, for the generator and for the test
 * that replays the committed files. Any failure ends the program: a vector is right or it is
 * nothing. */
#ifndef PLEK_TEST_VECTORS_H
#define PLEK_TEST_VECTORS_H

#include <jansson.h>

#include "keys.h"

struct vector_file {
    const char *name;                         /* tests/vectors/NAME.json */
    json_t *(*outputs)(const json_t *inputs); /* new; the caller owns it */
};
#define VECTOR_FILES 6
extern const struct vector_file vector_files[VECTOR_FILES];

json_t *vector_certificate(const json_t *inputs);
json_t *vector_join(const json_t *inputs);
json_t *vector_tree(const json_t *inputs);
json_t *vector_entry(const json_t *inputs);
json_t *vector_audience(const json_t *inputs);
json_t *vector_handshake(const json_t *inputs);

/* ---- for the functions above ---- */

void vector_check(enum err err, const struct error *e, const char *what);
/* Hex of exactly `len` bytes. */
void vector_get(const json_t *object, const char *key, void *ret, size_t len);
/* Hex of any length; the caller frees with buf_done. */
struct buf vector_get_buf(const json_t *object, const char *key);
struct buf vector_buf_of(const json_t *hex);
int64_t vector_get_int(const json_t *object, const char *key);
const char *vector_get_text(const json_t *object, const char *key);
const json_t *vector_get_member(const json_t *object, const char *key);
struct sign_pair vector_get_sign_pair(const json_t *object, const char *key);
struct box_pair vector_get_box_pair(const json_t *object, const char *key);

json_t *vector_hex(struct bytes value);
void vector_put(json_t *object, const char *key, struct bytes value);
void vector_put_text(json_t *object, const char *key, const char *value);

/* The signed certificate the inputs describe; the caller frees with buf_done. */
struct buf vector_make_certificate(const json_t *inputs);

#endif
