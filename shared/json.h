/* Owns reading JSON with a path to the fault. Wraps Jansson; objects refuse unknown keys,
 * duplicates and wrong types. Must not know any of the project's formats. */
#ifndef PLEK_JSON_H
#define PLEK_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "error.h"

#define JSON_PATH_MAX ERROR_FILE_MAX
#define JSON_DEPTH_MAX 32

/* Parses one document (an object or an array) of at most max_bytes. `name` is what error_at names
 * as the file. Errors: ERR_DATA with file, line, column; ERR_TOO_LARGE; ERR_NO_MEMORY.
 * The caller owns *ret (json_decref). */
enum err json_parse(struct bytes text, size_t max_bytes, const char *name, json_t **ret,
                    struct error *e) MUST_USE;

/* A place inside a document, with its path ("audiences[1].members[0]"). A plain value. The error is
 * sticky and shared by all places derived from one root: read freely, then look at its code once.
 * Its `file` is the path. Reading on after a fault gives neutral values (NULL, "", 0, false). */
struct json_at {
    json_t *value; /* borrowed; NULL when absent */
    struct error *error;
    char path[JSON_PATH_MAX];
};

struct json_at json_root(json_t *value, struct error *sticky); /* sticky->code must be ERR_OK */
/* A required / optional member of an object. Required and absent: error. An optional one that is
 * absent or null gives value NULL. */
struct json_at json_member(const struct json_at *at, const char *key);
struct json_at json_optional(const struct json_at *at, const char *key);
struct json_at json_item(const struct json_at *at, size_t index);
bool json_present(const struct json_at *at);
size_t json_len(const struct json_at *at,
                size_t max); /* of an array; 0 and an error if not one, or too long */
/* Strings are borrowed from the document; "" after an error. Valid UTF-8, no NUL, 0..max_bytes. */
const char *json_text(const struct json_at *at, size_t min_bytes, size_t max_bytes);
int64_t json_int(const struct json_at *at, int64_t min, int64_t max);
bool json_bool(const struct json_at *at);
bool json_bool_or(const struct json_at *at, bool fallback); /* fallback when absent */
/* Refuses any key of the object that is not in the NULL-terminated list. */
void json_only(const struct json_at *at, const char *const *keys);
/* Records a fault at this place (the first one stays): "found ..., expected ...". */
void json_fault(const struct json_at *at, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
