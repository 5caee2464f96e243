/* Owns a libwebsockets without sockets, for the target web: it gives the headers of an input's text
 * and takes what would be written. Its functions stand in for those of the library that
 * shared/web.c and web_answer.c call, with the same answers. Must not judge a request. */
#ifndef PLEK_TEST_FUZZ_FAKE_LWS_H
#define PLEK_TEST_FUZZ_FAKE_LWS_H

#include <libwebsockets.h>

#include "fuzz.h"

#define FAKE_MAX_LINES 24
#define FAKE_VALUE_SIZE 4096 /* all headers together never have more */
#define FAKE_PEERS 4

struct fake_peer {
    const char *address;
    bool loopback;
};
extern const struct fake_peer fake_peers[FAKE_PEERS];

struct fake_header {
    struct bytes name, value;
};
/* One connection. */
struct lws {
    bool browsers;
    unsigned peer;
    struct lws_protocols protocol;
    void *user;
    /* the request */
    struct bytes method, arguments, body;
    struct fake_header lines[FAKE_MAX_LINES];
    size_t line_count;
    /* what it was told */
    bool wants_to_write, timer, killed, completed;
    int header_blocks;
    uint64_t announced, written; /* bytes of the answer's body; announced UINT64_MAX: no length */
};

void fake_open(struct lws *wsi);
void fake_shut(struct lws *wsi);
/* "METHOD PATH?ARGUMENTS", lines "NAME: VALUE", an empty one, the body. As the library does, the
 * body counts as far as a Content-Length announces it. Gives the length of the path. */
size_t fake_read(struct lws *wsi, struct bytes text, char *path, size_t size);
int fake_call(struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len);
/* A header's value, all of it; of several the library makes one, with commas (cookies: semicolons)
 * between. Ends in a NUL; borrowed until some calls later. */
struct bytes fake_line(const struct lws *wsi, const char *name);

#endif
