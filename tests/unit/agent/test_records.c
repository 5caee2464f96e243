/* Own records: what set, confirm and the site cards store, refuse and leave alone. */
#include <errno.h>

#include "records.h"
#include "unit/agent/agent_kit.h"
#include "vfs/watch_vfs.h"

#define VFS "watch-records"

static struct kit kit;

static void setup(void) {
    kit_joined(&kit, NULL);
    agent_clear_dirty(kit.agent);
    agent_take_events(kit.agent);
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(records, .init = setup, .fini = teardown);
TestSuite(alone, .fini = teardown);

/* "free=3 status=full" -> set. Options after "--": keep, observed=T, valid=D, site=S, ward=W. */
static enum err set_at(int64_t now_ms, const char *service, const char *text, struct record *ret,
                       struct error *e) {
    char copy[512];
    struct record_pair pairs[32];
    struct record_set set = {.service = service, .pairs = pairs, .actor = "uid:1"};
    bool options = false;
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    *e = (struct error){0};
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (strcmp(word, "--") == 0) {
            options = true;
            continue;
        }
        if (!equals) {
            cr_assert_str_eq(word, "keep");
            set.keep = true;
            continue;
        }
        *equals = '\0';
        if (!options)
            pairs[set.pair_count++] = (struct record_pair){word, equals + 1};
        else if (strcmp(word, "observed") == 0)
            set.observed = equals + 1;
        else if (strcmp(word, "valid") == 0)
            set.valid = equals + 1;
        else if (strcmp(word, "site") == 0)
            set.site = equals + 1;
        else
            set.ward = equals + 1;
    }
    return records_set(kit.agent, &set, now_ms, ret, e);
}

static struct record set_ok(int64_t now_ms, const char *service, const char *text) {
    struct error e = {0};
    struct record r;
    cr_assert_eq(set_at(now_ms, service, text, &r, &e), ERR_OK, "%s: %s: %s", text, e.file,
                 e.detail);
    return r;
}

/* Everything that is stored, as text: for "nothing changed". */
static char *dump(void) {
    struct error e = {0};
    json_t *lines = NULL, *sites = NULL;
    KIT_OK(records_lines_json(kit.agent, NULL, NULL, KIT_NOW, &lines, &e));
    KIT_OK(records_sites_json(kit.agent, &sites, &e));
    json_t *both = json_pack("{s:o, s:o}", "lines", lines, "sites", sites);
    char *text = json_dumps(both, JSON_SORT_KEYS);
    json_decref(both);
    return text;
}

static void refuse(const char *service, const char *text, enum err code, const char *words) {
    struct error e = {0};
    struct record r;
    char *before = dump();
    enum err got = set_at(KIT_NOW, service, text, &r, &e);
    char *after = dump();
    cr_assert_eq(got, code, "%s %s: %d (%s: %s)", service, text, got, e.file, e.detail);
    char whole[ERROR_DETAIL_MAX + ERROR_FILE_MAX + 2];
    snprintf(whole, sizeof whole, "%s: %s", e.file, e.detail);
    cr_assert_not_null(strstr(whole, words), "%s %s: %s", service, text, whole);
    cr_assert_str_eq(before, after, "%s %s", service, text);
    free(before);
    free(after);
}

static void is(struct amount amount, int64_t value) {
    cr_assert(amount.known);
    cr_assert_eq(amount.value, value, "%ld", (long)amount.value);
}
static void is_unknown(struct amount amount) {
    cr_assert_not(amount.known);
}

Test(records, every_statement_of_the_store_fits_its_schema) {
    struct error e = {0};
    cr_expect_eq(db_prepare_all(agent_db(kit.agent), &e), ERR_OK, "%s", e.detail);
}

/* ---- set ---- */

Test(records, states_the_figure_anew) {
    set_ok(KIT_NOW, "bed", "total=10 occupied=6 held=1 blocked=1 need=4 status=consult note=x");
    struct capacity c = set_ok(KIT_NOW + 1000, "bed", "free=3").line.capacity;
    is(c.free, 3);
    is_unknown(c.total);
    is_unknown(c.occupied);
    is_unknown(c.held);
    is_unknown(c.need);
    cr_assert_eq(c.status, STATUS_UNKNOWN);
    cr_assert_str_empty(c.note);
    cr_assert_eq(c.observed_ms, KIT_NOW + 1000);
    cr_assert_eq(c.valid_until_ms, KIT_NOW + 1000 + KIT_DAY, "the service's validity");
}

