/* Owns what runs while the agent runs: one libuv loop with the link to the hub, the local API and
 * signals. Must not decide anything of the domain. */
#ifndef PLEK_AGENT_DAEMON_H
#define PLEK_AGENT_DAEMON_H

#include "agent.h"

struct daemon;
struct daemon_options {
    const char *dir;
    bool serve;     /* listens on DIR/api.sock and for browsers; the agent must have joined */
    const char *ca; /* these instead of the settings'; NULL: the settings' */
    const char *web_listen;
    const char *web_root, *web_shared; /* files of the screens while somebody works on them */
};
/* Takes DIR/lock, opens the agent. ERR_NOT_JOINED, ERR_LOCKED, ERR_NO_INPUT, ERR_CONFIG, ... */
enum err daemon_open(const struct daemon_options *options, struct daemon **ret, struct error *e)
    MUST_USE;
/* "http://127.0.0.1:7536", or "off". */
const char *daemon_web_address(const struct daemon *d);
void daemon_close(struct daemon *d); /* accepts NULL */
struct agent *daemon_agent(struct daemon *d);
/* Until SIGTERM or SIGINT, or for timeout_ms (0: no limit). */
void daemon_run(struct daemon *d, int64_t timeout_ms);
/* Connects until the admission is verified and stored. ERR_TIMEOUT, or what the hub refused with:
 * ERR_INVITE_USED, ERR_INVITE_EXPIRED, ... */
enum err daemon_join(struct daemon *d, int64_t timeout_ms, struct error *e) MUST_USE;

#endif
