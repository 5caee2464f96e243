/* Owns running a daemon under strace (traced.h). */
#include "traced.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

static const char *trace_path(struct lab *lab, const char *name) {
    return lab_path(lab, "%s.trace", name);
}

/* Leaks cannot be looked for under a tracer; where a report would go stays as it is. */
static const char *sanitizer_option(struct lab *lab) {
    const char *now = getenv("ASAN_OPTIONS");
    return lab_text(lab, "ASAN_OPTIONS=%s%sdetect_leaks=0", now ? now : "", now ? ":" : "");
}

struct process *traced_start(struct lab *lab, const char *name, const char *const *options,
                             const char *const *argv) {
    const char *words[WORDS_MAX] = {"strace", "-D",
                                    "-f",     "-q",
                                    "-I",     "2",
                                    "-E",     sanitizer_option(lab),
                                    "-o",     trace_path(lab, name)};
    size_t count = 10;
    while (*options && count < WORDS_MAX - 1)
        words[count++] = *options++;
    char program[PATH_MAX];
    words[count++] = lab_text(lab, "%s", lab_program(argv[0], program));
    for (argv++; *argv && count < WORDS_MAX - 1; argv++)
        words[count++] = *argv;
    cr_assert_lt(count, (size_t)WORDS_MAX - 1, "too many words");
    remove(trace_path(lab, name));
    return lab_start(lab, name, NULL, words);
}

bool traced_works(struct lab *lab) {
    static const char *const options[] = {"-e", "trace=exit_group", NULL};
    struct process *p = traced_start(lab, "try", options, LAB_ARGV("true"));
    return lab_wait_end(lab, p) == 0 && strstr(lab_read(lab, trace_path(lab, "try")), "exit_group");
}

struct process *traced_run(struct network *n, const char *name, const char *const *options) {
    if (strcmp(name, "hub") == 0)
        return traced_start(
            n->lab, name, options,
            LAB_ARGV("plek-hub", "run", "--dir", n->hub_dir, "--listen", n->address));
    return traced_start(
        n->lab, name, options,
        LAB_ARGV("plek-agent", "run", "--dir", network_dir(n, name), "--web", "off"));
}

bool traced_comes_up(struct lab *lab, struct process *p) {
    bool up = false, runs = true;
    EVENTUALLY((runs = lab_running(p), up = lab_find_line(lab, p, "ready") != NULL, up || !runs));
    return up && runs;
}

static long number_in(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : 0;
}

static long tracer_of(const struct process *p) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)p->pid);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    return number_in(text, "TracerPid:\t");
}

/* The tracer is the program's own child and ours to end: it lets go on SIGTERM (-I 2). */
void traced_let_go(struct process *p) {
    long tracer = lab_running(p) ? tracer_of(p) : 0;
    if (tracer <= 1)
        return;
    kill((pid_t)tracer, SIGTERM);
    EVENTUALLY(!lab_running(p) || tracer_of(p) == 0);
}

unsigned traced_injected(struct lab *lab, const char *name) {
    unsigned count = 0;
    for (const char *at = lab_read(lab, trace_path(lab, name)); (at = strstr(at, "(INJECTED)"));
         at++)
        count++;
    return count;
}

/* ---- reading a trace ---- */

/* "... = 45 <0.000012>": what it returned and how long it took. */
static void read_end(const char *line, struct call *call, double *ret_took_s) {
    const char *equals = NULL;
    for (const char *at = line; (at = strstr(at, " = ")); at++)
        equals = at;
    const char *took = strrchr(line, '<');
    call->value = equals ? strtoll(equals + 3, NULL, 10) : -1;
    *ret_took_s = took ? strtod(took + 1, NULL) : 0;
}

/* The newest call of this thread and name that has not ended. */
static struct call *unfinished(struct call *calls, size_t count, const struct call *like) {
    while (count > 0) {
        struct call *c = &calls[--count];
        if (c->thread == like->thread && c->until_s == 0 && strcmp(c->name, like->name) == 0)
            return c;
    }
    return NULL;
}

static void read_call(const char *line, struct call *calls, size_t *count) {
    struct call c = {.fd = -1};
    double took_s = 0;
    char rest[64];
    if (sscanf(line, "%ld %lf <... %23[a-z0-9_] resumed>", &c.thread, &c.from_s, c.name) == 3) {
        struct call *begun = unfinished(calls, *count, &c);
        if (begun) {
            read_end(line, begun, &took_s);
            begun->until_s = begun->from_s + took_s;
        }
        return;
    }
    if (sscanf(line, "%ld %lf %23[a-z0-9_](%63s", &c.thread, &c.from_s, c.name, rest) != 4)
        return;
    char *end = NULL;
    long fd = strtol(rest, &end, 10);
    c.fd = end != rest ? fd : -1;
    const char *data = strchr(line, '"');
    snprintf(c.data, sizeof c.data, "%s", data ? data + 1 : "");
    if (!strstr(line, "<unfinished ...>")) {
        read_end(line, &c, &took_s);
        c.until_s = c.from_s + took_s;
    }
    calls[(*count)++] = c;
}

struct call *traced_calls(struct lab *lab, const char *name, size_t *ret_count) {
    const char *text = lab_read(lab, trace_path(lab, name));
    size_t lines = 1, count = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    struct call *calls = calloc(lines, sizeof *calls);
    cr_assert(calls, "out of memory");
    while (*text) {
        size_t len = strcspn(text, "\n");
        read_call(lab_text(lab, "%.*s", (int)len, text), calls, &count);
        text += len + (text[len] == '\n');
    }
    *ret_count = count;
    return calls;
}