Test(records, zero_is_not_unknown) {
    struct capacity c = set_ok(KIT_NOW, "bed", "free=0 held=0").line.capacity;
    is(c.free, 0);
    is(c.held, 0);
    c = set_ok(KIT_NOW, "bed", "free= held=0").line.capacity;
    is_unknown(c.free);
    c = set_ok(KIT_NOW, "bed", "").line.capacity;
    is_unknown(c.free);
    is_unknown(c.held);
}

Test(records, negative_availability_is_allowed) {
    struct capacity c = set_ok(KIT_NOW, "bed", "free=-2").line.capacity;
    is(capacity_available(&c), -2);
    c = set_ok(KIT_NOW, "bed", "total=4 occupied=6 held=0 blocked=0").line.capacity;
    is(capacity_available(&c), -2);
}

Test(records, attributes_stay) {
    set_ok(KIT_NOW, "bed", "free=3 security=high");
    struct line line = set_ok(KIT_NOW, "bed", "free=2").line;
    cr_assert_eq(line.attribute_count, 1);
    cr_assert_str_eq(line.attributes[0].value, "high");
    line = set_ok(KIT_NOW, "bed", "free=2 gender=any security=low").line;
    cr_assert_eq(line.attribute_count, 2);
    cr_assert_str_eq(line.attributes[0].name, "gender", "in the order of names");
    line = set_ok(KIT_NOW, "bed", "free=2 gender=").line;
    cr_assert_eq(line.attribute_count, 1);
    kit_reopen(&kit, NULL);
    line = set_ok(KIT_NOW, "bed", "free=1").line;
    cr_assert_eq(line.attribute_count, 1);
    cr_assert_str_eq(line.attributes[0].value, "low");
}

/* Who only corrects an attribute has not counted. */
Test(records, attributes_alone_leave_the_figure) {
    set_ok(KIT_NOW, "bed", "free=3");
    struct line line = set_ok(KIT_NOW + KIT_HOUR, "bed", "security=high").line;
    is(line.capacity.free, 3);
    cr_assert_eq(line.capacity.observed_ms, KIT_NOW);
    line = set_ok(KIT_NOW, "bed", "security=low -- ward=B").line;
    is_unknown(line.capacity.free);
    cr_assert_eq(line.capacity.observed_ms, KIT_NOW,
                 "a new line begins with a figure that knows nothing");
}

Test(records, keep_carries_over) {
    set_ok(KIT_NOW, "bed",
           "total=10 occupied=6 blocked=1 blocked_reason=paint blocked_until=2026-09-20");
    struct capacity c = set_ok(KIT_NOW + KIT_HOUR, "bed", "occupied=7 -- keep").line.capacity;
    is(c.total, 10);
    is(c.occupied, 7);
    is(c.blocked, 1);
    cr_assert_str_eq(c.blocked_reason, "paint");
    cr_assert_eq(c.observed_ms, KIT_NOW + KIT_HOUR);
    c = set_ok(KIT_NOW + KIT_HOUR, "bed", "blocked=0 -- keep").line.capacity;
    cr_assert_str_empty(c.blocked_reason, "a reason does not outlive what it was for");
    cr_assert_eq(c.blocked_until_ms, 0);
    is(c.occupied, 7);
}

Test(records, keep_never_revives_what_expired) {
    set_ok(KIT_NOW, "bed", "total=10 occupied=6");
    struct capacity c = set_ok(KIT_NOW + KIT_DAY, "bed", "occupied=7 -- keep").line.capacity;
    is(c.occupied, 7);
    is_unknown(c.total);
}

