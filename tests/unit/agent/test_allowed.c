/* Tests, over random policies and changes, that nobody ever holds more than policy allows, were the
 * hub to give everybody everything; and that every picture converges to what policy allows. */
#include <stdlib.h>

#include "precision.h"
#include "sharing.h"
#include "unit/agent/world.h"

#define CAST 4
#define KEYS_MAX 512

/* Every key one agent could ever open, were the hub to give it everything. */
struct ring_of_keys {
    struct audience_ctx ctx[KEYS_MAX];
    struct audience_key key[KEYS_MAX];
    struct hash id[KEYS_MAX];
    size_t count;
};

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void collect_keys(struct world *w, int i, const struct entry *entry,
                         struct ring_of_keys *ring) {
    struct target mine = target_key(&agent_keys(w->agents[i].agent)->pub);
    for (size_t k = 0; k < entry->view_count; k++) {
        const struct view *v = &entry->views[k];
        if (v->kind != VIEW_GRANT || !target_equal(&v->target, &mine))
            continue;
        cr_assert_lt(ring->count, (size_t)KEYS_MAX);
        struct error e = {0};
        RUN_OK(grant_open(&entry->header, &v->key_id, v->data, agent_box(w->agents[i].agent),
                          &ring->ctx[ring->count], &ring->key[ring->count], &e));
        ring->id[ring->count++] = v->key_id;
    }
}

/* The audience of the author's policy that covers this service for that member; NULL: none. */
static const struct policy_audience *seat(struct world *w, int author, int reader,
                                          const char *service) {
    const struct policy *p = agent_policy(w->agents[author].agent);
    for (size_t i = 0; p && i < p->audience_count; i++)
        if (policy_has_member(&p->audiences[i], &w->agents[reader].member) &&
            policy_covers(&p->audiences[i], service))
            return &p->audiences[i];
    return NULL;
}

static bool allowed(struct world *w, int author, int reader) {
    struct error e = {0};
    bool approved = false;
    RUN_OK(sharing_approved(w->agents[author].agent, &w->agents[reader].member, &approved, &e));
    const struct member *m =
        directory_member(agent_directory(w->agents[author].agent), &w->agents[reader].member);
    return approved && m->state == MEMBER_ADMITTED;
}

/* What the reader opens of an entry as it leaves is what the author's policy allows at that moment.
 */
static void check_opened(struct world *w, int author, int reader, struct bytes plain,
                         uint64_t seed) {
    struct error e = {0};
    struct snapshot *s = NULL;
    RUN_OK(snapshot_decode(plain, &s, &e));
    cr_assert(allowed(w, author, reader), "seed %llu: %s reads %s without approval",
              (unsigned long long)seed, w->agents[reader].name, w->agents[author].name);
    for (size_t i = 0; i < s->line_count; i++) {
        const struct policy_audience *a = seat(w, author, reader, s->lines[i].service);
        cr_assert_not_null(a, "seed %llu: %s reads %s of %s", (unsigned long long)seed,
                           w->agents[reader].name, s->lines[i].service, w->agents[author].name);
        cr_assert_eq(a->precision.kind, s->precision, "seed %llu: finer than policy",
                     (unsigned long long)seed);
    }
    snapshot_free(s);
}

static void check_reader(struct world *w, int reader, const struct world_entry *from,
                         const struct ring_of_keys *ring, uint64_t seed) {
    const struct header *h = &from->entry->header;
    for (size_t k = 0; k < from->entry->view_count; k++) {
        const struct view *v = &from->entry->views[k];
        for (size_t i = 0; v->kind == VIEW_STATE && i < ring->count; i++) {
            struct buf plain;
            buf_init(&plain, VIEW_MAX_BYTES);
            if (view_open(&ring->ctx[i], &ring->key[i], h->incarnation, h->seq, VIEW_STATE, v->data,
                          &plain, NULL) == ERR_OK)
                check_opened(w, from->author, reader, buf_bytes(&plain), seed);
            buf_done(&plain);
        }
    }
}

static void push_checked(struct world *w, int i, struct ring_of_keys *rings, uint64_t seed) {
    struct head head;
    struct blob *bytes;
    while (!w->agents[i].blocked && (bytes = world_next(w, i, ENTRY_MAX_BYTES, &head)) != NULL) {
        world_accept(w, i, bytes);
        blob_unref(bytes);
        const struct world_entry *from = &w->log[w->log_count - 1];
        for (int r = 0; r < CAST; r++) {
            if (r == i)
                continue;
            collect_keys(w, r, from->entry, &rings[r]);
            check_reader(w, r, from, &rings[r], seed);
        }
    }
}

static const char *const precisions[] = {"exact", "rounded:2", "band", "light"};

/* One audience for each service and precision, members dealt at random: each service at most once.
 */
static void random_policy(struct world *w, int i, uint64_t *random) {
    struct buf text;
    bool any = false;
    buf_init(&text, 65536);
    buf_append_str(&text, "{\"audiences\":[");
    for (int service = 0; service < 2; service++) {
        bool seated[CAST] = {false};
        int audiences = 1 + (int)(next_random(random) % 2);
        for (int k = 0; k < audiences; k++) {
            buf_printf(
                &text,
                "%s{\"name\":\"%s%d\",\"services\":[\"%s\"],\"precision\":\"%s\",\"members\":[",
                any ? "," : "", service ? "care" : "bed", k, service ? "care" : "bed",
                precisions[next_random(random) % 4]);
            bool comma = false;
            for (int r = 0; r < CAST; r++) {
                if (r == i || seated[r] || next_random(random) % 2)
                    continue;
                buf_printf(&text, "%s\"%s\"", comma ? "," : "", w->agents[r].name);
                seated[r] = comma = true;
            }
            buf_append_str(&text, "]}");
            any = true;
        }
    }
    buf_append_str(&text, "]}");
    world_policy(w, i, buf_text(&text));
    buf_done(&text);
}

