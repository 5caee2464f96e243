/* Owns what people do at an agent: figures, confirming, policies, approving and forgetting
 * partners. Must not check anything: the ledger is told what was meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/boxes.h"
#include "agent/records.h"
#include "agent/sharing.h"
#include "ledger.h"
#include "sim.h"

static const char *const services[] = {"bed", "crisis", "night"};
#define SERVICES 3
#define ALL_SERVICES 0xffu /* "*": those to come too */

bool sim_service_shared(uint32_t bits, const char *code) {
    for (uint32_t s = 0; s < SERVICES; s++)
        if (strcmp(services[s], code) == 0)
            return bits & 1u << s;
    return false;
}

/* ---- one write ---- */

typedef enum err act(struct sim *sim, int i, void *ctx, struct error *e);

static void write_agent(struct sim *sim, int i, act *what, void *ctx, const char *name,
                        const struct ledger_truth *meant) {
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    sim_disk_arm(sim, &a->disk);
    sim_disk_fault(sim, &a->disk);
    enum err err = what(sim, i, ctx, &e);
    sim_disk_heal(&a->disk);
    bool crashed = sim_disk_disarm(&a->disk) || sim_hits(sim, sim->climate.crash / 4);
    sim_trace(sim, "%s %s: %s %.100s%s", a->name, name, error_name(err), err ? e.detail : "",
              crashed ? " (power goes)" : "");
    ledger_wrote(sim, i, meant, err, crashed && a->disk.crashed);
    sim->seen.writes += err == ERR_OK;
    if (err == ERR_OK)
        sim_disk_check(sim, &a->disk, watch_vfs_now(a->disk.vfs),
                       "an agent reports a write as done");
    if (crashed)
        sim_agent_crash(sim, i);
    else if (agent_dirty(a->agent))
        sim_agent_outbox(sim, i);
}

/* ---- figures ---- */

static enum err set_figures(struct sim *sim, int i, void *ctx, struct error *e) {
    static const char *const wards[] = {"", "north", "south"};
    static const char *const states[] = {"admitting", "consult", "full", "stopped"};
    char free_[16], occupied[16], held[16];
    struct record_pair pairs[4] = {
        {"free", free_}, {"occupied", occupied}, {"status", NULL}, {"held", held}};
    struct record stored;
    (void)ctx;
    snprintf(free_, sizeof free_, "%d", (int)prng_below(&sim->prng, 12));
    snprintf(occupied, sizeof occupied, "%d", (int)prng_below(&sim->prng, 40));
    snprintf(held, sizeof held, "%d", (int)prng_below(&sim->prng, 3));
    pairs[2].value = states[prng_below(&sim->prng, 4)];
    struct record_set set = {.site = sim->agents[i].name,
                             .service = services[prng_below(&sim->prng, SERVICES)],
                             .ward = wards[prng_below(&sim->prng, 3)],
                             .valid = prng_chance(&sim->prng, 300) ? "2h" : NULL,
                             .keep = prng_chance(&sim->prng, 200),
                             .pairs = pairs,
                             .pair_count = 1 + (size_t)prng_below(&sim->prng, 4),
                             .actor = "sim"};
    return records_set(sim->agents[i].agent, &set, sim_agent_clock(sim, i), &stored, e);
}

static enum err confirm(struct sim *sim, int i, void *ctx, struct error *e) {
    struct record_confirmed done;
    struct record_confirm what = {.all = prng_chance(&sim->prng, 500), .actor = "sim"};
    (void)ctx;
    return records_confirm(sim->agents[i].agent, &what, sim_agent_clock(sim, i), &done, e);
}

static enum err change_site(struct sim *sim, int i, void *ctx, struct error *e) {
    char phone[16];
    (void)ctx;
    snprintf(phone, sizeof phone, "020-%04d", (int)prng_below(&sim->prng, 10000));
    struct site_change change = {.phone = phone};
    return records_site_set(sim->agents[i].agent, sim->agents[i].name, &change, e);
}

/* ---- partners ---- */

static enum err approve(struct sim *sim, int i, void *ctx, struct error *e) {
    json_t *answer = NULL;
    enum err err = sharing_approve(sim->agents[i].agent, ctx, NULL, "sim", sim_agent_clock(sim, i),
                                   &answer, e);
    json_decref(answer);
    return err;
}

static enum err forget(struct sim *sim, int i, void *ctx, struct error *e) {
    json_t *answer = NULL;
    if (sim->mutation == MUTATION_FORGET_KEEPS_KEY)
        return ERR_OK;
    enum err err =
        sharing_forget(sim->agents[i].agent, ctx, "sim", sim_agent_clock(sim, i), &answer, e);
    json_decref(answer);
    if (!err)
        sim_mutate_forgotten(sim, i);
    return err;
}

static void change_partner(struct sim *sim, int i) {
    int other = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count);
    struct ledger_truth meant = *ledger_truth(sim, i);
    if (other == i)
        return;
    uint64_t bit = SIM_BIT(other);
    bool adds = !(meant.approved & bit) || prng_chance(&sim->prng, 300);
    meant.approved = adds ? meant.approved | bit : meant.approved & ~bit;
    char name[48];
    snprintf(name, sizeof name, "%s %s", adds ? "approves" : "forgets", sim->agents[other].name);
    write_agent(sim, i, adds ? approve : forget, sim->agents[other].name, name, &meant);
}

/* ---- policies ---- */

