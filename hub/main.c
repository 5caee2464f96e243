/* Owns the plek-hub program: its command table and `run`. Everything else is delegated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "client.h"
#include "clock.h"
#include "commands.h"
#include "db.h"
#include "json_memory.h"
#include "keeper.h"
#include "log.h"
#include "net.h"
#include "random.h"
#include "signals.h"

#define STORE_QUEUE_JOBS 65536
#define DONE_QUEUE_JOBS 131072

/* Everything that runs, in the order it is started. */
struct daemon {
    const char *dir, *web_root, *web_shared;
    struct hub_settings settings;
    struct entropy entropy;
    int lock;
    struct hub *hub;
    struct job_queue *store, *done;
    struct net *net;
    struct verify *verify;
    struct keeper *keeper;
};

/* libwebsockets only says that it did not work. */
static enum err check_readable(const char *path, const char *key, struct error *e) {
    if (!path[0] || access(path, R_OK) == 0)
        return ERR_OK;
    return error_at(e, ERR_CONFIG, path, 0, 0, "%s: expected the PEM file that %s in %s names",
                    strerror(errno), key, SETTINGS_FILE);
}

static enum err read_settings(struct daemon *d, const struct args *a, struct error *e) {
    enum log_level level = LOG_INFO;
    enum err err = hub_settings_read(d->dir, &d->settings, e);
    if (!err)
        err = log_level_parse(d->settings.log_level, &level, e);
    if (err)
        return err;
    log_set_level(level);
    const char *listen = args_option(a, "listen");
    if (listen && snprintf(d->settings.listen, sizeof d->settings.listen, "%s", listen) >=
                      (int)sizeof d->settings.listen)
        return error_set(e, ERR_USAGE, "--listen is too long: %s", listen);
    err = check_readable(d->settings.tls_cert, "tls.cert", e);
    return err ? err : check_readable(d->settings.tls_key, "tls.key", e);
}

static enum err open_network(struct daemon *d, struct error *e) {
    struct net_config config = {.settings = &d->settings,
                                .dir = d->dir,
                                .keys = hub_keys(d->hub),
                                .entropy = &d->entropy,
                                .store = d->store,
                                .done = d->done,
                                .listen = d->settings.listen,
                                .web_root = d->web_root,
                                .web_shared = d->web_shared};
    return net_open(&config, &d->net, e);
}

static enum err start_threads(struct daemon *d, struct error *e) {
    int workers = (int)d->settings.verify_workers;
    enum err err = verify_start(workers, &hub_keys(d->hub)->pub, d->store, &d->verify, e);
    if (err)
        return err;
    net_set_verify(d->net, d->verify);
    struct keeper_config config = {
        .hub = d->hub, .jobs = d->store, .done = d->done, .wake = net_wake, .ctx = d->net};
    return keeper_start(&config, &d->keeper, e);
}

static enum err start(struct daemon *d, struct error *e) {
    enum err err = client_lock_daemon(d->dir, &d->lock, e);
    signals_hold();
    if (!err)
        err = hub_open(d->dir, NULL, &d->entropy, &d->hub, e);
    if (err)
        return err;
    d->store = job_queue_new(STORE_QUEUE_JOBS);
    d->done = job_queue_new(DONE_QUEUE_JOBS);
    if (!d->store || !d->done)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the queues");
    err = open_network(d, e);
    if (err)
        return err;
    char address[INVITE_ADDRESS_MAX];
    snprintf(address, sizeof address, "%s%s", d->settings.tls_cert[0] ? "wss://" : "ws://",
             net_address(d->net));
    hub_note_address(d->hub, address);
    return start_threads(d, e);
}

/* Senders stop before receivers: network, workers, store. */
static void stop(struct daemon *d) {
    if (d->done)
        job_queue_close(d->done);
    verify_stop(d->verify);
    keeper_stop(d->keeper);
    net_close(d->net);
    job_queue_free(d->store);
    job_queue_free(d->done);
    hub_close(d->hub);
    if (d->lock >= 0)
        lock_release(d->lock);
}

static enum err run(const struct args *a, struct error *e) {
    struct daemon d = {.dir = args_option(a, "dir"),
                       .web_root = args_option(a, "web-root"),
                       .web_shared = args_option(a, "web-shared"),
                       .lock = -1,
                       .entropy = random_entropy()};
    if (!d.dir)
        d.dir = ".";
    enum err err = read_settings(&d, a, e);
    if (!err)
        err = start(&d, e);
    if (!err) {
        printf("ready addr=%s\n", net_address(d.net));
        fflush(stdout);
        net_run(d.net);
        log_event(LOG_INFO, "stopped", "dir=%s", d.dir);
    }
    stop(&d);
    return err;
}

static const struct args_option run_options[] = {
    {"dir", "DIR", false, "the hub's directory (default: this one)"},
    {"listen", "ADDR:PORT", false, "instead of the one in hub.conf; port 0: any free one"},
    {"web-root", "DIR", false, "files of the screens before the built-in ones, never cached"},
    {"web-shared", "DIR", false, "the same for those below /shared/"},
    {0}};

static const struct args_command run_command = {
    "run", "", run_options, 0, 0, "serve members until SIGTERM; prints `ready addr=HOST:PORT`",
    run};

int main(int argc, char **argv) {
    struct error e = {0};
    json_watch();
    if (keys_init(&e)) {
        fprintf(stderr, "plek-hub: %s\n", e.detail);
        return error_exit_status(e.code);
    }
    struct args_command table[HUB_COMMANDS_MAX + 2] = {run_command};
    size_t count = 1;
    for (const struct args_command *c = hub_commands(); c->name && count <= HUB_COMMANDS_MAX; c++)
        table[count++] = *c;
    table[count] = (struct args_command){0};
    struct args_program program = {
        "plek-hub",
        "plek-hub: the hub of a Plek network. It relays what members seal for each other.", table};
    return args_main(&program, argc, argv);
}
