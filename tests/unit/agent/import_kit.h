/* Owns what the tests of imports share: a joined agent, a charter, one import and what came of it.
 * Must not test anything itself. */
#ifndef PLEK_TEST_IMPORT_KIT_H
#define PLEK_TEST_IMPORT_KIT_H

#include "import.h"
#include "records.h"
#include "unit/agent/agent_kit.h"

static struct kit kit;

/* Validity long enough for tables that go back for weeks. */
static const char charter[] =
    "{\"format\":1,\"purpose\":\"test\",\"time_zone\":\"Europe/"
    "Amsterdam\",\"longest_validity\":\"60d\","
    "\"services\":["
    "{\"code\":\"bed\",\"label\":\"Bed\",\"definition\":\"A bed\",\"unit\":\"bed\",\"decimals\":0,"
    "\"validity\":\"24h\",\"attributes\":[{\"name\":\"security\",\"label\":\"Security\",\"values\":"
    "["
    "{\"code\":\"low\",\"label\":\"Low\"},{\"code\":\"high\",\"label\":\"High\"}]}]},"
    "{\"code\":\"care\",\"label\":\"Care\",\"definition\":\"Hours\",\"unit\":\"hour\",\"period\":"
    "\"week\","
    "\"decimals\":1,\"validity\":\"48h\",\"attributes\":[]}]}";

static inline void setup(void) {
    kit_joined(&kit, charter);
}
static inline void teardown(void) {
    kit_done(&kit);
}
struct options {
    const char *where[4];
    const char *site, *observed;
    bool dry_run;
    int64_t now_ms;
};

static inline enum err import(const char *text, const char *profile, struct options o, json_t **ret,
                              struct error *e) {
    struct import_request r = {.file = "in.csv",
                               .profile = bytes_str(profile),
                               .profile_file = "p.json",
                               .site = o.site,
                               .observed = o.observed,
                               .dry_run = o.dry_run,
                               .actor = "uid:1"};
    while (r.where_count < 4 && o.where[r.where_count]) {
        r.where[r.where_count] = o.where[r.where_count];
        r.where_count++;
    }
    *e = (struct error){0};
    return import_run(kit.agent, &r, bytes_str(text), o.now_ms ? o.now_ms : KIT_NOW, ret, e);
}

static inline int64_t count_of(const json_t *report, const char *key) {
    return json_integer_value(json_object_get(report, key));
}

/* Imports and gives "new changed unchanged older" as one number: 1200 is one new, two changed. */
static inline int64_t run(const char *text, const char *profile, struct options o) {
    struct error e = {0};
    json_t *report = NULL;
    KIT_OK(import(text, profile, o, &report, &e));
    int64_t sum = 1000 * count_of(report, "new") + 100 * count_of(report, "changed") +
                  10 * count_of(report, "unchanged") + count_of(report, "older");
    json_decref(report);
    return sum;
}

static inline struct line line_of(const char *service, const char *ward) {
    struct error e = {0};
    struct record r;
    bool found = false;
    KIT_OK(records_find_line(kit.agent, 1, service, ward, &r, &found, &e));
    cr_assert(found, "%s '%s'", service, ward);
    return r.line;
}

#endif
