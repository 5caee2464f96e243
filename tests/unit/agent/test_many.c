/* Tests one audience of 2,000 recipients, and as many audiences as a policy may have: how often
 * their keys are granted, to whom, and that an update stays one view for each audience. */
#include <sodium.h>

#include "outbox.h"
#include "sharing.h"
#include "snapshot.h"
#include "unit/agent/world.h"

#define MANY 2000
#define AUDIENCES 64
#define POLICY_MAX ((size_t)MANY * 32)

/* Members without an agent of their own here: only their keys count. */
struct recipient {
    struct sign_pair agent;
    struct box_pair box;
};
struct many {
    struct world w;
    struct recipient recipients[MANY];
};

static void make_pair(struct many *m, struct sign_pair *ret) {
    uint8_t seed[SEED_LEN];
    entropy_fill(&m->w.entropy, seed, sizeof seed);
    sign_pair_from_seed(ret, seed);
}

static void hub_says(struct many *m, uint32_t kind, struct buf *take_content) {
    world_hub_entry(&m->w, kind, buf_bytes(take_content));
    buf_done(take_content);
}

static void admit(struct many *m, int number) {
    struct error e = {0};
    struct recipient *r = &m->recipients[number];
    struct sign_pair invite, member;
    struct buf cert, join, content;
    uint8_t seed[SEED_LEN];
    make_pair(m, &invite);
    make_pair(m, &member);
    make_pair(m, &r->agent);
    entropy_fill(&m->w.entropy, seed, sizeof seed);
    box_pair_from_seed(&r->box, seed);
    char name[NAME_MAX_BYTES + 1];
    snprintf(name, sizeof name, "M%d", number);
    struct invitation invitation = {.invite = invite.pub,
                                    .name = name,
                                    .role = ROLE_PROVIDER,
                                    .expires_ms = m->w.now_ms + WORLD_DAY};
    struct cert who = {.network = m->w.hub.pub,
                       .member = member.pub,
                       .agent = r->agent.pub,
                       .box = r->box.pub,
                       .serial = 1,
                       .not_after_ms = m->w.now_ms + 365 * WORLD_DAY,
                       .label = "many"};
    struct hash next = hash_blake2b(bytes_of(member.pub.b, KEY_LEN));
    buf_init(&content, ENTRY_MAX_BYTES);
    RUN_OK(event_invited(&invitation, &content, &e));
    hub_says(m, ENTRY_HUB_INVITED, &content);
    buf_init(&cert, CERT_MAX_BYTES);
    buf_init(&join, JOIN_MAX_BYTES);
    buf_init(&content, ENTRY_MAX_BYTES);
    RUN_OK(cert_issue(&who, &member, &r->agent, &cert, &e));
    RUN_OK(
        join_build(&m->w.hub.pub, &invite, &member, &next, &r->agent, buf_bytes(&cert), &join, &e));
    RUN_OK(event_admitted(buf_bytes(&join), &content, &e));
    hub_says(m, ENTRY_HUB_ADMITTED, &content);
    buf_done(&cert);
    buf_done(&join);
}

static void approve_all(struct many *m) {
    struct error e = {0};
    struct agent *a = m->w.agents[0].agent;
    char name[16];
    RUN_OK(db_begin(agent_db(a), &e));
    for (int i = 0; i < MANY; i++) {
        json_t *answer = NULL;
        snprintf(name, sizeof name, "M%d", i);
        RUN_OK(sharing_approve(a, name, NULL, "test", m->w.now_ms, &answer, &e));
        json_decref(answer);
    }
    RUN_OK(db_commit(agent_db(a), &e));
}

static struct many *many_new(void) {
    struct error e = {0};
    struct many *m = calloc(1, sizeof *m);
    cr_assert(m);
    world_init(&m->w, NULL);
    world_add(&m->w, "A", ROLE_PROVIDER, NULL);
    for (int i = 0; i < MANY; i++)
        admit(m, i);
    /* One transaction: 4,000 entries of the hub's feed. */
    RUN_OK(db_begin(agent_db(m->w.agents[0].agent), &e));
    world_feed(&m->w, 0);
    RUN_OK(db_commit(agent_db(m->w.agents[0].agent), &e));
    approve_all(m);
    world_set(&m->w, 0, "bed", NULL, "total=10 free=4 status=admitting");
    return m;
}

