/* Owns reading JSON with a path to the fault, over Jansson.
 * Must not know any of the project's formats. */
#include "json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json_memory.h"

#define FOUND_MAX 64 /* bytes of a found value that a message repeats */

/* Where a scan of the text stands; columns count characters, as Jansson's do. */
struct scan {
    int line;
    int column;
    int depth;
    bool in_string;
    bool escaped;
};

static void scan_byte(struct scan *s, uint8_t c) {
    if (c == '\n') {
        s->line++;
        s->column = 0;
    } else if ((c & 0xC0) != 0x80) {
        s->column++;
    }
    if (s->in_string) {
        s->in_string = s->escaped || c != '"';
        s->escaped = !s->escaped && c == '\\';
        return;
    }
    if (c == '"') {
        s->in_string = true;
    } else if (c == '{' || c == '[') {
        s->depth++;
    } else if (c == '}' || c == ']') {
        s->depth--;
    }
}

/* Jansson's own limit is fixed at 2048 levels: too deep for code that recurses over a document. */
static enum err check_depth(struct bytes text, const char *name, struct error *e) {
    struct scan s = {.line = 1};
    for (size_t i = 0; i < text.len; i++) {
        scan_byte(&s, text.data[i]);
        if (s.depth > JSON_DEPTH_MAX) {
            return error_at(e, ERR_DATA, name, s.line, s.column,
                            "nested more than %d levels deep, expected at most %d", JSON_DEPTH_MAX,
                            JSON_DEPTH_MAX);
        }
    }
    return ERR_OK;
}

/* Editors on Windows put a byte order mark in front; RFC 8259, section 8.1 lets a reader skip it.
 */
static struct bytes skip_mark(struct bytes text) {
    static const uint8_t mark[3] = {0xEF, 0xBB, 0xBF};
    if (text.len >= sizeof(mark) && memcmp(text.data, mark, sizeof(mark)) == 0) {
        return bytes_of(text.data + sizeof(mark), text.len - sizeof(mark));
    }
    return text;
}

enum err json_parse(struct bytes text, size_t max_bytes, const char *name, json_t **ret,
                    struct error *e) {
    if (text.len > max_bytes) {
        return error_at(e, ERR_TOO_LARGE, name, 0, 0, "found %zu bytes, expected at most %zu",
                        text.len, max_bytes);
    }
    text = skip_mark(text);
    enum err err = check_depth(text, name, e);
    if (err != ERR_OK) {
        return err;
    }
    json_error_t fault;
    bool no_memory = false;
    json_t *value = json_read(text, JSON_REJECT_DUPLICATES, &fault, &no_memory);
    if (value) {
        *ret = value;
        return ERR_OK;
    }
    if (no_memory) {
        return error_at(e, ERR_NO_MEMORY, name, 0, 0, "no memory for %zu bytes of JSON", text.len);
    }
    return error_at(e, ERR_DATA, name, fault.line > 0 ? fault.line : 0,
                    fault.column > 0 ? fault.column : 0, "not valid JSON: %s", fault.text);
}

