/* Import profiles: what is understood, and the path to what is not. */
#include "profile.h"
#include "unit/agent/agent_kit.h"

#define BASE "\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"vrij\"}"

static struct profile *parse(const char *text) {
    struct error e = {0};
    struct profile *p = NULL;
    KIT_OK(profile_parse(bytes_str(text), "p.json", &p, &e));
    return p;
}

static void refuse(const char *text, const char *words) {
    struct error e = {0};
    struct profile *p = NULL;
    enum err code = profile_parse(bytes_str(text), "p.json", &p, &e);
    cr_assert_eq(code, ERR_DATA, "%s: %d", text, code);
    cr_assert_null(p);
    cr_assert_str_eq(e.file, "p.json");
    cr_assert_not_null(strstr(e.detail, words), "%s: %s", text, e.detail);
}

Test(profile, smallest) {
    struct profile *p = parse("{" BASE "}");
    cr_assert_str_eq(p->service.fixed, "bed");
    cr_assert_null(p->service.column);
    cr_assert_null(p->site.fixed);
    cr_assert_null(p->site.column);
    cr_assert_eq(p->figure_count, 1);
    cr_assert_str_eq(p->figures[0].key, "free");
    cr_assert_str_eq(p->figures[0].from.column, "vrij");
    cr_assert_eq(p->delimiter, '\0');
    cr_assert_null(p->date_column);
    cr_assert_null(p->valid.fixed);
    cr_assert_null(p->valid.column);
    cr_assert_eq(p->unknown_count, 3);
    cr_assert_str_eq(p->unknown[0], "NA");
    profile_free(p);
}

Test(profile, everything) {
    struct profile *p = parse(
        "{\"format\":1,\"service\":{\"column\":\"s\"},\"site\":{\"column\":\"t\"},\"ward\":\"A\","
        "\"delimiter\":\";\",\"columns\":{\"free\":\"f\",\"occupied\":\"o\",\"status\":\"st\"},"
        "\"attributes\":{\"security\":\"high\",\"gender\":{\"column\":\"g\"}},"
        "\"filter\":[{\"column\":\"x\",\"equals\":\"1\"},{\"column\":\"y\",\"in\":[\"a\",\"b\"]}],"
        "\"date\":{\"column\":\"d\",\"format\":\"dd-mm-yyyy\"},\"valid\":\"36h\",\"unknown\":["
        "\"onbekend\"]}");
    cr_assert_str_eq(p->service.column, "s");
    cr_assert_str_eq(p->ward.fixed, "A");
    cr_assert_eq(p->delimiter, ';');
    cr_assert_eq(p->figure_count, 3);
    cr_assert_eq(p->attribute_count, 2);
    cr_assert_eq(p->filter_count, 2);
    cr_assert_eq(p->filters[1].count, 2);
    cr_assert_str_eq(p->filters[1].values[1], "b");
    cr_assert_eq(p->date_format, PROFILE_DATE_DMY);
    cr_assert_str_eq(p->valid.fixed, "36h");
    cr_assert_eq(p->unknown_count, 1);
    profile_free(p);
}

Test(profile, dialect) {
    struct profile *p =
        parse("{" BASE ",\"delimiter\":\"\\t\",\"encoding\":\"windows-1252\","
              "\"decimal\":\",\",\"date\":{\"column\":\"d\",\"format\":\"d/m/jjjj\"}}");
    cr_assert_eq(p->delimiter, '\t');
    cr_assert_eq(p->encoding, SHEET_WINDOWS_1252);
    cr_assert_eq(p->decimal, ',');
    cr_assert_eq(p->date_format, PROFILE_DATE_DMY_SLASHES);
    cr_assert_null(p->place_column);
    profile_free(p);
    refuse("{" BASE ",\"encoding\":\"latin1\"}", "encoding: found 'latin1'");
    refuse("{" BASE ",\"decimal\":\";\"}", "decimal: found ';'");
}

#define PLACES                                                                                     \
    "\"format\":1,\"service\":\"bed\",\"place\":{\"column\":\"k\"},\"columns\":{\"state\":\"st\""

Test(profile, of_places) {
    struct profile *p = parse("{" PLACES ",\"note\":\"n\"},\"states\":{\"vrij\":\"free\"},"
                              "\"complete\":true}");
    cr_assert_str_eq(p->place_column, "k");
    cr_assert_eq(p->place_count, 2);
    cr_assert_eq(p->figure_count, 0);
    cr_assert(p->complete);
    profile_free(p);
    refuse("{" PLACES ",\"free\":\"f\"}}", "columns: found unknown key 'free'");
    refuse("{" PLACES "},\"states\":{\"vrij\":\"leeg\"}}", "states.vrij: found 'leeg'");
    refuse("{" PLACES "},\"attributes\":{}}", "attributes");
    refuse("{" BASE ",\"place\":\"K1\"}", "place");
    refuse("{" BASE ",\"complete\":true}", "complete: found this without \"place\"");
}

