/* Owns the benchmark's program: its options, which measurements run and in which order, the report.
 * Must not measure. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "keys.h"

struct measurement {
    const char *name;
    bench_measure *run;
    const char *help;
    bool on_demand; /* runs only when it is named: it takes minutes */
};

/* `limits` always runs: everything else is told as a ratio to it. */
static const struct measurement measurements[] = {
    {"limits", bench_limits, "signatures, SQLite and disk syncs of this machine", false},
    {"echo", bench_echo, "websocket echo of this machine", false},
    {"pace", bench_pace, "how evenly this machine computes, nothing else running", false},
    {"relay", bench_relay, "an update's way with nothing but this machine in it", false},
    {"bytes", bench_bytes, "wire bytes of a state update", false},
    {"ingest", bench_ingest, "live ingest by many agents", false},
    {"latency", bench_latency, "publish to decrypted", false},
    {"agent", bench_agent, "an idle agent's memory and wake-ups", false},
    {"reader", bench_reader, "a reader's catch-up, and find", false},
    {"away", bench_away, "a reader that was away for weeks: states and past figures", false},
    {"reingest", bench_reingest, "a restored hub is sent again what it lost", false},
    {"wide", bench_wide, "200 own lines, 1,000 partners, an audience of 2,000", false},
    {"idle", bench_idle, "the hub's memory an idle agent, ws", false},
    {"idle-tls", bench_idle_tls, "the same, wss", false},
    {"mosquitto", bench_mosquitto, "the same number of clients through an MQTT broker", false},
    {"growth-members", bench_growth_members, "10 to 10,000 members", true},
    {"growth-recipients", bench_growth_recipients, "1 to 2,000 recipients", true},
    {"growth-entries", bench_growth_entries, "1,000 to 1,000,000 stored entries", true},
};
#define MEASUREMENTS (sizeof measurements / sizeof measurements[0])

/* ---- options ---- */

struct options {
    struct bench bench;
    const char *json, *only, *charts;
};

static const struct number_option {
    const char *name;
    size_t offset;
    int min, max;
    const char *help;
} numbers[] = {
    {"seconds", offsetof(struct bench, seconds), 1, 600, "of a timed phase"},
    {"agents", offsetof(struct bench, agents), 1, 10000, "of live ingest"},
    {"window", offsetof(struct bench, window), 1, 1000, "entries each of them has under way"},
    {"partners", offsetof(struct bench, partners), 1, 10000, "that publish in the latency phase"},
    {"rate", offsetof(struct bench, rate), 1, 100000, "their updates a second, together"},
    {"reader-partners", offsetof(struct bench, readers_partners), 1, 10000,
     "of find, of catching up"},
    {"reingest", offsetof(struct bench, reingest), 2000, 400000, "entries sent to a restored hub"},
    {"idle", offsetof(struct bench, idle), 100, 18000, "idle connections"},
    {"growth-members", offsetof(struct bench, growth_members), 10, 10000, "where its curve ends"},
    {"growth-entries", offsetof(struct bench, growth_entries), 1000, 1000000,
     "where its curve ends"},
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

static void usage(FILE *out) {
    fputs("usage: plek-bench --hub PROGRAM --agent PROGRAM --dir DIR [--json FILE] "
          "[--only NAME,NAME] [--charts DIR] [--mosquitto PROGRAM] [--postgres ROWS_A_SECOND] "
          "[--NUMBER N]\n\nmeasurements:\n",
          out);
    for (size_t i = 0; i < MEASUREMENTS; i++)
        fprintf(out, "  %-18s %s%s\n", measurements[i].name, measurements[i].help,
                measurements[i].on_demand ? " (only when named)" : "");
    fputs("\nnumbers:\n", out);
    for (size_t i = 0; i < NUMBERS; i++)
        fprintf(out, "  --%-16s %s\n", numbers[i].name, numbers[i].help);
}

static bool read_number(struct bench *b, size_t index, const char *text) {
    const struct number_option *n = &numbers[index];
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < n->min || value > n->max) {
        fprintf(stderr, "plek-bench: found --%s %s, expected %d to %d\n", n->name, text, n->min,
                n->max);
        return false;
    }
    memcpy((char *)b + n->offset, &(int){(int)value}, sizeof(int));
    return true;
}

static bool set_text(struct options *o, int which, const char *text) {
    const char **places[] = {&o->bench.hub, &o->bench.agent, &o->bench.dir,      &o->json,
                             &o->only,      &o->charts,      &o->bench.mosquitto};
    if (which < 7) {
        *places[which] = text;
        return true;
    }
    o->bench.limits.postgres_rate = strtod(text, NULL);
    return o->bench.limits.postgres_rate >= 0;
}

