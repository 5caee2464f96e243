/* Owns hub.conf: its keys, bounds, defaults and help in one table. The domain and the shell read
 * the same struct. Must not act on any of it. */
#ifndef PLEK_HUB_SETTINGS_H
#define PLEK_HUB_SETTINGS_H

#include <limits.h>

#include "config.h"
#include "join.h"

#define SETTINGS_LISTEN_MAX 256 /* "HOST:PORT" and its NUL */
#define SETTINGS_FILE "hub.conf"

struct hub_settings {
    char listen[SETTINGS_LISTEN_MAX]; /* "127.0.0.1:7535"; port 0: any free one */
    char address[INVITE_ADDRESS_MAX]; /* what invitations name; "": the listen address */
    char tls_cert[PATH_MAX];          /* "": ws, else wss */
    char tls_key[PATH_MAX];
    char web_hosts[1024];     /* names besides loopback ones and that of `address` */
    bool public_page;         /* what was published is shown to anybody */
    int64_t publish_every_ms; /* 0: the hub never publishes by itself */
    char log_level[16];
    int64_t connections; /* in all */
    int64_t connections_per_address;
    int64_t member_rate;  /* entries a second, sustained */
    int64_t member_burst; /* entries at once */
    int64_t under_way;    /* entries read and not yet answered, of all members together */
    int64_t verify_workers;
};

extern const struct config_key hub_settings_keys[];
extern const size_t hub_settings_count;

/* Defaults, then DIR/hub.conf over them. ERR_NO_INPUT when DIR has no hub.conf (says to run init),
 * ERR_CONFIG with file and line; *ret untouched then. */
enum err hub_settings_read(const char *dir, struct hub_settings *ret, struct error *e) MUST_USE;
/* The file that init writes: every key, commented out, with its help and default. */
void hub_settings_print(FILE *out);

#endif
