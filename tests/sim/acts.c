/* Owns what happens to the network: operators' decisions, new members, broken lines, power cuts,
 * time. Must not check anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger.h"
#include "sim.h"

#define REMOVED_MAX 2

/* ---- members ---- */

static bool make_agent(struct sim *sim, const char *name, enum role role, const char *uri) {
    int i = sim->agent_count;
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    struct entropy entropy = sim_entropy(sim);
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(a->uri, sizeof a->uri, "%s", uri);
    snprintf(a->disk.dir, sizeof a->disk.dir, "%.400s/a%d", sim->root, i);
    a->role = role;
    if (sim->climate.skewed && prng_chance(&sim->prng, 500))
        a->skew_ms = prng_between(&sim->prng, -SIM_DAY_MS, SIM_DAY_MS / 2);
    if (agent_init(a->disk.dir, bytes_of(NULL, 0), &entropy, sim->now_ms, &e) != ERR_OK) {
        sim_fail(sim, "%s cannot be made: %s", name, e.detail);
        return false;
    }
    sim->agent_count++;
    return sim_agent_start(sim, i);
}

bool sim_invite(struct sim *sim, enum role role) {
    char name[16];
    json_t *answer = NULL;
    if (sim->agent_count == SIM_MAX_AGENTS || !sim->hub.hub)
        return false;
    snprintf(name, sizeof name, "m%d", sim->name_count++);
    json_int_t expires_ms = sim->now_ms + 60 * SIM_DAY_MS;
    json_t *body = json_pack("{s:s, s:s, s:s, s:I}", "name", name, "role", role_name(role),
                             "address", "ws://hub.example:1", "expires_ms", expires_ms);
    enum err err = sim_hub_call(sim, API_POST, "/v1/invitations", body, &answer);
    sim_trace(sim, "invite %s: %s", name, error_name(err));
    const char *uri = err ? NULL : json_string_value(json_object_get(answer, "uri"));
    bool made = uri && make_agent(sim, name, role, uri);
    json_decref(answer);
    return made;
}

static int count_state(struct sim *sim, enum member_state state) {
    const struct directory *d = hub_directory(sim->hub.hub);
    int count = 0;
    for (size_t i = 0; i < directory_member_count(d); i++)
        count += directory_member_at(d, i)->state == state;
    return count;
}

static void change_member(struct sim *sim) {
    const struct directory *d = hub_directory(sim->hub.hub);
    size_t members = directory_member_count(d);
    json_t *answer = NULL;
    if (members == 0)
        return;
    const struct member *m = directory_member_at(d, (size_t)prng_below(&sim->prng, members));
    bool enough = count_state(sim, MEMBER_ADMITTED) > 2;
    const char *verb = m->state == MEMBER_SUSPENDED ? "resume" : "suspend";
    if (prng_chance(&sim->prng, 150) && count_state(sim, MEMBER_REMOVED) < REMOVED_MAX)
        verb = "remove";
    if (m->state == MEMBER_REMOVED || (!enough && m->state == MEMBER_ADMITTED))
        return;
    char path[128];
    snprintf(path, sizeof path, "/v1/members/%s/%s", m->name, verb);
    sim_trace(sim, "%s %s", verb, m->name);
    enum err err = sim_hub_call(sim, API_POST, path, json_object(), &answer);
    if (err)
        sim_trace(sim, "%s: %s", verb, error_name(err));
    json_decref(answer);
}

/* ---- the charter ---- */

static const char service_json[] =
    "{\"code\":\"%s\",\"label\":{\"en\":\"%s\"},\"definition\":{\"en\":\"A place that can be used "
    "today.\"},\"unit\":\"bed\",\"decimals\":0,\"validity\":\"%s\",\"attributes\":[]}";

/* The third service comes and goes. */
void sim_publish_charter(struct sim *sim) {
    struct buf text;
    json_t *answer = NULL;
    int n = sim->hub.charter_step++;
    static const char *const codes[] = {"bed", "crisis", "night"};
    buf_init(&text, CHARTER_MAX_BYTES);
    buf_printf(&text,
               "{\"format\":1,\"name\":\"Sim %d\",\"purpose\":{\"en\":\"To be tried.\"},"
               "\"time_zone\":\"Europe/Amsterdam\",\"k\":%d,\"longest_validity\":\"7d\","
               "\"keep_days\":%d,\"services\":[",
               n, 3 + n % 2, 35);
    for (int s = 0; s < (n % 2 ? 3 : 2); s++) {
        if (s > 0)
            buf_append_str(&text, ",");
        buf_printf(&text, service_json, codes[s], codes[s], n % 3 ? "24h" : "12h");
    }
    buf_append_str(&text, "]}");
    json_t *body = json_pack("{s:s}", "text", buf_text(&text));
    enum err err = sim_hub_call(sim, API_POST, "/v1/charter", body, &answer);
    sim_trace(sim, "charter %d: %s", n, error_name(err));
    if (err && err != ERR_UNAVAILABLE && err != ERR_DISK_FULL && err != ERR_STORE)
        sim_fail(sim, "the charter is refused: %s", buf_text(&text));
    json_decref(answer);
    buf_done(&text);
}

