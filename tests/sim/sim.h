/* Owns what the simulator's files share: one world of a hub, its agents, a network between them,
 * and time. One thread; everything that happens is an event drawn from one seed. Must not hold any
 * rule of the product: what is right stands in ledger.h and check.h. */
#ifndef PLEK_SIM_H
#define PLEK_SIM_H

#include <stdarg.h>

#include "agent/agent.h"
#include "hub/hub.h"
#include "prng.h"
#include "vfs/watch_vfs.h"

#define SIM_MAX_AGENTS 50
#define SIM_HUB SIM_MAX_AGENTS /* the hub's number among readers */
#define SIM_READERS (SIM_MAX_AGENTS + 1)
#define SIM_BIT(n) (UINT64_C(1) << (n)) /* of readers and agents */
#define SIM_PATH_MAX 512
#define SIM_WORKERS 2
#define SIM_TRACE_LINES 80
#define SIM_TRACE_SIZE 200
#define SIM_START_MS INT64_C(1772438400000) /* 2026-03-02T08:00:00Z */
#define SIM_DAY_MS INT64_C(86400000)

/* Ways to break the shells on purpose: each must be found by some seed. */
struct sim;
struct sim_event;

enum sim_mutation {
    MUTATION_NONE,
    MUTATION_ACK_BEFORE_COMMIT,  /* the hub answers, then commits */
    MUTATION_SEND_BEFORE_COMMIT, /* the agent sends what it signed, then commits */
    MUTATION_HUB_NO_SYNC,        /* synchronous=OFF */
    MUTATION_AGENT_NO_SYNC,
    MUTATION_NO_VERIFY,        /* the hub's workers let every signature pass */
    MUTATION_LOST_TAKE,        /* a delivered excerpt is called stored and is not */
    MUTATION_FORGET_KEEPS_KEY, /* a partner who was forgotten stays approved at the agent */
    MUTATION_NO_REKEY,         /* a leave does not change the key */
    MUTATION_OLD_KEY,          /* a key never grows old */
    MUTATION_OLD_PICTURE,      /* an older state takes a newer one's place */
    MUTATION_PAINTED_PICTURE,  /* a picture says something else than its author did */
    MUTATION_WRONG_SUM,        /* the aggregate leaves something out */
    MUTATION_WIDE_POLICY,      /* the agent is given a policy with one member too many */
    MUTATION_OPEN_CHANNEL,     /* a message changed on its way reaches the machines repaired */
    MUTATION_NO_NEWS,          /* the hub tells nobody that something is waiting */
    MUTATION_STRAY_KEY,        /* a reader holds a key that was granted to others */
    MUTATION_FINER_FIGURE,     /* a reader holds a figure that its author gave a band of */
    MUTATION_STRAY_PICTURE,    /* a reader holds a picture that was sealed for others */
    MUTATION_EARLIER_PICTURE,  /* a newcomer holds what was sealed before the newest state */
    MUTATION_BUSY_READS,       /* an agent reads on while its store is at work */
    MUTATION_COUNT
};
extern const char *const sim_mutation_names[MUTATION_COUNT];

/* ---- the network ---- */

enum sim_side { SIDE_HUB, SIDE_AGENT };

struct sim_message {
    struct sim_message *next;
    struct blob *data; /* NULL: the sender closed in good order */
    uint64_t number;   /* in the order the sender gave them; UINT64_MAX: an invention */
    bool altered;
    int64_t due_ms;
};
/* One direction of a connection: whole messages, in order. */
struct sim_way {
    struct sim_message *first, *last;
    size_t bytes;
    uint64_t given, expected;
    bool tainted; /* something else than what was given was delivered */
    bool first_tainted;
    bool scheduled;
};
/* A message kept by somebody in the middle: said again in its own place it alters nothing. */
struct sim_old {
    struct blob *data;
    uint64_t conn;
    enum sim_side to;
    uint64_t number;
};
struct sim_conn {
    struct sim_conn *next;
    uint64_t id;
    int agent;
    bool cut, hostile;
    struct sim_way to[2]; /* by receiving side */
    /* the hub's end */
    bool hub_open, current; /* current: the newest established one of its agent */
    struct hub_session *hub_session;
    struct public_key key; /* when current */
    /* the agent's end */
    bool agent_open, established;
    struct agent_session *agent_session;
};