static void draw_policy(struct sim *sim, int i, struct ledger_policy *ret) {
    uint64_t everybody = SIM_BIT(sim->agent_count) - 1;
    bool by_service = prng_chance(&sim->prng, 500);
    *ret = (struct ledger_policy){.count = 1 + (size_t)prng_below(&sim->prng, 3)};
    uint64_t left = everybody | SIM_BIT(SIM_HUB);
    for (size_t n = 0; n < ret->count; n++) {
        struct ledger_audience *a = &ret->list[n];
        snprintf(a->name, sizeof a->name, "%c", (char)('a' + (int)n));
        snprintf(a->precision, sizeof a->precision, "%s",
                 prng_chance(&sim->prng, 650) ? "exact" : "band");
        uint64_t some = prng_next(&sim->prng) | prng_next(&sim->prng);
        a->members = (by_service ? everybody | SIM_BIT(SIM_HUB) : left) & some & ~SIM_BIT(i);
        left &= ~a->members;
        /* Per service a member stands in one audience at most. */
        a->services = by_service ? 1u << n : ALL_SERVICES;
    }
}

static json_t *policy_json(struct sim *sim, const struct ledger_policy *p) {
    json_t *list = json_array();
    for (size_t n = 0; n < p->count; n++) {
        const struct ledger_audience *a = &p->list[n];
        json_t *members = json_array(), *codes = json_array();
        for (int m = 0; m < sim->agent_count; m++)
            if (a->members & SIM_BIT(m))
                json_array_append_new(members, json_string(sim->agents[m].name));
        if (a->members & SIM_BIT(SIM_HUB))
            json_array_append_new(members, json_string("@hub"));
        for (uint32_t s = 0; s < SERVICES; s++)
            if (a->services != ALL_SERVICES && a->services & 1u << s)
                json_array_append_new(codes, json_string(services[s]));
        if (a->services == ALL_SERVICES)
            json_array_append_new(codes, json_string("*"));
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s, s:b}", "name", a->name,
                                              "members", members, "services", codes, "precision",
                                              a->precision, "history", (int)(a->services % 2)));
    }
    return json_pack("{s:o}", "audiences", list);
}

static enum err apply(struct sim *sim, int i, void *ctx, struct error *e) {
    json_t *answer = NULL;
    struct sharing_apply what = {.text = bytes_str(ctx), .actor = "sim"};
    enum err err = sharing_apply(sim->agents[i].agent, &what, sim_agent_clock(sim, i), &answer, e);
    json_decref(answer);
    return err;
}

static void apply_policy(struct sim *sim, int i, const struct ledger_policy *policy) {
    struct ledger_truth meant = *ledger_truth(sim, i);
    struct ledger_policy given = *policy;
    meant.policy = *policy;
    if (sim->mutation == MUTATION_WIDE_POLICY && given.count > 0)
        given.list[0].members |= SIM_BIT(prng_below(&sim->prng, (uint64_t)sim->agent_count));
    given.list[0].members &= ~SIM_BIT(i);
    json_t *json = policy_json(sim, &given);
    char *text = json_dumps(json, JSON_COMPACT);
    char name[160];
    snprintf(name, sizeof name, "applies %.120s", text);
    write_agent(sim, i, apply, text, name, &meant);
    free(text);
    json_decref(json);
}

/* ---- keys ---- */

static enum err renew(struct sim *sim, int i, void *ctx, struct error *e) {
    json_t *answer = NULL;
    (void)ctx;
    enum err err = boxes_renew(sim->agents[i].agent, sim_agent_clock(sim, i), &answer, e);
    json_decref(answer);
    return err;
}

/* ---- drawing ---- */

static bool ready(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    return a->agent && agent_joined(a->agent) && agent_charter(a->agent);
}

void sim_act_agent(struct sim *sim, int i) {
    struct ledger_policy policy;
    if (!ready(sim, i))
        return;
    const struct ledger_truth *same = ledger_truth(sim, i);
    uint64_t roll = prng_below(&sim->prng, 1000);
    if (roll < 550) {
        write_agent(sim, i, set_figures, NULL, "sets figures", same);
    } else if (roll < 650) {
        write_agent(sim, i, confirm, NULL, "confirms", same);
    } else if (roll < 680) {
        write_agent(sim, i, change_site, NULL, "changes its site", same);
    } else if (roll < 700) {
        write_agent(sim, i, renew, NULL, "renews its key", same);
    } else if (roll < 850) {
        change_partner(sim, i);
    } else {
        draw_policy(sim, i, &policy);
        apply_policy(sim, i, &policy);
    }
}

void sim_act_decide(struct sim *sim, int i) {
    struct ledger_policy policy;
    if (!ready(sim, i))
        return;
    if (prng_chance(&sim->prng, 400)) {
        change_partner(sim, i);
        return;
    }
    draw_policy(sim, i, &policy);
    apply_policy(sim, i, &policy);
}

void sim_act_first(struct sim *sim, int i) {
    struct ledger_policy policy;
    for (int n = 0; n < 3 && ready(sim, i); n++)
        write_agent(sim, i, set_figures, NULL, "sets figures", ledger_truth(sim, i));
    for (int other = 0; other < sim->agent_count && ready(sim, i); other++) {
        struct ledger_truth meant = *ledger_truth(sim, i);
        meant.approved |= SIM_BIT(other);
        if (other != i && prng_chance(&sim->prng, sim->climate.crowd ? 100 : 800))
            write_agent(sim, i, approve, sim->agents[other].name, "approves", &meant);
    }
    if (!ready(sim, i))
        return;
    draw_policy(sim, i, &policy);
    apply_policy(sim, i, &policy);
}

void sim_act_last(struct sim *sim, int i) {
    for (int n = 0; n < 2 && ready(sim, i); n++)
        write_agent(sim, i, set_figures, NULL, "sets figures", ledger_truth(sim, i));
}
