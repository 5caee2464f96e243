/* Tests of the command line's way to the domain: in-process when nobody runs, the socket when the
 * lock is held, and the same answers either way. */
#include "served.h"

#include "client.h"

static struct served served;
static int opened, closed;

static void setup(void) {
    served_start(&served, false);
    opened = closed = 0;
}

static void teardown(void) {
    served_done(&served);
}

TestSuite(client, .init = setup, .fini = teardown, .timeout = 60);

static enum err open_local(const char *dir, void **ret, struct error *e) {
    (void)dir, (void)e;
    opened++;
    *ret = &served;
    return ERR_OK;
}

static enum err open_fails(const char *dir, void **ret, struct error *e) {
    (void)ret;
    return error_set(e, ERR_NO_INPUT, "no agent in %s", dir);
}

static void close_local(void *domain) {
    cr_assert_eq(domain, &served);
    closed++;
}

static const struct client_local local = {open_local, close_local, served_routes, SERVED_ROUTES,
                                          NULL};
static const struct client_local broken = {open_fails, close_local, served_routes, SERVED_ROUTES,
                                           NULL};

static struct client *open_client(void) {
    struct client *c = NULL;
    struct error e = {0};
    cr_assert_eq(client_open(served.scratch.dir, &local, &c, &e), ERR_OK, "%s", e.detail);
    return c;
}

static int hold_lock(void) {
    int lock = -1;
    cr_assert_eq(lock_acquire(served.scratch.dir, &lock, NULL), ERR_OK);
    return lock;
}

Test(client, works_in_process_while_nobody_holds_the_lock) {
    struct client *c = open_client();
    int lock = -1;
    cr_assert_not(client_is_remote(c));
    cr_assert_eq(opened, 1);
    cr_assert_eq(lock_acquire(served.scratch.dir, &lock, NULL), ERR_LOCKED);
    json_t *got = NULL;
    struct error e = {0};
    cr_assert_eq(client_call(c, API_GET, "/v1/echo/A B", NULL, NULL, &got, &e), ERR_OK);
    cr_assert_str_eq(json_string_value(json_object_get(got, "name")), "A B");
    json_decref(got);
    client_close(c);
    cr_assert_eq(closed, 1);
    lock_release(hold_lock());
    cr_assert_eq(atomic_load(&served.calls), 0);
}

Test(client, gives_the_lock_back_when_the_domain_does_not_open) {
    struct client *c = NULL;
    struct error e = {0};
    cr_assert_eq(client_open(served.scratch.dir, &broken, &c, &e), ERR_NO_INPUT);
    cr_assert_null(c);
    cr_assert_eq(closed, 0);
    lock_release(hold_lock());
}

Test(client, goes_over_the_socket_while_the_lock_is_held) {
    int lock = hold_lock();
    struct client *c = open_client();
    cr_assert(client_is_remote(c));
    cr_assert_eq(opened, 0);
    client_close(c);
    cr_assert_eq(closed, 0);
    lock_release(lock);
}

/* One call in both ways; the answers and errors have to be alike. */
static void call_both(enum api_method method, const char *path, json_t *query, json_t *body) {
    enum err codes[2];
    struct error errors[2] = {0};
    json_t *answers[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        int lock = i ? hold_lock() : -1;
        struct client *c = open_client();
        codes[i] = client_call(c, method, path, query, body, &answers[i], &errors[i]);
        client_close(c);
        lock_release(lock);
    }
    cr_assert_eq(codes[0], codes[1], "%s: %s, %s", path, error_name(codes[0]),
                 error_name(codes[1]));
    cr_assert_eq(errors[0].line, errors[1].line);
    cr_assert_eq(errors[0].column, errors[1].column);
    cr_assert_str_eq(errors[0].file, errors[1].file);
    cr_assert_str_eq(errors[0].detail, errors[1].detail);
    cr_assert(answers[0] == answers[1] || json_equal(answers[0], answers[1]), "%s", path);
    json_decref(answers[0]);
    json_decref(answers[1]);
}

Test(client, answers_alike_in_process_and_over_the_socket) {
    json_t *query = json_pack("{s:s, s:s}", "a", "1 & 2", "b", "x=y");
    json_t *body = json_pack("{s:[i,n], s:s}", "list", 1, "text", "\xC3\xA9\n");
    call_both(API_GET, "/v1/echo/Hospital A & B", query, NULL);
    call_both(API_POST, "/v1/echo", query, body);
    call_both(API_PUT, "/v1/fail", NULL, body);
    call_both(API_GET, "/v1/none", NULL, NULL);
    call_both(API_DELETE, "/v1/status", NULL, NULL);
    json_decref(query);
    json_decref(body);
}

static void *release_later(void *arg) {
    struct timespec t = {0, 300 * 1000 * 1000};
    nanosleep(&t, NULL);
    lock_release(*(int *)arg);
    return NULL;
}

