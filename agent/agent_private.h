/* Owns what agent.c, agent_open.c and join.c share: the agent's fields.
 * Must not be included by anything else: other modules use agent.h. */
#ifndef PLEK_AGENT_PRIVATE_H
#define PLEK_AGENT_PRIVATE_H

#include "agent.h"
#include "boxes.h"
#include "files.h"

#define AGENT_DB "agent.db"
#define AGENT_UNFINISHED "init.unfinished" /* stands while init is at work */

/* The network row; id 0: no join began. join and cert are owned. */
struct agent_network {
    int64_t id;
    struct public_key key, member;
    char address[INVITE_ADDRESS_MAX];
    uint8_t *join, *cert;
    size_t join_len, cert_len;
    bool joined;
};

struct agent {
    char dir[FILES_PATH_MAX];
    struct agent_settings settings;
    struct entropy entropy;
    struct db *db;
    struct access *access;
    struct sign_pair keys;
    struct boxes boxes;
    struct agent_network network;
    struct directory *directory;
    struct policy *policy;
    uint32_t policy_version;
    bool stale; /* memory may be ahead of the store */
    bool dirty;
    bool ask_again;     /* history is missing that this session was not asked for */
    int64_t hole_asked; /* series.h; of the session filled last */
    unsigned events;
    struct agent_connection connection;
    struct import_sessions *import_sessions; /* NULL: none began */
};

void agent_network_done(struct agent_network *n);

#endif
