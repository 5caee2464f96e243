/* Implements running programs on fork and exec, and reads /proc. Must not know what they do. */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_WAIT_MS 60000
#define OUTPUT_MAX (64u * 1024 * 1024)
#define ERRORS_MAX 4096

/* ---- starting ---- */

static void run_child(const char *const *argv, int out, int err) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Both ends of the child's output are ours; `err` stays the caller's. */
static enum err spawn(const char *const *argv, int err, pid_t *ret_pid, int *ret_out,
                      struct error *e) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(e, ERR_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        run_child(argv, ends[1], err);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error_set(e, ERR_IO, "fork: %s", strerror(errno));
    }
    *ret_pid = pid;
    *ret_out = ends[0];
    return ERR_OK;
}

/* One line, at most; "" at the end of the output. */
static enum err read_line(int fd, char *line, size_t size, struct error *e) {
    size_t len = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (len + 1 < size) {
        if (poll(&wait, 1, READY_WAIT_MS) <= 0)
            return error_set(e, ERR_TIMEOUT, "a program did not say `ready` in %d s",
                             READY_WAIT_MS / 1000);
        ssize_t n = read(fd, line + len, 1);
        if (n <= 0 || line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
    return ERR_OK;
}

static enum err wait_ready(struct process *p, int fd, const char *name, const char *log,
                           struct error *e) {
    char line[256];
    do {
        enum err err = read_line(fd, line, sizeof line, e);
        if (err != ERR_OK)
            return err;
        if (line[0] == '\0')
            return error_set(e, ERR_UNAVAILABLE, "%s ended before it was ready; see %s", name, log);
    } while (strncmp(line, "ready", 5) != 0);
    const char *address = strstr(line, "addr=");
    snprintf(p->address, sizeof p->address, "%.120s", address != NULL ? address + 5 : "");
    return ERR_OK;
}

enum err process_start(struct process *p, const char *const *argv, const char *log,
                       struct error *e) {
    int out = -1, err_fd = open(log, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (err_fd < 0)
        return error_set(e, ERR_CANNOT_CREATE, "%s: %s", log, strerror(errno));
    enum err err = spawn(argv, err_fd, &p->pid, &out, e);
    close(err_fd);
    if (err != ERR_OK)
        return err;
    err = wait_ready(p, out, argv[0], log, e);
    close(out);
    if (err != ERR_OK)
        process_kill(p);
    return err;
}

void process_kill(struct process *p) {
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

enum err process_stop(struct process *p, struct error *e) {
    int status = 0;
    if (p->pid == 0)
        return ERR_OK;
    kill(p->pid, SIGTERM);
    waitpid(p->pid, &status, 0);
    p->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(e, ERR_UNAVAILABLE, "a program ended with wait status %d on SIGTERM",
                         status);
    return ERR_OK;
}

/* ---- commands ---- */

static void read_all(int fd, struct buf *out) {
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        buf_append(out, piece, (size_t)n);
}

static enum err finish_command(const char *const *argv, pid_t pid, int errors, struct error *e) {
    char why[ERRORS_MAX];
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ERR_OK;
    ssize_t n = pread(errors, why, sizeof why - 1, 0);
    why[n > 0 ? n : 0] = '\0';
    why[strcspn(why, "\n")] = '\0';
    return error_set(e, ERR_UNAVAILABLE, "%s %s: status %d: %.180s", argv[0],
                     argv[1] != NULL ? argv[1] : "", WEXITSTATUS(status), why);
}

enum err process_run(const char *const *argv, struct buf *ret_out, struct error *e) {
    pid_t pid = 0;
    int out = -1;
    struct buf output;
    FILE *errors = tmpfile();
    if (errors == NULL)
        return error_set(e, ERR_CANNOT_CREATE, "a temporary file: %s", strerror(errno));
    enum err err = spawn(argv, fileno(errors), &pid, &out, e);
    if (err != ERR_OK) {
        fclose(errors);
        return err;
    }
    buf_init(&output, OUTPUT_MAX);
    read_all(out, &output);
    close(out);
    err = finish_command(argv, pid, fileno(errors), e);
    fclose(errors);
    if (err == ERR_OK)
        err = buf_failed(&output, e);
    if (err == ERR_OK && ret_out != NULL)
        *ret_out = output;
    else
        buf_done(&output);
    return err;
}

/* ---- what the kernel says ---- */

/* The number behind `key` in a file of "key: number" lines; -1: not there. */
static int64_t read_field(const char *path, const char *key) {
    char line[256];
    int64_t value = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (value < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoll(line + strlen(key), NULL, 10);
    fclose(file);
    return value;
}

/* The first number of schedstat: ns on a processor. */
static int64_t read_cpu(const char *path) {
    char line[128];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    int64_t ns = fgets(line, sizeof line, file) != NULL ? strtoll(line, NULL, 10) : 0;
    fclose(file);
    return ns;
}

static void add_thread(struct process_usage *u, pid_t pid, const char *thread) {
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", (int)pid, thread);
    int64_t cpu_ns = read_cpu(path);
    u->cpu_ns += cpu_ns;
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/comm", (int)pid, thread);
    if (read_field(path, "verify") >= 0)
        u->verify_ns += cpu_ns;
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)pid, thread);
    u->switches += read_field(path, "voluntary_ctxt_switches:");
    u->threads++;
}

double process_memory_kib(const struct process *p) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    return (double)read_field(path, "RssAnon:");
}

enum err process_usage(const struct process *p, struct process_usage *ret, struct error *e) {
    struct process_usage u = {.threads = 0};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    u.rss_kib = (double)read_field(path, "VmRSS:");
    u.peak_kib = (double)read_field(path, "VmHWM:");
    u.rss_anon_kib = (double)read_field(path, "RssAnon:");
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL || u.rss_kib < 0) {
        if (tasks != NULL)
            closedir(tasks);
        return error_set(e, ERR_UNAVAILABLE, "process %d is gone", (int)p->pid);
    }
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            add_thread(&u, p->pid, entry->d_name);
    closedir(tasks);
    *ret = u;
    return ERR_OK;
}