static void many_free(struct many *m) {
    world_done(&m->w);
    free(m);
}

/* `count` audiences of `each` members; `left_out`: one who is in none, or -1. */
static enum err apply(struct many *m, int count, int each, int left_out, struct error *e) {
    struct buf text;
    json_t *answer = NULL;
    buf_init(&text, POLICY_MAX);
    buf_append_str(&text, "{\"audiences\":[");
    for (int i = 0; i < count; i++) {
        const char *comma = "";
        buf_printf(&text, "%s{\"name\":\"a%d\",\"members\":[", i > 0 ? "," : "", i);
        for (int j = i * each; j < (i + 1) * each; j++) {
            if (j == left_out)
                continue;
            buf_printf(&text, "%s\"M%d\"", comma, j);
            comma = ",";
        }
        buf_append_str(&text, "],\"services\":[\"*\"],\"precision\":\"exact\"}");
    }
    buf_append_str(&text, "]}");
    enum err err = world_apply(&m->w, 0, buf_text(&text), &answer, e);
    json_decref(answer);
    buf_done(&text);
    return err;
}

/* What the entries from `from` on bring. */
struct sums {
    size_t entries, granting, grants, most_grants, states;
    struct hash key_id; /* of the last grant */
};
static struct sums sums_from(const struct many *m, size_t from) {
    struct sums s = {.entries = m->w.log_count - from};
    for (size_t i = from; i < m->w.log_count; i++) {
        const struct entry *entry = m->w.log[i].entry;
        size_t grants = 0;
        for (size_t k = 0; k < entry->view_count; k++) {
            const struct view *v = &entry->views[k];
            grants += v->kind == VIEW_GRANT;
            s.states += v->kind == VIEW_STATE;
            if (v->kind == VIEW_GRANT)
                s.key_id = v->key_id;
        }
        s.granting += grants > 0;
        s.grants += grants;
        s.most_grants = grants > s.most_grants ? grants : s.most_grants;
    }
    return s;
}

/* The newest key that the recipient was granted from `from` on; false: none. */
static bool granted(const struct many *m, size_t from, int number, struct audience_ctx *ctx,
                    struct audience_key *key) {
    struct error e = {0};
    const struct recipient *r = &m->recipients[number];
    struct target own = target_key(&r->agent.pub);
    bool found = false;
    for (size_t i = from; i < m->w.log_count; i++) {
        const struct entry *entry = m->w.log[i].entry;
        for (size_t k = 0; k < entry->view_count; k++) {
            const struct view *v = &entry->views[k];
            if (v->kind != VIEW_GRANT || !target_equal(&v->target, &own))
                continue;
            cr_assert_not(found, "granted twice to M%d", number);
            RUN_OK(grant_open(&entry->header, &v->key_id, v->data, &r->box, ctx, key, &e));
            found = true;
        }
    }
    return found;
}

/* The newest state opens under the key, and says so many free. */
static enum err open_newest(const struct many *m, const struct audience_ctx *ctx,
                            const struct audience_key *key, int64_t *ret_free) {
    struct error e = {0};
    struct buf plain;
    struct snapshot *s = NULL;
    const struct entry *entry = m->w.log[m->w.log_count - 1].entry;
    const struct view *v = &entry->views[entry->view_count - 1];
    cr_assert_eq(v->kind, VIEW_STATE);
    buf_init(&plain, VIEW_PLAIN_MAX);
    enum err err = view_open(ctx, key, entry->header.incarnation, entry->header.seq, v->kind,
                             v->data, &plain, &e);
    if (err == ERR_OK) {
        RUN_OK(snapshot_decode(buf_bytes(&plain), &s, &e));
        *ret_free = s->lines[0].figure.available.value;
    }
    snapshot_free(s);
    buf_done(&plain);
    return err;
}

static const int sample[] = {0, 255, 256, 1000, 1999};
#define SAMPLE (sizeof sample / sizeof sample[0])

