/* Owns the cases of rules broken by an entry that is pushed to a real hub. */
#include "codec.h"
#include "rules.h"

/* The guest's next entry, changed; the hub answers with this code and nothing changed. */
typedef void change_craft(struct craft *c, struct stage *s);

static void finish(struct stage *s, struct buf *entry, enum err code) {
    enum err answer = actor_push(&s->guest, buf_bytes(entry));
    cr_assert_eq(answer, code, "answered with %s, expected %s", error_name(answer),
                 error_name(code));
    buf_done(entry);
    actor_disconnect(&s->guest);
}

static void bad_craft(struct stage *s, change_craft *change, enum err code) {
    struct craft c;
    struct buf entry;
    actor_connect(&s->guest);
    actor_craft(&s->guest, &c);
    change(&c, s);
    craft_build(&c, &entry, NULL);
    finish(s, &entry, code);
    craft_done(&c);
}

static void bad_entry(struct stage *s, change_entry *change, enum err code) {
    struct craft c;
    struct buf entry;
    actor_connect(&s->guest);
    actor_craft(&s->guest, &c);
    craft_changed(&c, change, &s->guest, &entry);
    finish(s, &entry, code);
    craft_done(&c);
}

/* ---- what is no entry ---- */

static void format_2(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)entry;
    (void)a;
    header->format = 2;
}
CASE_FUNCTION(entry_of_format_2) {
    bad_entry(s, format_2, code);
}

static void seq_beyond(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)entry;
    (void)a;
    header->seq = UINT64_C(1) << 63;
}
CASE_FUNCTION(seq_beyond_63_bits) {
    bad_entry(s, seq_beyond, code);
}

static Plek__Part many[ENTRY_MAX_VIEWS + 1];
static Plek__Part *pointers[ENTRY_MAX_VIEWS + 1];

static void fill_parts(Plek__Entry *entry, size_t count, size_t len) {
    static uint8_t data[VIEW_MAX_BYTES + 1];
    for (size_t i = 0; i < count; i++) {
        many[i] = *entry->parts[0];
        many[i].data = codec_binary(bytes_of(data, len));
        pointers[i] = &many[i];
    }
    entry->parts = pointers;
    entry->n_parts = count;
}

static void many_views(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)a;
    fill_parts(entry, ENTRY_MAX_VIEWS + 1, 1);
    header->view_count = ENTRY_MAX_VIEWS + 1;
}
CASE_FUNCTION(more_views_than_an_entry_may_have) {
    bad_entry(s, many_views, code);
}

static void long_checkpoint(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    static uint8_t note[CHECKPOINT_MAX_BYTES + 1];
    (void)entry;
    (void)a;
    header->has_checkpoint = true;
    header->checkpoint = codec_binary(bytes_of(note, sizeof note));
}
CASE_FUNCTION(checkpoint_over_its_cap) {
    bad_entry(s, long_checkpoint, code);
}

static void large_view(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)header;
    (void)a;
    fill_parts(entry, 1, VIEW_MAX_BYTES + 1);
}
CASE_FUNCTION(view_over_its_cap) {
    bad_entry(s, large_view, code);
}

static void empty_view(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)header;
    (void)a;
    fill_parts(entry, 1, 0);
}
CASE_FUNCTION(view_that_is_empty) {
    bad_entry(s, empty_view, code);
}

static void data_and_hash(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)header;
    (void)a;
    entry->parts[0]->has_length = true;
    entry->parts[0]->length = (uint32_t)entry->parts[0]->data.len;
}
CASE_FUNCTION(part_with_data_and_length) {
    bad_entry(s, data_and_hash, code);
}

static void over_a_mebibyte(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)header;
    (void)a;
    fill_parts(entry, 4, VIEW_MAX_BYTES);
}
CASE_FUNCTION(entry_over_its_cap) {
    bad_entry(s, over_a_mebibyte, code);
}

static void twice_the_signature(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)entry;
    (void)a;
    header->network.len = KEY_LEN - 1;
}
CASE_FUNCTION(header_with_a_short_key) {
    bad_entry(s, twice_the_signature, code);
}

/* ---- kinds and views ---- */

static void kind_of_hub(struct craft *c, struct stage *s) {
    (void)s;
    c->header.kind = ENTRY_HUB_CHARTER;
}
CASE_FUNCTION(entry_of_the_hubs_kind) {
    bad_craft(s, kind_of_hub, code);
}

static void zero_target(struct craft *c, struct stage *s) {
    (void)s;
    memset(c->views[0].target.b, 0, TARGET_MAX);
}
CASE_FUNCTION(view_for_nobody) {
    bad_craft(s, zero_target, code);
}

static void same_twice(struct craft *c, struct stage *s) {
    (void)s;
    c->views[c->count++] = c->views[0];
}
CASE_FUNCTION(two_views_of_one_kind_for_one_audience) {
    bad_craft(s, same_twice, code);
}

static void long_grant(struct craft *c, struct stage *s) {
    (void)s;
    c->views[c->count++] = actor_view(VIEW_GRANT, KEY_LEN, 7, GRANT_MAX_BYTES + 1);
}
CASE_FUNCTION(grant_over_its_cap) {
    bad_craft(s, long_grant, code);
}

static void many_grants(struct craft *c, struct stage *s) {
    (void)s;
    for (c->count = 0; c->count <= ENTRY_MAX_GRANTS; c->count++) {
        c->views[c->count] = actor_view(VIEW_GRANT, KEY_LEN, 7, 100);
        c->views[c->count].target.b[0] = (uint8_t)(c->count >> 8);
        c->views[c->count].target.b[1] = (uint8_t)c->count;
    }
}
CASE_FUNCTION(more_grants_than_an_entry_may_have) {
    bad_craft(s, many_grants, code);
}

