/* Tables at their full length: imports by real programs, with and without a daemon, places that
 * stay at home, and exports. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "tables");
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(tables, .init = setup, .fini = teardown, .timeout = 240);

#define WARDS 90
#define DATED                                                                                      \
    "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"afdeling\"},\"delimiter\":\";\","    \
    "\"columns\":{\"free\":\"vrij\",\"occupied\":\"bezet\",\"note\":\"opmerking\"},"               \
    "\"date\":{\"column\":\"datum\",\"format\":\"dd-mm-jjjj\"}}"

static void one_member(void) {
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
}

/* So many rows in Windows-1252, oldest first, the last of yesterday; row `bad` has 31 February. */
static const char *write_rows(const char *name, int rows, int bad) {
    const char *path = lab_path(&lab, "%s", name);
    int64_t yesterday = (int64_t)time(NULL) / 86400 - 1;
    FILE *out = fopen(path, "we");
    cr_assert(out);
    fputs("datum;afdeling;vrij;bezet;opmerking\r\n", out);
    for (int i = 1; i <= rows; i++) {
        time_t at = (time_t)((yesterday - (rows - i) / WARDS) * 86400);
        struct tm day;
        gmtime_r(&at, &day);
        if (i == bad)
            fputs("31-02-2026", out);
        else
            fprintf(out, "%02d-%02d-%d", day.tm_mday, day.tm_mon + 1, day.tm_year + 1900);
        fprintf(out, ";Caf\xE9 %d;%d;%d;\"\xE9\xE9n; twee\"\r\n", (rows - i) % WARDS, i % 7,
                i % 11);
    }
    cr_assert_eq(fclose(out), 0);
    return path;
}

static json_t *lines_without_age(void) {
    json_t *lines = AGENT(&net, "A", "lines"), *row;
    size_t i;
    json_array_foreach(lines, i, row) json_object_del(row, "age_s");
    return lines;
}

static const char *all_past(void) {
    return AGENT_DO(&net, "A", "export", "history", "--format", "rfc4180")->out;
}

/* ---- long tables ---- */

Test(tables, a_bad_date_in_row_26999_of_27000_names_the_place_and_changes_nothing) {
    one_member();
    const char *profile = lab_path(&lab, "p.json");
    lab_write(profile, DATED);
    AGENT_DO(&net, "A", "import", write_rows("good.csv", 2 * WARDS, 0), "--profile", profile);
    json_t *before = lines_without_age();
    cr_assert_eq(json_array_size(before), WARDS);
    const char *bad = write_rows("bad.csv", 27000, 26999), *past = all_past();
    for (int way = 0; way < 4; way++) { /* with and without a daemon, with and without --history */
        const struct result *r =
            lab_expect(&lab, 65, NULL, __FILE__, __LINE__,
                       LAB_ARGV("plek-agent", "import", bad, "--profile", profile, "--dir",
                                network_dir(&net, "A"), way % 2 == 1 ? "--history" : NULL));
        cr_assert(strstr(r->err, lab_text(&lab, "%s:27000:1: ", bad)), "%s", r->err);
        cr_assert(strstr(r->err, "'31-02-2026', expected"), "%s", r->err);
        cr_assert_eq(strchr(r->err, '\n') + 1 - r->err, (long)strlen(r->err), "%s", r->err);
        cr_assert(json_equal(before, lines_without_age()));
        cr_assert_str_eq(all_past(), past);
        if (way == 1)
            lab_stop(&lab, network_process(&net, "A"));
    }
    /* The same without the bad date is whole. */
    json_t *report =
        AGENT(&net, "A", "import", write_rows("bad.csv", 27000, 0), "--profile", profile);
    cr_assert_eq(number_at(report, "rows_used"), 27000);
    cr_assert_eq(number_at(report, "superseded"), 27000 - WARDS);
    cr_assert_eq(number_at(report, "older"), 0);
    json_t *row = row_where(AGENT(&net, "A", "lines"), "ward", "Caf\xC3\xA9 0");
    cr_assert_str_eq(json_string_value(json_object_get(row, "note")), "\xC3\xA9\xC3\xA9n; twee");
    lab_pass(&lab);
}

static int64_t resident_kib(pid_t pid) {
    const char *status = lab_read(&lab, lab_text(&lab, "/proc/%ld/status", (long)pid));
    const char *peak = strstr(status, "VmHWM:");
    cr_assert(peak);
    return strtoll(peak + strlen("VmHWM:"), NULL, 10);
}

