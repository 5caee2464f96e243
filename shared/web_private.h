/* Owns what web.c, web_answer.c and web_listen.c share: one request on one connection.
 * Must not be included by anything else. */
#ifndef PLEK_WEB_PRIVATE_H
#define PLEK_WEB_PRIVATE_H

#include "allowance.h"
#include "visitors.h"
#include "web.h"

#define WEB_CHUNK (16 * 1024)
#define WEB_PENDING_EVENTS 8 /* distinct names waiting for one follower */
#define WEB_EVENT_MAX 32
#define WEB_HOST_MAX 256
#define WEB_COOKIE_MAX 192

struct web_reply {
    int status;
    const char *type;
    const char *etag; /* NULL: no-store */
    bool gzip;
    const char *data; /* borrowed, or `owned` */
    char *owned;
    size_t len, written;
    char cookie[WEB_COOKIE_MAX]; /* Set-Cookie; "": none */
};

/* The connection's user data. */
struct exchange {
    struct web *web;
    struct lws *wsi;
    struct exchange *next, *prev; /* all that are open */
    uint64_t id;
    enum api_method method;
    char *path;
    json_t *query;
    char host[WEB_HOST_MAX];
    struct access_caller caller;
    struct buf body;
    struct web_reply reply;
    bool admitted; /* it counts among those that there may be */
    bool answered, headers_sent, wants_events, follows, dispatched;
    char events[WEB_PENDING_EVENTS][WEB_EVENT_MAX];
    int event_count;
    bool beat; /* a follower hears that we are still here */
    int beats;
    bool secure; /* nobody reads on the way between the browser and us */
};

struct web {
    struct web_config config;
    struct exchange *open;
    struct allowance *allowance; /* of browsers */
    struct visitors *visitors;   /* NULL: whoever comes is let in */
    size_t crowd;                /* as many were connected since memory was given back */
    size_t open_count, follower_count;
    uint64_t next_id;
    int port;
    bool tls;
    struct lws_protocols protocols[2];
    /* Where it listens, as long as its vhost: libwebsockets keeps the pointer and reads it whenever
     * another vhost is made. */
    char interface[WEB_ADDRESS_MAX];
};

/* Who comes and goes: for the callbacks of a connection that is made and destroyed. */
int web_visit(struct lws *wsi, enum lws_callback_reasons reason, void *in);
/* Frees what the exchange holds of a request and its answer; it can take another. */
void exchange_clear(struct exchange *x);
/* The request is whole; the connection rests until there is an answer to write. */
void exchange_hold(struct exchange *x);
/* Answers; take_text NULL means that there was no memory for it, and the connection goes. */
void exchange_reply(struct exchange *x, int status, const char *type, char *take_text, size_t len);
void exchange_reply_json(struct exchange *x, enum err code, json_t *take_body);
void exchange_reply_error(struct exchange *x, const struct error *e);
/* A file of the site; false: none by that path. */
bool exchange_reply_file(struct exchange *x, const char *path);
/* From here on the answer is a stream of events. */
void exchange_follow(struct exchange *x);
/* Sets or ends the session's cookie with the answer. */
void exchange_set_cookie(struct exchange *x, const struct access_caller *c);
void web_cookie_name(const struct web *web, bool secure, char *out, size_t size);
/* In a writable callback. -1: the connection ends. */
int exchange_writable(struct exchange *x);
/* In a timer callback of a follower. */
int exchange_beat(struct exchange *x);

#endif
