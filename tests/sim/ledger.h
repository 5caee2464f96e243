/* Owns the truth beside the product: what was promised to whom, what each entry said when it was
 * sealed and who was allowed to read it, what each agent was told to keep. Every check of the
 * simulator is against this. Must not change anything in the product's stores. */
#ifndef PLEK_SIM_LEDGER_H
#define PLEK_SIM_LEDGER_H

#include "sim.h"

#define LEDGER_MAX_AUDIENCES 4

/* A policy as the simulator meant it. Bits of members are agents' numbers, SIM_HUB for the hub;
 * bits of services their place in acts.h's list. */
struct ledger_audience {
    char name[16], precision[16];
    uint64_t members;
    uint32_t services;
};
struct ledger_policy {
    size_t count;
    struct ledger_audience list[LEDGER_MAX_AUDIENCES];
};

/* What an agent was told to keep. */
struct ledger_truth {
    uint64_t rows; /* digest of its own tables */
    struct ledger_policy policy;
    uint64_t approved;
};

void ledger_open(struct sim *sim);
void ledger_free(struct sim *sim);
/* Before its database is closed: the ledger's own queries there end. */
void ledger_agent_closes(struct sim *sim, int agent);
void ledger_hub_closes(struct sim *sim);

/* ---- the hub ---- */
/* The hub answered that it holds this. */
void ledger_told(struct sim *sim, int agent, const struct head *head);
void ledger_hub_told(struct sim *sim); /* a route succeeded: its feed as it is now */
void ledger_hub_restarted(struct sim *sim);
void ledger_hub_no_sync(struct sim *sim); /* for MUTATION_HUB_NO_SYNC */
/* The log's new entries, and what the hub opened of its own audience. */
void ledger_check_hub(struct sim *sim);

/* ---- an agent's own tables ---- */
const struct ledger_truth *ledger_truth(struct sim *sim, int agent);
/* Before and after something that writes: `meant` is what is right when it succeeds. `crashed`: the
 * power went meanwhile, so that either may be found. */
void ledger_wrote(struct sim *sim, int agent, const struct ledger_truth *meant, enum err code,
                  bool crashed);
void ledger_agent_restarted(struct sim *sim, int agent);
void ledger_agent_no_sync(struct sim *sim, int agent);

/* ---- what leaves ---- */
/* An entry was sealed, in a transaction that is still open. */
void ledger_sealed(struct sim *sim, int agent, struct bytes bytes);
/* Entries that neither left nor stand in the agent's store never were. */
void ledger_forget_unsent(struct sim *sim, int agent);
/* The session machine was given it: from here on there is no other entry in its place. */
void ledger_sent(struct sim *sim, int agent, const struct head *head);

/* ---- what arrives ---- */
/* Every picture and key of a reader against what was sealed. */
void ledger_check_reader(struct sim *sim, int reader);
/* After each step, of all readers and the hub: no key and no figure that policy did not allow when
 * it was granted or sealed, and none finer than its precision then. */
void ledger_check_allowed(struct sim *sim);
/* At the end, after the network healed. */
void ledger_check_convergence(struct sim *sim);

#endif
