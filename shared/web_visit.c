/* Owns who may be connected to a listener at all: libwebsockets says who comes and goes, visitors.h
 * decides who makes room. Must not read what they say. */
#include <malloc.h>

#include "address.h"
#include "web_private.h"

#define CROWD 256
#define CROWD_LEFT 8 /* it is over when this part of it is left */

static int refuse(struct web *web, const char *address) {
    char place[ADDRESS_PLACE_SIZE], subject[ADDRESS_PLACE_SIZE + 8];
    snprintf(subject, sizeof subject, "peer=%s", address_place(address, place));
    log_repeated(web->config.log, LOG_WARN, "too-many-connections", subject, "connected=%zu",
                 visitors_count(web->visitors));
    return -1;
}

/* Told for the listener, before the connection is one of libwebsockets'. */
static int on_knock(struct web *web, lws_sockfd_type fd) {
    char address[ADDRESS_TEXT_MAX] = "";
    void *leaves = NULL;
    lws_get_peer_simple_fd(fd, address, sizeof address);
    if (!visitors_room(web->visitors, address, &leaves))
        return refuse(web, address);
    if (leaves) /* its own callbacks end all that it holds */
        lws_set_timeout(leaves, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
    return 0;
}

static int on_enter(struct web *web, struct lws *wsi) {
    char address[ADDRESS_TEXT_MAX] = "";
    lws_get_peer_simple(wsi, address, sizeof address);
    struct visitor *made = visitors_come(web->visitors, address, wsi);
    lws_set_opaque_user_data(wsi, made);
    size_t count = visitors_count(web->visitors);
    web->crowd = count > web->crowd ? count : web->crowd;
    return made ? 0 : -1;
}

/* What a crowd took goes back to the system, not only to the allocator. */
static void on_leave(struct web *web, struct lws *wsi) {
    visitor_leave(lws_get_opaque_user_data(wsi));
    lws_set_opaque_user_data(wsi, NULL);
    size_t count = visitors_count(web->visitors);
    if (web->crowd < CROWD || count > web->crowd / CROWD_LEFT)
        return;
    web->crowd = count;
    malloc_trim(0);
}

int web_visit(struct lws *wsi, enum lws_callback_reasons reason, void *in) {
    struct web *web = lws_get_vhost_user(lws_get_vhost(wsi));
    if (!web || !web->visitors)
        return 0;
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return on_knock(web, (lws_sockfd_type)(intptr_t)in);
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return on_enter(web, wsi);
    default:
        on_leave(web, wsi);
        return 0;
    }
}

bool web_stay(struct lws *wsi) {
    return visitor_stay(lws_get_opaque_user_data(wsi));
}
