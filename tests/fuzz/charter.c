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

static void check_shown(const struct charter *c, struct bytes in) {
    struct error e = {0};
    struct charter *again = NULL;
    json_t *shown = charter_to_json(in, 7);
    FUZZ_CHECK(shown != NULL);
    char *text = json_dumps(shown, 0);
    FUZZ_CHECK(text != NULL);
    enum err rc = charter_parse(bytes_str(text), "again", &again, &e);
    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_TOO_LARGE && strlen(text) > CHARTER_MAX_BYTES));
    if (again != NULL) {
        FUZZ_CHECK(again->service_count == c->service_count && again->k == c->k);
        FUZZ_CHECK(strcmp(again->name, c->name) == 0);
    }
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
