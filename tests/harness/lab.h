/* Owns one integration test's world: a scratch directory, the processes started in it, deadlines.
 * Nothing is left behind: processes die with the test, the directory goes when the test passed.
 * Must not know what the programs do. Failures end the Criterion test that runs. */
#ifndef PLEK_LAB_H
#define PLEK_LAB_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_PROCESSES_MAX 64
#define LAB_NAME_MAX 32

/* A program in the background; its output goes to NAME.out and NAME.err (appended over restarts).
 */
struct process {
    char name[LAB_NAME_MAX];
    pid_t pid;       /* 0: not running */
    int wait_status; /* as waitpid gave it, once it ended */
    long out_from;   /* where this run's standard output begins in NAME.out */
    char out[PATH_MAX], err[PATH_MAX];
};

/* What a command that ran to its end gave. Owned by the lab. */
struct result {
    int status; /* exit status; 256 + signal when a signal ended it */
    char *out, *err;
    struct result *next;
};

struct lab {
    char dir[PATH_MAX];
    struct process processes[LAB_PROCESSES_MAX];
    int process_count;
    struct result *results;
    json_t *documents; /* array: keeps what lab_json lent */
    int run_count;
    bool passed;
};

/* Names end up in the scratch directory's name. */
void lab_open(struct lab *lab, const char *name);
/* The test's last line: everything held. What still runs has to end well on SIGTERM (leaks show
 * then). Without it the directory stays and is printed. */
void lab_pass(struct lab *lab);
/* Ends what still runs (SIGKILL), frees, removes the directory of a test that passed. */
void lab_close(struct lab *lab);

/* "DIR/" and the formatted rest. Owned by the lab. */
const char *lab_path(struct lab *lab, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Formatted text that lives as long as the lab. */
const char *lab_text(struct lab *lab, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Now and so many seconds, RFC 3339 UTC. */
const char *lab_time(struct lab *lab, int64_t offset_s);
/* JSON as text, for messages and searching. */
const char *lab_dump(struct lab *lab, const json_t *document);
void lab_write(const char *path, const char *text);
/* A whole file as text, owned by the lab; "" when there is none. */
const char *lab_read(struct lab *lab, const char *path);

/* ---- commands that end: LAB_RUN(&lab, "plek-agent", "init", "--dir", dir) ---- */

#define LAB_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LAB_RUN(lab, ...) lab_run((lab), NULL, LAB_ARGV(__VA_ARGS__))
/* Runs and expects exit status 0; the result's text. */
#define LAB_OK(lab, ...) lab_expect((lab), 0, NULL, __FILE__, __LINE__, LAB_ARGV(__VA_ARGS__))
/* Runs and expects this status. */
#define LAB_FAILS(lab, status, ...)                                                                \
    lab_expect((lab), (status), NULL, __FILE__, __LINE__, LAB_ARGV(__VA_ARGS__))
/* Runs with --json added, expects status 0 and one JSON document; borrowed until lab_close. */
#define LAB_JSON(lab, ...) lab_json((lab), __FILE__, __LINE__, LAB_ARGV(__VA_ARGS__))

/* Where a program stands: plek-agent and plek-hub in this build, or in the environment's
 * PLEK_BIN_DIR (another build's); others as PATH has them. */
const char *lab_program(const char *name, char path[static PATH_MAX]);
/* argv[0] is plek-agent, plek-hub, or anything of PATH. `input` NULL: /dev/null. A command that
 * does not end within its deadline fails the test. */
const struct result *lab_run(struct lab *lab, const char *input, const char *const *argv);
const struct result *lab_expect(struct lab *lab, int status, const char *input, const char *file,
                                int line, const char *const *argv);
json_t *lab_json(struct lab *lab, const char *file, int line, const char *const *argv);

/* ---- programs in the background ---- */

/* Starts argv under a name; a name that ended may be started again. `env` "NAME=VALUE" or NULL. */
struct process *lab_start(struct lab *lab, const char *name, const char *env,
                          const char *const *argv);
/* The rest of this run's first line that begins with `word` and a space; waits for it. Fails the
 * test when the process ends first. Owned by the lab. */
const char *lab_wait_line(struct lab *lab, struct process *p, const char *word);
/* The same as it stands now, or NULL. */
const char *lab_find_line(struct lab *lab, struct process *p, const char *word);
bool lab_running(struct process *p);
void lab_signal(struct process *p, int signal);
/* Waits for the end; exit status as in struct result. */
int lab_wait_end(struct lab *lab, struct process *p);
/* SIGTERM, and exit status 0 within the deadline. */
void lab_stop(struct lab *lab, struct process *p);
/* SIGKILL, as by a power cut. */
void lab_kill(struct lab *lab, struct process *p);
/* What this process wrote to standard error so far (all runs). */
const char *lab_log(struct lab *lab, const struct process *p);

/* ---- conditions with deadlines ---- */

#define LAB_DEADLINE_S 30 /* times PLEK_TEST_SLOWNESS (1 unless set; sanitizers count as 4) */

int64_t lab_deadline(int seconds); /* monotonic ms */
bool lab_passed_deadline(int64_t deadline_ms);
void lab_poll_pause(void); /* a few ms until a condition is looked at again */

/* Looks at the condition until it holds; the test fails when it does not in time. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        int64_t lab_until_ = lab_deadline(LAB_DEADLINE_S);                                         \
        while (!(condition)) {                                                                     \
            cr_assert_not(lab_passed_deadline(lab_until_), "did not become true in time: %s",      \
                          #condition);                                                             \
            lab_poll_pause();                                                                      \
        }                                                                                          \
    } while (0)

#endif
