/* Tests the policy: what each key may hold, the path of every fault, and writing it back. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "policy.h"

static const char charter_json[] =
    "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"},"
    "{\"code\":\"home\",\"unit\":\"home\"},{\"code\":\"hour\",\"unit\":\"hour\"}]}";

static struct network net;

static void open_network(void) {
    network_open(&net, charter_json, 3);
}

static void close_network(void) {
    network_done(&net);
}

TestSuite(policy, .init = open_network, .fini = close_network);

static struct policy *parsed(const char *json) {
    struct policy *p = NULL;
    struct error e = {0};
    cr_assert_eq(policy_parse(bytes_str(json), "p.json", net.directory, &p, &e), ERR_OK,
                 "%s: %s: %s", json, e.file, e.detail);
    return p;
}

static struct error refused(const char *json, enum err expected) {
    struct policy *untouched = (struct policy *)&net;
    struct error e = {0};
    enum err code = policy_parse(bytes_str(json), "p.json", net.directory, &untouched, &e);
    cr_assert_eq(code, expected, "%s: %s", json, e.detail);
    cr_assert_eq(e.code, expected);
    cr_assert_eq(untouched, (struct policy *)&net, "output touched on failure");
    return e;
}

Test(policy, names_keys_and_the_hub_are_resolved) {
    char json[512];
    char hex[2 * KEY_LEN + 1];
    struct public_key second = network_member(2).pub;
    struct public_key first = network_member(1).pub;
    struct public_key nobody = network_member(9).pub;
    hex_encode(hex, bytes_of(second.b, KEY_LEN));
    snprintf(json, sizeof(json),
             "{\"audiences\":[{\"name\":\"near\",\"members\":[\"Lid-1\",\"%s\",\"@hub\"],"
             "\"services\":[\"home\",\"bed\"],\"precision\":\"rounded:5\",\"history\":true},"
             "{\"name\":\"far\",\"members\":[],\"services\":[\"*\"],\"precision\":\"band\","
             "\"bands\":[1,10]}]}",
             hex);
    struct policy *p = parsed(json);
    cr_assert_eq(p->audience_count, 2u);
    const struct policy_audience *near = &p->audiences[0];
    cr_assert_str_eq(near->name, "near");
    cr_assert_eq(near->member_count, 3u);
    cr_assert(policy_has_member(near, &first) && policy_has_member(near, &second));
    cr_assert(policy_has_member(near, &net.hub.pub) && !policy_has_member(near, &nobody));
    cr_assert(policy_covers(near, "bed") && policy_covers(near, "home"));
    cr_assert(!policy_covers(near, "hour") && !near->all_services && near->history);
    cr_assert_eq(near->precision.kind, PRECISION_ROUNDED);
    cr_assert_eq(near->precision.step, 5);
    const struct policy_audience *far = &p->audiences[1];
    cr_assert(far->all_services && policy_covers(far, "hour") && !far->history);
    cr_assert_eq(far->service_count, 0u);
    cr_assert(far->precision.band_count == 2 && far->precision.bands[1] == 10);
    policy_free(p);
    policy_free(NULL);
}

Test(policy, sharing_nothing_is_a_policy) {
    struct policy *p = parsed("{\"audiences\":[]}");
    cr_assert_eq(p->audience_count, 0u);
    policy_free(p);
}

#define ONE(rest) "{\"audiences\":[{\"name\":\"a\"," rest "}]}"
#define MEMBERS(list) ONE("\"members\":[" list "],\"services\":[\"bed\"],\"precision\":\"exact\"")
#define SERVICES(list) ONE("\"members\":[],\"services\":" list ",\"precision\":\"exact\"")
#define PRECISION(rest) ONE("\"members\":[],\"services\":[\"bed\"],\"precision\":" rest)
#define AUDIENCE(name, members, services)                                                          \
    "{\"name\":\"" name "\",\"members\":[" members "],\"services\":[" services                     \
    "],\"precision\":\"exact\"}"
#define TWO(a, b) "{\"audiences\":[" a "," b "]}"

Test(policy, a_fault_is_named_by_its_path) {
    static const struct {
        const char *json, *path, *part;
    } rows[] = {
        {"[]", "", "an object"},
        {"{}", "audiences", "found nothing"},
        {"{\"audiences\":[],\"format\":2}", "format", "found 2"},
        {"{\"audiences\":[],\"members\":[]}", "", "unknown key 'members'"},
        {"{\"audiences\":{}}", "audiences", "a list"},
        {"{\"audiences\":[1]}", "audiences[0]", "an object"},
        {"{\"audiences\":[{}]}", "audiences[0].name", "found nothing"},
        {ONE("\"colour\":1"), "audiences[0]", "unknown key 'colour'"},
        {"{\"audiences\":[{\"name\":\"A\",\"members\":[],\"services\":[\"bed\"],"
         "\"precision\":\"exact\"}]}",
         "audiences[0].name", "found 'A'"},
        {ONE("\"services\":[\"bed\"],\"precision\":\"exact\""), "audiences[0].members",
         "found nothing"},
        {ONE("\"members\":[],\"precision\":\"exact\""), "audiences[0].services", "found nothing"},
        {ONE("\"members\":[],\"services\":[\"bed\"]"), "audiences[0].precision", "found nothing"},
        {MEMBERS("7"), "audiences[0].members[0]", "a text"},
        {MEMBERS("\"lid-1\",\"\""), "audiences[0].members[1]", "0 bytes"},
        {MEMBERS("\"lid-1\",\"LID-1\""), "audiences[0].members[1]", "'LID-1' twice"},
        {MEMBERS("\"@hub\",\"@hub\""), "audiences[0].members[1]", "'@hub' twice"},
        {SERVICES("[]"), "audiences[0].services", "empty list"},
        {SERVICES("\"*\""), "audiences[0].services", "a list"},
        {SERVICES("[\"bad\"]"), "audiences[0].services[0]", "found 'bad'"},
        {SERVICES("[\"bed\",\"*\"]"), "audiences[0].services[1]", "found '*'"},
        {SERVICES("[\"bed\",\"home\",\"bed\"]"), "audiences[0].services[2]", "'bed' twice"},
        {PRECISION("\"fine\""), "audiences[0].precision", "found 'fine'"},
        {PRECISION("\"rounded:1\""), "audiences[0].precision", "rounded:N"},
        {PRECISION("\"exact\",\"bands\":[1]"), "audiences[0].bands", "only with precision"},
        {PRECISION("\"band\",\"bands\":[]"), "audiences[0].bands", "empty list"},
        {PRECISION("\"band\",\"bands\":[2,3]"), "audiences[0].bands[0]", "found 2"},
        {PRECISION("\"band\",\"bands\":[1,3,3]"), "audiences[0].bands[2]", "go up"},
        {PRECISION("\"band\",\"bands\":[1,2,3,4,5,6,7,8,9]"), "audiences[0].bands", "9 items"},
        {PRECISION("\"exact\",\"history\":1"), "audiences[0].history", "true or false"},
        {TWO(AUDIENCE("a", "", "\"bed\""), AUDIENCE("a", "", "\"bed\"")), "audiences[1].name",
         "'a' twice"},
        {TWO(AUDIENCE("a", "\"lid-1\"", "\"bed\",\"home\""),
             AUDIENCE("b", "\"lid-2\",\"lid-1\"", "\"home\"")),
         "audiences[1].members[1]",
         "found 'lid-1' here and in audience 'a', both for service 'home'"},
        {TWO(AUDIENCE("a", "\"lid-1\"", "\"*\""), AUDIENCE("b", "\"lid-1\"", "\"hour\"")),
         "audiences[1].members[0]", "both for service 'hour'"},
        {TWO(AUDIENCE("a", "\"lid-1\"", "\"bed\""), AUDIENCE("b", "\"lid-1\"", "\"*\"")),
         "audiences[1].members[0]", "both for service 'bed'"},
        {TWO(AUDIENCE("a", "\"@hub\"", "\"*\""), AUDIENCE("b", "\"@hub\"", "\"*\"")),
         "audiences[1].members[0]", "both for service '*'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e = refused(rows[i].json, ERR_DATA);
        cr_assert_str_eq(e.file, rows[i].path, "%s: %s: %s", rows[i].json, e.file, e.detail);
        cr_assert_not_null(strstr(e.detail, rows[i].part), "%s: %s", rows[i].json, e.detail);
    }
}

Test(policy, whoever_is_not_in_the_directory_is_named) {
    static const char *const who[] = {
        "lid-9", "@hubs", "0000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
        char json[256];
        snprintf(json, sizeof(json), MEMBERS("\"lid-1\",\"%s\""), who[i]);
        struct error e = refused(json, ERR_UNKNOWN_MEMBER);
        cr_assert_str_eq(e.file, "audiences[0].members[1]");
        cr_assert_not_null(strstr(e.detail, who[i]), "%s", e.detail);
    }
}

Test(policy, a_member_may_sit_in_two_audiences_for_different_services) {
    struct policy *p = parsed(TWO(AUDIENCE("a", "\"lid-1\",\"lid-2\"", "\"bed\""),
                                  AUDIENCE("b", "\"lid-2\",\"lid-1\"", "\"home\",\"hour\"")));
    policy_free(p);
}

Test(policy, a_removed_member_can_still_be_read) {
    struct error e = {0};
    cr_assert_eq(network_member_event(&net, ENTRY_HUB_REMOVED, 1, &e), ERR_OK);
    struct policy *p = parsed(MEMBERS("\"lid-1\""));
    policy_free(p);
}

Test(policy, a_service_that_the_charter_dropped_is_no_fault_in_what_was_stored) {
    static const char json[] = SERVICES("[\"bed\",\"gone\"]");
    struct policy *p = NULL;
    struct error e = {0};
    refused(json, ERR_DATA);
    cr_assert_eq(policy_parse_stored(bytes_str(json), "p.json", net.directory, &p, &e), ERR_OK);
    cr_assert(policy_covers(&p->audiences[0], "bed"));
    policy_free(p);
    cr_assert_eq(
        policy_parse_stored(bytes_str(SERVICES("[\"G\"]")), "p.json", net.directory, &p, &e),
        ERR_DATA);
}

static char *dumped(json_t *take_value) {
    cr_assert_not_null(take_value);
    char *text = json_dumps(take_value, JSON_COMPACT);
    json_decref(take_value);
    return text;
}

Test(policy, it_is_written_for_people_and_for_the_store) {
    static const char json[] =
        "{\"audiences\":[{\"name\":\"near\",\"members\":[\"lid-2\",\"@hub\",\"lid-1\"],"
        "\"services\":[\"home\",\"bed\"],\"precision\":\"rounded:5\",\"history\":true},"
        "{\"name\":\"far\",\"members\":[\"lid-3\"],\"services\":[\"*\"],\"precision\":\"band\","
        "\"bands\":[1,10],\"history\":false}]}";
    struct policy *p = parsed(json);
    char *named = dumped(policy_to_json_named(p, net.directory));
    cr_assert_str_eq(named, json, "members, services and bands stay in their order");
    char *stored = dumped(policy_to_json(p, net.directory));
    cr_assert_null(strstr(stored, "lid-"));
    cr_assert_not_null(strstr(stored, "\"@hub\""));
    struct policy *again = parsed(stored);
    char *renamed = dumped(policy_to_json_named(again, net.directory));
    cr_assert_str_eq(renamed, json);
    policy_free(again);
    policy_free(p);
    p = parsed("{\"audiences\":[{\"name\":\"a\",\"members\":[],\"services\":[\"*\"],"
               "\"precision\":\"band\"}]}");
    free(named);
    named = dumped(policy_to_json_named(p, net.directory));
    cr_assert_null(strstr(named, "bands"), "default bands are not repeated");
    free(named);
    free(stored);
    free(renamed);
    policy_free(p);
}

Test(policy, every_truncation_is_refused) {
    static const char json[] = TWO(AUDIENCE("a", "\"lid-1\",\"lid-2\"", "\"bed\""),
                                   AUDIENCE("b", "\"lid-2\",\"@hub\"", "\"home\""));
    struct policy *p = parsed(json);
    policy_free(p);
    for (size_t len = 0; len < sizeof(json) - 1; len++) {
        struct error e = {0};
        p = NULL;
        cr_assert_neq(policy_parse(bytes_of(json, len), "p.json", net.directory, &p, &e), ERR_OK);
        cr_assert_null(p);
    }
}

Test(policy, audiences_have_a_cap) {
    struct buf b;
    buf_init(&b, POLICY_MAX_BYTES);
    buf_append_str(&b, "{\"audiences\":[");
    for (int i = 0; i <= POLICY_MAX_AUDIENCES; i++) {
        buf_printf(&b,
                   "%s{\"name\":\"a%d\",\"members\":[],\"services\":[\"*\"],"
                   "\"precision\":\"light\"}",
                   i ? "," : "", i);
    }
    buf_append_str(&b, "]}");
    struct error e = refused(buf_text(&b), ERR_DATA);
    cr_assert_str_eq(e.file, "audiences");
    buf_done(&b);
}
