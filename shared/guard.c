/* Owns the judging of a browser's headers (see guard.h). Must not know sockets, users or routes. */
#include "guard.h"

#include <string.h>
#include <strings.h>

#define SEPARATORS " ,"

/* The name in a Host header, without its port; "[::1]:80" gives "[::1]". */
static size_t name_length(const char *host) {
    if (host[0] == '[')
        return strcspn(host, "]") + (strchr(host, ']') ? 1 : 0);
    return strcspn(host, ":");
}

static bool port_ok(const char *rest) {
    return *rest == '\0' || (*rest == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

static bool is_name(const char *text, size_t len, const char *name) {
    return len == strlen(name) && strncasecmp(text, name, len) == 0;
}

/* 127.0.0.0/8 in full dotted form. */
static bool is_loopback4(const char *text, size_t len) {
    int dots = 0;
    if (len < 9 || strncmp(text, "127.", 4) != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.')
            dots++;
        else if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return dots == 3 && text[len - 1] != '.';
}

bool guard_host_local(const char *host) {
    size_t len = name_length(host);
    return port_ok(host + len) && (is_name(host, len, "localhost") || is_name(host, len, "[::1]") ||
                                   is_loopback4(host, len));
}

bool guard_host_ok(const char *host, const char *allowed) {
    size_t len = name_length(host);
    if (len == 0 || !port_ok(host + len))
        return false;
    if (guard_host_local(host))
        return true;
    for (const char *p = allowed ? allowed : ""; *p; p += strcspn(p, SEPARATORS)) {
        p += strspn(p, SEPARATORS);
        size_t n = strcspn(p, SEPARATORS);
        if (n > 0 && n == len && strncasecmp(p, host, len) == 0)
            return true;
    }
    return false;
}

bool guard_same_site(const char *origin, const char *site, const char *host) {
    static const char *const schemes[] = {"http://", "https://"};
    if (site[0] && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    if (!origin[0])
        return true;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], len) == 0)
            return host[0] && strcasecmp(origin + len, host) == 0;
    }
    return false;
}

bool guard_etag_match(const char *if_none_match, const char *etag) {
    size_t len = strlen(etag);
    for (const char *p = if_none_match; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        if (*p == '*' || (strncmp(p, etag, len) == 0 && strchr(", \t", p[len])))
            return true;
    }
    return false;
}

/* One element of Accept-Encoding, "gzip;q=0.5": is it gzip, and not refused by q=0? */
static bool takes_gzip(const char *p) {
    size_t len = strcspn(p, "; \t,");
    const char *end = p + strcspn(p, ","), *q = strstr(p + len, "q=");
    if (!is_name(p, len, "gzip") && !is_name(p, len, "*"))
        return false;
    return !q || q >= end || strcspn(q, "123456789") < (size_t)(end - q);
}

bool guard_gzip_ok(const char *accept_encoding) {
    for (const char *p = accept_encoding; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (takes_gzip(p))
            return true;
    }
    return false;
}

bool guard_cookie(const char *header, const char *name, char *ret, size_t size) {
    size_t len = strlen(name);
    for (const char *p = header; *p; p += strcspn(p, ";")) {
        p += strspn(p, "; \t");
        if (strncmp(p, name, len) != 0 || p[len] != '=')
            continue;
        size_t n = strcspn(p + len + 1, "; \t");
        if (n >= size)
            return false;
        memcpy(ret, p + len + 1, n);
        ret[n] = '\0';
        return true;
    }
    return false;
}

bool guard_path_ok(const char *path) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_";
    if (path[0] != '/')
        return false;
    while (*path == '/') {
        path++;
        size_t n = strspn(path, allowed);
        if (n == 0 || *path == '.')
            return false;
        path += n;
    }
    return *path == '\0';
}
