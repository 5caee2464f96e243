/* Owns the command line's way to the domain: HTTP over DIR/api.sock (libcurl) while a daemon holds
 * DIR/lock, the same routes in-process when none does. Must not know any route. */
#include "client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "clock.h"
#include "db.h"

#define RETRY_MS 100
#define CALL_TIMEOUT_S 120L
#define RESPONSE_MAX (256u * 1024 * 1024)
#define EVENT_LINE_MAX 4096

struct client {
    struct client_local local;
    void *domain; /* in-process, or NULL */
    int lock;     /* in-process, or -1 */
    CURL *curl;   /* remote, or NULL */
    char socket[512];
    char actor[API_ACTOR_MAX];
};

static void pause_ms(int64_t ms) {
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx) {
    struct buf *body = ctx;
    buf_append(body, data, size * count);
    return body->failed ? 0 : size * count;
}

/* Appends "/a%20b?x=y" to the URL. */
static enum err append_target(CURL *curl, const char *path, json_t *query, struct buf *url) {
    char *copy = strdup(path);
    if (!copy)
        return ERR_NO_MEMORY;
    char *rest = copy;
    for (char *segment; (segment = strsep(&rest, "/"));) {
        char *escaped = curl_easy_escape(curl, segment, 0);
        if (segment != copy)
            buf_append_str(url, "/");
        buf_append_str(url, escaped ? escaped : "");
        curl_free(escaped);
    }
    free(copy);
    const char *key;
    json_t *value;
    char separator = '?';
    json_object_foreach(query, key, value) {
        const char *text = json_string_value(value);
        if (!text)
            continue;
        char *escaped = curl_easy_escape(curl, text, 0);
        buf_printf(url, "%c%s=%s", separator, key, escaped ? escaped : "");
        curl_free(escaped);
        separator = '&';
    }
    return url->failed;
}

static CURLcode perform(struct client *c, enum api_method method, const char *url, const char *body,
                        struct buf *response) {
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, CALL_TIMEOUT_S);
    curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, response);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    if (method != API_GET) {
        curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, api_method_name(method));
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    }
    CURLcode rc = curl_easy_perform(c->curl);
    curl_slist_free_all(headers);
    return rc;
}

static enum err call_remote(struct client *c, enum api_method method, const char *path,
                            json_t *query, json_t *body, json_t **ret, struct error *e) {
    struct buf url, response;
    buf_init(&url, 16 * 1024);
    buf_init(&response, RESPONSE_MAX);
    char *text = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");
    enum err err = ERR_OK;
    buf_append_str(&url, "http://plek");
    if (!text || append_target(c->curl, path, query, &url)) {
        err = error_set(e, ERR_NO_MEMORY, "not enough memory for the request %s", path);
        goto out;
    }
    CURLcode rc = perform(c, method, buf_text(&url), text, &response);
    if (rc != CURLE_OK) {
        err = error_set(e, ERR_UNAVAILABLE, "the daemon does not answer on %s: %s", c->socket,
                        curl_easy_strerror(rc));
        goto out;
    }
    json_t *parsed = NULL;
    err = json_parse(buf_bytes(&response), RESPONSE_MAX, "response", &parsed, e);
    if (err)
        goto out;
    struct error told = {0};
    err = api_error_from_json(parsed, &told);
    if (err) {
        json_decref(parsed);
        if (e)
            *e = told;
        goto out;
    }
    *ret = parsed;
out:
    free(text);
    buf_done(&url);
    buf_done(&response);
    return err;
}

static enum err call_local(struct client *c, enum api_method method, const char *path,
                           json_t *query, json_t *body, json_t **ret, struct error *e) {
    struct api_request request = {.method = method,
                                  .path = path,
                                  .query = query,
                                  .body = body,
                                  .actor = c->actor,
                                  .role = API_ADMIN,
                                  .access = c->local.access ? c->local.access(c->domain) : NULL,
                                  .now_ms = clock_wall_ms()};
    json_t *response = NULL;
    enum err err =
        request.access
            ? access_dispatch(request.access, c->local.routes, c->local.route_count, c->domain,
                              &request, &response)
            : api_dispatch(c->local.routes, c->local.route_count, c->domain, &request, &response);
    if (!err) {
        *ret = response;
        return ERR_OK;
    }
    struct error told = {.code = err};
    if (api_error_from_json(response, &told) && e)
        *e = told;
    json_decref(response);
    return err;
}

enum err client_call(struct client *c, enum api_method method, const char *path, json_t *query,
                     json_t *body, json_t **ret, struct error *e) {
    return c->domain ? call_local(c, method, path, query, body, ret, e)
                     : call_remote(c, method, path, query, body, ret, e);
}

enum err client_call_until(struct client *c, enum err again, enum api_method method,
                           const char *path, json_t *query, json_t *body, json_t **ret,
                           struct error *e) {
    int64_t deadline = clock_monotonic_ms() + CLIENT_WAIT_MS;
    for (;;) {
        enum err err = client_call(c, method, path, query, body, ret, e);
        if (err != again || c->domain || clock_monotonic_ms() >= deadline)
            return err;
        pause_ms(RETRY_MS);
    }
}

