/* Fuzzes what an agent takes from a partner: excerpts with a view of any content, signed and sealed
 * with real keys, so that its plaintext is read and stored. A refusal is typed and changes nothing;
 * the store does not fail, and what was stored can be read again (docs/protocol.md, "The reader's
 * rule"). */
#include "stage.h"
#include "unit/agent/inbox_kit.h"

#define MAX_VIEWS 4

static struct world world;
static struct hash untouched;   /* what B's database holds before each input */
static struct sign_pair author; /* A's agent */
static struct box_pair reader;  /* B's */
static struct audience_key key = {{5}};
static const uint8_t audience[AUDIENCE_ID_LEN] = {9};

static void clean_up(void) {
    for (int i = 0; i < world.count; i++)
        agent_close(world.agents[i].agent);
    scratch_done(&world.scratch);
}

static void open_reader(void) {
    struct error e = {0};
    FUZZ_CHECK(agent_open(world.agents[B].dir, NULL, &world.entropy, &world.agents[B].agent, &e) ==
               ERR_OK);
}

static void close_reader(void) {
    agent_close(world.agents[B].agent);
    world.agents[B].agent = NULL;
}

/* B's folder is put back after each input; A is only there to have been admitted. */
static void build(struct stage *s) {
    stage_begin();
    sharing(&world);
    atexit(clean_up);
    author = *agent_keys(world.agents[A].agent);
    reader = *agent_box(world.agents[B].agent);
    close_reader();
    stage_save(s, world.agents[B].dir);
    open_reader();
    untouched = stage_dump(WORLD_DUMP_BUT);
    close_reader();
}

static struct audience_ctx ctx_of(const struct header *h) {
    struct audience_ctx ctx = {.network = h->network, .member = h->member, .agent = h->agent};
    memcpy(ctx.audience, audience, AUDIENCE_ID_LEN);
    return ctx;
}

/* The grant, or a view under the key that it grants. */
static void seal(struct craft *c, uint32_t kind, struct bytes plain, struct buf *out) {
    static const uint8_t nonce[VIEW_NONCE_LEN] = {6}, seed[SEED_LEN] = {8};
    struct error e = {0};
    struct audience_ctx ctx = ctx_of(&c->header);
    c->view = (struct view){
        .target = target_audience(audience), .kind = kind, .key_id = audience_key_id(&ctx, &key)};
    if (kind == VIEW_GRANT) {
        c->view.target = target_key(&agent_keys(world.agents[B].agent)->pub);
        FUZZ_CHECK(grant_seal(&ctx, &key, &reader.pub, seed, out, &e) == ERR_OK);
    } else {
        FUZZ_CHECK(view_seal(&ctx, &key, c->header.incarnation, c->header.seq, kind, plain, nonce,
                             out, &e) == ERR_OK);
    }
    c->view.data = buf_bytes(out);
}

/* *state is what the database held, before and then after. */
static void try_view(struct fuzz_input *in, uint32_t kind, struct hash *state) {
    struct agent *b = world.agents[B].agent;
    struct craft c = craft_of(&world, A);
    struct buf sealed, excerpt;
    struct error e = {0};
    uint8_t tweak = fuzz_byte(in);
    c.signer = &author;
    c.header.agent = author.pub;
    c.header.seq += tweak;
    if (tweak % 16 == 15)
        c.header.claimed_ms = (int64_t)fuzz_number(in);
    struct bytes plain = kind == VIEW_GRANT ? bytes_of(NULL, 0) : fuzz_piece(in);
    buf_init(&sealed, VIEW_MAX_BYTES);
    seal(&c, kind, plain, &sealed);
    craft_excerpt(&c, &excerpt);
    uint32_t class_ = kind == VIEW_GRANT ? 1 : kind == VIEW_HISTORY ? 4 : 2;
    FUZZ_CHECK(db_begin(agent_db(b), &e) == ERR_OK);
    enum err rc = take(&world, B, class_, buf_bytes(&excerpt), &e);
    FUZZ_CHECK(rc != ERR_STORE && rc != ERR_INTERNAL && rc != ERR_CONFLICT && rc != ERR_IO);
    bool accepted = fuzz_accepted(rc, &e);
    FUZZ_CHECK(db_commit(agent_db(b), &e) == ERR_OK);
    struct hash after = stage_dump(WORLD_DUMP_BUT);
    if (!accepted && rc != ERR_NO_KEY)
        FUZZ_CHECK(hash_equal(state, &after));
    *state = after;
    buf_done(&sealed);
    buf_done(&excerpt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t kinds[] = {VIEW_STATE, VIEW_HISTORY, VIEW_WITHDRAW, VIEW_GRANT,
                                     VIEW_MESSAGE};
    static struct stage stage;
    fuzz_init();
    if (stage.count == 0)
        build(&stage);
    struct fuzz_input in = fuzz_input(data, size);
    world.counter = 1000;
    open_reader();
    struct hash state = size % STAGE_LOOK == 0 ? stage_dump(WORLD_DUMP_BUT) : untouched;
    FUZZ_CHECK(hash_equal(&state, &untouched));
    if (fuzz_byte(&in) % 8 != 7)
        try_view(&(struct fuzz_input){.left = 0}, VIEW_GRANT, &state);
    for (int i = 0; i < MAX_VIEWS && in.left > 0; i++)
        try_view(&in, kinds[fuzz_byte(&in) % 5], &state);
    if (size % 2 == 0) {
        close_reader();
        open_reader();
    }
    json_decref(world_find(&world, B, NULL));
    close_reader();
    stage_restore(&stage);
    return 0;
}