/* ---- nodes ---- */

/* What hub and agents have in common: a directory on a disk that forgets what was not synced. */
struct sim_disk {
    char dir[SIM_PATH_MAX];
    char vfs_name[32];
    struct watch_vfs *vfs;
    int generation;
    /* A power cut at a sync to come. */
    int crash_at; /* that many syncs from now; 0: none */
    bool crashed; /* the image stands in next_dir; what the process does from there on never was */
    uint64_t crash_seed;
    char next_dir[SIM_PATH_MAX];
};

enum sim_job_kind { JOB_GREET, JOB_ACCEPT, JOB_LOAD, JOB_NOTE, JOB_NEWS };
struct sim_job {
    struct sim_job *next;
    enum sim_job_kind kind;
    uint64_t conn, req;
    struct blob *data, *hub_hello;
    struct public_key agent;
    bool committed;          /* the group it stood in */
    uint64_t moment;         /* of the disk, right after that */
    bool connected, suspect; /* suspect: of a connection where something was altered before */
    struct cursors cursors;
    size_t max_bytes;
    struct agent_hello hello;
    struct entry *entry;
    enum err code;
    struct error error;
    struct greeting greeting;
    struct head entry_head, head;
    struct page page;
    struct hub_news news;
};
struct sim_queue {
    struct sim_job *first, *last;
    size_t count;
};

struct sim_hub {
    struct sim_disk disk;
    struct hub *hub; /* NULL: down */
    uint64_t epoch;
    struct sim_queue verify[SIM_WORKERS], store, done;
    bool keep_scheduled, done_scheduled, idle_scheduled, verify_scheduled[SIM_WORKERS];
    struct public_key network;
    struct box_pair box;
    int charter_step;
    int64_t skew_ms; /* its clock minus the true time */
};

/* One store effect of an agent and its result. */
struct sim_step {
    uint64_t conn;
    struct agent_effect effect;
    enum err code;
    struct blob *entry;
    struct head head;
};
#define SIM_BATCH_MAX 500

struct sim_agent {
    struct sim_disk disk;
    struct agent *agent; /* NULL: down, or not there yet */
    char name[32];
    enum role role;
    uint64_t epoch;
    uint64_t conn; /* 0: none */
    bool offline;  /* cut off from the network */
    bool refused;  /* by the hub's signed word, the last time */
    int64_t retry_ms;
    int64_t skew_ms; /* its clock minus the true time */
    struct sim_step steps[SIM_BATCH_MAX];
    size_t step_count;
    bool batch_scheduled, connect_scheduled;
    uint64_t outbox_event;
    struct public_key key, member;
    bool known; /* key and member are set: the join began */
    char uri[INVITE_URI_MAX];
    struct blob *kept_state; /* for MUTATION_OLD_PICTURE */
};

/* ---- the world ---- */

/* How this seed treats its world; permille unless said otherwise. */
struct sim_climate {
    int64_t slow_ms;     /* the longest a message travels */
    int64_t store_ms;    /* the longest a store takes */
    bool any_order;      /* completions in any order */
    unsigned cut;        /* a connection breaks, per message */
    unsigned hostile;    /* a connection has somebody in its middle */
    unsigned forge;      /* an agent pushes damaged bytes, per entry */
    unsigned crash;      /* a node loses power, per group of effects */
    unsigned disk_fault; /* a write or sync fails, per group of effects */
    unsigned dishonest;  /* the hub hands out changed or old excerpts, per page */
    bool skewed;         /* clocks are wrong, and jump */
    bool crowd;          /* up to 50 agents */
    size_t queue;        /* of the hub: beyond so many jobs it stops reading; 0: any */
    size_t batch;        /* of an agent: so many store effects wait at most */
    unsigned amid;       /* somebody is removed or shown less in the middle of it, per step */
};

struct sim_event {
    int64_t at_ms;
    uint64_t tie;
    uint64_t number;
    void (*run)(struct sim *sim, const struct sim_event *event);
    int node;       /* an agent's number or SIM_HUB */
    uint64_t epoch; /* of that node: events of a process that is gone do not happen */
    uint64_t conn;
    struct sim_step *step; /* owned by the event */
    int worker;
};