static const char *kind_of(const json_t *value) {
    if (!value) {
        return "nothing";
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction or exponent";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "an unknown value";
}

struct json_at json_root(json_t *value, struct error *sticky) {
    assert(sticky->code == ERR_OK);
    return (struct json_at){.value = value, .error = sticky};
}

void json_fault(const struct json_at *at, const char *fmt, ...) {
    if (at->error->code != ERR_OK) {
        return;
    }
    char detail[ERROR_DETAIL_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    error_at(at->error, ERR_DATA, at->path, 0, 0, "%s", n < 0 ? "wrong" : detail);
}

/* A path too long for its room ends in "...": the start is what leads a reader to the place. */
static void set_path(struct json_at *at, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void set_path(struct json_at *at, const char *fmt, ...) {
    static const char mark[] = "...";
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(at->path, sizeof(at->path), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(at->path)) {
        memcpy(at->path + sizeof(at->path) - sizeof(mark), mark, sizeof(mark));
    }
}

static struct json_at child(const struct json_at *at, json_t *value, const char *key) {
    struct json_at made = {.value = value, .error = at->error};
    set_path(&made, "%s%s%s", at->path, at->path[0] ? "." : "", key);
    return made;
}

/* False after recording that the place is not of the expected kind. */
static bool expect(const struct json_at *at, bool fits, const char *expected) {
    if (!fits) {
        json_fault(at, "found %s, expected %s", kind_of(at->value), expected);
    }
    return fits && at->error->code == ERR_OK;
}

struct json_at json_member(const struct json_at *at, const char *key) {
    if (!expect(at, json_is_object(at->value), "an object")) {
        return child(at, NULL, key);
    }
    struct json_at made = child(at, json_object_get(at->value, key), key);
    if (!made.value) {
        json_fault(&made, "found nothing, expected this key to be given");
    }
    return made;
}

struct json_at json_optional(const struct json_at *at, const char *key) {
    if (!at->value || !expect(at, json_is_object(at->value), "an object")) {
        return child(at, NULL, key);
    }
    json_t *value = json_object_get(at->value, key);
    return child(at, json_is_null(value) ? NULL : value, key);
}

struct json_at json_item(const struct json_at *at, size_t index) {
    struct json_at made = {.error = at->error};
    set_path(&made, "%s[%zu]", at->path, index);
    if (expect(at, json_is_array(at->value), "a list")) {
        made.value = json_array_get(at->value, index);
        expect(&made, made.value != NULL, "an item");
    }
    return made;
}

bool json_present(const struct json_at *at) {
    return at->value != NULL;
}

size_t json_len(const struct json_at *at, size_t max) {
    if (!expect(at, json_is_array(at->value), "a list")) {
        return 0;
    }
    size_t len = json_array_size(at->value);
    if (len > max) {
        json_fault(at, "found %zu items, expected at most %zu", len, max);
        return 0;
    }
    return len;
}

const char *json_text(const struct json_at *at, size_t min_bytes, size_t max_bytes) {
    if (!expect(at, json_is_string(at->value), "a text")) {
        return "";
    }
    const char *text = json_string_value(at->value);
    size_t len = json_string_length(at->value);
    if (len < min_bytes || len > max_bytes) {
        json_fault(at, "found a text of %zu bytes, expected %zu to %zu", len, min_bytes, max_bytes);
        return "";
    }
    if (!utf8_valid(bytes_of(text, len))) {
        json_fault(at, "found bytes that are not UTF-8 text, expected UTF-8 without NUL");
        return "";
    }
    return text;
}

int64_t json_int(const struct json_at *at, int64_t min, int64_t max) {
    if (!expect(at, json_is_integer(at->value), "a whole number")) {
        return 0;
    }
    int64_t value = json_integer_value(at->value);
    if (value < min || value > max) {
        json_fault(at, "found %lld, expected %lld to %lld", (long long)value, (long long)min,
                   (long long)max);
        return 0;
    }
    return value;
}

bool json_bool(const struct json_at *at) {
    return expect(at, json_is_boolean(at->value), "true or false") && json_is_true(at->value);
}

bool json_bool_or(const struct json_at *at, bool fallback) {
    return at->value ? json_bool(at) : fallback;
}

static bool listed(const char *const *keys, const char *key) {
    for (; *keys; keys++) {
        if (strcmp(*keys, key) == 0) {
            return true;
        }
    }
    return false;
}

static void join_keys(const char *const *keys, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (; *keys && len < size; keys++) {
        int n = snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", *keys);
        len += n > 0 ? (size_t)n : 0;
    }
}

void json_only(const struct json_at *at, const char *const *keys) {
    if (!expect(at, json_is_object(at->value), "an object")) {
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        const char *key = json_object_iter_key(it);
        if (!listed(keys, key)) {
            char known[ERROR_DETAIL_MAX];
            join_keys(keys, known, sizeof(known));
            json_fault(at, "found unknown key '%.*s', expected one of: %s", FOUND_MAX, key, known);
            return;
        }
    }
}
