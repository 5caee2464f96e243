/* Tests reading JSON: places of syntax faults, paths of faults in content, bounds, the sticky
 * error. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

static json_t *parse(const char *text) {
    json_t *value = NULL;
    struct error e = {0};
    cr_assert_eq(json_parse(bytes_str(text), 4096, "t.json", &value, &e), ERR_OK, "%s: %s", text,
                 e.detail);
    return value;
}

static struct error refused(struct bytes text, size_t max) {
    json_t *value = (json_t *)&text;
    struct error e = {0};
    enum err err = json_parse(text, max, "t.json", &value, &e);
    cr_assert_neq(err, ERR_OK);
    cr_assert_eq(err, e.code);
    cr_assert_eq(value, (json_t *)&text, "output touched on failure");
    return e;
}

Test(json, a_syntax_fault_has_file_line_and_column) {
    struct error e = refused(bytes_str("{\n  \"a\": 1,\n  \"é\": oops\n}"), 100);
    cr_assert_eq(e.code, ERR_DATA);
    cr_assert_str_eq(e.file, "t.json");
    cr_assert_eq(e.line, 3);
    cr_assert_geq(e.column, 8);
    cr_assert_leq(e.column, 12);
    cr_assert_not_null(strstr(e.detail, "oops"), "%s", e.detail);
}

Test(json, truncation_at_every_byte_is_refused) {
    static const char text[] = "{\"a\": [1, 2, {\"b\": \"\\u00e9é\"}], \"c\": true}";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        cr_assert_eq(refused(bytes_of(text, len), 100).code, ERR_DATA, "%zu", len);
    }
    json_decref(parse(text));
}

Test(json, refuses_what_is_not_one_clean_document) {
    static const char *const bad[] = {"\"text\"",      "12",
                                      "null",          "{} {}",
                                      "[1,]",          "{\"a\":1,}",
                                      "{'a':1}",       "[\"\\u0000\"]",
                                      "[\"\xFF\"]",    "[\"\xED\xA0\x80\"]",
                                      "[\"\\ud800\"]", "[01]",
                                      "[+1]",          "[.5]",
                                      "[NaN]",         "[9223372036854775808]",
                                      "[1e999]",       "{\"a\" 1}",
                                      "[\"a\nb\"]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(refused(bytes_str(bad[i]), 100).code, ERR_DATA, "%s", bad[i]);
    }
    cr_assert_eq(refused(bytes_of("[1]\0", 4), 100).code, ERR_DATA);
    cr_assert_eq(refused(bytes_of(NULL, 0), 100).code, ERR_DATA);
}

Test(json, refuses_a_key_given_twice) {
    struct error e = refused(bytes_str("{\"a\":1,\n\"a\":2}"), 100);
    cr_assert_eq(e.line, 2);
    cr_assert_not_null(strstr(e.detail, "duplicate"), "%s", e.detail);
}

Test(json, the_cap_counts_bytes) {
    json_t *value = NULL;
    cr_assert_eq(json_parse(bytes_str("[1,2]"), 5, "t", &value, NULL), ERR_OK);
    json_decref(value);
    struct error e = refused(bytes_str("[1,2]"), 4);
    cr_assert_eq(e.code, ERR_TOO_LARGE);
    cr_assert_str_eq(e.file, "t.json");
}

static void nested(char *out, int depth) {
    memset(out, '[', (size_t)depth);
    memset(out + depth, ']', (size_t)depth);
    out[2 * depth] = '\0';
}

Test(json, depth_has_a_limit_with_a_place) {
    char text[4 * JSON_DEPTH_MAX];
    nested(text, JSON_DEPTH_MAX);
    json_decref(parse(text));
    nested(text, JSON_DEPTH_MAX + 1);
    struct error e = refused(bytes_str(text), 4096);
    cr_assert_eq(e.code, ERR_DATA);
    cr_assert_eq(e.line, 1);
    cr_assert_eq(e.column, JSON_DEPTH_MAX + 1);
    json_decref(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"]"));
}

Test(json, a_byte_order_mark_is_skipped) {
    json_t *value = parse("\xEF\xBB\xBF{\"a\":1}");
    cr_assert_eq(json_object_size(value), 1);
    json_decref(value);
}

Test(json, reads_every_kind) {
    json_t *doc = parse("{\"t\":\"één\",\"i\":-9223372036854775808,\"b\":true,\"n\":null,"
                        "\"l\":[{\"x\":5}]}");
    struct error e = {0};
    struct json_at root = json_root(doc, &e);
    struct json_at t = json_member(&root, "t");
    struct json_at i = json_member(&root, "i");
    struct json_at b = json_member(&root, "b");
    struct json_at n = json_optional(&root, "n");
    struct json_at none = json_optional(&root, "none");
    struct json_at l = json_member(&root, "l");
    struct json_at item = json_item(&l, 0);
    struct json_at x = json_member(&item, "x");
    cr_assert_str_eq(json_text(&t, 0, 5), "één");
    cr_assert_eq(json_int(&i, INT64_MIN, INT64_MAX), INT64_MIN);
    cr_assert(json_bool(&b));
    cr_assert(json_bool_or(&b, false));
    cr_assert_not(json_present(&n));
    cr_assert_not(json_present(&none));
    cr_assert(json_bool_or(&none, true));
    cr_assert_not(json_bool_or(&n, false));
    cr_assert_eq(json_len(&l, 1), 1);
    cr_assert_eq(json_int(&x, 5, 5), 5);
    cr_assert_str_eq(x.path, "l[0].x");
    json_only(&root, (const char *const[]){"t", "i", "b", "n", "l", "other", NULL});
    struct json_at absent_child = json_optional(&none, "deeper");
    cr_assert_not(json_present(&absent_child));
    cr_assert_eq(e.code, ERR_OK, "%s", e.detail);
    json_decref(doc);
}

/* Reads `text` as {"v": ...} by one reader and gives the fault. */
enum reader { TEXT, INT, BOOL, BOOL_OR, LEN, MEMBER, OPTIONAL, ITEM, ONLY };

