/* Tests the charter: the default, what each key may hold, and the path of every fault. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charter.h"

#define DAY INT64_C(86400000)
#define BED "{\"code\":\"bed\",\"unit\":\"bed\"}"

static struct charter *parsed(const char *json) {
    struct charter *c = NULL;
    struct error e = {0};
    cr_assert_eq(charter_parse(bytes_str(json), "c.json", &c, &e), ERR_OK, "%s: %s: %s", json,
                 e.file, e.detail);
    return c;
}

static struct error refused(const char *json) {
    struct charter *untouched = (struct charter *)&json;
    struct error e = {0};
    enum err code = charter_parse(bytes_str(json), "c.json", &untouched, &e);
    cr_assert_eq(code, ERR_DATA, "%s", json);
    cr_assert_eq(e.code, ERR_DATA);
    cr_assert_eq(untouched, (struct charter *)&json, "output touched on failure");
    return e;
}

Test(charter, the_default_says_what_the_documents_say) {
    struct charter *c = parsed(charter_default_json());
    cr_assert_str_eq(c->name, "");
    cr_assert_str_eq(c->time_zone, "Europe/Amsterdam");
    cr_assert_eq(c->k, 3);
    cr_assert_eq(c->longest_validity_ms, 7 * DAY);
    cr_assert_eq(c->keep_days, 35);
    cr_assert_eq(c->service_count, 1u);
    cr_assert_null(c->suggested_policy);
    const struct charter_service *bed = charter_service(c, "bed");
    cr_assert_not_null(bed);
    cr_assert_eq(bed->unit, UNIT_BED);
    cr_assert_eq(bed->decimals, 0);
    cr_assert_eq(bed->validity_ms, DAY);
    cr_assert_eq(bed->attribute_count, 0u);
    cr_assert(!bed->has_light && !bed->per_week);
    cr_assert(bed->definition.nl[0] && bed->definition.en[0]);
    cr_assert_null(charter_service(c, "beds"));
    charter_free(c);
}

Test(charter, what_is_left_out_has_its_default) {
    struct charter *c = parsed("{\"format\":1,\"services\":[" BED "]}");
    cr_assert_str_eq(c->time_zone, "Europe/Amsterdam");
    cr_assert_eq(c->k, 3);
    cr_assert_eq(c->longest_validity_ms, 7 * DAY);
    cr_assert_eq(c->keep_days, 35);
    cr_assert_str_eq(c->purpose.nl, "");
    cr_assert_str_eq(c->services[0].label.nl, "bed");
    cr_assert_str_eq(c->services[0].definition.en, "");
    cr_assert_eq(c->services[0].validity_ms, DAY);
    charter_free(c);
    c = parsed("{\"format\":1,\"longest_validity\":\"8h\",\"services\":[" BED "]}");
    cr_assert_eq(c->services[0].validity_ms, DAY / 3, "never over the longest");
    charter_free(c);
}

static const char rich[] =
    "{\"format\":1,\"version\":4,\"name\":\"Zorg\",\"purpose\":{\"nl\":\"Doel\",\"en\":\"Aim\"},"
    "\"time_zone\":\"Etc/"
    "GMT+1\",\"k\":5,\"longest_validity\":\"3d\",\"keep_days\":60,\"services\":["
    "{\"code\":\"ht-care_1\",\"label\":\"Thuiszorg\",\"definition\":{\"en\":\"Only English\"},"
    "\"unit\":\"hour\",\"period\":\"week\",\"decimals\":1,\"validity\":\"2d\",\"attributes\":["
    "{\"name\":\"level\",\"label\":{\"nl\":\"Niveau\"},\"values\":[\"low\","
    "{\"code\":\"high\",\"label\":{\"nl\":\"hoog\",\"en\":\"high\"}}]}],"
    "\"light\":{\"green\":3,\"orange\":1}},{\"code\":\"home\",\"unit\":\"home\"},"
    "{\"code\":\"p\",\"unit\":\"place\"}],"
    "\"suggested_policy\":{\"audiences\":[]}}";

Test(charter, every_key_is_read) {
    struct charter *c = parsed(rich);
    cr_assert_str_eq(c->name, "Zorg");
    cr_assert_str_eq(c->purpose.nl, "Doel");
    cr_assert_str_eq(c->purpose.en, "Aim");
    cr_assert_str_eq(c->time_zone, "Etc/GMT+1");
    cr_assert_eq(c->k, 5);
    cr_assert_eq(c->keep_days, 60);
    cr_assert_eq(c->service_count, 3u);
    cr_assert_str_eq(c->suggested_policy, "{\"audiences\":[]}");
    const struct charter_service *s = charter_service(c, "ht-care_1");
    cr_assert_eq(s->unit, UNIT_HOUR);
    cr_assert(s->per_week && s->decimals == 1 && s->validity_ms == 2 * DAY);
    cr_assert_str_eq(s->label.nl, "Thuiszorg");
    cr_assert_str_eq(s->label.en, "Thuiszorg");
    cr_assert_str_eq(s->definition.nl, "Only English");
    cr_assert(s->has_light && s->light_green == 30 && s->light_orange == 10, "scaled");
    const struct charter_attribute *a = charter_attribute(s, "level");
    cr_assert_not_null(a);
    cr_assert_null(charter_attribute(s, "lvl"));
    cr_assert_str_eq(a->label.en, "Niveau");
    cr_assert_str_eq(a->values[0].label.en, "low");
    cr_assert_str_eq(a->values[1].label.nl, "hoog");
    cr_assert(charter_value_allowed(a, "low") && charter_value_allowed(a, "high"));
    cr_assert(!charter_value_allowed(a, "hoog"));
    cr_assert_eq(c->services[1].unit, UNIT_HOME);
    cr_assert_eq(c->services[2].unit, UNIT_PLACE);
    charter_free(c);
}

#define TOP(rest) "{\"format\":1,\"services\":[" BED "]," rest "}"
#define SERVICE(rest) "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"," rest "}]}"
#define ATTRIBUTES(list) SERVICE("\"attributes\":[" list "]")
#define FORTY "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

Test(charter, a_fault_is_named_by_its_path) {
    static const struct {
        const char *json, *path, *part;
    } rows[] = {
        {"[]", "", "an object"},
        {"{\"services\":[" BED "]}", "format", "found nothing"},
        {"{\"format\":2,\"services\":[" BED "]}", "format", "found format 2, expected 1"},
        {"{\"format\":\"1\",\"services\":[" BED "]}", "format", "a whole number"},
        {"{\"format\":1}", "services", "found nothing"},
        {"{\"format\":1,\"services\":[]}", "services", "at least one service"},
        {"{\"format\":1,\"services\":{}}", "services", "a list"},
        {TOP("\"colour\":1"), "", "unknown key 'colour'"},
        {TOP("\"version\":-1"), "version", "found -1"},
        {TOP("\"name\":3"), "name", "a text"},
        {TOP("\"purpose\":3"), "purpose", "a text"},
        {TOP("\"purpose\":{}"), "purpose", "\"nl\""},
        {TOP("\"purpose\":{\"de\":\"x\"}"), "purpose", "unknown key 'de'"},
        {TOP("\"purpose\":{\"nl\":1}"), "purpose.nl", "a text"},
        {TOP("\"time_zone\":\"Europe Amsterdam\""), "time_zone", "a time zone"},
        {TOP("\"time_zone\":\"\""), "time_zone", "0 bytes"},
        {TOP("\"k\":0"), "k", "expected 1 to 1000"},
        {TOP("\"k\":3.0"), "k", "a whole number"},
        {TOP("\"keep_days\":0"), "keep_days", "expected 1"},
        {TOP("\"longest_validity\":\"7 d\""), "longest_validity", "7 d"},
        {TOP("\"longest_validity\":7"), "longest_validity", "a text"},
        {TOP("\"longest_validity\":\"3651d\""), "longest_validity", "1s to 3650d"},
        {TOP("\"longest_validity\":\"250ms\""), "longest_validity", "whole seconds"},
        {TOP("\"suggested_policy\":[]"), "suggested_policy", "a policy"},
        {"{\"format\":1,\"services\":[{\"unit\":\"bed\"}]}", "services[0].code", "found nothing"},
        {"{\"format\":1,\"services\":[{\"code\":\"Bed\",\"unit\":\"bed\"}]}", "services[0].code",
         "found 'Bed'"},
        {"{\"format\":1,\"services\":[{\"code\":\"-b\",\"unit\":\"bed\"}]}", "services[0].code",
         "begins"},
        {"{\"format\":1,\"services\":[{\"code\":\"b d\",\"unit\":\"bed\"}]}", "services[0].code",
         "found 'b d'"},
        {"{\"format\":1,\"services\":[{\"code\":\"" FORTY "e\",\"unit\":\"bed\"}]}",
         "services[0].code", "41 bytes"},
        {"{\"format\":1,\"services\":[{\"code\":\"bed\"}]}", "services[0].unit", "found nothing"},
        {"{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"sofa\"}]}", "services[0].unit",
         "found 'sofa'"},
        {"{\"format\":1,\"services\":[" BED "," BED "]}", "services[1]", "'bed' twice"},
        {SERVICE("\"beds\":1"), "services[0]", "unknown key 'beds'"},
        {SERVICE("\"period\":\"week\""), "services[0].period", "only with unit"},
        {SERVICE("\"period\":\"day\""), "services[0].period", "found 'day'"},
        {SERVICE("\"decimals\":4"), "services[0].decimals", "expected 0 to 3"},
        {SERVICE("\"decimals\":-1"), "services[0].decimals", "expected 0 to 3"},
        {SERVICE("\"validity\":\"8d\""), "services[0].validity", "1s to 7d"},
        {SERVICE("\"validity\":\"0s\""), "services[0].validity", "0s"},
        {SERVICE("\"light\":{\"green\":1,\"orange\":2}"), "services[0].light.green", "orange's 2"},
        {SERVICE("\"light\":{\"green\":1}"), "services[0].light.orange", "found nothing"},
        {SERVICE("\"light\":{\"green\":1,\"orange\":0}"), "services[0].light.orange", "found 0"},
        {SERVICE("\"light\":{\"green\":1,\"orange\":1,\"red\":0}"), "services[0].light", "'red'"},
        {SERVICE("\"label\":{\"nl\":\"" FORTY FORTY "x\"}"), "services[0].label.nl", "81 bytes"},
        {ATTRIBUTES("{\"values\":[\"a\"]}"), "services[0].attributes[0].name", "found nothing"},
        {ATTRIBUTES("{\"name\":\"a\"}"), "services[0].attributes[0].values", "found nothing"},
        {ATTRIBUTES("{\"name\":\"a\",\"values\":[]}"), "services[0].attributes[0].values",
         "at least one value"},
        {ATTRIBUTES("{\"name\":\"a\",\"values\":[\"x\",\"X\"]}"),
         "services[0].attributes[0].values[1]", "found 'X'"},
        {ATTRIBUTES("{\"name\":\"a\",\"values\":[\"x\",\"x\"]}"),
         "services[0].attributes[0].values[1]", "'x' twice"},
        {ATTRIBUTES("{\"name\":\"a\",\"values\":[{\"label\":\"x\"}]}"),
         "services[0].attributes[0].values[0].code", "found nothing"},
        {ATTRIBUTES("{\"name\":\"a\",\"values\":[\"x\"]},{\"name\":\"a\",\"values\":[\"x\"]}"),
         "services[0].attributes[1]", "'a' twice"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e = refused(rows[i].json);
        cr_assert_str_eq(e.file, rows[i].path, "%s: %s: %s", rows[i].json, e.file, e.detail);
        cr_assert_not_null(strstr(e.detail, rows[i].part), "%s: %s", rows[i].json, e.detail);
    }
}

Test(charter, syntax_faults_have_line_and_column) {
    struct error e = refused("{\"format\":1,\n\"services\":[}");
    cr_assert_str_eq(e.file, "c.json");
    cr_assert_eq(e.line, 2);
    cr_assert_gt(e.column, 0);
}

Test(charter, every_truncation_is_refused) {
    for (size_t len = 0; len < strlen(rich); len++) {
        struct charter *c = NULL;
        struct error e = {0};
        cr_assert_neq(charter_parse(bytes_of(rich, len), "c.json", &c, &e), ERR_OK, "%zu", len);
        cr_assert_null(c);
    }
}

/* Each byte replaced in turn: refused or read, never a crash or a leak (sanitizers watch). */
Test(charter, damaged_bytes_never_do_harm) {
    static const char with[] = {'0', '"', '}', ']', ',', '\xFF'};
    char copy[sizeof(rich)];
    size_t refusals = 0;
    for (size_t i = 0; i < strlen(rich); i++) {
        for (size_t k = 0; k < sizeof(with); k++) {
            struct charter *c = NULL;
            struct error e = {0};
            memcpy(copy, rich, sizeof(rich));
            copy[i] = with[k];
            refusals += charter_parse(bytes_str(copy), "c.json", &c, &e) != ERR_OK;
            charter_free(c);
        }
    }
    cr_assert_gt(refusals, strlen(rich));
}

