/* Owns agent.conf's key table, defaults and text (see settings.h).
 * Must not act on any setting. */
#include "settings.h"

#include <stddef.h>
#include <string.h>

#include "files.h"

#define TEXT_KEY(member)                                                                           \
    offsetof(struct agent_settings, member), sizeof(((struct agent_settings *)0)->member)

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

static enum err trust_check(const char *text, struct error *e) {
    enum trust trust;
    return parse_trust(text, &trust, e);
}

static const struct config_key keys[] = {
    {"hub", CONFIG_TEXT, TEXT_KEY(hub), 0, 0, "",
     "Address of the hub, [ws://|wss://]HOST:PORT, when it is not the invitation's any more",
     address_check},
    {"ca", CONFIG_TEXT, TEXT_KEY(ca), 0, 0, "",
     "PEM file with the certificate authority of a wss hub; empty: the system's", NULL},
    {"web.listen", CONFIG_TEXT, TEXT_KEY(web_listen), 0, 0, "",
     "ADDR:PORT of the screens; off: none; empty: " AGENT_WEB_LISTEN " if it is free", NULL},
    {"web.cert", CONFIG_TEXT, TEXT_KEY(web_cert), 0, 0, "",
     "PEM file with the certificate chain of the screens; empty: no TLS", NULL},
    {"web.key", CONFIG_TEXT, TEXT_KEY(web_key), 0, 0, "", "PEM file with the key of web.cert",
     NULL},
    {"web.hosts", CONFIG_TEXT, TEXT_KEY(web_hosts), 0, 0, "",
     "Names that browsers may reach the screens by besides localhost, separated by spaces", NULL},
    {"log.level", CONFIG_TEXT, TEXT_KEY(log), 0, 0, "info",
     "Least level logged: error, warn, info or debug", log_level_check},
    {"trust", CONFIG_TEXT, TEXT_KEY(trust_text), 0, 0, "manual",
     "Who is sealed to: manual (only partners that were approved) or directory (at band and light "
     "also members of an audience that stood 24 hours in status and were not refused)",
     trust_check},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

const struct config_key *settings_keys(size_t *ret_count) {
    *ret_count = KEY_COUNT;
    return keys;
}

/* Each value is right: are they together, and what do they mean? */
static enum err interpret(struct agent_settings *s, const char *path, struct error *e) {
    char address[INVITE_ADDRESS_MAX];
    if ((s->web_cert[0] == '\0') != (s->web_key[0] == '\0'))
        return error_at(e, ERR_CONFIG, path, 0, 0,
                        "found only one of web.cert and web.key, expected both or neither");
    enum err code = log_level_parse(s->log, &s->log_level, e);
    if (code == ERR_OK)
        code = parse_trust(s->trust_text, &s->trust, e);
    if (code != ERR_OK || s->hub[0] == '\0')
        return code;
    code = address_parse(s->hub, address, e);
    if (code == ERR_OK)
        memcpy(s->hub, address, sizeof address);
    return code;
}

enum err settings_read(const char *dir, struct agent_settings *ret, struct error *e) {
    char path[FILES_PATH_MAX];
    struct agent_settings s = {0};
    enum err code = files_path(dir, AGENT_CONF, path, e);
    if (code == ERR_OK)
        code = config_defaults(keys, KEY_COUNT, &s, e);
    if (code == ERR_OK)
        code = config_read(path, keys, KEY_COUNT, &s, e);
    if (code == ERR_OK)
        code = interpret(&s, path, e);
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
