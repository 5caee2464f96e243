/* Owns the agent's alarms: what a person must know and act on, by code and subject, until it is
 * over. Must not decide what is alarming: the modules that see it do. */
#ifndef PLEK_AGENT_ALARM_H
#define PLEK_AGENT_ALARM_H

#include "agent.h"

/* The hub refuses us: the names are error_name's of the refusals. */
#define ALARM_SUSPENDED "suspended"
#define ALARM_REMOVED "removed"
#define ALARM_REVOKED "revoked"
/* The own feed is not what the hub holds. */
#define ALARM_AHEAD "ahead"           /* restored here, or another copy lives */
#define ALARM_FORKED "forked"         /* two signed entries share a place */
#define ALARM_HUB_BEHIND "hub-behind" /* the hub lost what it acknowledged: it is refilled */
#define ALARM_REJECTED "rejected"     /* by the hub; subject: the entry's incarnation/seq */
#define ALARM_OWN_DATA                                                                             \
    "own-data"              /* what an audience would see cannot be sealed; subject: its name */
#define ALARM_GRANT "grant" /* no key can be given to this agent of a partner */
#define ALARM_HUB_FEED "hub-feed"       /* the hub's feed was refused; subject: the error's name */
#define ALARM_PEER_FORKED "peer-forked" /* a partner signed two entries for one place */
#define ALARM_CLOCK "clock"             /* only listed: own clock over five minutes off the hub's */

/* Inserts, or replaces the detail; `since` stays that of the first time. subject "" when there is
 * only one. Inside a caller's db_begin: with the caller's commit. */
enum err alarm_raise(struct agent *a, const char *code, const char *subject, const char *detail,
                     int64_t now_ms, struct error *e) MUST_USE;
/* Nothing happens when it does not stand. */
enum err alarm_clear(struct agent *a, const char *code, const char *subject, struct error *e)
    MUST_USE;
enum err alarm_clear_all(struct agent *a, const char *code, struct error *e)
    MUST_USE; /* any subject */
enum err alarm_stands(struct agent *a, const char *code, bool *ret, struct error *e) MUST_USE;
/* Whether one stands that keeps the outbox from sending: ahead, forked, suspended, removed,
 * revoked. */
enum err alarm_stops_outbox(struct agent *a, bool *ret, struct error *e) MUST_USE;
/* [{"code","subject","detail","since"}], oldest first, with `clock` when now_ms is far off the
 * hub's. */
enum err alarm_list(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;

#endif
