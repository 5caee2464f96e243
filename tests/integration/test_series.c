/* A whole published series by real processes: the 16 German states as members, every day that was
 * published, imported in tranches as history, while one member joins late, one is killed between
 * sending and the ack, and one is away for a while. At the end the hub's sums are the published
 * national figures on every day, and a partner's table of each state is what that state published
 * (published.h). Skipped, visibly, where the files are absent. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "network.h"
#include "published.h"

#define STATES PUBLISHED_STATES
#define DAYS_MAX 4000
#define TRANCHES 24
#define LATE_FROM 12 /* joins then, with all it has so far */
#define KILLED_IN 5
#define AWAY_FROM 14 /* six tranches without its daemon */
#define AWAY_TO 20
#define LATE "Bremen"
#define KILLED "Hamburg"
#define AWAY "Sachsen"
#define DESK "Leitstelle"
#define FIELDS 18 /* of an exported history */

/* AddressSanitizer takes several times as long: every tranche, but shorter ones. */
#ifdef PLEK_SANITIZED
#define DAYS_WANTED 480
#else
#define DAYS_WANTED DAYS_MAX
#endif

static struct lab lab;
static struct network net;
static struct published states, nation;
static char names[STATES][40];
static size_t days; /* all that were published, or DAYS_WANTED of them */
static const char *profile;

/* ---- what was published ---- */

/* Day after day, each with one row for every state: row (day, state) is where it should be. */
static const struct published_row *row_at(size_t day, size_t state) {
    return &states.rows[day * STATES + state];
}

static bool find_files(void) {
    const char *states_file = NULL, *nation_file = NULL;
    if (!published_find(&lab, &states_file, &nation_file))
        return false;
    states = published_read(states_file);
    nation = published_read(nation_file);
    published_places(&states, names);
    cr_assert_eq(states.count, nation.count * STATES);
    for (size_t day = 0; day < nation.count; day++)
        for (size_t i = 0; i < STATES; i++) {
            cr_assert_str_eq(row_at(day, i)->day, nation.rows[day].day);
            cr_assert_str_eq(row_at(day, i)->place, names[i]);
        }
    days = nation.count < DAYS_WANTED ? nation.count : DAYS_WANTED;
    return true;
}

static size_t first_day_of(int tranche) {
    return days * (size_t)tranche / TRANCHES;
}

/* A file of what one state published in [from, to). */
static const char *cut(size_t state, size_t from, size_t to) {
    const char *path = lab_path(&lab, "cut-%zu-%zu.csv", state, from);
    published_cut(&states, from * STATES + state, STATES, to - from, path);
    return path;
}

/* ---- the network ---- */

static const char charter[] =
    "{\"format\":1,\"name\":\"Intensive care\",\"time_zone\":\"Europe/Berlin\",\"k\":3,"
    "\"longest_validity\":\"3650d\",\"keep_days\":3650,\"services\":[{\"code\":\"bed\","
    "\"label\":\"Intensive care bed\",\"unit\":\"bed\",\"validity\":\"36h\"}]}";

#define POLICY                                                                                     \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"@hub\",\"" DESK "\"],\"services\":[\"*\"],"  \
    "\"precision\":\"exact\",\"history\":true}]}"

/* The documented profile, but for the validity: a row counted at noon holds for that day's end and
 * not for the next one's, so that a missing day shows. */
static void write_profile(void) {
    json_t *example =
        json_load_file(PLEK_SOURCE_DIR "/docs/examples/profile-published-daily.json", 0, NULL);
    cr_assert_not_null(example);
    json_object_set_new(example, "valid", json_string("13h"));
    profile = lab_path(&lab, "profile.json");
    lab_write(profile, lab_dump(&lab, example));
    json_decref(example);
}

static const char *region_of(size_t state) {
    return lab_text(&lab, "DE-%02zu", state + 1);
}

static size_t state_called(const char *name) {
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    cr_assert_fail("no state is called %s", name);
    return 0;
}

static void add_state(size_t i) {
    network_add(&net, names[i], NULL);
    AGENT_DO(&net, names[i], "site", "set", names[i], "--region", region_of(i));
    AGENT_DO(&net, names[i], "partner", "approve", DESK);
    network_policy(&net, names[i], POLICY);
}

static void set_up(void) {
    const char *path = lab_path(&lab, "charter.json");
    lab_write(path, charter);
    write_profile();
    network_init(&net, &lab, path);
    network_run_hub(&net, NULL);
    network_add(&net, DESK, "observer");
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(names[i], LATE) != 0)
            add_state(i);
}

static struct process *start_import(size_t state, size_t from, size_t to) {
    const char *name = names[state];
    return lab_start(&lab, lab_text(&lab, "i-%s", name), NULL,
                     LAB_ARGV("plek-agent", "import", cut(state, from, to), "--profile", profile,
                              "--history", "--dir", network_dir(&net, name)));
}