Test(profile, an_empty_list_of_unknowns_means_none) {
    struct profile *p = parse("{" BASE ",\"unknown\":[]}");
    cr_assert_eq(p->unknown_count, 0);
    profile_free(p);
}

Test(profile, faults_have_a_path) {
    refuse("{\"service\":\"bed\",\"columns\":{\"free\":\"v\"}}", "format: found nothing");
    refuse("{\"format\":2,\"service\":\"bed\",\"columns\":{\"free\":\"v\"}}", "format: found 2");
    refuse("{\"format\":1,\"columns\":{\"free\":\"v\"}}", "service");
    refuse("{\"format\":1,\"service\":\"bed\"}", "columns");
    refuse("{\"format\":1,\"service\":\"bed\",\"columns\":{}}", "columns: found no columns");
    refuse("{\"format\":1,\"service\":\"bed\",\"columns\":{\"vrij\":\"v\"}}",
           "columns.vrij: found this key");
    refuse("{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":3}}",
           "columns.free: found a whole number");
    refuse("{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"\"}}", "columns.free");
    refuse("{\"format\":1,\"service\":7,\"columns\":{\"free\":\"v\"}}",
           "service: found something else");
    refuse("{\"format\":1,\"service\":{\"colum\":\"x\"},\"columns\":{\"free\":\"v\"}}",
           "service: found unknown key 'colum'");
    refuse("{" BASE ",\"colour\":1}", "found unknown key 'colour'");
    refuse("{" BASE ",\"delimiter\":\"|\"}", "delimiter: found '|'");
    refuse("{" BASE ",\"delimiter\":\";;\"}", "delimiter");
    refuse("{" BASE ",\"valid\":\"soon\"}", "valid: ");
    refuse("{" BASE ",\"date\":{\"column\":\"d\",\"format\":\"us\"}}", "date.format: found 'us'");
    refuse("{" BASE ",\"date\":{}}", "date.column");
    refuse("{" BASE ",\"filter\":[{\"column\":\"x\"}]}", "filter[0]: found neither");
    refuse("{" BASE ",\"filter\":[{\"column\":\"x\",\"equals\":\"1\",\"in\":[\"2\"]}]}",
           "filter[0]: found both");
    refuse("{" BASE ",\"filter\":[{\"column\":\"x\",\"in\":[]}]}",
           "filter[0].in: found an empty list");
    refuse("{" BASE ",\"filter\":[{\"column\":\"x\",\"equals\":\"1\",\"not\":\"2\"}]}",
           "unknown key 'not'");
    refuse("{" BASE ",\"attributes\":[]}", "attributes: found something else");
    refuse("{" BASE ",\"unknown\":\"NA\"}", "unknown: found a text");
    refuse("[]", "expected an object");
}

Test(profile, not_json_has_line_and_column) {
    struct error e = {0};
    struct profile *p = NULL;
    KIT_FAILS(profile_parse(bytes_str("{\n \"format\": 1,\n oops\n}"), "p.json", &p, &e), ERR_DATA);
    cr_assert_eq(e.line, 3);
    cr_assert_gt(e.column, 0);
    KIT_FAILS(profile_parse(bytes_str("{" BASE "," BASE "}"), "p.json", &p, &e), ERR_DATA);
}

Test(profile, more_than_its_caps) {
    struct error e = {0};
    struct profile *p = NULL;
    struct buf text;
    buf_init(&text, PROFILE_MAX_BYTES * 2);
    buf_append_str(&text, "{" BASE ",\"filter\":[");
    for (int i = 0; i <= PROFILE_MAX_FILTERS; i++)
        buf_printf(&text, "%s{\"column\":\"x\",\"equals\":\"1\"}", i > 0 ? "," : "");
    buf_append_str(&text, "]}");
    KIT_FAILS(profile_parse(buf_bytes(&text), "p.json", &p, &e), ERR_DATA);
    text.len = 0;
    buf_append_str(&text, "{" BASE ",\"attributes\":{");
    for (int i = 0; i <= CHARTER_MAX_ATTRIBUTES; i++)
        buf_printf(&text, "%s\"a%d\":\"x\"", i > 0 ? "," : "", i);
    buf_append_str(&text, "}}");
    KIT_FAILS(profile_parse(buf_bytes(&text), "p.json", &p, &e), ERR_DATA);
    text.len = 0;
    for (int i = 0; i <= PROFILE_MAX_BYTES; i++)
        buf_append_u8(&text, ' ');
    KIT_FAILS(profile_parse(buf_bytes(&text), "p.json", &p, &e), ERR_TOO_LARGE);
    buf_done(&text);
}