static struct error fault_of(const char *text, enum reader reader) {
    json_t *doc = parse(text);
    struct error e = {0};
    struct json_at root = json_root(doc, &e);
    struct json_at v = json_member(&root, "v");
    static const char *const keys[] = {"a", "bc", NULL};
    switch (reader) {
    case TEXT:
        cr_assert_str_empty(json_text(&v, 2, 4));
        break;
    case INT:
        cr_assert_eq(json_int(&v, 1, 5), 0);
        break;
    case BOOL:
        cr_assert_not(json_bool(&v));
        break;
    case BOOL_OR:
        cr_assert_not(json_bool_or(&v, true));
        break;
    case LEN:
        cr_assert_eq(json_len(&v, 2), 0);
        break;
    case MEMBER:
        v = json_member(&v, "k");
        cr_assert_null(v.value);
        break;
    case OPTIONAL:
        v = json_optional(&v, "k");
        cr_assert_null(v.value);
        break;
    case ITEM:
        v = json_item(&v, 2);
        cr_assert_null(v.value);
        break;
    case ONLY:
        json_only(&v, keys);
        break;
    }
    cr_assert_eq(e.code, ERR_DATA, "%s", text);
    json_decref(doc);
    return e;
}

static void check_fault(const char *text, enum reader reader, const char *path,
                        const char *detail) {
    struct error e = fault_of(text, reader);
    cr_assert_str_eq(e.file, path, "%s: path %s", text, e.file);
    cr_assert_str_eq(e.detail, detail, "%s: %s", text, e.detail);
}