Test(records, times) {
    struct capacity c =
        set_ok(KIT_NOW, "bed", "free=1 -- observed=2026-09-12T09:30:00+02:00 valid=36h")
            .line.capacity;
    cr_assert_eq(c.observed_ms, KIT_NOW - KIT_DAY - 4 * KIT_HOUR - KIT_HOUR / 2);
    cr_assert_eq(c.valid_until_ms - c.observed_ms, 36 * KIT_HOUR);
    c = set_ok(KIT_NOW, "bed", "free=1 -- observed=2026-09-12").line.capacity;
    cr_assert_eq(c.observed_ms, KIT_NOW - KIT_DAY - 2 * KIT_HOUR, "noon in Amsterdam");
    c = set_ok(KIT_NOW, "bed", "next_free=2026-09-20").line.capacity;
    cr_assert_eq(c.next_free_ms, KIT_NOW + 7 * KIT_DAY - 2 * KIT_HOUR);
}

Test(records, decimals) {
    struct record r = set_ok(KIT_NOW, "care", "free=12.5 occupied=3");
    is(r.line.capacity.free, 125);
    is(r.line.capacity.occupied, 30);
    json_t *row = records_line_json(NULL, &r, charter_service(agent_charter(kit.agent), "care"),
                                    NULL, KIT_NOW);
    cr_assert_str_eq(json_string_value(json_object_get(row, "free")), "12.5");
    cr_assert_str_eq(json_string_value(json_object_get(row, "total")), "15.5");
    cr_assert(json_is_null(json_object_get(row, "held")));
    json_decref(row);
    refuse("care", "free=12.55", ERR_DATA, "free: found '12.55'");
    refuse("bed", "free=1.5", ERR_DATA, "free: found '1.5'");
}

Test(records, refusals_change_nothing) {
    set_ok(KIT_NOW, "bed", "free=3 security=high");
    refuse("bed", "total=5 occupied=3 free=3", ERR_DATA, "free");
    refuse("bed", "occupied=-1", ERR_DATA, "occupied");
    refuse("bed", "free=many", ERR_DATA, "free: found 'many'");
    refuse("bed", "status=open", ERR_DATA, "status: found 'open'");
    refuse("bed", "colour=red", ERR_DATA, "security, gender");
    refuse("bed", "security=medium", ERR_DATA, "low, high");
    refuse("bed", "free=2 security=medium", ERR_DATA, "security");
    refuse("care", "security=high", ERR_DATA, "security");
    refuse("beds", "free=1", ERR_DATA, "bed, care");
    refuse("bed", "free=1 -- valid=8d", ERR_DATA, "valid");
    refuse("bed", "free=1 -- valid=soon", ERR_DATA, "valid: ");
    refuse("bed", "free=1 -- observed=yesterday", ERR_DATA, "observed: ");
    refuse("bed", "free=1 -- observed=2026-09-15", ERR_DATA, "still to come");
    refuse("bed", "free=1 -- site=Noord", ERR_NOT_FOUND, KIT_MEMBER);
    refuse("bed", "note=111222333", ERR_DATA, "note");
    refuse("bed", "blocked=1 blocked_reason=111222333", ERR_DATA, "blocked_reason");
    refuse("bed", "free=1 -- ward=111222333", ERR_DATA, "ward");
}

Test(records, changes_make_dirty_and_raise_an_event) {
    struct error e = {0};
    struct record r;
    KIT_FAILS(set_at(KIT_NOW, "bed", "free=x", &r, &e), ERR_DATA);
    cr_assert_not(agent_dirty(kit.agent));
    cr_assert_eq(agent_take_events(kit.agent), 0);
    set_ok(KIT_NOW, "bed", "free=3");
    cr_assert(agent_dirty(kit.agent));
    cr_assert_eq(agent_take_events(kit.agent), AGENT_EVENT_LINES);
}

Test(records, wards_are_lines_of_their_own) {
    struct error e = {0};
    json_t *rows = NULL;
    set_ok(KIT_NOW, "bed", "free=1");
    set_ok(KIT_NOW, "bed", "free=2 -- ward=B");
    set_ok(KIT_NOW, "care", "free=3");
    KIT_OK(records_lines_json(kit.agent, NULL, NULL, KIT_NOW, &rows, &e));
    cr_assert_eq(json_array_size(rows), 3);
    json_decref(rows);
    KIT_OK(records_lines_json(kit.agent, "bed", KIT_MEMBER, KIT_NOW, &rows, &e));
    cr_assert_eq(json_array_size(rows), 2);
    json_t *second = json_array_get(rows, 1);
    cr_assert_str_eq(json_string_value(json_object_get(second, "ward")), "B");
    cr_assert_eq(json_integer_value(json_object_get(second, "available")), 2);
    json_decref(rows);
}

