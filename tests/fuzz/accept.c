/* Fuzzes what the hub takes from an admitted agent: entries with any header and views, signed and
 * sealed with real keys, so that the hub opens them and adds up what is in them. Whatever a member
 * sends, the store does not fail, a refusal is typed and changes nothing, and what was stored can
 * be read again (docs/protocol.md, "The hub's rule"). */
#include <criterion/criterion.h>

#include "stage.h"
#include "unit/hub/town.h"

#define MAX_ENTRIES 4
#define MAX_VIEWS 4
#define MAY_CHANGE "'rejection', 'seen'" /* with an entry that is refused */

static struct town town;
static struct person haven, baken;
static struct circle circle;
static struct hash untouched; /* what the hub's database holds before each input */

static void clean_up(void) {
    scratch_done(&town.scratch);
}

static void build(struct stage *s) {
    stage_begin();
    town_init(&town, 1, NULL);
    atexit(clean_up);
    person_join(&town, &haven, "Haven", "provider");
    person_join(&town, &baken, "Baken", "provider");
    circle_new(&town, &circle, &haven);
    town_close(&town);
    stage_save(s, town.dir);
    town_open(&town);
    untouched = stage_dump(MAY_CHANGE);
    town_close(&town);
}

/* Mostly the next entry; now and then another place, kind or time. */
static void tweak_header(struct header *h, struct fuzz_input *in) {
    switch (fuzz_byte(in)) {
    case 1:
        h->seq = fuzz_number(in) & INT64_MAX;
        break;
    case 2:
        h->incarnation = fuzz_number(in) & INT64_MAX;
        break;
    case 3:
        h->kind = (uint32_t)fuzz_number(in);
        break;
    case 4:
        h->prev.b[0] ^= 1;
        break;
    case 5:
        h->claimed_ms = (int64_t)fuzz_number(in);
        break;
    case 6:
        h->kind = ENTRY_BOX_RENEWAL;
        break;
    case 7:
        h->has_hub_head = true;
        h->hub_head.incarnation = 1;
        h->hub_head.seq = fuzz_number(in) & INT64_MAX;
        break;
    case 8:
        h->member = baken.member.pub;
        break;
    default:
        break;
    }
}

/* draft_history takes a struct: its bytes are what is wanted here. */
static void add_sealed(struct draft *d, uint32_t kind, struct bytes plain) {
    static const uint8_t nonce[VIEW_NONCE_LEN] = {6};
    struct error e = {0};
    struct buf sealed;
    struct audience_ctx ctx = {
        .network = d->header.network, .member = d->header.member, .agent = d->header.agent};
    memcpy(ctx.audience, circle.id, AUDIENCE_ID_LEN);
    buf_init(&sealed, VIEW_MAX_BYTES);
    FUZZ_CHECK(view_seal(&ctx, &circle.key, d->header.incarnation, d->header.seq, kind, plain,
                         nonce, &sealed, &e) == ERR_OK);
    draft_raw(d, kind, target_audience(circle.id), circle.key_id, buf_bytes(&sealed));
    buf_done(&sealed);
}

static void add_raw(struct draft *d, struct fuzz_input *in) {
    static const uint8_t filler = 1;
    uint32_t kind = 1 + fuzz_byte(in) % 9;
    struct target target =
        fuzz_byte(in) % 2 == 0 ? target_key(&baken.agent.pub) : target_audience(circle.id);
    struct bytes data = fuzz_piece(in);
    struct hash key_id = fuzz_byte(in) % 2 == 0 ? circle.key_id : (struct hash){{7}};
    if (fuzz_byte(in) % 8 == 7) {
        target = target_plain();
        key_id = (struct hash){{0}};
    }
    draft_raw(d, kind, target, key_id, data.len > 0 ? data : bytes_of(&filler, 1));
}

static void add_view(struct draft *d, struct fuzz_input *in) {
    switch (fuzz_byte(in) % 6) {
    case 0:
        draft_grant_hub(&town, d, &circle);
        break;
    case 1:
        draft_grant_to(&town, d, &circle, &baken);
        break;
    case 2:
        add_sealed(d, VIEW_STATE, fuzz_piece(in));
        break;
    case 3:
        add_sealed(d, VIEW_HISTORY, fuzz_piece(in));
        break;
    case 4:
        add_sealed(d, VIEW_WITHDRAW, fuzz_piece(in));
        break;
    default:
        add_raw(d, in);
    }
}

/* *state is what the database held, before and then after. */
static void send_entry(struct person *author, struct fuzz_input *in, struct hash *state) {
    static struct draft draft;
    draft_init(&town, &draft, author);
    tweak_header(&draft.header, in);
    for (size_t left = (size_t)fuzz_below(in, MAX_VIEWS + 1); left > 0; left--)
        add_view(&draft, in);
    struct outcome o = person_send(&town, author, draft_build(&draft, &author->agent));
    FUZZ_CHECK(o.err == ERR_OK);
    FUZZ_CHECK(o.verdict != FEED_HELD); /* every one is signed anew at another place */
    struct hash after = stage_dump(MAY_CHANGE);
    if (o.verdict == FEED_REJECT) {
        FUZZ_CHECK(!fuzz_accepted(o.reject.code, &o.reject));
        FUZZ_CHECK(hash_equal(state, &after));
    }
    *state = after;
}

/* What the others and the operator see of it can be read. */
static void look(void) {
    static const char *const paths[] = {"/v1/status", "/v1/aggregate", "/v1/coverage",
                                        "/v1/members"};
    struct cursors none = {{0}, {0}};
    struct page page = town_load(&town, &baken.agent.pub, &none, 1 << 20);
    page_done(&page);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        json_decref(town_get(&town, paths[i]));
    (void)hub_idle(town.hub, town.now_ms);
}

/* What was stored can be read again. */
static void restart(void) {
    town_close(&town);
    town_open(&town);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stage stage;
    fuzz_init();
    if (stage.count == 0)
        build(&stage);
    struct fuzz_input in = fuzz_input(data, size);
    struct person author = haven;
    town.stream.used = 1000;
    town.now_ms = TOWN_START_MS + TOWN_HOUR_MS;
    town_open(&town);
    struct hash state = size % STAGE_LOOK == 0 ? stage_dump(MAY_CHANGE) : untouched;
    FUZZ_CHECK(hash_equal(&state, &untouched));
    for (int i = 0; i < MAX_ENTRIES && in.left > 0; i++) {
        send_entry(&author, &in, &state);
        town.now_ms += 60000;
    }
    if (size % 2 == 0)
        restart();
    look();
    town_close(&town);
    stage_restore(&stage);
    return 0;
}