static void expect_imported(struct process *p) {
    int status = lab_wait_end(&lab, p);
    cr_assert_eq(status, 0, "%s ended with %d: %s", p->name, status, lab_log(&lab, p));
}

/* ---- a tranche ---- */

/* Between sending and the ack; the rows are in the agent's own database by then. */
static void kill_while_importing(size_t state, size_t from, size_t to) {
    lab_stop(&lab, network_process(&net, KILLED));
    struct process *agent = network_run_agent(&net, KILLED, "PLEK_FAILPOINT=agent-after-send");
    EVENTUALLY(network_connected(&net, KILLED));
    lab_wait_end(&lab, start_import(state, from, to)); /* its daemon may not answer any more */
#ifdef PLEK_FAILPOINTS
    cr_assert_eq(lab_wait_end(&lab, agent), 256 + SIGKILL);
#else
    lab_kill(&lab, agent);
#endif
    network_run_agent(&net, KILLED, NULL);
}

/* Lines of all partners' figures of these days at the desk. */
static size_t rows_at_desk(size_t from, size_t to) {
    const struct result *r =
        AGENT_DO(&net, DESK, "export", "history", "--partners", "--format", "rfc4180", "--from",
                 nation.rows[from].day, "--to", nation.rows[to - 1].day);
    size_t lines = 0;
    for (const char *at = strchr(r->out, '\n'); at; at = strchr(at + 1, '\n'))
        lines++;
    return lines - 1;
}

static void import_all(int tranche, size_t from, size_t to) {
    struct process *running[STATES] = {NULL};
    size_t late = state_called(LATE), killed = state_called(KILLED);
    if (tranche == LATE_FROM)
        add_state(late);
    if (tranche == KILLED_IN)
        kill_while_importing(killed, from, to);
    for (size_t i = 0; i < STATES; i++)
        if (i != late || tranche >= LATE_FROM)
            running[i] = start_import(i, i == late && tranche == LATE_FROM ? 0 : from, to);
    for (size_t i = 0; i < STATES; i++)
        if (running[i])
            expect_imported(running[i]);
}

/* All states import their rows at the same time; it is over when the desk has what was sent. */
static void run_tranche(int tranche) {
    size_t from = first_day_of(tranche), to = first_day_of(tranche + 1);
    int64_t begin_ms = clock_monotonic_ms();
    if (tranche == AWAY_FROM)
        lab_stop(&lab, network_process(&net, AWAY));
    if (tranche == AWAY_TO)
        network_run_agent(&net, AWAY, NULL);
    import_all(tranche, from, to);
    size_t sharing = STATES - (tranche < LATE_FROM);
    sharing -= tranche >= AWAY_FROM && tranche < AWAY_TO;
    EVENTUALLY(rows_at_desk(from, to) == sharing * (to - from));
    int64_t took_ms = clock_monotonic_ms() - begin_ms;
    fprintf(stderr,
            "tranche %2d: %zu days, %zu points to the hub and a partner in %" PRId64 " ms\n",
            tranche, to - from, sharing * (to - from), took_ms);
}

/* ---- what has to hold ---- */

static bool sum_is(json_t *row, const struct published_row *published) {
    return number_at(row, "available.low") == published->free &&
           number_at(row, "available.high") == published->free &&
           number_at(row, "occupied") == published->occupied &&
           number_at(row, "total") == published->free + published->occupied;
}

static size_t day_index(const char *day) {
    for (size_t i = 0; i < days; i++)
        if (strcmp(nation.rows[i].day, day) == 0)
            return i;
    cr_assert_fail("nobody published figures for %s", day);
    return 0;
}

/* The place of a region in `names`; STATES: the whole network. */
static size_t place_of(const json_t *row) {
    const char *region = json_string_value(json_object_get(row, "region"));
    if (!region)
        return STATES;
    size_t i = strtoul(region + strlen("DE-"), NULL, 10) - 1;
    cr_assert_lt(i, STATES, "%s", region);
    return i;
}

/* One row for each day and the network, one for each day and state; none is missing, none twice. */
static void expect_sums(void) {
    json_t *rows = HUB(&net, "aggregate", "--service", "bed", "--from", nation.rows[0].day, "--to",
                       nation.rows[days - 1].day);
    bool *found = calloc(days * (STATES + 1), sizeof *found);
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row) {
        size_t day = day_index(json_string_value(json_object_get(row, "day")));
        size_t place = place_of(row);
        const struct published_row *published =
            place == STATES ? &nation.rows[day] : row_at(day, place);
        cr_assert(sum_is(row, published),
                  "%s: expected free %" PRId64 ", occupied %" PRId64 "; the hub says %s",
                  published->day, published->free, published->occupied, lab_dump(&lab, row));
        cr_assert_eq(number_at(row, "members"), place == STATES ? STATES : 1);
        cr_assert_not(found[day * (STATES + 1) + place], "%s twice", published->day);
        found[day * (STATES + 1) + place] = true;
        count++;
    }
    cr_assert_eq(count, days * (STATES + 1), "%zu rows", count);
    free(found);
}