/* Fifty times the rows for the same lines take no more memory, in the daemon or beside it. */
Test(tables, memory_does_not_grow_with_the_rows) {
#ifdef PLEK_SANITIZED
    cr_skip_test("AddressSanitizer keeps what is freed: memory is measured in other builds");
#endif
    one_member();
    pid_t pid = network_process(&net, "A")->pid;
    const char *profile = lab_path(&lab, "p.json");
    lab_write(profile, DATED);
    AGENT_DO(&net, "A", "import", write_rows("few.csv", 40 * WARDS, 0), "--profile", profile);
    int64_t before = resident_kib(pid);
    json_t *report =
        AGENT(&net, "A", "import", write_rows("many.csv", 2000 * WARDS, 0), "--profile", profile);
    cr_assert_eq(number_at(report, "rows_read"), 2000 * WARDS);
    cr_assert_eq(number_at(report, "unchanged") + number_at(report, "changed"), WARDS);
    int64_t grown = resident_kib(pid) - before;
    cr_assert_lt(grown, 3 * 1024, "%" PRId64 " KiB more for a file of 6 MiB", grown);
    lab_pass(&lab);
}

Test(tables, progress_is_told_when_asked_for) {
    one_member();
    const char *profile = lab_path(&lab, "p.json"), *csv = write_rows("p.csv", 9000, 0);
    lab_write(profile, DATED);
    const struct result *r = AGENT_DO(&net, "A", "import", csv, "--profile", profile);
    cr_assert_str_eq(r->err, "");
    r = AGENT_DO(&net, "A", "import", csv, "--profile", profile, "--progress", "--dry-run");
    cr_assert(strstr(r->err, "(100 %), "), "%s", r->err);
    cr_assert(strstr(r->err, " rows\n"), "%s", r->err);
    lab_pass(&lab);
}

Test(tables, a_dry_run_lists_every_line_and_changes_nothing) {
    one_member();
    const char *profile = lab_path(&lab, "p.json"), *csv = write_rows("d.csv", 2 * WARDS, 0);
    lab_write(profile, DATED);
    json_t *report = AGENT(&net, "A", "import", csv, "--profile", profile, "--dry-run");
    cr_assert_eq(json_array_size(json_object_get(report, "lines")), WARDS);
    cr_assert_eq(number_at(report, "new"), WARDS);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "lines")), 0);
    cr_assert_eq(number_at(AGENT(&net, "A", "import", csv, "--profile", profile), "new"), WARDS);
    report = AGENT(&net, "A", "import", csv, "--profile", profile);
    cr_assert_eq(number_at(report, "unchanged"), WARDS);
    lab_pass(&lab);
}

/* ---- numbers of persons ---- */

Test(tables, no_message_repeats_a_number_of_a_person) {
    static const char *const columns[] = {"service", "ward", "vrij", "status", "note", "datum"};
    one_member();
    const char *profile = lab_path(&lab, "b.json"), *csv = lab_path(&lab, "b.csv");
    lab_write(profile, "{\"format\":1,\"service\":{\"column\":\"service\"},"
                       "\"ward\":{\"column\":\"ward\"},\"columns\":{\"free\":\"vrij\","
                       "\"status\":\"status\",\"note\":\"note\"},\"date\":{\"column\":\"datum\"}}");
    for (size_t bad = 0; bad < sizeof columns / sizeof columns[0]; bad++) {
        static const char *const good[] = {"bed", "W", "1", "full", "n", "2026-09-12"};
        const char *row = "";
        for (size_t i = 0; i < 6; i++)
            row = lab_text(&lab, "%s%s%s", row, i > 0 ? "," : "", i == bad ? "111222333" : good[i]);
        lab_write(csv, lab_text(&lab, "service,ward,vrij,status,note,datum\n%s\n", row));
        const struct result *r = LAB_FAILS(&lab, 65, "plek-agent", "import", csv, "--profile",
                                           profile, "--dir", network_dir(&net, "A"));
        cr_assert_null(strstr(r->err, "111222333"), "%s", r->err);
        cr_assert(strstr(r->err, lab_text(&lab, "b.csv:2:%zu: ", bad + 1)), "%s", r->err);
    }
    lab_write(csv, "111222333\n1\n");
    const struct result *r = LAB_FAILS(&lab, 65, "plek-agent", "import", csv, "--profile", profile,
                                       "--dir", network_dir(&net, "A"));
    cr_assert_null(strstr(r->err, "111222333"), "%s", r->err);
    lab_pass(&lab);
}