Test(many, one_audience_of_two_thousand, .timeout = 900) {
    struct many *m = many_new();
    struct error e = {0};
    struct audience_ctx ctx[SAMPLE], ignored_ctx;
    struct audience_key old[SAMPLE], key[SAMPLE], ignored;
    int64_t free_beds = 0;

    RUN_OK(apply(m, 1, MANY, -1, &e));
    world_push(&m->w, 0);
    struct sums s = sums_from(m, 0);
    cr_assert_eq(s.grants, (size_t)MANY);
    cr_assert_eq(s.granting, 8u, "granted in %zu entries", s.granting);
    cr_assert_eq(s.most_grants, (size_t)ENTRY_MAX_GRANTS);
    cr_assert_eq(s.states, 1u);
    struct hash first_key = s.key_id;
    for (size_t i = 0; i < SAMPLE; i++) {
        cr_assert(granted(m, 0, sample[i], &ctx[i], &old[i]), "M%d", sample[i]);
        cr_assert_eq(open_newest(m, &ctx[i], &old[i], &free_beds), ERR_OK);
        cr_assert_eq(free_beds, 4);
    }

    size_t from = m->w.log_count;
    world_set(&m->w, 0, "bed", NULL, "total=10 free=3 status=admitting");
    world_push(&m->w, 0);
    s = sums_from(m, from);
    cr_assert(s.entries == 1 && s.states == 1 && s.grants == 0, "an update is one view");

    /* One leaves: a new key, for all but that one. */
    from = m->w.log_count;
    RUN_OK(apply(m, 1, MANY, 1000, &e));
    world_push(&m->w, 0);
    s = sums_from(m, from);
    cr_assert_eq(s.grants, (size_t)MANY - 1);
    cr_assert_eq(s.granting, 8u);
    cr_assert_eq(s.states, 1u);
    cr_assert_not(hash_equal(&s.key_id, &first_key));
    for (size_t i = 0; i < SAMPLE; i++) {
        cr_assert_neq(open_newest(m, &ctx[i], &old[i], &free_beds), ERR_OK, "the old key opens");
        cr_assert_eq(granted(m, from, sample[i], &ctx[i], &key[i]), sample[i] != 1000);
        if (sample[i] != 1000)
            cr_assert_eq(open_newest(m, &ctx[i], &key[i], &free_beds), ERR_OK);
    }

    /* And comes back: the key in use, for that one alone. */
    from = m->w.log_count;
    struct hash second_key = s.key_id;
    RUN_OK(apply(m, 1, MANY, -1, &e));
    world_push(&m->w, 0);
    s = sums_from(m, from);
    cr_assert_eq(s.grants, 1u);
    cr_assert(hash_equal(&s.key_id, &second_key));
    cr_assert(granted(m, from, 1000, &ignored_ctx, &ignored));
    many_free(m);
}

Test(many, as_many_audiences_as_a_policy_may_have, .timeout = 900) {
    struct many *m = many_new();
    struct error e = {0};
    const int each = MANY / AUDIENCES;
    RUN_FAILS(apply(m, AUDIENCES + 1, 2, -1, &e), ERR_DATA);
    RUN_OK(apply(m, AUDIENCES, each, -1, &e));
    world_push(&m->w, 0);
    struct sums s = sums_from(m, 0);
    cr_assert_eq(s.grants, (size_t)(AUDIENCES * each));
    cr_assert_leq(s.most_grants, (size_t)ENTRY_MAX_GRANTS);
    cr_assert_eq(s.states, (size_t)AUDIENCES);

    size_t from = m->w.log_count;
    world_set(&m->w, 0, "bed", NULL, "total=10 free=3 status=admitting");
    world_push(&m->w, 0);
    s = sums_from(m, from);
    cr_assert_eq(s.entries, 1u, "an update of all of them fits one entry");
    cr_assert_eq(s.states, (size_t)AUDIENCES);
    cr_assert_eq(s.grants, 0u);

    /* One leaves: a new key for that audience alone. */
    from = m->w.log_count;
    RUN_OK(apply(m, AUDIENCES, each, 40, &e));
    world_push(&m->w, 0);
    s = sums_from(m, from);
    cr_assert_eq(s.grants, (size_t)each - 1);
    cr_assert_eq(s.states, 1u);
    many_free(m);
}