Test(client, a_daemon_waits_for_a_command_but_not_for_a_daemon) {
    struct error e = {0};
    pthread_t thread;
    int held = hold_lock(), lock = -1;
    cr_assert_eq(client_lock_daemon(served.scratch.dir, &lock, &e), ERR_LOCKED);
    lock_release(held);
    served_stop(&served);
    held = hold_lock();
    cr_assert_eq(pthread_create(&thread, NULL, release_later, &held), 0);
    cr_assert_eq(client_lock_daemon(served.scratch.dir, &lock, &e), ERR_OK, "%s", e.detail);
    pthread_join(thread, NULL);
    lock_release(lock);
}

/* A daemon that is just stopping: neither its socket answers nor is the lock free, but soon. */
Test(client, waits_for_a_lock_that_becomes_free) {
    pthread_t thread;
    int lock = hold_lock();
    served_stop(&served);
    unlink(served.socket);
    cr_assert_eq(pthread_create(&thread, NULL, release_later, &lock), 0);
    struct client *c = open_client();
    cr_assert_not(client_is_remote(c));
    client_close(c);
    pthread_join(thread, NULL);
}

Test(client, gives_up_on_a_holder_that_never_answers) {
    struct client *c = NULL;
    struct error e = {0};
    int lock = hold_lock();
    served_stop(&served);
    int64_t before_ms = clock_monotonic_ms();
    cr_assert_eq(client_open(served.scratch.dir, &local, &c, &e), ERR_LOCKED);
    cr_assert_geq(clock_monotonic_ms() - before_ms, CLIENT_WAIT_MS);
    cr_assert(strstr(e.detail, "held by process"), "%s", e.detail);
    lock_release(lock);
}

Test(client, asks_again_until_a_name_is_known) {
    json_t *got = NULL;
    struct error e = {0};
    int lock = hold_lock();
    struct client *c = open_client(); /* its look at /v1/status is the first call */
    cr_assert_eq(
        client_call_until(c, ERR_UNKNOWN_MEMBER, API_POST, "/v1/slow/B", NULL, NULL, &got, &e),
        ERR_OK, "%s", e.detail);
    cr_assert_geq(atomic_load(&served.calls), 3);
    json_decref(got);
    client_close(c);
    lock_release(lock);
}

/* In-process nothing can arrive: there is no point in waiting. */
Test(client, does_not_ask_again_in_process) {
    json_t *got = NULL;
    struct error e = {0};
    struct client *c = open_client();
    int64_t before_ms = clock_monotonic_ms();
    cr_assert_eq(
        client_call_until(c, ERR_UNKNOWN_MEMBER, API_POST, "/v1/slow/B", NULL, NULL, &got, &e),
        ERR_UNKNOWN_MEMBER);
    cr_assert_lt(clock_monotonic_ms() - before_ms, 5000);
    cr_assert_eq(client_follow(c, NULL, NULL, &e), ERR_UNAVAILABLE);
    client_close(c);
}

/* Follows until it saw three events; each one seen asks for the next. The first may come again: it
 * was told until it was heard. */
static bool count_event(void *ctx, const char *name) {
    int *count = ctx;
    if (strcmp(name, served_events[*count]) != 0)
        return true;
    if (++*count == 3)
        return false;
    served_tell(&served, 1u << *count);
    return true;
}

static void *tell_until_heard(void *arg) {
    const int *count = arg;
    struct timespec t = {0, 5 * 1000 * 1000};
    for (int i = 0; i < 1000 && *(volatile const int *)count == 0; i++) {
        served_tell(&served, 1);
        nanosleep(&t, NULL);
    }
    return NULL;
}

Test(client, follows_events_until_told_to_stop) {
    struct error e = {0};
    pthread_t thread;
    int count = 0, lock = hold_lock();
    struct client *c = open_client();
    cr_assert_eq(pthread_create(&thread, NULL, tell_until_heard, &count), 0);
    cr_assert_eq(client_follow(c, count_event, &count, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(count, 3);
    pthread_join(thread, NULL);
    client_close(c);
    lock_release(lock);
}

static void *stop_later(void *arg) {
    struct timespec t = {0, 200 * 1000 * 1000};
    nanosleep(&t, NULL);
    served_stop(arg);
    return NULL;
}

static bool ignore_event(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return true;
}

Test(client, follower_learns_that_the_daemon_went_away) {
    struct error e = {0};
    pthread_t thread;
    int lock = hold_lock();
    struct client *c = open_client();
    cr_assert_eq(pthread_create(&thread, NULL, stop_later, &served), 0);
    cr_assert_eq(client_follow(c, ignore_event, NULL, &e), ERR_UNAVAILABLE);
    cr_assert(strstr(e.detail, "went away"), "%s", e.detail);
    pthread_join(thread, NULL);
    client_close(c);
    lock_release(lock);
}