static char *with_items(size_t services, size_t attributes, size_t values) {
    struct buf b;
    size_t len = 0;
    buf_init(&b, CHARTER_MAX_BYTES);
    buf_append_str(&b, "{\"format\":1,\"services\":[");
    for (size_t s = 0; s < services; s++) {
        buf_printf(&b, "%s{\"code\":\"s%zu\",\"unit\":\"bed\",\"attributes\":[", s ? "," : "", s);
        for (size_t a = 0; a < attributes; a++) {
            buf_printf(&b, "%s{\"name\":\"a%zu\",\"values\":[", a ? "," : "", a);
            for (size_t v = 0; v < values; v++) {
                buf_printf(&b, "%s\"v%zu\"", v ? "," : "", v);
            }
            buf_append_str(&b, "]}");
        }
        buf_append_str(&b, "]}");
    }
    buf_append_str(&b, "]}");
    buf_append_u8(&b, 0);
    cr_assert_eq(b.failed, ERR_OK);
    return (char *)buf_take(&b, &len);
}

Test(charter, counts_have_caps) {
    static const struct {
        size_t services, attributes, values;
        const char *path; /* NULL: accepted */
    } rows[] = {
        {CHARTER_MAX_SERVICES, 1, 1, NULL},
        {CHARTER_MAX_SERVICES + 1, 0, 0, "services"},
        {1, CHARTER_MAX_ATTRIBUTES, CHARTER_MAX_VALUES, NULL},
        {1, CHARTER_MAX_ATTRIBUTES + 1, 1, "services[0].attributes"},
        {1, 1, CHARTER_MAX_VALUES + 1, "services[0].attributes[0].values"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *json = with_items(rows[i].services, rows[i].attributes, rows[i].values);
        if (rows[i].path) {
            cr_assert_str_eq(refused(json).file, rows[i].path);
        } else {
            charter_free(parsed(json));
        }
        free(json);
    }
}

Test(charter, a_document_over_its_cap_is_too_large) {
    char *json = malloc(CHARTER_MAX_BYTES + 2);
    struct charter *c = NULL;
    struct error e = {0};
    memset(json, ' ', CHARTER_MAX_BYTES + 2);
    cr_assert_eq(charter_parse(bytes_of(json, CHARTER_MAX_BYTES + 1), "c.json", &c, &e),
                 ERR_TOO_LARGE);
    free(json);
}

Test(charter, codes_have_one_form) {
    cr_assert(charter_code_valid("a") && charter_code_valid("0-_z") && charter_code_valid(FORTY));
    static const char *const bad[] = {"", "_a", "-a", "A", "a b", "a.b", "\xC3\xA9", FORTY "e"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(!charter_code_valid(bad[i]), "%s", bad[i]);
    }
}

Test(charter, shown_it_can_be_given_back) {
    json_t *shown = charter_to_json(bytes_str(rich), 9);
    cr_assert_not_null(shown);
    cr_assert_eq(json_integer_value(json_object_get(shown, "version")), 9);
    char *text = json_dumps(shown, 0);
    struct charter *c = parsed(text);
    cr_assert_eq(c->service_count, 3u);
    charter_free(c);
    free(text);
    json_decref(shown);
    cr_assert_null(charter_to_json(bytes_str("{"), 1));
    cr_assert_null(charter_to_json(bytes_str("[]"), 1));
}
