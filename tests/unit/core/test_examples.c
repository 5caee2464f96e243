/* Tests that every example of docs/examples is what docs/formats.md says: it parses, and so does
 * its policy in a network with its charter and the members it names. Runs in the source directory.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "policy.h"

#define EXAMPLES "docs/examples"

static char *read_example(const char *kind, const char *name) {
    char path[256];
    struct buf b;
    size_t len = 0;
    snprintf(path, sizeof(path), EXAMPLES "/%s-%s.json", kind, name);
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "cannot open %s", path);
    buf_init(&b, POLICY_MAX_BYTES);
    for (int c = getc(f); c != EOF; c = getc(f)) {
        buf_append_u8(&b, (uint8_t)c);
    }
    fclose(f);
    buf_append_u8(&b, 0);
    cr_assert_eq(b.failed, ERR_OK);
    return (char *)buf_take(&b, &len);
}

static void admit(struct network *n, uint32_t number, const char *name) {
    struct error e = {0};
    if (strcmp(name, "@hub") == 0 || directory_name_used(n->directory, name)) {
        return;
    }
    cr_assert_eq(network_invited(n, number, name, ROLE_PROVIDER, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(network_admitted(n, number, number, number, &e), ERR_OK, "%s", e.detail);
}

/* The members' names are placeholders: the network of the test has whoever is named. */
static void admit_all(struct network *n, const char *policy) {
    struct error e = {0};
    json_t *document = NULL;
    uint32_t number = 0;
    size_t i, k;
    json_t *audience, *member;
    cr_assert_eq(json_parse(bytes_str(policy), POLICY_MAX_BYTES, "policy", &document, &e), ERR_OK);
    json_array_foreach(json_object_get(document, "audiences"), i, audience) {
        json_array_foreach(json_object_get(audience, "members"), k, member) {
            admit(n, ++number, json_string_value(member));
        }
    }
    json_decref(document);
}

static void parses(struct network *n, const char *what, const char *policy) {
    struct policy *p = NULL;
    struct error e = {0};
    cr_assert_eq(policy_parse(bytes_str(policy), what, n->directory, &p, &e), ERR_OK, "%s: %s: %s",
                 what, e.file, e.detail);
    cr_assert_gt(p->audience_count, 0u);
    policy_free(p);
}

static void check_texts(const struct charter_service *s) {
    cr_assert(s->label.nl[0] && s->label.en[0], "%s", s->code);
    cr_assert(s->definition.nl[0] && s->definition.en[0], "%s", s->code);
    cr_assert_str_neq(s->definition.nl, s->definition.en, "%s: both languages", s->code);
    cr_assert(s->has_light, "%s", s->code);
}

static void check_example(const char *name) {
    char *charter_text = read_example("charter", name);
    char *policy = read_example("policy", name);
    struct network n;
    network_open(&n, charter_text, 0);
    const struct charter *charter = directory_charter(n.directory);
    for (size_t i = 0; i < charter->service_count; i++) {
        check_texts(&charter->services[i]);
    }
    cr_assert_not_null(charter->suggested_policy, "%s", name);
    parses(&n, "suggested_policy", charter->suggested_policy);
    admit_all(&n, policy);
    parses(&n, name, policy);
    network_done(&n);
    free(charter_text);
    free(policy);
}

Test(examples, each_charter_and_policy_parses) {
    static const char prefix[] = "charter-", suffix[] = ".json";
    DIR *dir = opendir(EXAMPLES);
    size_t found = 0;
    cr_assert_not_null(dir, "run in the source directory");
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        char name[256];
        size_t len = strlen(d->d_name);
        if (strncmp(d->d_name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        cr_assert_gt(len, strlen(prefix) + strlen(suffix));
        snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(prefix) - strlen(suffix)),
                 d->d_name + strlen(prefix));
        check_example(name);
        found++;
    }
    closedir(dir);
    cr_assert_geq(found, 3u);
}

Test(examples, home_nursing_counts_tenths_of_hours_a_week) {
    char *text = read_example("charter", "home-nursing");
    struct charter *c = NULL;
    struct error e = {0};
    cr_assert_eq(charter_parse(bytes_str(text), "c", &c, &e), ERR_OK, "%s", e.detail);
    const struct charter_service *s = charter_service(c, "nursing");
    cr_assert_not_null(s);
    cr_assert(s->unit == UNIT_HOUR && s->per_week && s->decimals == 1 && s->light_green == 80);
    charter_free(c);
    free(text);
}