Test(json, faults_say_where_found_and_expected) {
    check_fault("{}", TEXT, "v", "found nothing, expected this key to be given");
    check_fault("{\"v\":7}", TEXT, "v", "found a whole number, expected a text");
    check_fault("{\"v\":null}", TEXT, "v", "found null, expected a text");
    check_fault("{\"v\":\"a\"}", TEXT, "v", "found a text of 1 bytes, expected 2 to 4");
    check_fault("{\"v\":\"ééé\"}", TEXT, "v", "found a text of 6 bytes, expected 2 to 4");
    check_fault("{\"v\":\"3\"}", INT, "v", "found a text, expected a whole number");
    check_fault("{\"v\":3.0}", INT, "v",
                "found a number with a fraction or exponent, expected a whole number");
    check_fault("{\"v\":0}", INT, "v", "found 0, expected 1 to 5");
    check_fault("{\"v\":6}", INT, "v", "found 6, expected 1 to 5");
    check_fault("{\"v\":1}", BOOL, "v", "found a whole number, expected true or false");
    check_fault("{\"v\":\"true\"}", BOOL_OR, "v", "found a text, expected true or false");
    check_fault("{\"v\":{}}", LEN, "v", "found an object, expected a list");
    check_fault("{\"v\":[1,2,3]}", LEN, "v", "found 3 items, expected at most 2");
    check_fault("{\"v\":[]}", MEMBER, "v", "found a list, expected an object");
    check_fault("{\"v\":{}}", MEMBER, "v.k", "found nothing, expected this key to be given");
    check_fault("{\"v\":true}", OPTIONAL, "v", "found true, expected an object");
    check_fault("{\"v\":[1,2]}", ITEM, "v[2]", "found nothing, expected an item");
    check_fault("{\"v\":false}", ITEM, "v", "found false, expected a list");
    check_fault("{\"v\":{\"a\":1,\"b\":2}}", ONLY, "v",
                "found unknown key 'b', expected one of: a, bc");
    check_fault("{\"v\":3}", ONLY, "v", "found a whole number, expected an object");
}

Test(json, a_fault_at_the_root_has_no_path) {
    json_t *doc = parse("[1]");
    struct error e = {0};
    struct json_at root = json_root(doc, &e);
    struct json_at v = json_member(&root, "v");
    cr_assert_null(v.value);
    cr_assert_str_empty(e.file);
    cr_assert_str_eq(e.detail, "found a list, expected an object");
    json_decref(doc);
}

Test(json, the_first_fault_stays_and_later_reads_are_neutral) {
    json_t *doc = parse("{\"a\":\"x\",\"n\":5,\"l\":[1]}");
    struct error e = {0};
    struct json_at root = json_root(doc, &e);
    struct json_at a = json_member(&root, "a");
    struct json_at n = json_member(&root, "n");
    struct json_at l = json_member(&root, "l");
    json_fault(&a, "found 'x', expected %s", "y");
    cr_assert_eq(json_int(&n, 0, 9), 0);
    cr_assert_eq(json_len(&l, 5), 0);
    cr_assert_str_empty(json_text(&a, 0, 9));
    json_fault(&n, "second");
    json_only(&root, (const char *const[]){NULL});
    struct json_at gone = json_member(&root, "gone");
    cr_assert_null(gone.value);
    cr_assert_str_eq(e.file, "a");
    cr_assert_str_eq(e.detail, "found 'x', expected y");
    json_decref(doc);
}

Test(json, a_path_too_long_ends_in_dots) {
    char key[JSON_PATH_MAX + 20];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    char text[JSON_PATH_MAX + 40];
    snprintf(text, sizeof(text), "{\"%s\":[1]}", key);
    json_t *doc = parse(text);
    struct error e = {0};
    struct json_at root = json_root(doc, &e);
    struct json_at v = json_member(&root, key);
    cr_assert_eq(strlen(v.path), JSON_PATH_MAX - 1);
    cr_assert_str_eq(v.path + JSON_PATH_MAX - 5, "k...");
    struct json_at item = json_item(&v, 0);
    cr_assert_eq(json_int(&item, 1, 1), 1);
    cr_assert_eq(e.code, ERR_OK);
    json_decref(doc);
}
