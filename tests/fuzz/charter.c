/* Fuzzes charters (docs/formats.md, "Charter"): what is accepted can be shown with its version and
 * given back, and its bounds hold. */
#include <string.h>

#include "charter.h"
#include "fuzz.h"

static void check_service(const struct charter *c, const struct charter_service *s) {
    FUZZ_CHECK(charter_service(c, s->code) == s);
    FUZZ_CHECK(charter_code_valid(s->code));
    FUZZ_CHECK(s->label.nl && s->label.en && s->definition.nl && s->definition.en);
    FUZZ_CHECK(s->decimals >= 0 && s->decimals <= 3);
    FUZZ_CHECK(s->validity_ms > 0 && s->validity_ms <= c->longest_validity_ms);
    FUZZ_CHECK(s->attribute_count <= CHARTER_MAX_ATTRIBUTES);
    FUZZ_CHECK(!s->has_light || (s->light_green >= s->light_orange && s->light_orange >= 1));
    for (size_t i = 0; i < s->attribute_count; i++) {
        const struct charter_attribute *a = &s->attributes[i];
        FUZZ_CHECK(charter_attribute(s, a->name) == a);
        FUZZ_CHECK(a->value_count >= 1 && a->value_count <= CHARTER_MAX_VALUES);
        for (size_t v = 0; v < a->value_count; v++)
            FUZZ_CHECK(charter_value_allowed(a, a->values[v].code));
    }
}

static bool same_text(const struct charter_text *a, const struct charter_text *b) {
    return strcmp(a->nl, b->nl) == 0 && strcmp(a->en, b->en) == 0;
}

static void check_same_service(const struct charter_service *a, const struct charter_service *b) {
    FUZZ_CHECK(strcmp(a->code, b->code) == 0 && same_text(&a->label, &b->label));
    FUZZ_CHECK(same_text(&a->definition, &b->definition));
    FUZZ_CHECK(a->unit == b->unit && a->per_week == b->per_week && a->decimals == b->decimals);
    FUZZ_CHECK(a->validity_ms == b->validity_ms && a->attribute_count == b->attribute_count);
    FUZZ_CHECK(a->has_light == b->has_light && a->light_green == b->light_green &&
               a->light_orange == b->light_orange);
    for (size_t i = 0; i < a->attribute_count; i++) {
        const struct charter_attribute *x = &a->attributes[i], *y = &b->attributes[i];
        FUZZ_CHECK(strcmp(x->name, y->name) == 0 && same_text(&x->label, &y->label));
        FUZZ_CHECK(x->value_count == y->value_count);
        for (size_t v = 0; v < x->value_count; v++)
            FUZZ_CHECK(strcmp(x->values[v].code, y->values[v].code) == 0 &&
                       same_text(&x->values[v].label, &y->values[v].label));
    }
}

static void check_same(const struct charter *a, const struct charter *b) {
    FUZZ_CHECK(strcmp(a->name, b->name) == 0 && same_text(&a->purpose, &b->purpose));
    FUZZ_CHECK(strcmp(a->time_zone, b->time_zone) == 0 && a->k == b->k);
    FUZZ_CHECK(a->longest_validity_ms == b->longest_validity_ms && a->keep_days == b->keep_days);
    FUZZ_CHECK((a->suggested_policy == NULL) == (b->suggested_policy == NULL));
    FUZZ_CHECK(a->suggested_policy == NULL ||
               strcmp(a->suggested_policy, b->suggested_policy) == 0);
    FUZZ_CHECK(a->service_count == b->service_count);
    for (size_t i = 0; i < a->service_count; i++)
        check_same_service(&a->services[i], &b->services[i]);
}

/* What is shown can be edited and given back: it means the same. */
static void check_shown(const struct charter *c, struct bytes in) {
    struct error e = {0};
    struct charter *again = NULL;
    json_t *shown = charter_to_json(in, 7);
    FUZZ_CHECK(shown != NULL);
    char *text = json_dumps(shown, 0);
    FUZZ_CHECK(text != NULL);
    enum err rc = charter_parse(bytes_str(text), "again", &again, &e);
    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_TOO_LARGE && strlen(text) > CHARTER_MAX_BYTES));
    if (again != NULL)
        check_same(c, again);
    charter_free(again);
    free(text);
    json_decref(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct bytes in = bytes_of(data, size);
    struct error e = {0};
    struct charter *c = NULL;
    if (!fuzz_accepted(charter_parse(in, "charter.json", &c, &e), &e)) {
        FUZZ_CHECK(c == NULL);
        return 0;
    }
    FUZZ_CHECK(c->service_count >= 1 && c->service_count <= CHARTER_MAX_SERVICES);
    for (size_t i = 0; i < c->service_count; i++)
        check_service(c, &c->services[i]);
    check_shown(c, in);
    charter_free(c);
    return 0;
}
