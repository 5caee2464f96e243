/* Tests that the screens say the same in each language: same keys, same {names} in each text. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static json_t *load(const char *folder, const char *language) {
    char path[128];
    json_error_t fault;
    snprintf(path, sizeof path, "%s/web/%s.json", folder, language);
    json_t *texts = json_load_file(path, JSON_REJECT_DUPLICATES, &fault);
    cr_assert(json_is_object(texts), "%s:%d: %s", path, fault.line, fault.text);
    return texts;
}

/* Does every "{name}" of `a` stand in `b`? */
static bool has_names(const char *a, const char *b) {
    char name[64];
    for (const char *p = strchr(a, '{'); p; p = strchr(p + 1, '{')) {
        size_t len = strcspn(p, "}") + 1;
        cr_assert_lt(len, sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        if (!strstr(b, name))
            return false;
    }
    return true;
}

static void expect_within(const char *folder, const char *from, const char *to) {
    json_t *a = load(folder, from), *b = load(folder, to), *value;
    const char *key;
    json_object_foreach(a, key, value) {
        const char *here = json_string_value(value);
        const char *there = json_string_value(json_object_get(b, key));
        cr_assert(here && *here, "%s: %s has no text in %s", folder, key, from);
        cr_expect(there, "%s: %s is in %s.json, not in %s.json", folder, key, from, to);
        cr_expect(!there || has_names(here, there), "%s: %s names other values in %s", folder, key,
                  to);
    }
    json_decref(a);
    json_decref(b);
}

Test(texts, are_the_same_in_both_languages) {
    static const char *const folders[] = {"agent", "hub", "shared"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        expect_within(folders[i], "nl", "en");
        expect_within(folders[i], "en", "nl");
    }
}

/* What stands in two files would be said by whichever is read last. */
Test(texts, stand_in_one_place) {
    static const char *const folders[] = {"agent", "hub"};
    json_t *shared = load("shared", "en"), *value;
    const char *key;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        json_t *own = load(folders[i], "en");
        json_object_foreach(own, key, value) {
            cr_expect_null(json_object_get(shared, key), "%s: %s stands in shared/web too",
                           folders[i], key);
        }
        json_decref(own);
    }
    json_decref(shared);
}
