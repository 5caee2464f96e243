/* Owns the context of libwebsockets and the vhosts that HTTP is served on: a Unix socket for this
 * machine, an address for browsers. Must not know what is served. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "web_private.h"

#define KEEPALIVE_S 30
#define READ_SIZE (16 * 1024)
#define PORT_DIGITS 5

static void log_line(enum log_level level, const char *line) {
    char quoted[512], copy[400];
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
    log_event(level, "libwebsockets", "line=%s", log_quote(copy, quoted, sizeof quoted));
}

static void log_server(int level, const char *line) {
    log_line(level & LLL_ERR ? LOG_ERROR : LOG_WARN, line);
}

static void log_client(int level, const char *line) {
    log_line(level & LLL_ERR ? LOG_WARN : LOG_DEBUG, line);
}

enum err web_context_new(const struct web_context *config, struct lws_context **ret,
                         struct error *e) {
    void *loops[] = {config->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .foreign_loops = loops,
        .pt_serv_buf_size = READ_SIZE,
        .fd_limit_per_thread = config->max_descriptors,
        .timeout_secs = config->timeout_s,
    };
    lws_set_log_level(LLL_ERR | LLL_WARN, config->client ? log_client : log_server);
    struct lws_context *made = lws_create_context(&info);
    if (!made)
        return error_set(e, ERR_IO,
                         "libwebsockets could not start; is libwebsockets-evlib-uv installed?");
    *ret = made;
    return ERR_OK;
}

enum err web_listen_socket(struct web *web, struct lws_context *context, const char *path,
                           struct error *e) {
    /* libwebsockets would cut a longer path and listen there. */
    if (strlen(path) >= sizeof((struct sockaddr_un){0}.sun_path))
        return error_set(e, ERR_IO,
                         "cannot listen on %s: the path is longer than %zu bytes; use a "
                         "shorter directory",
                         path, sizeof((struct sockaddr_un){0}.sun_path) - 1);
    web->protocols[0] = web_protocol(web);
    unlink(path);
    snprintf(web->interface, sizeof web->interface, "%s", path);
    struct lws_context_creation_info info = {
        .vhost_name = "api.sock",
        .iface = web->interface,
        .port = 0,
        .protocols = web->protocols,
        .user = web,
        .options = LWS_SERVER_OPTION_UNIX_SOCK,
        .keepalive_timeout = KEEPALIVE_S,
    };
    mode_t mask = umask(0177);
    struct lws_vhost *vhost = lws_create_vhost(context, &info);
    umask(mask);
    if (!vhost)
        return error_set(e, ERR_IO, "cannot listen on %s; is the directory writable?", path);
    return ERR_OK;
}

enum err web_split_address(const char *text, char *host, size_t size, int *ret_port,
                           struct error *e) {
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : "", *first = text;
    size_t len = colon ? (size_t)(colon - text) : 0, digits = strspn(port, "0123456789");
    long number = strtol(port, NULL, 10);
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        first++;
        len -= 2;
    }
    if (digits == 0 || digits > PORT_DIGITS || port[digits] || number > UINT16_MAX || len >= size ||
        strcspn(first, bracketed ? "[]" : "[]:") < len)
        return error_set(e, ERR_USAGE,
                         "found '%s', expected ADDR:PORT to listen on, an IPv6 address in brackets",
                         text);
    memcpy(host, first, len);
    host[len] = '\0';
    *ret_port = (int)number;
    return ERR_OK;
}

void web_note_address(struct web *web, int port, bool tls) {
    web->port = port;
    web->tls = tls;
}

enum err web_listen_browsers(struct web *web, struct lws_context *context,
                             const struct web_listen *listen, char ret_address[WEB_ADDRESS_MAX],
                             struct error *e) {
    char *host = web->interface;
    int port = 0;
    bool tls = listen->cert[0] != '\0';
    enum err err = web_split_address(listen->address, host, WEB_ADDRESS_MAX - 16, &port, e);
    if (err)
        return err;
    web->protocols[0] = web_protocol(web);
    struct lws_context_creation_info info = {
        .vhost_name = "browsers",
        .port = port,
        /* The vhost's own: without it libwebsockets ignores the certificate and speaks plain. */
        .options = tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
        .iface = host[0] ? host : NULL,
        .protocols = web->protocols,
        .user = web,
        .keepalive_timeout = KEEPALIVE_S,
        .alpn = "http/1.1",
        .ssl_cert_filepath = tls ? listen->cert : NULL,
        .ssl_private_key_filepath = tls ? listen->key : NULL,
    };
    struct lws_vhost *vhost = lws_create_vhost(context, &info);
    if (!vhost)
        return error_set(e, ERR_IO, "cannot listen on %s: is the port in use, or the %s wrong?",
                         listen->address, tls ? "certificate or key" : "address");
    web_note_address(web, lws_get_vhost_listen_port(vhost), tls);
    snprintf(ret_address, WEB_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%d" : "%s:%d",
             host[0] ? host : "0.0.0.0", lws_get_vhost_listen_port(vhost));
    return ERR_OK;
}
