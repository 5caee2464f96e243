/* Owns one integration test's world (lab.h). Must not know what the programs do, must not signal
 * anything that it did not start. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"

#define POLL_MS 3
#define COMMAND_S 60
#define SHOWN_LINES_BYTES 2000

#ifdef PLEK_SANITIZED
#define SLOWNESS 4
#else
#define SLOWNESS 1
#endif

/* ---- time ---------------------------------------------------------------------------------------
 */

int64_t lab_deadline(int seconds) {
    const char *text = getenv("PLEK_TEST_SLOWNESS");
    long factor = text ? strtol(text, NULL, 10) : 1;
    return clock_monotonic_ms() + (int64_t)seconds * 1000 * SLOWNESS * (factor > 0 ? factor : 1);
}

bool lab_passed_deadline(int64_t deadline_ms) {
    return clock_monotonic_ms() >= deadline_ms;
}

void lab_poll_pause(void) {
    struct timespec t = {0, POLL_MS * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- the scratch directory ---- */

void lab_open(struct lab *lab, const char *name) {
    memset(lab, 0, sizeof *lab);
    const char *base = getenv("TMPDIR");
    snprintf(lab->dir, sizeof lab->dir, "%s/plek-%s-XXXXXX", base ? base : "/tmp", name);
    cr_assert(mkdtemp(lab->dir), "cannot make %s: %s", lab->dir, strerror(errno));
    lab->documents = json_array();
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

/* The end of each log, where the reason usually stands. */
static void show_logs(struct lab *lab) {
    fprintf(stderr, "lab: kept %s\n", lab->dir);
    for (int i = 0; i < lab->process_count; i++) {
        const char *log = lab_log(lab, &lab->processes[i]);
        size_t len = strlen(log);
        fprintf(stderr, "lab: --- %s\n%s\n", lab->processes[i].err,
                len > SHOWN_LINES_BYTES ? log + len - SHOWN_LINES_BYTES : log);
    }
}

void lab_close(struct lab *lab) {
    if (!lab->passed)
        show_logs(lab);
    for (int i = 0; i < lab->process_count; i++)
        if (lab_running(&lab->processes[i]))
            lab_kill(lab, &lab->processes[i]);
    while (lab->results) {
        struct result *r = lab->results;
        lab->results = r->next;
        free(r->out);
        free(r->err);
        free(r);
    }
    json_decref(lab->documents);
    lab->documents = NULL;
    if (lab->passed)
        nftw(lab->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Keeps a text for the lab's life. */
static char *keep(struct lab *lab, char *take_text) {
    struct result *r = calloc(1, sizeof *r);
    cr_assert(r && take_text, "out of memory");
    r->out = take_text;
    r->next = lab->results;
    lab->results = r;
    return take_text;
}

static const char *format_kept(struct lab *lab, const char *prefix, const char *format,
                               va_list args) __attribute__((format(printf, 3, 0)));

static const char *format_kept(struct lab *lab, const char *prefix, const char *format,
                               va_list args) {
    char *rest = NULL, *whole = NULL;
    int n = vasprintf(&rest, format, args);
    if (n >= 0)
        n = asprintf(&whole, "%s%s", prefix, rest);
    free(rest);
    return keep(lab, n >= 0 ? whole : NULL);
}

const char *lab_text(struct lab *lab, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = format_kept(lab, "", format, args);
    va_end(args);
    return text;
}

const char *lab_path(struct lab *lab, const char *format, ...) {
    char prefix[PATH_MAX + 1];
    va_list args;
    snprintf(prefix, sizeof prefix, "%s/", lab->dir);
    va_start(args, format);
    const char *text = format_kept(lab, prefix, format, args);
    va_end(args);
    return text;
}

const char *lab_time(struct lab *lab, int64_t offset_s) {
    char text[TEXT_TIME_SIZE];
    int64_t ms = clock_wall_ms() / 1000 * 1000 + offset_s * 1000;
    return lab_text(lab, "%s", text_time(ms, text));
}

const char *lab_dump(struct lab *lab, const json_t *document) {
    return keep(lab, json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY));
}

void lab_write(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    cr_assert(file, "cannot write %s: %s", path, strerror(errno));
    fputs(text, file);
    cr_assert_eq(fclose(file), 0, "cannot write %s", path);
}

static char *read_from(const char *path, long from) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    FILE *in = fopen(path, "re");
    char piece[4096];
    size_t n;
    if (in && from > 0 && fseek(in, from, SEEK_SET) != 0)
        rewind(in);
    while (in && out && (n = fread(piece, 1, sizeof piece, in)) > 0)
        fwrite(piece, 1, n, out);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return text;
}

const char *lab_read(struct lab *lab, const char *path) {
    return keep(lab, read_from(path, 0));
}

/* ---- processes ---- */

const char *lab_program(const char *name, char path[static PATH_MAX]) {
    const char *other = getenv("PLEK_BIN_DIR");
    if (strncmp(name, "plek-", 5) != 0)
        return name;
    snprintf(path, PATH_MAX, "%s/%s", other ? other : PLEK_BIN_DIR, name);
    return path;
}

static void redirect(const char *path, int flags, int target) {
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, target) < 0)
        _exit(126);
}

/* In the child. It must not outlive the test, whatever ends that. */
static void become(const char *const *argv, const char *env, const char *in, const char *out,
                   const char *err, pid_t parent) {
    char path[PATH_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    redirect(in, O_RDONLY, STDIN_FILENO);
    redirect(out, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    redirect(err, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    char *name = env ? strdup(env) : NULL;
    char *value = name ? strchr(name, '=') : NULL;
    if (value) {
        *value = '\0';
        setenv(name, value + 1, 1);
    }
    execvp(lab_program(argv[0], path), (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", path, strerror(errno));
    _exit(127);
}

static pid_t spawn(const char *const *argv, const char *env, const char *in, const char *out,
                   const char *err) {
    pid_t parent = getpid(), pid = fork();
    cr_assert_geq(pid, 0, "cannot fork: %s", strerror(errno));
    if (pid == 0)
        become(argv, env, in, out, err, parent);
    return pid;
}

static int exit_status(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 256 + WTERMSIG(wait_status);
}

/* Waits for the child; past the deadline it is killed and the test fails. */
static int wait_for(pid_t pid, int64_t deadline_ms, const char *what) {
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR)
            cr_assert_fail("lost %s: %s", what, strerror(errno));
        if (lab_passed_deadline(deadline_ms)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            cr_assert_fail("%s did not end in time", what);
        }
        lab_poll_pause();
    }
}

/* ---- commands ---- */

const struct result *lab_run(struct lab *lab, const char *input, const char *const *argv) {
    const char *out = lab_path(lab, "run-%d.out", lab->run_count);
    const char *err = lab_path(lab, "run-%d.err", lab->run_count);
    const char *in = "/dev/null";
    if (input) {
        in = lab_path(lab, "run-%d.in", lab->run_count);
        lab_write(in, input);
    }
    lab->run_count++;
    pid_t pid = spawn(argv, NULL, in, out, err);
    int status = wait_for(pid, lab_deadline(COMMAND_S), argv[1] ? argv[1] : argv[0]);
    struct result *r = calloc(1, sizeof *r);
    cr_assert(r, "out of memory");
    *r = (struct result){exit_status(status), read_from(out, 0), read_from(err, 0), lab->results};
    lab->results = r;
    unlink(out);
    unlink(err);
    if (input)
        unlink(in);
    return r;
}

static const char *join_words(struct lab *lab, const char *const *argv) {
    const char *line = argv[0];
    for (int i = 1; argv[i]; i++)
        line = lab_text(lab, "%s %s", line, argv[i]);
    return line;
}

const struct result *lab_expect(struct lab *lab, int status, const char *input, const char *file,
                                int line, const char *const *argv) {
    const struct result *r = lab_run(lab, input, argv);
    cr_assert_eq(r->status, status, "%s:%d: `%s` gave %d, expected %d\n%s%s", file, line,
                 join_words(lab, argv), r->status, status, r->out, r->err);
    return r;
}

json_t *lab_json(struct lab *lab, const char *file, int line, const char *const *argv) {
    const char *with_json[64];
    int n = 0;
    for (; argv[n]; n++) {
        cr_assert_lt(n, 62, "too many arguments");
        with_json[n] = argv[n];
    }
    with_json[n] = "--json";
    with_json[n + 1] = NULL;
    const struct result *r = lab_expect(lab, 0, NULL, file, line, with_json);
    json_error_t why;
    json_t *document = json_loads(r->out, JSON_REJECT_DUPLICATES, &why);
    cr_assert(document, "%s:%d: `%s` printed no JSON (%s): %s", file, line, join_words(lab, argv),
              why.text, r->out);
    json_array_append_new(lab->documents, document);
    return document;
}

/* ---- programs in the background ---- */

static struct process *process_named(struct lab *lab, const char *name) {
    for (int i = 0; i < lab->process_count; i++)
        if (strcmp(lab->processes[i].name, name) == 0)
            return &lab->processes[i];
    cr_assert_lt(lab->process_count, LAB_PROCESSES_MAX, "too many processes");
    struct process *p = &lab->processes[lab->process_count++];
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->out, sizeof p->out, "%s", lab_path(lab, "%s.out", name));
    snprintf(p->err, sizeof p->err, "%s", lab_path(lab, "%s.err", name));
    return p;
}

struct process *lab_start(struct lab *lab, const char *name, const char *env,
                          const char *const *argv) {
    struct process *p = process_named(lab, name);
    struct stat info;
    cr_assert_not(lab_running(p), "%s runs already", name);
    p->out_from = stat(p->out, &info) == 0 ? (long)info.st_size : 0;
    p->pid = spawn(argv, env, "/dev/null", p->out, p->err);
    return p;
}

static char *find_line(const char *text, const char *word) {
    size_t len = strlen(word);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *end = strchr(line, '\n');
        if (end && strncmp(line, word, len) == 0 && line[len] == ' ')
            return strndup(line + len + 1, (size_t)(end - line) - len - 1);
    }
    return NULL;
}

const char *lab_find_line(struct lab *lab, struct process *p, const char *word) {
    char *text = read_from(p->out, p->out_from);
    char *rest = find_line(text, word);
    free(text);
    return rest ? keep(lab, rest) : NULL;
}

const char *lab_wait_line(struct lab *lab, struct process *p, const char *word) {
    int64_t deadline_ms = lab_deadline(LAB_DEADLINE_S);
    for (;;) {
        bool runs = lab_running(p); /* before reading: what it wrote last is then there */
        const char *rest = lab_find_line(lab, p, word);
        if (rest)
            return rest;
        cr_assert(runs, "%s ended with %d before '%s':\n%s", p->name, exit_status(p->wait_status),
                  word, lab_log(lab, p));
        cr_assert_not(lab_passed_deadline(deadline_ms), "%s did not print '%s' in time:\n%s",
                      p->name, word, lab_log(lab, p));
        lab_poll_pause();
    }
}

bool lab_running(struct process *p) {
    if (p->pid > 0 && waitpid(p->pid, &p->wait_status, WNOHANG) == p->pid)
        p->pid = 0;
    return p->pid > 0;
}

void lab_signal(struct process *p, int signal) {
    cr_assert(lab_running(p), "%s does not run", p->name);
    kill(p->pid, signal);
}

int lab_wait_end(struct lab *lab, struct process *p) {
    if (p->pid > 0)
        p->wait_status = wait_for(p->pid, lab_deadline(LAB_DEADLINE_S), p->name);
    p->pid = 0;
    (void)lab;
    return exit_status(p->wait_status);
}

void lab_stop(struct lab *lab, struct process *p) {
    lab_signal(p, SIGTERM);
    int status = lab_wait_end(lab, p);
    cr_assert_eq(status, 0, "%s ended with %d after SIGTERM:\n%s", p->name, status,
                 lab_log(lab, p));
}

/* Who started first is stopped last: agents take their leave while the hub still runs. */
void lab_pass(struct lab *lab) {
    for (int i = lab->process_count - 1; i >= 0; i--)
        if (lab_running(&lab->processes[i]))
            lab_stop(lab, &lab->processes[i]);
    lab->passed = true;
}

void lab_kill(struct lab *lab, struct process *p) {
    lab_signal(p, SIGKILL);
    lab_wait_end(lab, p);
}

const char *lab_log(struct lab *lab, const struct process *p) {
    return lab_read(lab, p->err);
}
