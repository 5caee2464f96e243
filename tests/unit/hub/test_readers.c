/* Owns a random run in which readers that load pages of any size, lose connections and see the hub
 * restart end with exactly the newest states they hold grants for. */
#include "unit/hub/load_kit.h"

enum { PERSONS = 5, CIRCLES_EACH = 2, STEPS = 300 };

struct follower {
    struct cursors cursors;
    uint32_t version[PERSONS][CIRCLES_EACH]; /* 0: nothing */
    uint64_t seq[PERSONS][CIRCLES_EACH];
};
struct random_run {
    struct town t;
    struct person persons[PERSONS];
    struct circle circles[PERSONS][CIRCLES_EACH];
    bool granted[PERSONS][CIRCLES_EACH][PERSONS];  /* the current key */
    bool readable[PERSONS][CIRCLES_EACH][PERSONS]; /* the key of the newest state */
    struct hash key_id[PERSONS][CIRCLES_EACH];     /* which that is */
    uint32_t version[PERSONS][CIRCLES_EACH];       /* of the newest state; 0: none */
    bool sealed[PERSONS][CIRCLES_EACH];            /* it is under the current key */
    bool suspended[PERSONS];
    struct follower followers[PERSONS];
};

static void run_init(struct random_run *x, uint64_t seed) {
    memset(x, 0, sizeof *x);
    town_init(&x->t, seed, NULL);
    for (int i = 0; i < PERSONS; i++) {
        char name[16];
        snprintf(name, sizeof name, "P%d", i);
        person_join(&x->t, &x->persons[i], name, "provider");
        for (int c = 0; c < CIRCLES_EACH; c++)
            circle_new(&x->t, &x->circles[i][c], &x->persons[i]);
    }
}

/* Raw views: what matters here is who gets which, not what is in them. */
static void add_state(struct random_run *x, struct draft *d, uint32_t a, uint32_t c) {
    struct mark m = {a, c, x->version[a][c] + 1};
    const struct circle *circle = &x->circles[a][c];
    draft_raw(d, VIEW_STATE, target_audience(circle->id), circle->key_id, mark_bytes(&m));
    x->version[a][c]++;
    x->sealed[a][c] = true;
    x->key_id[a][c] = circle->key_id;
    memcpy(x->readable[a][c], x->granted[a][c], sizeof x->readable[a][c]);
}

static void add_grant(struct random_run *x, struct draft *d, uint32_t a, uint32_t c, uint32_t to) {
    const struct circle *circle = &x->circles[a][c];
    draft_raw(d, VIEW_GRANT, target_key(&x->persons[to].agent.pub), circle->key_id,
              bytes_str("a grant"));
    x->granted[a][c][to] = true;
    x->readable[a][c][to] = x->readable[a][c][to] || x->sealed[a][c];
}

static void random_publish(struct random_run *x) {
    struct stream *s = &x->t.stream;
    uint32_t a = (uint32_t)stream_next(s, PERSONS), c = (uint32_t)stream_next(s, CIRCLES_EACH);
    struct draft d;
    if (x->suspended[a])
        return;
    draft_init(&x->t, &d, &x->persons[a]);
    if (stream_next(s, 6) == 0) { /* a new key: everybody is granted anew, now or later, or not */
        circle_rotate(&x->t, &x->circles[a][c], &x->persons[a]);
        memset(x->granted[a][c], 0, sizeof x->granted[a][c]);
        x->sealed[a][c] = false;
    }
    for (uint32_t to = 0; to < PERSONS; to++)
        if (stream_next(s, 3) == 0 && !x->granted[a][c][to])
            add_grant(x, &d, a, c, to);
    if (stream_next(s, 2) == 0)
        add_state(x, &d, a, c);
    if (stream_next(s, 4) == 0)
        add_state(x, &d, a, 1 - c);
    person_publish(&x->t, &x->persons[a], &d);
}

static void random_standing(struct random_run *x) {
    uint32_t i = (uint32_t)stream_next(&x->t.stream, PERSONS);
    char name[16];
    snprintf(name, sizeof name, "P%u", i);
    town_change(&x->t, name, x->suspended[i] ? "resume" : "suspend");
    x->suspended[i] = !x->suspended[i];
}