Test(records, rows_say_how_fresh_they_are) {
    struct error e = {0};
    const struct {
        int64_t after_ms;
        const char *freshness;
    } cases[] = {{0, "current"},
                 {18 * KIT_HOUR - 1, "current"},
                 {18 * KIT_HOUR, "due"},
                 {KIT_DAY, "expired"}};
    set_ok(KIT_NOW, "bed", "free=1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *rows = NULL;
        KIT_OK(records_lines_json(kit.agent, NULL, NULL, KIT_NOW + cases[i].after_ms, &rows, &e));
        json_t *row = json_array_get(rows, 0);
        cr_assert_str_eq(json_string_value(json_object_get(row, "freshness")), cases[i].freshness);
        cr_assert_eq(json_integer_value(json_object_get(row, "age_s")), cases[i].after_ms / 1000);
        cr_assert_str_eq(json_string_value(json_object_get(row, "observed_at")),
                         "2026-09-13T12:00:00Z");
        json_decref(rows);
    }
}

Test(alone, set_says_to_join_first) {
    struct error e = {0};
    struct record r;
    struct record_confirmed done;
    kit_alone(&kit);
    KIT_FAILS(set_at(KIT_NOW, "bed", "free=1", &r, &e), ERR_NOT_JOINED);
    cr_assert_not_null(strstr(e.detail, "join a network first"));
    KIT_FAILS(records_confirm(kit.agent, &(struct record_confirm){.all = true}, KIT_NOW, &done, &e),
              ERR_NOT_JOINED);
}

/* ---- confirm ---- */

static enum err confirm(int64_t now_ms, const char *service, const char *ward, bool all,
                        struct record_confirmed *ret, struct error *e) {
    struct record_confirm what = {.service = service, .ward = ward, .all = all, .actor = "uid:2"};
    *e = (struct error){0};
    return records_confirm(kit.agent, &what, now_ms, ret, e);
}

static struct capacity figure(const char *service, const char *ward) {
    struct error e = {0};
    struct record r;
    bool found = false;
    KIT_OK(records_find_line(kit.agent, 1, service, ward, &r, &found, &e));
    cr_assert(found);
    return r.line.capacity;
}

Test(records, confirm_renews_with_the_same_validity) {
    struct error e = {0};
    struct record_confirmed done;
    set_ok(KIT_NOW, "bed", "free=1 status=full note=x -- valid=4h");
    set_ok(KIT_NOW, "bed", "free=2 -- ward=B");
    KIT_OK(confirm(KIT_NOW + 3 * KIT_HOUR, NULL, NULL, false, &done, &e));
    cr_assert_eq(done.confirmed, 2);
    cr_assert_eq(done.expired, 0);
    struct capacity c = figure("bed", "");
    cr_assert_eq(c.observed_ms, KIT_NOW + 3 * KIT_HOUR);
    cr_assert_eq(c.valid_until_ms, KIT_NOW + 7 * KIT_HOUR);
    is(c.free, 1);
    cr_assert_eq(c.status, STATUS_FULL);
    cr_assert_eq(figure("bed", "B").valid_until_ms, KIT_NOW + 27 * KIT_HOUR);
}

Test(records, confirm_leaves_expired_figures_unless_all) {
    struct error e = {0};
    struct record_confirmed done;
    set_ok(KIT_NOW, "bed", "free=1 -- valid=4h");
    set_ok(KIT_NOW, "bed", "free=2 -- ward=B");
    KIT_OK(confirm(KIT_NOW + 5 * KIT_HOUR, NULL, NULL, false, &done, &e));
    cr_assert_eq(done.confirmed, 1);
    cr_assert_eq(done.expired, 1);
    cr_assert_eq(figure("bed", "").observed_ms, KIT_NOW);
    KIT_FAILS(confirm(KIT_NOW + 5 * KIT_HOUR, "bed", "", false, &done, &e), ERR_CONFLICT);
    KIT_OK(confirm(KIT_NOW + 5 * KIT_HOUR, NULL, NULL, true, &done, &e));
    cr_assert_eq(done.confirmed, 2);
    cr_assert_eq(figure("bed", "").observed_ms, KIT_NOW + 5 * KIT_HOUR);
}