struct ledger;

struct sim {
    uint64_t seed;
    struct prng prng;
    struct entropy entropy;
    int64_t now_ms;
    int step;
    bool verbose, calm; /* calm: nothing breaks any more */
    bool watch_sync;    /* what is reported as done must be durable by then */
    enum sim_mutation mutation;
    struct sim_climate climate;
    char root[SIM_PATH_MAX];
    struct sim_hub hub;
    struct sim_agent agents[SIM_MAX_AGENTS];
    int agent_count, name_count;
    struct sim_conn *conns;
    uint64_t next_conn;
    struct sim_old old; /* something that was said before, to say again */
    struct blob *old_excerpt;
    struct sim_event *events; /* a heap */
    size_t event_count, event_cap;
    uint64_t next_event;
    struct ledger *ledger;
    bool failed;
    char failure[1024];
    uint64_t digest; /* over the trace: the same seed, the same digest */
    char trace[SIM_TRACE_LINES][SIM_TRACE_SIZE];
    uint64_t trace_count;
    struct {
        uint64_t events, entries, takes, crashes, cuts, altered, faults, joins, checks, views, acks,
            writes;
    } seen;
};

/* world.c */
void sim_trace(struct sim *sim, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The first failure ends the run. */
void sim_fail(struct sim *sim, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct sim_event *sim_schedule(struct sim *sim, int64_t in_ms, int node,
                               void (*run)(struct sim *sim, const struct sim_event *event));
/* Lets everything happen until then, or until the world fails. */
void sim_run_until(struct sim *sim, int64_t at_ms);
/* A delay of 0 .. most, short ones more often. */
int64_t sim_delay(struct sim *sim, int64_t most_ms);
uint64_t sim_epoch(const struct sim *sim, int node);
const char *sim_name(const struct sim *sim, int node);
bool sim_hits(struct sim *sim, unsigned permille); /* never in calm */
/* The event's process is gone. */
bool sim_stale(const struct sim *sim, const struct sim_event *event);

/* disk.c */
enum err sim_disk_open(struct sim *sim, struct sim_disk *disk, int node, struct error *e) MUST_USE;
void sim_disk_done(struct sim_disk *disk);                 /* after the database was closed */
void sim_disk_arm(struct sim *sim, struct sim_disk *disk); /* maybe a power cut at a sync to come */
bool sim_disk_disarm(struct sim_disk *disk);               /* true: it came */
void sim_disk_fault(struct sim *sim, struct sim_disk *disk);
void sim_disk_heal(struct sim_disk *disk);
/* Takes the image now unless one was taken, and makes it the directory. Close the database between
 * sim_disk_cut and sim_disk_swap. */
void sim_disk_cut(struct sim *sim, struct sim_disk *disk);
void sim_disk_swap(struct sim *sim, struct sim_disk *disk);
/* With watch_sync: fails the world unless everything written up to then is durable. */
void sim_disk_check(struct sim *sim, const struct sim_disk *disk, uint64_t moment,
                    const char *what);
void sim_remove_tree(const char *dir);
struct entropy sim_entropy(struct sim *sim);

/* net.c */
struct sim_conn *sim_conn_open(struct sim *sim, int agent);
struct sim_conn *sim_conn_find(struct sim *sim, uint64_t id);
void sim_conn_send(struct sim *sim, struct sim_conn *c, enum sim_side from, struct blob *take_data);
/* That end is gone; queued messages still go out when in good order. */
void sim_conn_leave(struct sim *sim, struct sim_conn *c, enum sim_side side, bool orderly);
/* An end closes. Where nobody meddled it may not blame the other for what it sent. */
void sim_check_close(struct sim *sim, const struct sim_conn *c, enum err code, const char *reason);
/* The line breaks; both ends learn it in their own time. */
void sim_conn_cut(struct sim *sim, struct sim_conn *c);
void sim_net_free(struct sim *sim);

/* hub_node.c */
bool sim_hub_start(struct sim *sim);
void sim_hub_stop(struct sim *sim); /* at the end of the world */
void sim_hub_crash(struct sim *sim);
void sim_hub_accept(struct sim *sim, struct sim_conn *c);
void sim_hub_receive(struct sim *sim, struct sim_conn *c, struct bytes message);
void sim_hub_ended(struct sim *sim, struct sim_conn *c);
void sim_hub_queued(struct sim *sim, struct sim_conn *c);
int64_t sim_hub_clock(const struct sim *sim);
bool sim_hub_full(const struct sim *sim); /* it reads nothing until something is answered */
void sim_hub_drop(struct sim *sim, struct sim_conn *c); /* the end's memory, nothing else */
/* The store thread runs a route; the caller owns *ret. */
enum err sim_hub_call(struct sim *sim, enum api_method method, const char *path, json_t *take_body,
                      json_t **ret);
/* keeper_node.c */
void sim_hub_submit(struct sim *sim, struct sim_job *take_job);
void sim_hub_forget_jobs(struct sim *sim);
void sim_hub_publish_news(struct sim *sim);
void sim_hub_finish(struct sim *sim, struct sim_job *job); /* hub_node.c: on the network thread */
void sim_job_free(struct sim_job *job);

/* agent_node.c */
bool sim_agent_start(struct sim *sim, int i);
void sim_agent_stop(struct sim *sim, int i);
void sim_agent_crash(struct sim *sim, int i);
void sim_agent_connect_soon(struct sim *sim, int i, int64_t in_ms);
void sim_agent_receive(struct sim *sim, struct sim_conn *c, struct bytes message);
void sim_agent_ended(struct sim *sim, struct sim_conn *c);
void sim_agent_queued(struct sim *sim, struct sim_conn *c);
/* Its loop reads nothing until its store is through with what it has. */
bool sim_agent_full(const struct sim *sim, const struct sim_conn *c);
void sim_agent_drop(struct sim *sim, struct sim_conn *c);
void sim_agent_outbox(struct sim *sim, int i); /* after something was written */
void sim_agent_pump(struct sim *sim, struct sim_conn *c);
void sim_agent_over(struct sim *sim, struct sim_conn *c);
void sim_agent_note(struct sim *sim, int i); /* keys, once the join began */
int64_t sim_agent_clock(const struct sim *sim, int i);
/* batch_node.c: the agent's store effects */
void sim_agent_add_step(struct sim *sim, int i, struct sim_conn *c, struct agent_effect *effect);
void sim_agent_forget_steps(struct sim *sim, int i);
void sim_agent_flush(struct sim *sim, int i);
void sim_agent_free_result(struct sim_event *event); /* of an event that never came */

/* acts.c: what people do; acts_agent.c: at an agent */
void sim_act(struct sim *sim);
void sim_act_decide(struct sim *sim, int i); /* fewer may see less: a partner, or a policy */
void sim_act_agent(struct sim *sim, int i);
void sim_act_first(struct sim *sim, int i); /* figures, approvals and a policy to begin with */
void sim_act_last(struct sim *sim, int i);  /* figures that are fresh at the end */
bool sim_invite(struct sim *sim, enum role role);
void sim_publish_charter(struct sim *sim);
bool sim_service_shared(uint32_t services, const char *code);
/* mutate.c: the mutations that need the databases */
void sim_mutate_before_batch(struct sim *sim, int i);
void sim_mutate_forgotten(struct sim *sim, int i);
void sim_mutate_before_take(struct sim *sim, int i, struct sim_step *step);
void sim_mutate_after_take(struct sim *sim, int i, const struct sim_step *step);
void sim_mutate_before_sums(struct sim *sim);
void sim_mutate_after_step(struct sim *sim);

/* run.c */
struct sim_options {
    uint64_t seed;
    int steps;
    bool verbose;
    bool watch_sync; /* quiet weather, and every answer is held against the disk */
    enum sim_mutation mutation;
};
struct sim_result {
    bool failed;
    char failure[1024];
    uint64_t digest, events, entries, takes, crashes, cuts, altered, faults, joins, checks, views,
        acks, writes;
};
/* One world from its seed; the trace's end goes to stderr when it fails and `loud`. */
void sim_run(const struct sim_options *options, bool loud, struct sim_result *ret);

#endif