static void apply_state(struct random_run *x, uint32_t reader, const struct delivery *item) {
    struct error e = {0};
    struct entry *excerpt = NULL;
    struct mark m;
    cr_assert_eq(excerpt_parse(blob_bytes(item->excerpt), &excerpt, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(excerpt->view_count, 1);
    memcpy(&m, excerpt->views[0].data.data, sizeof m);
    cr_assert(key_equal(&excerpt->header.agent, &x->persons[m.author].agent.pub));
    cr_assert(hash_equal(&excerpt->views[0].key_id, &x->key_id[m.author][m.circle]));
    cr_assert_eq(m.version, x->version[m.author][m.circle], "not the newest");
    cr_assert(x->readable[m.author][m.circle][reader], "a state whose key was not granted");
    cr_assert(!x->suspended[m.author]);
    struct follower *f = &x->followers[reader];
    if (excerpt->header.seq > f->seq[m.author][m.circle]) {
        f->seq[m.author][m.circle] = excerpt->header.seq;
        f->version[m.author][m.circle] = m.version;
    }
    entry_free(excerpt);
}

/* One page; with `dropped` the connection ends within it: some items came, no cursor moved. */
static bool follow(struct random_run *x, uint32_t reader, size_t max_bytes, bool dropped) {
    struct follower *f = &x->followers[reader];
    struct page page = town_load(&x->t, &x->persons[reader].agent.pub, &f->cursors, max_bytes);
    size_t upto = dropped ? (size_t)stream_next(&x->t.stream, page.count + 1) : page.count;
    bool tip = page.tip;
    for (size_t i = 0; i < upto; i++)
        if (page.items[i].class_ == CLASS_STATES)
            apply_state(x, reader, &page.items[i]);
    if (!dropped)
        memcpy(f->cursors.after, page.upto, sizeof f->cursors.after);
    page_done(&page);
    return tip && !dropped;
}

static void random_follow(struct random_run *x) {
    static const size_t sizes[] = {1, 700, 3000, ALL_BYTES};
    uint32_t reader = (uint32_t)stream_next(&x->t.stream, PERSONS);
    size_t max_bytes = sizes[stream_next(&x->t.stream, 4)];
    follow(x, reader, max_bytes, stream_next(&x->t.stream, 4) == 0);
}

static void check_follower(struct random_run *x, uint32_t reader, uint64_t seed) {
    while (!follow(x, reader, 1, false))
        continue;
    for (int a = 0; a < PERSONS; a++) {
        for (int c = 0; c < CIRCLES_EACH; c++) {
            if (x->version[a][c] > 0 && x->readable[a][c][reader] && !x->suspended[a])
                cr_assert_eq(x->followers[reader].version[a][c], x->version[a][c],
                             "seed %llu: reader %u has version %u of circle %d.%d, newest is %u",
                             (unsigned long long)seed, reader, x->followers[reader].version[a][c],
                             a, c, x->version[a][c]);
        }
    }
}

static void random_step(struct random_run *x) {
    uint64_t what = stream_next(&x->t.stream, 40);
    x->t.now_ms += 50;
    if (what < 18) {
        random_publish(x);
    } else if (what < 37) {
        random_follow(x);
    } else if (what < 39) {
        random_standing(x);
    } else {
        town_close(&x->t);
        town_open(&x->t);
    }
}

Test(load, random_readers_end_with_the_newest) {
    struct random_run *x = malloc(sizeof *x);
    const char *given = getenv("PLEK_TEST_SEED"), *many = getenv("PLEK_TEST_SEEDS");
    uint64_t first = given ? strtoull(given, NULL, 10) : 1;
    uint64_t count = many ? strtoull(many, NULL, 10) : given ? 1 : 20;
    cr_assert(x);
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_init(x, seed);
        for (int step = 0; step < STEPS; step++)
            random_step(x);
        for (uint32_t reader = 0; reader < PERSONS; reader++)
            if (!x->suspended[reader])
                check_follower(x, reader, seed);
        town_done(&x->t);
    }
    free(x);
}