/* ---- the world ---- */

static void break_line(struct sim *sim) {
    size_t count = 0;
    for (struct sim_conn *c = sim->conns; c; c = c->next)
        count++;
    if (count == 0)
        return;
    struct sim_conn *c = sim->conns;
    for (size_t n = (size_t)prng_below(&sim->prng, count); n > 0; n--)
        c = c->next;
    sim_trace(sim, "line of %s breaks", sim_name(sim, c->agent));
    sim_conn_cut(sim, c);
}

static void go_offline(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    a->offline = !a->offline;
    sim_trace(sim, "%s %s", a->name, a->offline ? "offline" : "online");
    struct sim_conn *c = sim_conn_find(sim, a->conn);
    if (a->offline && c)
        sim_conn_cut(sim, c);
    if (!a->offline)
        sim_agent_connect_soon(sim, i, 0);
}

/* In the middle of whatever is under way. */
static void on_amid(struct sim *sim, const struct sim_event *event) {
    int i = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count);
    (void)event;
    sim_trace(sim, "amid all that:");
    if (prng_chance(&sim->prng, 500))
        sim_act_decide(sim, i);
    else if (sim->hub.hub)
        change_member(sim);
}

/* Somebody sets a clock, or a machine woke up with another one. */
static void jump_clock(struct sim *sim, int i) {
    int64_t by_ms = prng_between(&sim->prng, -SIM_DAY_MS / 2, SIM_DAY_MS / 2);
    int64_t *skew = prng_chance(&sim->prng, 300) ? &sim->hub.skew_ms : &sim->agents[i].skew_ms;
    *skew = prng_chance(&sim->prng, 300) ? 0 : by_ms;
    sim_trace(sim, "the clock of %s jumps to %+lld ms",
              skew == &sim->hub.skew_ms ? "the hub" : sim->agents[i].name, (long long)*skew);
    if (skew != &sim->hub.skew_ms && sim->agents[i].agent)
        sim_agent_outbox(sim, i);
}

static void pass_time(struct sim *sim) {
    static const int64_t most[] = {2000, 120000, 7200000, SIM_DAY_MS, 8 * SIM_DAY_MS};
    static const unsigned odds[] = {400, 750, 900, 980, 1000};
    uint64_t roll = prng_below(&sim->prng, 1000);
    size_t i = 0;
    while (roll >= odds[i])
        i++;
    int64_t until_ms = sim->now_ms + prng_between(&sim->prng, 0, most[i]);
    if (sim_hits(sim, sim->climate.amid))
        sim_schedule(sim, prng_between(&sim->prng, 0, until_ms - sim->now_ms), SIM_HUB, on_amid);
    sim_run_until(sim, until_ms);
}

static void crash_one(struct sim *sim) {
    int node = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count + 1);
    if (sim->climate.crash == 0)
        return;
    if (node == sim->agent_count)
        sim_hub_crash(sim);
    else
        sim_agent_crash(sim, node);
}

void sim_act(struct sim *sim) {
    uint64_t roll = prng_below(&sim->prng, 1000);
    int i = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count);
    if (roll < 640)
        sim_act_agent(sim, i);
    else if (roll < 690 && sim->hub.hub)
        change_member(sim);
    else if (roll < 720 && sim->hub.hub)
        sim_publish_charter(sim);
    else if (roll < 745)
        sim_invite(sim, prng_chance(&sim->prng, 800) ? ROLE_PROVIDER : ROLE_OBSERVER);
    else if (roll < 805)
        break_line(sim);
    else if (roll < 865)
        go_offline(sim, i);
    else if (roll < 925)
        crash_one(sim);
    else if (roll < 965 && sim->climate.skewed)
        jump_clock(sim, i);
    if (!sim->failed)
        pass_time(sim);
}