static void random_step(struct world *w, uint64_t *random) {
    int i = (int)(next_random(random) % CAST), other = (int)(next_random(random) % CAST);
    char pairs[64];
    switch (next_random(random) % 12) {
    case 0:
    case 1:
        random_policy(w, i, random);
        break;
    case 2:
    case 3:
        if (other != i)
            world_approve(w, i, w->agents[other].name);
        break;
    case 4:
        if (other != i)
            world_forget(w, i, w->agents[other].name);
        break;
    case 5:
        w->now_ms += (int64_t)(next_random(random) % 60) * WORLD_HOUR;
        break;
    case 6:
        if (w->agents[i].blocked || next_random(random) % 2)
            world_member_event(w, i,
                               w->agents[i].blocked ? ENTRY_HUB_RESUMED : ENTRY_HUB_SUSPENDED);
        break;
    default:
        snprintf(pairs, sizeof pairs, "free=%d status=admitting", (int)(next_random(random) % 12));
        world_set(w, i, next_random(random) % 2 ? "bed" : "care", NULL, pairs);
        break;
    }
}

/* Everybody shares something with everybody to begin with, so that there is something to leave. */
static void begin(struct world *w, uint64_t *random) {
    static const char *const names[CAST] = {"A", "B", "C", "D"};
    world_init(w, NULL);
    for (int i = 0; i < CAST; i++)
        world_add(w, names[i], ROLE_PROVIDER, NULL);
    for (int i = 0; i < CAST; i++)
        world_feed(w, i);
    for (int i = 0; i < CAST; i++) {
        for (int k = 0; k < CAST; k++)
            if (k != i)
                world_approve(w, i, names[k]);
        world_set(w, i, "bed", NULL, "free=3");
        world_set(w, i, "care", NULL, "free=4.5");
        random_policy(w, i, random);
    }
}

static json_t *without_verified(json_t *take_rows, const char *member, const struct policy *p,
                                const struct public_key *reader) {
    json_t *kept = json_array();
    size_t i;
    json_t *row;
    json_array_foreach(take_rows, i, row) {
        const char *service = json_string_value(json_object_get(row, "service"));
        bool covered = false;
        for (size_t k = 0; p && k < p->audience_count; k++)
            covered |= policy_covers(&p->audiences[k], service) &&
                       policy_has_member(&p->audiences[k], reader);
        if (strcmp(json_string_value(json_object_get(row, "member")), member) != 0 || !covered)
            continue; /* what somebody may see no longer lingers until it expires or is withdrawn */
        json_object_del(row, "verified");
        json_object_del(row, "why");
        json_array_append(kept, row);
    }
    json_decref(take_rows);
    return kept;
}

/* Once everything was delivered, what a reader finds is what the author previews for it. */
static void check_converged(struct world *w, uint64_t seed) {
    for (int o = 0; o < CAST; o++) {
        for (int r = 0; r < CAST; r++) {
            if (o == r || w->agents[o].blocked || w->agents[r].blocked || !allowed(w, o, r))
                continue;
            const struct policy *p = agent_policy(w->agents[o].agent);
            json_t *preview = without_verified(world_preview(w, o, w->agents[r].name),
                                               w->agents[o].name, p, &w->agents[r].member);
            json_t *found = without_verified(world_find(w, r, NULL), w->agents[o].name, p,
                                             &w->agents[r].member);
            char *left = json_dumps(preview, 0), *right = json_dumps(found, 0);
            cr_assert_str_eq(left, right, "seed %llu: %s of %s", (unsigned long long)seed,
                             w->agents[r].name, w->agents[o].name);
            free(left);
            free(right);
            json_decref(preview);
            json_decref(found);
        }
    }
}

static void run_seed(uint64_t seed) {
    struct world *w = malloc(sizeof *w);
    struct ring_of_keys *rings = calloc(CAST, sizeof *rings);
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    begin(w, &random);
    for (int step = 0; step < 60; step++) {
        random_step(w, &random);
        int i = (int)(next_random(&random) % CAST);
        if (next_random(&random) % 2 == 0 && !w->agents[i].blocked) {
            world_feed(w, i);
            push_checked(w, i, rings, seed);
            world_pull(w, (i + 1) % CAST);
        }
        if (step % 20 != 19)
            continue;
        for (int k = 0; k < CAST; k++) {
            if (!w->agents[k].blocked)
                world_feed(w, k);
            push_checked(w, k, rings, seed);
        }
        for (int k = 0; k < CAST; k++)
            world_pull(w, k);
        check_converged(w, seed);
    }
    world_done(w);
    free(rings);
    free(w);
}

Test(allowed, nobody_ever_holds_more_than_policy_allows, .timeout = 600) {
    const char *one = getenv("PLEK_SEED"), *many = getenv("PLEK_SEEDS");
    uint64_t from = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : 12;
    for (uint64_t seed = from; seed < from + count; seed++)
        run_seed(seed);
}