static void plain_view(struct craft *c, struct stage *s) {
    (void)s;
    c->views[0] =
        (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = bytes_of("figures", 7)};
}
CASE_FUNCTION(plain_view_in_an_update) {
    bad_craft(s, plain_view, code);
}

static struct buf renewal;
static void put_renewal(struct craft *c, const uint8_t *box, size_t trailing) {
    Plek__BoxRenewal message = PLEK__BOX_RENEWAL__INIT;
    message.box = codec_binary(bytes_of(box, KEY_LEN));
    message.since_ms = c->header.claimed_ms;
    buf_done(&renewal);
    buf_init(&renewal, 256);
    codec_encode(&message, &renewal);
    for (size_t i = 0; i < trailing; i++)
        buf_append_u8(&renewal, 0);
    c->header.kind = ENTRY_BOX_RENEWAL;
    c->views[0] =
        (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&renewal)};
    c->count = 1;
}
static void long_renewal(struct craft *c, struct stage *s) {
    put_renewal(c, s->guest.box.pub.b, 128);
}
CASE_FUNCTION(renewal_over_its_cap) {
    bad_craft(s, long_renewal, code);
    buf_done(&renewal);
}
static void low_order_renewal(struct craft *c, struct stage *s) {
    static const uint8_t zero[KEY_LEN];
    (void)s;
    put_renewal(c, zero, 0);
}
CASE_FUNCTION(renewal_of_low_order) {
    bad_craft(s, low_order_renewal, code);
    buf_done(&renewal);
}

/* ---- the hub's rule ---- */

static void anothers_name(struct craft *c, struct stage *s) {
    c->header.agent = s->author.kit.agent.pub;
    c->header.member = s->author.kit.member.pub;
}
CASE_FUNCTION(entry_in_anothers_name) {
    bad_craft(s, anothers_name, code);
}

static void lost_view(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    static uint8_t other[300];
    (void)header;
    (void)a;
    entry->parts[0]->data = codec_binary(bytes_of(other, sizeof other));
}
CASE_FUNCTION(view_that_the_header_does_not_name) {
    bad_entry(s, lost_view, code);
}

static void members_signature(struct craft *c, struct stage *s) {
    c->signer = &s->guest.kit.member;
}
CASE_FUNCTION(entry_signed_by_the_member_key) {
    bad_craft(s, members_signature, code);
}

/* The burst is 1,000; a renewal costs 33. */
CASE_FUNCTION(entries_without_end) {
    struct actor a;
    struct craft c;
    enum err answer = ERR_OK;
    stage_invite(s, &a, "Talker");
    actor_connect(&a);
    actor_publish(&a, NULL, 0);
    s->log += 3; /* admitted, open, the first */
    for (int i = 0; answer == ERR_OK && i < 60; i++) {
        struct buf entry;
        struct head head = {1, a.head.seq + 1, {{0}}};
        actor_craft(&a, &c);
        buf_done(&c.data[0]);
        put_renewal(&c, a.box.pub.b, 0);
        craft_build(&c, &entry, &head.hash);
        answer = actor_push(&a, buf_bytes(&entry));
        if (answer == ERR_OK)
            a.head = head;
        s->log += answer == ERR_OK;
        buf_done(&entry);
    }
    buf_done(&renewal);
    cr_assert_eq(answer, code, "60 renewals in a row were taken");
    actor_done(&a);
}

/* Two entries for one place: the proof is kept, the agent stopped. */
CASE_FUNCTION(two_entries_for_one_place) {
    struct actor a;
    struct craft c;
    struct buf entry;
    stage_invite(s, &a, "Twin");
    actor_connect(&a);
    actor_publish(&a, NULL, 0);
    s->log += 3;
    struct head before = a.head;
    a.head.seq--;
    actor_craft(&a, &c);
    craft_build(&c, &entry, NULL);
    enum err answer = actor_push(&a, buf_bytes(&entry));
    cr_assert_eq(answer, code, "answered with %s", error_name(answer));
    buf_done(&entry);
    craft_done(&c);
    json_t *forks = json_object_get(HUB(&s->net, "status"), "forks");
    cr_assert_eq(json_array_size(forks), 1u, "the proof is not kept");
    a.head = before;
    actor_done(&a);
}

static void too_far(struct craft *c, struct stage *s) {
    (void)s;
    c->header.seq++;
}
CASE_FUNCTION(entry_that_leaves_a_hole) {
    bad_craft(s, too_far, code);
}
static void too_new(struct craft *c, struct stage *s) {
    (void)s;
    c->header.incarnation += 2;
}
CASE_FUNCTION(incarnation_that_leaves_a_hole) {
    bad_craft(s, too_new, code);
}
static void incarnation_zero(Plek__Entry *entry, Plek__Header *header, struct actor *a) {
    (void)entry;
    (void)a;
    header->incarnation = 0;
}
CASE_FUNCTION(incarnation_of_zero) {
    bad_entry(s, incarnation_zero, code);
}
static void opened_again(struct craft *c, struct stage *s) {
    (void)s;
    c->header.kind = ENTRY_OPEN;
}
CASE_FUNCTION(open_in_the_middle) {
    bad_craft(s, opened_again, code);
}
static void opens_as_update(struct craft *c, struct stage *s) {
    (void)s;
    c->header.incarnation++;
}
CASE_FUNCTION(incarnation_opened_by_an_update) {
    bad_craft(s, opens_as_update, code);
}
static void other_prev(struct craft *c, struct stage *s) {
    (void)s;
    c->header.prev.b[0] ^= 1;
}
CASE_FUNCTION(prev_of_another_entry) {
    bad_craft(s, other_prev, code);
}
