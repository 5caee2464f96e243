/* Owns what runs while the agent runs: one libuv loop with the link to the hub, the local API and
 * signals. Must not decide anything of the domain. */
#ifndef PLEK_AGENT_DAEMON_H
#define PLEK_AGENT_DAEMON_H

#include "agent.h"

struct daemon;
/* Takes DIR/lock, opens the agent; `serve`: also listens on DIR/api.sock and requires that the
 * agent has joined (ERR_NOT_JOINED). `ca`: instead of the settings' (NULL: those). ERR_LOCKED,
 * ERR_NO_INPUT, ERR_CONFIG, ... */
enum err daemon_open(const char *dir, bool serve, const char *ca, struct daemon **ret,
                     struct error *e) MUST_USE;
void daemon_close(struct daemon *d); /* accepts NULL */
struct agent *daemon_agent(struct daemon *d);
/* Until SIGTERM or SIGINT, or for timeout_ms (0: no limit). */
void daemon_run(struct daemon *d, int64_t timeout_ms);
/* Connects until the admission is verified and stored. ERR_TIMEOUT, or what the hub refused with:
 * ERR_INVITE_USED, ERR_INVITE_EXPIRED, ... */
enum err daemon_join(struct daemon *d, int64_t timeout_ms, struct error *e) MUST_USE;

#endif
