/* Owns what the headers of a browser's request are judged by: host, origin, cookies, what is
 * cached. Pure. Must not know sockets, users or routes. Source: RFC 9110; docs/web.md. */
#ifndef PLEK_GUARD_H
#define PLEK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* A page of another site can make a browser send requests here under its own name (DNS rebinding):
 * only loopback literals, "localhost" and the names of `allowed` (separated by spaces or commas,
 * may be NULL) are answered. `host` is the Host header, with or without a port. */
bool guard_host_ok(const char *host, const char *allowed);
/* Is the Host header a loopback literal or "localhost"? */
bool guard_host_local(const char *host);
/* Did a page of this very site send it? `origin` and `site` are the headers Origin and
 * Sec-Fetch-Site, "" when absent, as with programs that are no browser. */
bool guard_same_site(const char *origin, const char *site, const char *host);
/* Does the value of If-None-Match name this entity tag? */
bool guard_etag_match(const char *if_none_match, const char *etag);
/* Does the value of Accept-Encoding allow gzip? */
bool guard_gzip_ok(const char *accept_encoding);
/* The value of one cookie of a Cookie header; false when absent or longer than `size` - 1. */
bool guard_cookie(const char *header, const char *name, char *ret, size_t size);
/* May this path be looked up as a file? Absolute, no empty segment, none that begins with a dot, of
 * letters, digits, '.', '-' and '_'. */
bool guard_path_ok(const char *path);

#endif