/* The partner's table of a state is what that state published: every day, in order, once. */
static void expect_table(size_t state) {
    const char *path = lab_path(&lab, "table-%zu.csv", state);
    AGENT_DO(&net, DESK, "export", "history", "--partner", names[state], "--format", "rfc4180",
             "--output", path);
    char *rest = strdup(lab_read(&lab, path)), *text = rest;
    size_t day = 0;
    strsep(&rest, "\n");
    for (char *line; (line = strsep(&rest, "\n")) && *line; day++) {
        char *fields[FIELDS];
        cr_assert_lt(day, days, "%s: found more: %s", names[state], line);
        for (int k = 0; k < FIELDS; k++)
            cr_assert_not_null(fields[k] = strsep(&line, ","));
        const struct published_row *row = row_at(day, state);
        cr_assert_str_eq(fields[0], names[state]);
        cr_assert_eq(strncmp(fields[4], row->day, strlen(row->day)), 0, "%s: found %s after %zu",
                     names[state], fields[4], day);
        cr_assert_eq(strtoll(fields[7], NULL, 10), row->free, "%s free on %s", names[state],
                     row->day);
        cr_assert_eq(strtoll(fields[13], NULL, 10), row->occupied, "%s occupied on %s",
                     names[state], row->day);
    }
    cr_assert_eq(day, days, "%s: found %zu days of %zu", names[state], day, days);
    free(text);
}

static void expect_nothing_left(void) {
    for (size_t i = 0; i < STATES; i++)
        EVENTUALLY(network_drained(&net, names[i]));
    json_t *status = AGENT(&net, DESK, "status");
    cr_assert_eq(json_array_size(json_object_get(status, "history_holes")), 0u, "%s",
                 lab_dump(&lab, status));
}

/* All of it once more, in one file: the log has it, so nothing is told again. */
static void expect_nothing_new(const char *name) {
    json_t *report = AGENT(&net, name, "import", cut(state_called(name), 0, days), "--profile",
                           profile, "--history");
    cr_assert_eq(number_at(report, "history.recorded"), 0, "%s", lab_dump(&lab, report));
    cr_assert_eq(number_at(report, "history.unchanged"), (int64_t)days);
    cr_assert(network_drained(&net, name));
}

/* ---- figures for a person ---- */

static int64_t resident_kib(const char *name, const char *what) {
    const char *status =
        lab_read(&lab, lab_text(&lab, "/proc/%ld/status", (long)network_process(&net, name)->pid));
    const char *at = strstr(status, what);
    return at ? strtoll(at + strlen(what), NULL, 10) : -1;
}

static int64_t file_bytes(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

static void tell(int64_t took_ms) {
    int64_t points = (int64_t)days * STATES;
    fprintf(stderr,
            "%zu of %zu days: %" PRId64 " points in %" PRId64 " ms, %" PRId64 " a second\n"
            "hub.db %" PRId64 " bytes; hub VmRSS %" PRId64 " KiB (anonymous %" PRId64
            "), partner %" PRId64 " KiB (anonymous %" PRId64 ")\n",
            days, nation.count, points, took_ms, points * 1000 / (took_ms > 0 ? took_ms : 1),
            file_bytes(lab_text(&lab, "%s/hub.db", net.hub_dir)), resident_kib("hub", "VmRSS:"),
            resident_kib("hub", "RssAnon:"), resident_kib(DESK, "VmRSS:"),
            resident_kib(DESK, "RssAnon:"));
}

/* ---- the test ---- */

static void setup(void) {
    lab_open(&lab, "series");
}

static void teardown(void) {
    lab_close(&lab);
    published_free(&states);
    published_free(&nation);
}

TestSuite(series, .init = setup, .fini = teardown, .timeout = 1500);

Test(series, every_published_day_arrives_once_and_adds_up) {
    if (!find_files()) {
        fprintf(stderr, PUBLISHED_SKIPPED "\n");
        lab_pass(&lab);
        teardown(); /* Criterion leaves out the suite's end then. */
        cr_skip_test(PUBLISHED_SKIPPED);
    }
    set_up();
    int64_t begin_ms = clock_monotonic_ms();
    for (int tranche = 0; tranche < TRANCHES; tranche++)
        run_tranche(tranche);
    EVENTUALLY(rows_at_desk(0, days) == days * STATES);
    tell(clock_monotonic_ms() - begin_ms);
    expect_nothing_left();
    expect_nothing_new(KILLED);
    expect_nothing_new(AWAY);
    for (size_t i = 0; i < STATES; i++)
        expect_table(i);
    expect_sums();
    lab_pass(&lab);
}
