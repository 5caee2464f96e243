/* Owns hub.conf: its keys, bounds, defaults and help in one table.
 * Must not act on any of it. */
#include "settings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define PUBLISH_LEAST_MS INT64_C(60000)
#define PUBLISH_MOST_MS (INT64_C(7) * 86400000)

#define TEXT_KEY(key, field, fallback_text, check_text, help_text)                                 \
    {                                                                                              \
        .name = key, .type = CONFIG_TEXT, .offset = offsetof(struct hub_settings, field),          \
        .size = sizeof(((struct hub_settings *)0)->field), .fallback = fallback_text,              \
        .help = help_text, .check = check_text                                                     \
    }
#define INT_KEY(key, field, low, high, fallback_text, help_text)                                   \
    {                                                                                              \
        .name = key, .type = CONFIG_INT, .offset = offsetof(struct hub_settings, field),           \
        .min = low, .max = high, .fallback = fallback_text, .help = help_text                      \
    }

const struct config_key hub_settings_keys[] = {
    TEXT_KEY("listen", listen, "127.0.0.1:7535", NULL,
             "address and port that agents connect to; port 0 takes any free one"),
    TEXT_KEY("address", address, "", address_check,
             "[ws://|wss://]HOST:PORT that invitations name; without it the listen address"),
    TEXT_KEY("tls.cert", tls_cert, "", NULL, "certificate chain (PEM); with it the hub speaks wss"),
    TEXT_KEY("tls.key", tls_key, "", NULL, "private key of tls.cert (PEM)"),
    TEXT_KEY("web.hosts", web_hosts, "", NULL,
             "names that browsers may reach this hub by besides localhost, separated by spaces"),
    {.name = "public",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct hub_settings, public_page),
     .fallback = "no",
     .help = "yes: whoever reaches this hub may see what was published, at /public"},
    {.name = "publish.every",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct hub_settings, publish_every_ms),
     .min = 0,
     .max = PUBLISH_MOST_MS,
     .fallback = "0s",
     .help = "how often this hub publishes by itself, 1m to 7d, such as 1h; 0s: never. A figure "
             "changes when enough members changed, whatever this says"},
    TEXT_KEY("log.level", log_level, "info", log_level_check, "error, warn, info or debug"),
    INT_KEY("limit.connections", connections, 1, 100000, "15000", "connections in all"),
    INT_KEY(
        "limit.connections_per_address", connections_per_address, 1, 100000, "512",
        "members' connections from one network address (of IPv6: its first 64 bits), and as many "
        "others, of which idle ones make room"),
    INT_KEY(
        "limit.member_rate", member_rate, 1, 1000000, "100",
        "entries a second that one member may publish for long (large ones count more than once)"),
    INT_KEY("limit.member_burst", member_burst, 1, 1000000, "1000",
            "entries that one member may publish at once"),
    INT_KEY("limit.under_way", under_way, 1, 16384, "8192",
            "entries read and not yet answered, of all members together; beyond it those who send "
            "wait"),
    INT_KEY("verify.workers", verify_workers, 1, 64, "2", "threads that verify signatures"),
};
const size_t hub_settings_count = sizeof hub_settings_keys / sizeof hub_settings_keys[0];

static enum err check(const char *path, const struct hub_settings *s, struct error *e) {
    if ((s->tls_cert[0] == '\0') != (s->tls_key[0] == '\0'))
        return error_at(e, ERR_CONFIG, path, 0, 0,
                        "found only one of tls.cert and tls.key, expected both or neither");
    if (s->publish_every_ms != 0 && s->publish_every_ms < PUBLISH_LEAST_MS)
        return error_at(e, ERR_CONFIG, path, 0, 0,
                        "found publish.every of less than a minute, expected 1m or more, or 0s for "
                        "never");
    return ERR_OK;
}

enum err hub_settings_read(const char *dir, struct hub_settings *ret, struct error *e) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/" SETTINGS_FILE, dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return error_set(e, ERR_NO_INPUT, "directory name of %zu bytes is too long", strlen(dir));
    if (access(path, F_OK) != 0)
        return error_at(e, ERR_NO_INPUT, path, 0, 0,
                        "%s: no hub in this directory; make one with `plek-hub init --dir %.80s "
                        "--name NAME`, or name another directory",
                        strerror(errno), dir);
    struct hub_settings read;
    enum err err = config_defaults(hub_settings_keys, hub_settings_count, &read, e);
    if (err == ERR_OK)
        err = config_read(path, hub_settings_keys, hub_settings_count, &read, e);
    if (err == ERR_OK)
        err = check(path, &read, e);
    if (err == ERR_OK)
        *ret = read;
    return err;
}

void hub_settings_print(FILE *out) {
    fputs("# Configuration of a plek hub. Every key is shown with its default; remove the '#' in\n"
          "# front of a key to change it, then start the hub again.\n",
          out);
    for (size_t i = 0; i < hub_settings_count; i++) {
        const struct config_key *k = &hub_settings_keys[i];
        bool quoted = k->type == CONFIG_TEXT;
        fprintf(out, "\n# %s\n#%s = %s%s%s\n", k->help, k->name, quoted ? "\"" : "", k->fallback,
                quoted ? "\"" : "");
    }
}