Test(records, messages_never_repeat_a_number_of_a_person) {
    static const char number[] = "111222333"; /* passes the 11-test */
    struct error e = {0};
    struct record r;
    struct record_confirmed done;
    json_t *rows = NULL;
    KIT_FAILS(set_at(KIT_NOW, number, "free=1", &r, &e), ERR_DATA);
    cr_assert_null(strstr(e.detail, number), "%s", e.detail);
    const struct record_confirm what = {.site = number};
    KIT_FAILS(records_confirm(kit.agent, &what, KIT_NOW, &done, &e), ERR_NOT_FOUND);
    cr_assert_null(strstr(e.detail, number), "%s", e.detail);
    KIT_FAILS(records_lines_json(kit.agent, NULL, number, KIT_NOW, &rows, &e), ERR_NOT_FOUND);
    cr_assert_null(strstr(e.detail, number), "%s", e.detail);
}

Test(records, confirm_only_what_is_named) {
    struct error e = {0};
    struct record_confirmed done;
    set_ok(KIT_NOW, "bed", "free=1");
    set_ok(KIT_NOW, "care", "free=2");
    KIT_OK(confirm(KIT_NOW + 1, "care", NULL, false, &done, &e));
    cr_assert_eq(done.confirmed, 1);
    cr_assert_eq(figure("bed", "").observed_ms, KIT_NOW);
    KIT_FAILS(confirm(KIT_NOW + 1, "beds", NULL, true, &done, &e), ERR_NOT_FOUND);
}

/* ---- sites ---- */

static enum err add_site(const char *name, const char *note, struct error *e) {
    struct site site = {0};
    struct site_change change = {.name = name, .note = note};
    *e = (struct error){0};
    enum err code = records_site_change(&site, &change, e);
    return code != ERR_OK ? code : records_site_add(kit.agent, &site, e);
}

Test(records, sites_have_names_of_their_own) {
    struct error e = {0};
    struct record r;
    KIT_OK(add_site("Noord", NULL, &e));
    KIT_FAILS(add_site("Noord", NULL, &e), ERR_CONFLICT);
    KIT_FAILS(set_at(KIT_NOW, "bed", "free=1", &r, &e), ERR_USAGE);
    cr_assert_not_null(strstr(e.detail, "Noord"), "%s", e.detail);
    KIT_OK(set_at(KIT_NOW, "bed", "free=1 -- site=Noord", &r, &e));
    cr_assert_eq(r.line.site, 2);
}

Test(records, site_set_changes_what_is_named) {
    struct error e = {0};
    struct records r;
    KIT_OK(records_site_set(kit.agent, KIT_MEMBER,
                            &(struct site_change){.region = "NL-UT", .phone = "+31 30 123 45 67"},
                            &e));
    KIT_OK(records_site_set(kit.agent, KIT_MEMBER,
                            &(struct site_change){.name = "Zuid", .hours = "8-17"}, &e));
    kit_reopen(&kit, NULL);
    KIT_OK(records_load(kit.agent, &r, &e));
    cr_assert_eq(r.site_count, 1);
    cr_assert_str_eq(r.sites[0].name, "Zuid");
    cr_assert_str_eq(r.sites[0].region, "NL-UT");
    cr_assert_str_eq(r.sites[0].phone, "+31 30 123 45 67");
    cr_assert_str_eq(r.sites[0].hours, "8-17");
    records_done(&r);
}

