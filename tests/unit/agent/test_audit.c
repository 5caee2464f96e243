/* Tests the journal: a row for everything sealed and decided, in the transaction of what it tells,
 * found again by partner and time, and gone after two years. */
#include "audit.h"

#include "journal.h"
#include "outbox.h"
#include "sharing.h"
#include "unit/agent/world.h"

#define POLICY(members, precision)                                                                 \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[" members "],\"services\":[\"*\"],"            \
    "\"precision\":\"" precision "\"}]}"

enum { A, B, C };

static void three_sharing(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_add(w, "C", ROLE_PROVIDER, NULL);
    world_settle(w);
    world_set(w, A, "bed", NULL, "total=10 free=4");
    world_approve(w, A, "B");
    world_policy(w, A, POLICY("\"B\",\"C\",\"@hub\"", "rounded:5"));
    world_settle(w);
}

static json_t *audit(struct world *w, int i, const struct audit_query *query) {
    struct error e = {0};
    json_t *page = NULL;
    RUN_OK(audit_rows(w->agents[i].agent, query, &page, &e));
    return page;
}

/* One row as text: "event audience members precision services policy seq actor". */
static const char *line(const json_t *page, size_t i) {
    static char out[512];
    json_t *row = json_array_get(json_object_get(page, "rows"), i);
    static const char *const keys[] = {"event",    "audience",       "members", "precision",
                                       "services", "policy_version", "entry",   "actor"};
    size_t len = 0;
    out[0] = '\0';
    for (size_t k = 0; row && k < sizeof keys / sizeof keys[0]; k++) {
        char *text = json_dumps(json_object_get(row, keys[k]), JSON_COMPACT | JSON_ENCODE_ANY);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s", k > 0 ? " " : "", text);
        free(text);
    }
    return out;
}

static size_t row_count(const json_t *page) {
    return json_array_size(json_object_get(page, "rows"));
}

Test(audit, everything_sealed_and_decided_has_its_row) {
    struct world w;
    three_sharing(&w);
    json_t *page = audit(&w, A, &(struct audit_query){0});
    cr_assert_eq(row_count(page), 4u);
    cr_expect_str_eq(line(page, 0), "\"approved\" null [\"B\"] null [] null null \"test\"");
    cr_expect_str_eq(line(page, 1), "\"policy\" null null null [] 1 null \"test\"");
    const char *hub_first = "\"keys\" \"all\" [\"@hub\",\"B\"] \"rounded:5\" [\"*\"] 1 "
                            "{\"incarnation\":1,\"seq\":1} \"test\"";
    const char *hub_last = "\"keys\" \"all\" [\"B\",\"@hub\"] \"rounded:5\" [\"*\"] 1 "
                           "{\"incarnation\":1,\"seq\":1} \"test\"";
    cr_expect(strcmp(line(page, 2), hub_first) == 0 || strcmp(line(page, 2), hub_last) == 0, "%s",
              line(page, 2));
    cr_expect_not_null(strstr(line(page, 3), "\"state\" \"all\" ["));
    cr_expect_not_null(strstr(line(page, 3), "\"B\""));
    cr_expect_null(strstr(line(page, 3), "\"C\""), "C is not approved");
    const json_t *row = json_array_get(json_object_get(page, "rows"), 1);
    const json_t *detail = json_object_get(row, "detail");
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(detail, "added"), 0)), "all");
    cr_expect_str_eq(json_string_value(json_object_get(row, "at")), "2026-09-13T12:00:00Z");
    json_decref(page);
    world_done(&w);
}

