/* Owns the cases of rules that a hub breaks towards a real agent in its own feed: directory,
 * charter and the chain of it. Each is refused with its code, nothing of it is applied, and an
 * alarm stands until a good entry comes in its place. */
#include "clock.h"
#include "codec.h"
#include "directory.h"
#include "rules.h"

#define HOUR_MS INT64_C(3600000)

static void bad_craft(struct stage *s, const struct craft *c, enum err code) {
    struct false_hub *h = &s->false_hub;
    struct buf excerpt;
    struct head before = h->head;
    false_hub_excerpt(c, NULL, &excerpt);
    false_hub_deliver(h, 0, buf_bytes(&excerpt));
    false_hub_expect_hang_up(h, code);
    buf_done(&excerpt);
    false_hub_accept(h);
    false_hub_take_hello(h);
    cr_assert_eq(h->named.seq, before.seq, "holds entry %llu of the hub's feed",
                 (unsigned long long)h->named.seq);
    cr_assert(hash_equal(&h->named.hash, &before.hash));
    false_hub_welcome(h, NULL);
    cr_assert(network_alarm(&h->net, "A", "hub-feed"), "no alarm");
}

static void bad_event(struct stage *s, uint32_t kind, const void *message, enum err code) {
    struct craft c;
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    codec_encode(message, &payload);
    false_hub_craft(&s->false_hub, kind, buf_bytes(&payload), &c);
    bad_craft(s, &c, code);
    buf_done(&payload);
}

/* ---- form and place ---- */

CASE_FUNCTION(feed_entry_with_a_hub_head) {
    struct craft c;
    false_hub_craft(&s->false_hub, 99, bytes_of("x", 1), &c);
    c.header.has_hub_head = true;
    c.header.hub_head = s->false_hub.head;
    bad_craft(s, &c, code);
}
/* Two readers could be shown two different ones. */
CASE_FUNCTION(feed_entry_with_two_views) {
    struct craft c;
    struct buf whole, excerpt;
    struct entry *entry = NULL;
    static const uint32_t first[] = {0};
    struct false_hub *h = &s->false_hub;
    false_hub_craft(h, 99, bytes_of("x", 1), &c);
    c.views[c.count++] = actor_view(VIEW_STATE, 16, 3, 300);
    craft_build(&c, &whole, NULL);
    cr_assert_eq(entry_parse(buf_bytes(&whole), &entry, NULL), ERR_OK);
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_excerpt(entry, first, 1, &excerpt, NULL), ERR_OK);
    false_hub_deliver(h, 0, buf_bytes(&excerpt));
    false_hub_expect_hang_up(h, code);
    entry_free(entry);
    buf_done(&excerpt);
    buf_done(&whole);
}
CASE_FUNCTION(feed_entry_behind_another_prev) {
    struct craft c;
    false_hub_craft(&s->false_hub, 99, bytes_of("x", 1), &c);
    c.header.prev.b[7] ^= 4;
    bad_craft(s, &c, code);
}
CASE_FUNCTION(feed_entry_by_the_member) {
    struct craft c;
    false_hub_craft(&s->false_hub, 99, bytes_of("x", 1), &c);
    c.signer = &s->false_hub.partner.kit.member;
    bad_craft(s, &c, code);
}

/* ---- events ---- */

static Plek__HubMember member_event(struct stage *s, const struct public_key *key) {
    Plek__HubMember m = PLEK__HUB_MEMBER__INIT;
    (void)s;
    m.member = codec_binary(bytes_of(key->b, KEY_LEN));
    return m;
}

CASE_FUNCTION(event_with_an_unknown_field) {
    struct craft c;
    struct buf payload;
    Plek__HubMember m = member_event(s, &s->false_hub.partner.kit.member.pub);
    buf_init(&payload, 256);
    codec_encode(&m, &payload);
    buf_append(&payload, "\x78\x01", 2);
    false_hub_craft(&s->false_hub, ENTRY_HUB_SUSPENDED, buf_bytes(&payload), &c);
    bad_craft(s, &c, code);
    buf_done(&payload);
}
CASE_FUNCTION(second_genesis) {
    Plek__HubGenesis m = PLEK__HUB_GENESIS__INIT;
    m.name = (char *)(uintptr_t) "Again";
    m.box = codec_binary(bytes_of(s->false_hub.box.pub.b, KEY_LEN));
    bad_event(s, ENTRY_HUB_GENESIS, &m, code);
}
CASE_FUNCTION(charter_that_skips_a_version) {
    Plek__HubCharter m = PLEK__HUB_CHARTER__INIT;
    m.version = 9;
    m.json = codec_binary(bytes_str("{}"));
    bad_event(s, ENTRY_HUB_CHARTER, &m, code);
}

static void bad_invited(struct stage *s, const char *name, uint32_t role, enum err code) {
    Plek__HubInvited m = PLEK__HUB_INVITED__INIT;
    m.invite = codec_binary(bytes_of(s->false_hub.box.pub.b, KEY_LEN));
    m.name = (char *)(uintptr_t)name;
    m.role = role;
    m.expires_ms = clock_wall_ms() + HOUR_MS;
    bad_event(s, ENTRY_HUB_INVITED, &m, code);
}
CASE_FUNCTION(invited_in_no_role) {
    bad_invited(s, "Nobody", 9, code);
}
CASE_FUNCTION(invited_under_the_hubs_name) {
    bad_invited(s, "@hub", 1, code);
}
CASE_FUNCTION(invited_under_a_members_name) {
    bad_invited(s, "b", 1, code);
}
CASE_FUNCTION(admitted_by_a_used_invitation) {
    Plek__HubAdmitted m = PLEK__HUB_ADMITTED__INIT;
    m.join = codec_binary(buf_bytes(&s->false_hub.partner.join));
    bad_event(s, ENTRY_HUB_ADMITTED, &m, code);
}
CASE_FUNCTION(suspended_who_is_no_member) {
    Plek__HubMember m = member_event(s, &s->false_hub.box.pub);
    bad_event(s, ENTRY_HUB_SUSPENDED, &m, code);
}
CASE_FUNCTION(resumed_who_was_not_suspended) {
    Plek__HubMember m = member_event(s, &s->false_hub.partner.kit.member.pub);
    bad_event(s, ENTRY_HUB_RESUMED, &m, code);
}
CASE_FUNCTION(removed_who_is_no_member) {
    Plek__HubMember m = member_event(s, &s->false_hub.box.pub);
    bad_event(s, ENTRY_HUB_REMOVED, &m, code);
}
CASE_FUNCTION(suspended_for_a_long_reason) {
    static char reason[130];
    Plek__HubMember m = member_event(s, &s->false_hub.partner.kit.member.pub);
    memset(reason, 'x', sizeof reason - 1);
    m.reason = reason;
    bad_event(s, ENTRY_HUB_SUSPENDED, &m, code);
}
CASE_FUNCTION(revoked_an_agent_of_another) {
    Plek__HubRevoked m = PLEK__HUB_REVOKED__INIT;
    m.member = codec_binary(bytes_of(s->false_hub.partner.kit.member.pub.b, KEY_LEN));
    m.agent = codec_binary(bytes_of(s->false_hub.agent.b, KEY_LEN));
    bad_event(s, ENTRY_HUB_REVOKED, &m, code);
}
CASE_FUNCTION(certified_with_an_old_serial) {
    Plek__HubCertified m = PLEK__HUB_CERTIFIED__INIT;
    m.certificate = codec_binary(buf_bytes(&s->false_hub.partner.kit.cert_bytes));
    bad_event(s, ENTRY_HUB_CERTIFIED, &m, code);
}