/* ---- places ---- */

#define ALL                                                                                        \
    "{\"audiences\":[{\"name\":\"a\",\"members\":[\"@hub\",\"B\"],\"services\":[\"*\"],"           \
    "\"precision\":\"exact\"}]}"

/* True when the bytes stand in any file of the directory's database. */
static bool database_holds(const char *dir, const char *text) {
    const struct result *r =
        lab_run(&lab, NULL, LAB_ARGV("grep", "-rlaF", "--include=*.db*", text, dir));
    cr_assert_leq(r->status, 1, "%s", r->err);
    return r->status == 0;
}

Test(tables, places_give_the_counts_and_never_leave) {
    one_member();
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    AGENT_DO(&net, "B", "partner", "approve", "A");
    network_policy(&net, "A", ALL);
    AGENT_DO(&net, "A", "place", "add", "bed", "kamer-zeven", "state=occupied",
             "note=geheim van de buren", "--ward", "W1");
    AGENT_DO(&net, "A", "place", "add", "bed", "kamer-acht", "--ward", "W1");
    AGENT_DO(&net, "A", "place", "add", "bed", "kamer-negen", "state=blocked",
             "reason=lekkage boven", "--ward", "W1");
    json_t *row = row_where(AGENT(&net, "A", "lines"), "ward", "W1");
    cr_assert_eq(number_at(row, "available"), 1);
    cr_assert_eq(number_at(row, "total"), 3);
    EVENTUALLY(json_array_size(AGENT(&net, "B", "find", "bed")) == 1 &&
               number_at(json_array_get(AGENT(&net, "B", "find", "bed"), 0), "total") == 3);
    const struct result *r = LAB_FAILS(&lab, 65, "plek-agent", "set", "bed", "free=9", "--ward",
                                       "W1", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, "place set"), "%s", r->err);
    json_t *places = AGENT(&net, "A", "place", "list", "bed");
    cr_assert_eq(json_array_size(places), 3);
    lab_stop(&lab, network_process(&net, "A"));
    lab_stop(&lab, network_process(&net, "B"));
    lab_stop(&lab, network_process(&net, "hub"));
    static const char *const private[] = {"kamer-zeven", "geheim van de buren", "lekkage boven"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert(database_holds(network_dir(&net, "A"), private[i]), "the search works");
        cr_assert_not(database_holds(network_dir(&net, "B"), private[i]), "%s", private[i]);
        cr_assert_not(database_holds(net.hub_dir, private[i]), "%s", private[i]);
    }
    lab_pass(&lab);
}

Test(tables, places_come_from_a_table_too) {
    one_member();
    const char *csv = lab_path(&lab, "k.csv"), *profile = lab_path(&lab, "k.json");
    lab_write(profile, "{\"format\":1,\"service\":\"bed\",\"place\":{\"column\":\"kamer\"},"
                       "\"columns\":{\"state\":\"stand\"},\"complete\":true,"
                       "\"states\":{\"bezet\":\"occupied\",\"vrij\":\"free\"}}");
    lab_write(csv, "kamer;stand\n1;bezet\n2;vrij\n3;vrij\n");
    json_t *report = AGENT(&net, "A", "place", "import", csv, "--profile", profile, "--dry-run");
    cr_assert_eq(number_at(report, "new"), 3);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "place", "list")), 0);
    AGENT_DO(&net, "A", "place", "import", csv, "--profile", profile);
    report = AGENT(&net, "A", "place", "import", csv, "--profile", profile);
    cr_assert_eq(number_at(report, "unchanged"), 3);
    lab_write(csv, "kamer;stand\n1;vrij\n2;vrij\n");
    const struct result *r = LAB_OK(&lab, "plek-agent", "place", "import", csv, "--profile",
                                    profile, "--dry-run", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->out, "in no line: A bed place 3: removed\n"), "%s", r->out);
    report = AGENT(&net, "A", "place", "import", csv, "--profile", profile);
    cr_assert_eq(number_at(report, "changed"), 1);
    cr_assert_eq(number_at(report, "removed"), 1);
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "available"), 2);
    AGENT_DO(&net, "A", "place", "remove", "bed", "1");
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "total"), 1);
    lab_pass(&lab);
}

/* ---- export ---- */