static bool read_options(struct options *o, int argc, char **argv) {
    static const char *const texts[] = {"hub",  "agent",  "dir",       "json",
                                        "only", "charts", "mosquitto", "postgres"};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    struct option table[TEXTS + NUMBERS + 1] = {{0}};
    int found;
    for (int i = 0; i < TEXTS; i++)
        table[i] = (struct option){texts[i], required_argument, NULL, i + 1};
    for (size_t i = 0; i < NUMBERS; i++)
        table[TEXTS + i] =
            (struct option){numbers[i].name, required_argument, NULL, (int)(TEXTS + i + 1)};
    while ((found = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (found == '?')
            return false;
        bool good = found <= TEXTS ? set_text(o, found - 1, optarg)
                                   : read_number(&o->bench, (size_t)(found - TEXTS - 1), optarg);
        if (!good)
            return false;
    }
    return optind == argc && o->bench.hub != NULL && o->bench.agent != NULL && o->bench.dir != NULL;
}

static bool wanted(const char *only, const struct measurement *m) {
    const char *name = m->name;
    size_t len = strlen(name);
    if (only == NULL)
        return !m->on_demand;
    if (strcmp(name, "limits") == 0)
        return true;
    for (const char *at = only; (at = strstr(at, name)) != NULL; at += len)
        if ((at == only || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
            return true;
    return false;
}

/* ---- facts ---- */

static void read_model(char *out, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

static const char *file_system(long magic) {
    switch (magic) {
    case 0xef53:
        return "ext4";
    case 0x58465342:
        return "xfs";
    case 0x9123683e:
        return "btrfs";
    case 0x01021994:
        return "tmpfs: syncs cost nothing here, these figures say nothing of a disk";
    case 0x794c7630:
        return "overlayfs";
    default:
        return "another";
    }
}

static enum err add_facts(const struct bench *b, struct error *e) {
    char text[320], model[200];
    struct utsname names;
    struct statfs fs;
    uname(&names);
    read_model(model, sizeof model);
    snprintf(text, sizeof text, "%ld x %s", sysconf(_SC_NPROCESSORS_ONLN), model);
    enum err err = report_fact(b->report, "processors", text, e);
    if (err == ERR_OK)
        err = report_fact(b->report, "kernel", names.release, e);
    if (err == ERR_OK && statfs(b->dir, &fs) == 0)
        err = report_fact(b->report, "file system", file_system((long)fs.f_type), e);
    double load[1];
    if (err == ERR_OK && getloadavg(load, 1) == 1) {
        snprintf(text, sizeof text, "%.1f: %s", load[0],
                 load[0] < 0.7 ? "nothing else to speak of"
                               : "something else was running, so that times are not to be trusted");
        err = report_fact(b->report, "load before the run", text, e);
    }
    return err;
}

/* ---- the run ---- */

/* Jiffies all processors passed, and those of them that the host of a virtual machine took away. */
static bool read_jiffies(double *ret_all, double *ret_taken) {
    double count[8] = {0};
    FILE *file = fopen("/proc/stat", "re");
    int found = file == NULL
                    ? 0
                    : fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &count[0], &count[1],
                             &count[2], &count[3], &count[4], &count[5], &count[6], &count[7]);
    if (file != NULL)
        fclose(file);
    *ret_all = *ret_taken = 0;
    for (int i = 0; i < found; i++)
        *ret_all += count[i];
    *ret_taken = count[7];
    return found == 8;
}

/* One measurement; and how much of the processors it could not have, whoever else ran there. */
static enum err measure(struct bench *b, const struct measurement *m, struct error *e) {
    double all, taken, all_before, taken_before;
    bool known = read_jiffies(&all_before, &taken_before);
    fprintf(stderr, "bench: -- %s\n", m->name);
    enum err err = m->run(b, e);
    if (err != ERR_OK)
        fprintf(stderr, "bench: %s failed\n", m->name);
    known = known && read_jiffies(&all, &taken) && all > all_before;
    if (err != ERR_OK || !known)
        return err;
    struct report_row row = {.group = m->name,
                             .name = "taken away by the host meanwhile",
                             .value = 100 * (taken - taken_before) / (all - all_before),
                             .unit = "% of the processors"};
    return report_add(b->report, &row, e);
}

static enum err run(struct options *o, struct error *e) {
    struct bench *b = &o->bench;
    enum err err = keys_init(e);
    if (err == ERR_OK)
        err = report_new(&b->report, e);
    if (err == ERR_OK)
        err = add_facts(b, e);
    for (size_t i = 0; i < MEASUREMENTS && err == ERR_OK; i++)
        if (wanted(o->only, &measurements[i]))
            err = measure(b, &measurements[i], e);
    if (b->report != NULL)
        report_print(b->report, stdout);
    if (err == ERR_OK && o->charts != NULL)
        err = report_draw(b->report, o->charts, e);
    if (err == ERR_OK && o->json != NULL)
        err = report_write(b->report, o->json, e);
    report_free(b->report);
    return err;
}

static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
    struct error e = {0};
    char text[512];
    struct options o = {.bench = {.seconds = 10,
                                  .agents = 200,
                                  .window = 16,
                                  .partners = 50,
                                  .rate = 1000,
                                  .readers_partners = 1000,
                                  .reingest = 100000,
                                  .idle = 2000,
                                  .growth_members = 10000,
                                  .growth_entries = 1000000}};
    if (!read_options(&o, argc, argv)) {
        usage(stderr);
        return error_exit_status(ERR_USAGE);
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    enum err err = run(&o, &e);
    if (err == ERR_OK)
        return 0;
    fprintf(stderr, "plek-bench: %s\n", error_format(&e, text, sizeof text));
    return error_exit_status(err);
}
