/* Owns agent.conf's key table, defaults and text (see settings.h).
 * Must not act on any setting. */
#include "settings.h"

#include <stddef.h>
#include <string.h>

#include "files.h"

#define TEXT_KEY(member)                                                                           \
    offsetof(struct agent_settings, member), sizeof(((struct agent_settings *)0)->member)

static const struct config_key keys[] = {
    {"hub", CONFIG_TEXT, TEXT_KEY(hub), 0, 0, "",
     "Address of the hub, [ws://|wss://]HOST:PORT, when it is not the invitation's any more"},
    {"ca", CONFIG_TEXT, TEXT_KEY(ca), 0, 0, "",
     "PEM file with the certificate authority of a wss hub; empty: the system's"},
    {"web.listen", CONFIG_TEXT, TEXT_KEY(web_listen), 0, 0, "",
     "ADDR:PORT of the screens; off: none; empty: " AGENT_WEB_LISTEN " if it is free"},
    {"web.cert", CONFIG_TEXT, TEXT_KEY(web_cert), 0, 0, "",
     "PEM file with the certificate chain of the screens; empty: no TLS"},
    {"web.key", CONFIG_TEXT, TEXT_KEY(web_key), 0, 0, "", "PEM file with the key of web.cert"},
    {"web.hosts", CONFIG_TEXT, TEXT_KEY(web_hosts), 0, 0, "",
     "Names that browsers may reach the screens by besides localhost, separated by spaces"},
    {"log.level", CONFIG_TEXT, TEXT_KEY(log), 0, 0, "info",
     "Least level logged: error, warn, info or debug"},
    {"trust", CONFIG_TEXT, TEXT_KEY(trust_text), 0, 0, "manual",
     "Who is sealed to: manual (only partners that were approved) or directory (at band and light "
     "also members of an audience that stood 24 hours in status and were not refused)"},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

const struct config_key *settings_keys(size_t *ret_count) {
    *ret_count = KEY_COUNT;
    return keys;
}

const char *trust_name(enum trust t) {
    switch (t) {
    case TRUST_MANUAL:
        return "manual";
    case TRUST_DIRECTORY:
        return "directory";
    }
    return "?";
}

static enum err parse_trust(const char *text, enum trust *ret, struct error *e) {
    for (int t = TRUST_MANUAL; t <= TRUST_DIRECTORY; t++)
        if (strcmp(text, trust_name((enum trust)t)) == 0) {
            *ret = (enum trust)t;
            return ERR_OK;
        }
    return error_set(e, ERR_CONFIG, "found '%.15s', expected manual or directory", text);
}

/* The file's form is right; are the values? */
static enum err check(struct agent_settings *s, const char *path, struct error *e) {
    struct error why = {0};
    char address[INVITE_ADDRESS_MAX];
    if (s->hub[0] != '\0') {
        if (address_parse(s->hub, address, &why) != ERR_OK)
            return error_at(e, ERR_CONFIG, path, 0, 0, "hub: %.200s", why.detail);
        memcpy(s->hub, address, sizeof address);
    }
    if ((s->web_cert[0] == '\0') != (s->web_key[0] == '\0'))
        return error_at(e, ERR_CONFIG, path, 0, 0,
                        "found only one of web.cert and web.key, expected both or neither");
    if (log_level_parse(s->log, &s->log_level, &why) != ERR_OK)
        return error_at(e, ERR_CONFIG, path, 0, 0, "log.level: %.200s", why.detail);
    if (parse_trust(s->trust_text, &s->trust, &why) != ERR_OK)
        return error_at(e, ERR_CONFIG, path, 0, 0, "trust: %.200s", why.detail);
    return ERR_OK;
}

enum err settings_read(const char *dir, struct agent_settings *ret, struct error *e) {
    char path[FILES_PATH_MAX];
    struct agent_settings s = {0};
    config_defaults(keys, KEY_COUNT, &s);
    enum err code = files_path(dir, AGENT_CONF, path, e);
    if (code == ERR_OK)
        code = config_read(path, keys, KEY_COUNT, &s, e);
    if (code == ERR_OK)
        code = check(&s, path, e);
    if (code == ERR_OK)
        *ret = s;
    return code;
}

void settings_write_default(struct buf *out) {
    buf_append_str(out,
                   "# Settings of this agent. A line without '#' counts; what is commented out\n"
                   "# shows the default. Restart the agent after a change.\n");
    for (size_t i = 0; i < KEY_COUNT; i++)
        buf_printf(out, "\n# %s\n#%s = \"%s\"\n", keys[i].help, keys[i].name, keys[i].fallback);
}