Test(tables, export_of_own_lines_and_the_picture) {
    one_member();
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", ALL);
    AGENT_DO(&net, "A", "set", "bed", "total=4", "occupied=6", "held=0", "blocked=0", "note==1+1");
    const char *file = lab_path(&lab, "lines.csv");
    AGENT_DO(&net, "A", "export", "--output", file);
    const char *text = lab_read(&lab, file);
    cr_assert_eq(strncmp(text, "\xEF\xBB\xBFsite;service;ward;available;", 30), 0, "%s", text);
    cr_assert(strstr(text, "\r\nA;bed;;-2;4;6;;0;0;"), "a negative number stays one: %s", text);
    cr_assert(strstr(text, ";'=1+1;"), "%s", text);
    const struct result *r = AGENT_DO(&net, "A", "export", "lines", "--format", "rfc4180");
    cr_assert(strstr(r->out, "\r\nA,bed,,-2,4,6,,0,0,"), "%s", r->out);
    EVENTUALLY(json_array_size(AGENT(&net, "B", "find", "bed")) == 1);
    r = AGENT_DO(&net, "B", "export", "picture", "--format", "rfc4180", "--service", "bed");
    cr_assert(strstr(r->out, "\r\nA,A,bed,,exact,-2,,,,,4,6,0,0,"), "%s", r->out);
    lab_stop(&lab, network_process(&net, "B"));
    cr_assert_str_eq(
        AGENT_DO(&net, "A", "export", "lines", "--format", "rfc4180", "--service", "bed")->out,
        AGENT_DO(&net, "A", "export", "lines", "--format", "rfc4180")->out);
    LAB_FAILS(&lab, 66, "plek-agent", "export", "--output", lab_path(&lab, "none/x.csv"), "--dir",
              network_dir(&net, "A"));
    lab_pass(&lab);
}

#define SHARED_HISTORY                                                                             \
    "{\"audiences\":[{\"name\":\"a\",\"members\":[\"B\"],\"services\":[\"*\"],"                    \
    "\"precision\":\"exact\",\"history\":true}]}"

/* More rows than a page, with a daemon and without; a failure leaves the file as it was. */
Test(tables, export_of_own_and_partners_history) {
    one_member();
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", SHARED_HISTORY);
    const char *profile = lab_path(&lab, "p.json"), *file = lab_path(&lab, "history.csv");
    lab_write(profile, DATED);
    AGENT_DO(&net, "A", "import", write_rows("h.csv", 30 * WARDS, 0), "--profile", profile,
             "--history");
    AGENT_DO(&net, "A", "export", "history", "--format", "rfc4180", "--output", file);
    const char *own = lab_read(&lab, file);
    cr_assert_eq(strncmp(own, "member,site,service,ward,observed_at,valid_until,", 49), 0);
    AGENT_DO(&net, "A", "import", file, "--profile",
             PLEK_SOURCE_DIR "/docs/examples/profile-own-history.json", "--history");
    json_t *report = AGENT(&net, "A", "import", file, "--profile",
                           PLEK_SOURCE_DIR "/docs/examples/profile-own-history.json", "--history");
    cr_assert_eq(number_at(report, "history.unchanged"), 30 * WARDS);
    cr_assert_eq(number_at(report, "history.recorded"), 0);
    cr_assert_eq(number_at(report, "changed"), 0);
    EVENTUALLY(json_array_size(AGENT(&net, "B", "history", "--member", "A")) == 30 * WARDS);
    lab_stop(&lab, network_process(&net, "A"));
    const struct result *r = AGENT_DO(&net, "A", "export", "history", "--format", "rfc4180");
    cr_assert_str_eq(r->out, own, "without a daemon, on standard output");
    AGENT_DO(&net, "B", "export", "history", "--partner", "A", "--format", "rfc4180", "--output",
             file);
    const char *theirs = lab_read(&lab, file);
    int rows = 0;
    for (const char *at = strchr(theirs, '\n'); at; at = strchr(at + 1, '\n'))
        rows++;
    cr_assert_eq(rows, 30 * WARDS + 1);
    LAB_FAILS(&lab, 65, "plek-agent", "export", "history", "--partner", "C", "--output", file,
              "--dir", network_dir(&net, "B"));
    cr_assert_str_eq(lab_read(&lab, file), theirs, "a failure leaves the file as it was");
    LAB_FAILS(&lab, 64, "plek-agent", "export", "lines", "--partners", "--dir",
              network_dir(&net, "B"));
    lab_pass(&lab);
}
