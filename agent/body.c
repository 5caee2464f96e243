/* Owns reading the bodies of requests (see body.h). Must not know any route. */
#include "body.h"

enum err body_open(const struct api_request *r, const char *const *keys, struct error *fault,
                   struct json_at *ret, struct error *e) {
    if (!json_is_object(r->body))
        return error_set(e, ERR_USAGE, "found no JSON object as body, expected one");
    *ret = json_root(r->body, fault);
    json_only(ret, keys);
    return ERR_OK;
}

enum err body_done(const struct error *fault, struct error *e) {
    if (fault->code != ERR_OK && e)
        *e = *fault;
    return fault->code;
}

const char *body_optional_text(const struct json_at *at, const char *key, size_t max_bytes) {
    struct json_at member = json_optional(at, key);
    return json_present(&member) ? json_text(&member, 0, max_bytes) : NULL;
}

const char *body_text(const struct json_at *at, const char *key, size_t max_bytes) {
    struct json_at member = json_member(at, key);
    return json_text(&member, 1, max_bytes);
}

bool body_bool(const struct json_at *at, const char *key) {
    struct json_at member = json_optional(at, key);
    return json_bool_or(&member, false);
}

/* A value as the text people would type: "3", 3 and null (unknown) are understood. */
static const char *pair_text(const struct json_at *at, char number[static TEXT_NUMBER_SIZE]) {
    if (json_is_integer(at->value))
        return text_number(json_int(at, INT64_MIN, INT64_MAX), 0, number);
    if (json_is_string(at->value))
        return json_text(at, 0, API_BODY_MAX);
    json_fault(at, "found something else, expected a text, a whole number or null");
    return "";
}

void body_read_pairs(const struct json_at *at, struct body_pairs *ret) {
    if (!json_present(at))
        return;
    if (!json_is_object(at->value) || json_object_size(at->value) > BODY_MAX_PAIRS) {
        json_fault(at, "found something else, expected an object of at most %d keys",
                   BODY_MAX_PAIRS);
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        const char *key = json_object_iter_key(it);
        struct json_at value = json_optional(at, key);
        ret->list[ret->count].key = key;
        ret->list[ret->count].value =
            json_present(&value) ? pair_text(&value, ret->numbers[ret->count]) : "";
        ret->count++;
    }
}