Test(records, bad_cards_change_nothing) {
    static char long_name[SITE_NAME_MAX + 2];
    struct error e = {0};
    memset(long_name, 'x', SITE_NAME_MAX + 1);
    char *before = dump();
    KIT_FAILS(add_site("", NULL, &e), ERR_DATA);
    KIT_FAILS(add_site(long_name, NULL, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "name");
    KIT_FAILS(add_site("two\nlines", NULL, &e), ERR_DATA);
    KIT_FAILS(add_site("Noord", "client 111222333", &e), ERR_DATA);
    cr_assert_str_eq(e.file, "note");
    cr_assert_null(strstr(e.detail, "111222333"));
    KIT_FAILS(
        records_site_set(kit.agent, KIT_MEMBER, &(struct site_change){.hours = "111222333"}, &e),
        ERR_DATA);
    KIT_FAILS(
        records_site_set(kit.agent, KIT_MEMBER, &(struct site_change){.phone = "call us"}, &e),
        ERR_DATA);
    KIT_FAILS(records_site_set(kit.agent, "Oost", &(struct site_change){.hours = "8"}, &e),
              ERR_NOT_FOUND);
    char *after = dump();
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
}

Test(records, renaming_onto_another_site_is_refused) {
    struct error e = {0};
    KIT_OK(add_site("Noord", NULL, &e));
    KIT_FAILS(records_site_set(kit.agent, "Noord", &(struct site_change){.name = KIT_MEMBER}, &e),
              ERR_CONFLICT);
    KIT_OK(records_site_set(kit.agent, "Noord", &(struct site_change){.name = "Noord"}, &e));
}

Test(records, caps_on_sites) {
    struct error e = {0};
    KIT_OK(db_begin(agent_db(kit.agent), &e)); /* one commit for all, for the test's sake */
    for (int i = 1; i < SNAPSHOT_MAX_SITES; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d", i);
        KIT_OK(add_site(name, NULL, &e));
    }
    KIT_OK(db_commit(agent_db(kit.agent), &e));
    KIT_FAILS(add_site("one more", NULL, &e), ERR_TOO_LARGE);
}

/* ---- the disk ---- */

/* Status 0 means committed: after a power cut right behind it, with everything unsynced gone, it is
 * there. */
Test(records, set_survives_a_power_cut) {
    struct error e = {0};
    struct record r;
    char after[PATH_MAX];
    struct watch_vfs *w = watch_vfs_new(VFS);
    kit_reopen(&kit, VFS);
    KIT_OK(set_at(KIT_NOW, "bed", "free=7", &r, &e));
    cr_assert(watch_vfs_durable(w, watch_vfs_now(w)));
    scratch_path(&kit.scratch, "after", after);
    cr_assert_eq(mkdir(after, 0700), 0);
    KIT_OK(watch_vfs_crash(w, kit.dir, after, 0, &e));
    agent_close(kit.agent);
    kit.agent = NULL;
    watch_vfs_free(w);
    snprintf(kit.dir, sizeof kit.dir, "%s", after);
    kit_reopen(&kit, NULL);
    is(figure("bed", "").free, 7);
}

/* A commit whose sync fails is a refusal, and what stood there before stands there still. */
Test(records, failing_sync_changes_nothing) {
    struct error e = {0};
    struct record r;
    struct watch_vfs *w = watch_vfs_new(VFS);
    kit_reopen(&kit, VFS);
    KIT_OK(set_at(KIT_NOW, "bed", "free=7", &r, &e));
    char *before = dump();
    agent_clear_dirty(kit.agent);
    watch_vfs_fail(w, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
    cr_assert_neq(set_at(KIT_NOW + 1, "bed", "free=1", &r, &e), ERR_OK);
    cr_assert_not(agent_dirty(kit.agent));
    kit_reopen(&kit, VFS);
    char *after = dump();
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
    agent_close(kit.agent);
    kit.agent = NULL;
    watch_vfs_free(w);
}

Test(records, full_disk_is_a_clear_refusal_that_passes) {
    struct error e = {0};
    struct record r;
    struct watch_vfs *w = watch_vfs_new(VFS);
    kit_reopen(&kit, VFS);
    KIT_OK(set_at(KIT_NOW, "bed", "free=7", &r, &e));
    watch_vfs_fail(w, WATCH_WRITE, 1, 1000, SQLITE_FULL, ENOSPC);
    KIT_FAILS(set_at(KIT_NOW + 1, "bed", "free=1", &r, &e), ERR_DISK_FULL);
    is(figure("bed", "").free, 7);
    watch_vfs_fail(w, WATCH_WRITE, 1, 0, 0, 0);
    KIT_OK(set_at(KIT_NOW + 2, "bed", "free=2", &r, &e));
    is(figure("bed", "").free, 2);
    agent_close(kit.agent);
    kit.agent = NULL;
    watch_vfs_free(w);
}