Test(audit, a_newcomer_is_given_the_key_and_who_leaves_gets_nothing_newer) {
    struct world w;
    three_sharing(&w);
    world_approve(&w, A, "C");
    world_settle(&w);
    json_t *page = audit(&w, A, &(struct audit_query){.partner = "C"});
    cr_assert_eq(row_count(page), 2u);
    cr_expect_str_eq(line(page, 1), "\"keys\" \"all\" [\"C\"] \"rounded:5\" [\"*\"] 1 "
                                    "{\"incarnation\":1,\"seq\":2} \"test\"");
    json_decref(page);
    world_forget(&w, A, "C");
    world_forget(&w, A, "C");
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    world_settle(&w);
    page = audit(&w, A, &(struct audit_query){.partner = "C"});
    cr_assert_eq(row_count(page), 3u, "forgotten twice is one row, and nothing was sealed to it");
    cr_expect_str_eq(line(page, 2), "\"forgotten\" null [\"C\"] null [] 1 null \"test\"");
    json_decref(page);
    world_done(&w);
}

Test(audit, what_is_taken_back_leaves_no_row) {
    struct world w;
    struct error e = {0};
    struct blob *entry = NULL;
    struct head head, none = {0};
    three_sharing(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    struct agent *a = w.agents[A].agent;
    struct hash before = world_dump(a);
    RUN_OK(db_begin(agent_db(a), &e));
    none = w.agents[A].head;
    RUN_OK(outbox_next(a, &none, ENTRY_MAX_BYTES, w.now_ms, &entry, &head, &e));
    cr_assert_not_null(entry);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM journal WHERE seq = 2"), 1);
    blob_unref(entry);
    db_rollback(agent_db(a));
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after));
    world_done(&w);
}

Test(audit, times_and_pages) {
    struct world w;
    struct error e = {0};
    json_t *page = NULL;
    three_sharing(&w);
    w.now_ms += WORLD_DAY;
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    world_settle(&w);
    page = audit(&w, A, &(struct audit_query){.from = "2026-09-14", .to = "2026-09-14"});
    cr_expect_eq(row_count(page), 1u);
    json_decref(page);
    page = audit(&w, A, &(struct audit_query){.to = "2026-09-13"});
    cr_expect_eq(row_count(page), 4u);
    json_decref(page);
    page = audit(&w, A, &(struct audit_query){.from = "2026-09-13T12:00:01Z"});
    cr_expect_eq(row_count(page), 1u);
    json_decref(page);
    size_t seen = 0;
    char after[32] = "0";
    for (bool more = true; more; seen++) {
        page = audit(&w, A, &(struct audit_query){.after = after, .limit = "1"});
        cr_assert_eq(row_count(page), 1u);
        more = json_is_integer(json_object_get(page, "next"));
        snprintf(after, sizeof after, "%lld",
                 (long long)json_integer_value(json_object_get(page, "next")));
        json_decref(page);
    }
    cr_expect_eq(seen, 5u);
    struct agent *a = w.agents[A].agent;
    RUN_FAILS(audit_rows(a, &(struct audit_query){.from = "soon"}, &page, &e), ERR_DATA);
    cr_expect_str_eq(e.file, "from");
    RUN_FAILS(audit_rows(a, &(struct audit_query){.limit = "0"}, &page, &e), ERR_DATA);
    RUN_FAILS(audit_rows(a, &(struct audit_query){.partner = "Nobody"}, &page, &e),
              ERR_UNKNOWN_MEMBER);
    world_done(&w);
}

Test(audit, rows_go_after_two_years_and_not_before) {
    struct world w;
    three_sharing(&w);
    struct agent *a = w.agents[A].agent;
    w.now_ms += JOURNAL_KEEP_MS - WORLD_HOUR;
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    world_settle(&w);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM journal WHERE seq = 1"), 2);
    w.now_ms += 2 * WORLD_HOUR;
    world_set(&w, A, "bed", NULL, "total=10 free=1");
    world_settle(&w);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM journal WHERE seq = 1"), 0);
    cr_assert_gt(world_number(a, "SELECT count(*) FROM journal"), 0);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM journal_group g WHERE NOT EXISTS"
                                 " (SELECT 1 FROM journal j WHERE j.group_id = g.id)"),
                 0);
    world_done(&w);
}
