/* Owns agent.conf: its key table, defaults and the commented file that init writes.
 * Must not act on any setting. */
#ifndef PLEK_AGENT_SETTINGS_H
#define PLEK_AGENT_SETTINGS_H

#include "bytes.h"
#include "config.h"
#include "join.h"
#include "log.h"

#define AGENT_CONF "agent.conf"
#define AGENT_LISTEN_MAX 144
#define AGENT_WEB_LISTEN "127.0.0.1:7536" /* when nothing is said, and it is free */

/* Who may be sealed to without an approval: nobody, or at band and light who stood long enough in
 * `status` (newcomers.h). */
enum trust { TRUST_MANUAL, TRUST_DIRECTORY };
const char *trust_name(enum trust t);

struct agent_settings {
    char hub[INVITE_ADDRESS_MAX]; /* "ws://HOST:PORT"; "": the address of the invitation */
    char ca[4096];                /* PEM file for wss; "": the system's */
    char log[16];
    char web_listen[AGENT_LISTEN_MAX];  /* "ADDR:PORT", "off"; "": AGENT_WEB_LISTEN */
    char web_cert[4096], web_key[4096]; /* PEM files; "": no TLS */
    char web_hosts[1024];               /* names besides loopback ones */
    enum log_level log_level;           /* what `log.level` says */
    char trust_text[16];
    enum trust trust; /* what `trust` says */
};

const struct config_key *settings_keys(size_t *ret_count);
/* Reads DIR/agent.conf over the defaults; an absent file is the defaults. ERR_CONFIG with file and
 * line, or naming the key whose value is wrong; *ret untouched then. */
enum err settings_read(const char *dir, struct agent_settings *ret, struct error *e) MUST_USE;
/* Appends agent.conf with every key commented out at its default. */
void settings_write_default(struct buf *out);

#endif