static bool socket_answers(struct client *c) {
    json_t *status = NULL;
    struct error ignored;
    enum err err = call_remote(c, API_GET, "/v1/status", NULL, NULL, &status, &ignored);
    json_decref(status);
    return err != ERR_UNAVAILABLE;
}

/* In-process as soon as the lock is free, remote as soon as the holder answers. */
static enum err reach(struct client *c, const char *dir, struct error *e) {
    int64_t deadline = clock_monotonic_ms() + CLIENT_WAIT_MS;
    for (;;) {
        enum err err = lock_acquire(dir, &c->lock, e);
        if (!err)
            return c->local.open(dir, &c->domain, e);
        if (err != ERR_LOCKED)
            return err;
        if (socket_answers(c))
            return ERR_OK;
        if (clock_monotonic_ms() >= deadline)
            return err;
        pause_ms(RETRY_MS);
    }
}

enum err client_open(const char *dir, const struct client_local *local, struct client **ret,
                     struct error *e) {
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(e, ERR_NO_MEMORY, "not enough memory to start");
    c->local = *local;
    c->lock = -1;
    snprintf(c->actor, sizeof c->actor, "uid:%ld", (long)getuid());
    enum err err = ERR_OK;
    if (snprintf(c->socket, sizeof c->socket, "%s/api.sock", dir) >= (int)sizeof c->socket)
        err = error_set(e, ERR_USAGE, "--dir is too long: %s", dir);
    if (!err &&
        (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->curl = curl_easy_init())))
        err = error_set(e, ERR_NO_MEMORY, "libcurl could not start");
    if (!err)
        err = reach(c, dir, e);
    if (err) {
        client_close(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

void client_close(struct client *c) {
    if (!c)
        return;
    if (c->domain)
        c->local.close(c->domain);
    if (c->lock >= 0)
        lock_release(c->lock);
    if (c->curl)
        curl_easy_cleanup(c->curl);
    free(c);
}

/* A socket file that a killed daemon left behind refuses the connection. */
static bool somebody_listens(const char *dir) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/api.sock", dir);
    int fd = n < (int)sizeof address.sun_path ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

enum err client_lock_daemon(const char *dir, int *ret_lock, struct error *e) {
    int64_t deadline = clock_monotonic_ms() + CLIENT_WAIT_MS;
    for (;;) {
        enum err err = lock_acquire(dir, ret_lock, e);
        if (err != ERR_LOCKED || somebody_listens(dir) || clock_monotonic_ms() >= deadline)
            return err;
        pause_ms(RETRY_MS);
    }
}

bool client_is_remote(const struct client *c) {
    return c->domain == NULL;
}

/* Server-sent events arrive in any pieces; a line is "event: NAME". */
struct follower {
    bool (*event)(void *ctx, const char *name);
    void *ctx;
    char line[EVENT_LINE_MAX];
    size_t len;
    int64_t tick_ms; /* when the next tick is due */
    bool stopped;
};

static void take_line(struct follower *f) {
    f->line[f->len] = '\0';
    f->len = 0;
    if (strncmp(f->line, "event:", 6) != 0)
        return;
    const char *name = f->line + 6;
    name += strspn(name, " ");
    if (!f->event(f->ctx, name))
        f->stopped = true;
}

static size_t take_events(char *data, size_t size, size_t count, void *ctx) {
    struct follower *f = ctx;
    size_t len = size * count;
    for (size_t i = 0; i < len && !f->stopped; i++) {
        if (data[i] == '\n')
            take_line(f);
        else if (data[i] != '\r' && f->len + 1 < sizeof f->line)
            f->line[f->len++] = data[i];
    }
    return f->stopped ? 0 : len;
}

/* libcurl calls this about once a second, whether anything arrives or not. */
static int pass_time(void *ctx, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total,
                     curl_off_t ul) {
    struct follower *f = ctx;
    (void)dl_total, (void)dl, (void)ul_total, (void)ul;
    if (!f->stopped && clock_monotonic_ms() >= f->tick_ms) {
        f->tick_ms = clock_monotonic_ms() + CLIENT_TICK_MS;
        f->stopped = !f->event(f->ctx, CLIENT_TICK);
    }
    return f->stopped ? 1 : 0;
}

enum err client_follow(struct client *c, bool (*event)(void *ctx, const char *name), void *ctx,
                       struct error *e) {
    if (!client_is_remote(c))
        return error_set(e, ERR_UNAVAILABLE,
                         "no daemon runs for this directory: start `run` first");
    struct follower f = {
        .event = event, .ctx = ctx, .tick_ms = clock_monotonic_ms() + CLIENT_TICK_MS};
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
    curl_easy_setopt(c->curl, CURLOPT_URL, "http://plek/v1/events");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_events);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &f);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, pass_time);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &f);
    CURLcode rc = curl_easy_perform(c->curl);
    if (f.stopped)
        return ERR_OK;
    return error_set(e, ERR_UNAVAILABLE, "the daemon went away: %s", curl_easy_strerror(rc));
}
