/* Tests the directory: each event of the hub's feed, each refusal, and that a refusal changes
 * nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flip.h"
#include "network.h"

static void append_key(struct buf *b, const struct public_key *k) {
    char hex[2 * KEY_LEN + 1];
    hex_encode(hex, bytes_of(k->b, KEY_LEN));
    buf_append_str(b, hex);
}

/* Everything the directory answers, as text: two equal ones answer alike. */
static char *picture(const struct directory *d) {
    struct buf b;
    size_t len = 0;
    struct head head = directory_head(d);
    buf_init(&b, 1024 * 1024);
    buf_printf(&b, "%s|%llu.%llu|v%u|%zu bytes|", directory_name(d),
               (unsigned long long)head.incarnation, (unsigned long long)head.seq,
               directory_charter_version(d), directory_charter_json(d).len);
    append_key(&b, directory_hub_box(d));
    for (size_t i = 0; i < directory_member_count(d); i++) {
        const struct member *m = directory_member_at(d, i);
        append_key(&b, &m->key);
        buf_printf(&b, "|%s %s %s %lld|", m->name, role_name(m->role), member_state_name(m->state),
                   (long long)m->since_ms);
    }
    for (size_t i = 0; i < directory_agent_count(d); i++) {
        const struct member_agent *a = directory_agent_at(d, i);
        append_key(&b, &a->agent);
        append_key(&b, &a->box);
        buf_printf(&b, "|%s %llu %d|", a->member->name, (unsigned long long)a->serial, a->revoked);
    }
    for (uint32_t i = 0; i < 8; i++) {
        struct public_key key = network_invite(i).pub;
        const struct invitation *in = directory_invitation(d, &key);
        buf_printf(&b, "|%s %d %lld", in ? in->name : "-", in ? in->used : 0,
                   in ? (long long)in->used_ms : 0);
    }
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof(name), "lid-%d", i);
        buf_printf(&b, "|%d", directory_name_used(d, name));
    }
    buf_append_u8(&b, 0);
    cr_assert_eq(b.failed, ERR_OK);
    return (char *)buf_take(&b, &len);
}

static void unchanged(const struct network *n, char *take_before, const char *what) {
    char *after = picture(n->directory);
    cr_assert_str_eq(take_before, after, "%s changed the directory", what);
    struct head head = directory_head(n->directory);
    cr_assert_neq(head.seq, n->claimed.seq, "%s moved the head", what);
    free(take_before);
    free(after);
}

#define REFUSED(net, expected, call, part)                                                         \
    do {                                                                                           \
        struct error e = {0};                                                                      \
        char *before = picture((net)->directory);                                                  \
        enum err code = (call);                                                                    \
        cr_assert_eq(code, expected, "%s: %s (%s)", #call, error_name(code), e.detail);            \
        cr_assert_eq(e.code, expected);                                                            \
        cr_assert_not_null(strstr(e.detail, part), "%s", e.detail);                                \
        unchanged(net, before, #call);                                                             \
    } while (0)

#define APPLIED(call)                                                                              \
    do {                                                                                           \
        struct error e = {0};                                                                      \
        enum err code = (call);                                                                    \
        cr_assert_eq(code, ERR_OK, "%s: %s: %s", #call, error_name(code), e.detail);               \
    } while (0)

static const char two_services[] =
    "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"},"
    "{\"code\":\"home\",\"unit\":\"home\"}]}";

Test(directory, a_new_one_is_empty) {
    struct network n;
    network_init(&n);
    struct public_key nobody = network_member(1).pub;
    cr_assert_eq(directory_head(n.directory).seq, 0u);
    cr_assert_null(directory_charter(n.directory));
    cr_assert_eq(directory_charter_json(n.directory).len, 0u);
    cr_assert_eq(directory_charter_version(n.directory), 0u);
    cr_assert_null(directory_member(n.directory, &nobody));
    cr_assert_null(directory_member_named(n.directory, "lid-1"));
    cr_assert_null(directory_member_at(n.directory, 0));
    cr_assert_null(directory_agent_at(n.directory, 0));
    cr_assert(key_equal(directory_network(n.directory), &n.hub.pub));
    cr_assert_str_eq(directory_name(n.directory), "");
    network_done(&n);
    directory_free(NULL);
}

Test(directory, genesis_comes_first_and_once) {
    struct network n;
    network_init(&n);
    REFUSED(&n, ERR_CONFLICT, network_charter(&n, 1, charter_default_json(), &e), "genesis");
    APPLIED(network_genesis(&n, &e));
    cr_assert_str_eq(directory_name(n.directory), "Netwerk Noord");
    cr_assert(key_equal(directory_hub_box(n.directory), &n.hub_box.pub));
    struct head head = directory_head(n.directory);
    cr_assert(hash_equal(&head.hash, &n.claimed.hash));
    cr_assert_eq(directory_head(n.directory).seq, 1u);
    REFUSED(&n, ERR_CONFLICT, network_genesis(&n, &e), "second genesis");
    network_done(&n);
}

Test(directory, charters_follow_each_other_and_older_ones_stay) {
    struct network n;
    network_init(&n);
    APPLIED(network_genesis(&n, &e));
    REFUSED(&n, ERR_CONFLICT, network_charter(&n, 2, two_services, &e), "expected 1");
    APPLIED(network_charter(&n, 1, charter_default_json(), &e));
    const struct charter *first = directory_charter(n.directory);
    cr_assert_eq(first->service_count, 1u);
    REFUSED(&n, ERR_CONFLICT, network_charter(&n, 1, two_services, &e), "expected 2");
    REFUSED(&n, ERR_CONFLICT, network_charter(&n, 3, two_services, &e), "expected 2");
    APPLIED(network_charter(&n, 2, two_services, &e));
    cr_assert_eq(directory_charter(n.directory)->service_count, 2u);
    cr_assert_eq(directory_charter_version(n.directory), 2u);
    cr_assert(bytes_equal(directory_charter_json(n.directory), bytes_str(two_services)));
    cr_assert_eq(first->service_count, 1u, "a pointer that was handed out stays valid");
    network_done(&n);
}

Test(directory, invited_and_admitted) {
    struct network n;
    network_open(&n, two_services, 2);
    const struct member *m = directory_member_named(n.directory, "lid-2");
    struct public_key key = network_member(2).pub;
    struct public_key agent_key = network_agent(2).pub;
    struct public_key invite = network_invite(2).pub;
    cr_assert_eq(m, directory_member(n.directory, &key));
    cr_assert_eq(m, directory_member_at(n.directory, 1));
    cr_assert_eq(directory_member_named(n.directory, "LID-2"), m, "case does not matter");
    cr_assert_eq(directory_member_count(n.directory), 2u);
    cr_assert_eq(m->role, ROLE_PROVIDER);
    cr_assert_eq(m->state, MEMBER_ADMITTED);
    cr_assert_eq(m->since_ms, NETWORK_T0);
    struct hash next = hash_blake2b(bytes_of("next", 4));
    cr_assert(hash_equal(&m->next_member, &next));
    const struct member_agent *a = directory_agent(n.directory, &agent_key);
    cr_assert_not_null(a);
    cr_assert_eq(a->member, m);
    cr_assert_eq(a->serial, 1u);
    struct public_key box = network_box(2).pub;
    cr_assert(key_equal(&a->box, &box));
    cr_assert(!a->revoked);
    const struct invitation *i = directory_invitation(n.directory, &invite);
    cr_assert(i->used && i->used_ms == NETWORK_T0 && key_equal(&i->used_by, &key));
    struct buf join;
    buf_init(&join, JOIN_MAX_BYTES);
    network_join(&n, 2, 2, 2, &join);
    struct hash request = hash_sha256(buf_bytes(&join));
    cr_assert(hash_equal(&i->used_request, &request), "the same request can be told again");
    buf_done(&join);
    network_done(&n);
}

Test(directory, invitations_are_refused_for_names_keys_and_form) {
    struct network n;
    network_open(&n, two_services, 1);
    REFUSED(&n, ERR_NAME_TAKEN, network_invited(&n, 2, "lid-1", ROLE_PROVIDER, &e), "lid-1");
    REFUSED(&n, ERR_NAME_TAKEN, network_invited(&n, 2, "LID-1", ROLE_PROVIDER, &e), "LID-1");
    REFUSED(&n, ERR_CONFLICT, network_invited(&n, 1, "lid-2", ROLE_PROVIDER, &e), "a new one");
    APPLIED(network_invited(&n, 2, "lid-2", ROLE_OBSERVER, &e));
    cr_assert(directory_name_used(n.directory, "Lid-2"));
    cr_assert_null(directory_member_named(n.directory, "lid-2"), "invited is not a member yet");
    APPLIED(network_invited(&n, 3, "LID-2", ROLE_PROVIDER, &e));
    REFUSED(&n, ERR_INVITE_EXPIRED, network_admitted(&n, 2, 2, 2, &e), "replaced");
    APPLIED(network_admitted(&n, 3, 2, 2, &e));
    cr_assert_eq(directory_member_named(n.directory, "lid-2")->role, ROLE_PROVIDER);
    REFUSED(&n, ERR_NAME_TAKEN, network_invited(&n, 4, "lid-2", ROLE_PROVIDER, &e), "lid-2");
    network_done(&n);
}

Test(directory, names_that_pass_for_something_else_are_refused) {
    static const char *const bad[] = {
        "",
        "@hub",
        " lid",
        "lid ",
        "a\nb",
        "a\x1B[1m",
        "\xFF",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF-",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct invitation in = {.invite = network_invite(1).pub,
                                .name = bad[i],
                                .role = ROLE_PROVIDER,
                                .expires_ms = 1};
        struct buf out;
        struct error e = {0};
        buf_init(&out, 1024);
        cr_assert_eq(event_invited(&in, &out, &e), ERR_DATA, "%s", bad[i]);
        cr_assert_eq(out.len, 0u);
        buf_done(&out);
    }
    struct invitation in = {.role = (enum role)4, .expires_ms = 1, .name = "lid"};
    struct buf out;
    struct error e = {0};
    buf_init(&out, 1024);
    cr_assert_eq(event_invited(&in, &out, &e), ERR_DATA);
    char reason[2048];
    struct public_key member = network_agent(1).pub;
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    cr_assert_eq(event_member(&member, reason, &out, &e), ERR_DATA);
    cr_assert_eq(event_member(&member, "\xFF", &out, &e), ERR_DATA);
    cr_assert_eq(out.len, 0u);
    buf_done(&out);
}

Test(directory, admissions_are_refused_one_by_one) {
    struct network n;
    network_open(&n, two_services, 2);
    APPLIED(network_invited(&n, 3, "lid-3", ROLE_PROVIDER, &e));
    REFUSED(&n, ERR_INVITE_UNKNOWN, network_admitted(&n, 4, 4, 4, &e), "never gave");
    REFUSED(&n, ERR_INVITE_USED, network_admitted(&n, 1, 3, 3, &e), "lid-1");
    REFUSED(&n, ERR_CONFLICT, network_admitted(&n, 3, 1, 3, &e), "member key");
    REFUSED(&n, ERR_CONFLICT, network_admitted(&n, 3, 3, 1, &e), "agent key");
    n.now_ms = NETWORK_T0 + INT64_C(86400000);
    REFUSED(&n, ERR_INVITE_EXPIRED, network_admitted(&n, 3, 3, 3, &e), "lid-3");
    n.now_ms--;
    APPLIED(network_admitted(&n, 3, 3, 3, &e));
    cr_assert_eq(directory_member_named(n.directory, "lid-3")->since_ms, n.now_ms);
    network_done(&n);
}

Test(directory, a_join_of_another_network_or_with_a_broken_signature_is_refused) {
    struct network n;
    struct network other;
    network_open(&n, two_services, 0);
    network_init(&other);
    other.hub = network_pair(9, 'h');
    APPLIED(network_invited(&n, 1, "lid-1", ROLE_PROVIDER, &e));
    struct buf join;
    buf_init(&join, JOIN_MAX_BYTES);
    network_join(&other, 1, 1, 1, &join);
    struct error e = {0};
    enum err code = ERR_OK;
    char *before = picture(n.directory);
    NETWORK_EVENT(code, &n, ENTRY_HUB_ADMITTED, event_admitted(buf_bytes(&join), out, &e), &e);
    cr_assert_eq(code, ERR_NETWORK, "%s", e.detail);
    unchanged(&n, before, "a foreign join");
    buf_done(&join);
    buf_init(&join, JOIN_MAX_BYTES);
    network_join(&n, 1, 1, 1, &join);
    join.data[join.len - 1] ^= 1;
    before = picture(n.directory);
    NETWORK_EVENT(code, &n, ENTRY_HUB_ADMITTED, event_admitted(buf_bytes(&join), out, &e), &e);
    cr_assert_eq(code, ERR_SIGNATURE, "%s", e.detail);
    unchanged(&n, before, "a broken join");
    buf_done(&join);
    network_done(&other);
    network_done(&n);
}

/* From each state by each event: only the transitions of docs/protocol.md. */
Test(directory, states_change_only_as_agreed) {
    static const uint32_t events[] = {ENTRY_HUB_SUSPENDED, ENTRY_HUB_RESUMED, ENTRY_HUB_REMOVED};
    static const struct {
        enum member_state from;
        int to[3]; /* -1: refused */
    } rows[] = {
        {MEMBER_ADMITTED, {MEMBER_SUSPENDED, -1, MEMBER_REMOVED}},
        {MEMBER_SUSPENDED, {-1, MEMBER_ADMITTED, MEMBER_REMOVED}},
        {MEMBER_REMOVED, {-1, -1, -1}},
    };
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = 0; i < 3; i++) {
            struct network n;
            network_open(&n, two_services, 2);
            if (rows[r].from != MEMBER_ADMITTED) {
                uint32_t there =
                    rows[r].from == MEMBER_SUSPENDED ? ENTRY_HUB_SUSPENDED : ENTRY_HUB_REMOVED;
                APPLIED(network_member_event(&n, there, 1, &e));
            }
            const struct member *m = directory_member_named(n.directory, "lid-1");
            cr_assert_eq(m->state, rows[r].from);
            if (rows[r].to[i] < 0) {
                REFUSED(&n, ERR_CONFLICT, network_member_event(&n, events[i], 1, &e), "lid-1");
            } else {
                APPLIED(network_member_event(&n, events[i], 1, &e));
                cr_assert_eq((int)m->state, rows[r].to[i]);
            }
            cr_assert_eq(directory_member_named(n.directory, "lid-2")->state, MEMBER_ADMITTED);
            network_done(&n);
        }
    }
}

Test(directory, removal_is_final_for_name_and_key) {
    struct network n;
    network_open(&n, two_services, 1);
    APPLIED(network_member_event(&n, ENTRY_HUB_REMOVED, 1, &e));
    cr_assert(directory_name_used(n.directory, "lid-1"));
    cr_assert_eq(directory_member_named(n.directory, "lid-1")->state, MEMBER_REMOVED);
    REFUSED(&n, ERR_NAME_TAKEN, network_invited(&n, 2, "lid-1", ROLE_PROVIDER, &e), "lid-1");
    APPLIED(network_invited(&n, 2, "lid-2", ROLE_PROVIDER, &e));
    REFUSED(&n, ERR_CONFLICT, network_admitted(&n, 2, 1, 2, &e), "member key");
    REFUSED(&n, ERR_UNKNOWN_MEMBER, network_member_event(&n, ENTRY_HUB_REMOVED, 7, &e), "not in");
    network_done(&n);
}

static enum err revoke(struct network *n, uint32_t member, uint32_t agent, struct error *e) {
    struct public_key m = network_member(member).pub;
    struct public_key a = network_agent(agent).pub;
    enum err code = ERR_INTERNAL;
    NETWORK_EVENT(code, n, ENTRY_HUB_REVOKED, event_revoked(&m, &a, NULL, out, e), e);
    return code;
}

static enum err certify(struct network *n, uint32_t member, uint32_t agent, uint64_t serial,
                        struct error *e) {
    struct buf cert;
    enum err code = ERR_INTERNAL;
    buf_init(&cert, CERT_MAX_BYTES);
    network_cert(n, member, agent, serial, &cert);
    NETWORK_EVENT(code, n, ENTRY_HUB_CERTIFIED, event_certified(buf_bytes(&cert), out, e), e);
    buf_done(&cert);
    return code;
}

Test(directory, agents_are_revoked_once_and_by_their_member) {
    struct network n;
    network_open(&n, two_services, 2);
    REFUSED(&n, ERR_NOT_FOUND, revoke(&n, 1, 2, &e), "lid-1");
    REFUSED(&n, ERR_NOT_FOUND, revoke(&n, 1, 5, &e), "lid-1");
    REFUSED(&n, ERR_UNKNOWN_MEMBER, revoke(&n, 5, 1, &e), "not in");
    APPLIED(revoke(&n, 1, 1, &e));
    struct public_key agent = network_agent(1).pub;
    cr_assert(directory_agent(n.directory, &agent)->revoked);
    REFUSED(&n, ERR_CONFLICT, revoke(&n, 1, 1, &e), "before");
    REFUSED(&n, ERR_REVOKED, certify(&n, 1, 1, 2, &e), "revoked");
    network_done(&n);
}

Test(directory, members_certify_and_renew_their_agents) {
    struct network n;
    network_open(&n, two_services, 2);
    APPLIED(certify(&n, 1, 11, 5, &e));
    struct public_key agent = network_agent(11).pub;
    const struct member_agent *a = directory_agent(n.directory, &agent);
    cr_assert_eq(a->member, directory_member_named(n.directory, "lid-1"));
    cr_assert_eq(directory_agent_count(n.directory), 3u);
    REFUSED(&n, ERR_CONFLICT, certify(&n, 1, 11, 5, &e), "above 5");
    APPLIED(certify(&n, 1, 11, 6, &e));
    cr_assert_eq(a->serial, 6u, "the same item, renewed");
    cr_assert_eq(directory_agent_count(n.directory), 3u);
    REFUSED(&n, ERR_CONFLICT, certify(&n, 2, 11, 9, &e), "another member");
    REFUSED(&n, ERR_UNKNOWN_MEMBER, certify(&n, 6, 12, 1, &e), "not");
    APPLIED(network_member_event(&n, ENTRY_HUB_SUSPENDED, 1, &e));
    REFUSED(&n, ERR_CONFLICT, certify(&n, 1, 12, 1, &e), "suspended");
    network_done(&n);
}

/* Renewals are ordered by their place in the agent's feed, and stand above certificates. */
Test(directory, a_member_has_so_many_agents_and_those_revoked_do_not_count) {
    struct network n;
    network_open(&n, two_services, 1);
    for (uint32_t i = 1; i < DIRECTORY_MAX_AGENTS; i++)
        APPLIED(certify(&n, 1, 100 + i, 1, &e));
    REFUSED(&n, ERR_CAP, certify(&n, 1, 99, 1, &e), "64 agents");
    APPLIED(revoke(&n, 1, 101, &e));
    APPLIED(certify(&n, 1, 99, 1, &e));
    network_done(&n);
}

Test(directory, the_newest_renewal_is_the_agents_box_key) {
    struct network n;
    const struct public_key second = {{2}}, third = {{3}};
    const struct head at = {.incarnation = 1, .seq = 5}, older = {.incarnation = 1, .seq = 4},
                      next = {.incarnation = 2, .seq = 6};
    network_open(&n, two_services, 2);
    struct public_key agent = network_agent(1).pub, stranger = network_agent(9).pub;
    const struct member_agent *a = directory_agent(n.directory, &agent);
    struct public_key first = a->box;
    directory_renew(n.directory, &agent, &at, &second);
    cr_assert(key_equal(&a->box, &second));
    directory_renew(n.directory, &agent, &older, &third);
    directory_renew(n.directory, &agent, &at, &third);
    directory_renew(n.directory, &stranger, &next, &third);
    cr_assert(key_equal(&a->box, &second));
    APPLIED(certify(&n, 1, 1, 7, &e));
    cr_assert_eq(a->serial, 7u);
    cr_assert(key_equal(&a->box, &second), "a certificate took a renewal back");
    directory_renew(n.directory, &agent, &next, &third);
    cr_assert(key_equal(&a->box, &third));
    cr_assert_not(key_equal(&first, &third));
    network_done(&n);
}

Test(directory, unknown_kinds_only_move_the_head) {
    struct network n;
    network_open(&n, two_services, 1);
    char *before = picture(n.directory);
    uint64_t seq = directory_head(n.directory).seq;
    APPLIED(network_apply(&n, 4000000000u, bytes_str("?"), &e));
    cr_assert_eq(directory_head(n.directory).seq, seq + 1);
    struct head head = directory_head(n.directory);
    cr_assert(hash_equal(&head.hash, &n.claimed.hash));
    cr_assert_eq(directory_member_count(n.directory), 1u);
    free(before);
    network_done(&n);
}

Test(directory, entries_of_another_feed_are_refused) {
    struct network n;
    network_open(&n, two_services, 1);
    struct public_key foreign = network_member(1).pub;
    struct view plain = {.target = target_plain(), .kind = VIEW_PLAIN, .data = bytes_str("x")};
    struct header h = network_header(&n, ENTRY_HUB_CHARTER);
    h.network = foreign;
    REFUSED(&n, ERR_NETWORK, network_apply_views(&n, &h, &plain, 1, &e), "hub");
    h = network_header(&n, ENTRY_HUB_CHARTER);
    h.member = foreign;
    REFUSED(&n, ERR_NETWORK, network_apply_views(&n, &h, &plain, 1, &e), "hub");
    h = network_header(&n, ENTRY_HUB_CHARTER);
    h.agent = foreign;
    REFUSED(&n, ERR_NETWORK, network_apply_views(&n, &h, &plain, 1, &e), "hub");
    network_done(&n);
}

Test(directory, an_event_is_one_unsealed_view) {
    struct network n;
    network_open(&n, two_services, 1);
    struct buf message;
    buf_init(&message, CHARTER_MAX_BYTES);
    APPLIED(event_charter(2, bytes_str(two_services), &message, &e));
    struct view views[2] = {
        {.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&message)},
        {.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&message)}};
    struct header h = network_header(&n, ENTRY_HUB_CHARTER);
    REFUSED(&n, ERR_MALFORMED, network_apply_views(&n, &h, views, 2, &e), "2 views");
    views[0].kind = VIEW_STATE;
    views[0].target.b[0] = 1;
    views[0].key_id.b[0] = 1;
    REFUSED(&n, ERR_MALFORMED, network_apply_views(&n, &h, views, 1, &e), "unsealed");
    buf_done(&message);
    network_done(&n);
}

struct damage {
    struct network *n;
    uint32_t kind;
    size_t refused;
};

static void apply_damaged(struct bytes damaged, size_t at, void *ctx) {
    struct damage *d = (struct damage *)ctx;
    struct error e = {0};
    (void)at;
    if (damaged.len == 0) {
        return; /* no view can be empty */
    }
    if (network_apply(d->n, d->kind, damaged, &e) != ERR_OK) {
        d->refused++;
        cr_assert_neq(e.code, ERR_OK);
    }
}

Test(directory, damaged_events_are_refused_without_a_trace) {
    struct network n;
    network_open(&n, two_services, 1);
    APPLIED(network_invited(&n, 2, "lid-2", ROLE_PROVIDER, &e));
    struct buf join, message;
    buf_init(&join, JOIN_MAX_BYTES);
    buf_init(&message, JOIN_MAX_BYTES + 64);
    network_join(&n, 2, 2, 2, &join);
    APPLIED(event_admitted(buf_bytes(&join), &message, &e));
    struct damage damage = {&n, ENTRY_HUB_ADMITTED, 0};
    char *before = picture(n.directory);
    size_t bits = flip_each_bit(buf_bytes(&message), apply_damaged, &damage);
    cr_assert_eq(damage.refused, bits);
    damage.refused = 0;
    size_t cuts = truncate_each(buf_bytes(&message), apply_damaged, &damage);
    cr_assert_eq(damage.refused, cuts - 1);
    char *after = picture(n.directory);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
    buf_done(&join);
    buf_done(&message);
    network_done(&n);
}

/* Most flips of a member event give another key or reason: never a crash, and never more than the
 * state of one member. */
Test(directory, damaged_member_events_do_no_other_harm) {
    struct network n;
    network_open(&n, two_services, 2);
    struct public_key key = network_member(1).pub;
    struct buf message;
    struct error e = {0};
    buf_init(&message, 256);
    cr_assert_eq(event_member(&key, "", &message, &e), ERR_OK);
    struct damage damage = {&n, ENTRY_HUB_SUSPENDED, 0};
    size_t bits = flip_each_bit(buf_bytes(&message), apply_damaged, &damage);
    cr_assert_eq(damage.refused, bits);
    cr_assert_eq(directory_member_named(n.directory, "lid-1")->state, MEMBER_ADMITTED);
    buf_done(&message);
    network_done(&n);
}

Test(directory, thousands_of_members_stay_findable_and_pointers_stay_valid) {
    enum { COUNT = 3000 };
    struct network n;
    network_open(&n, two_services, 1);
    const struct member *first = directory_member_named(n.directory, "lid-1");
    const struct invitation *invitation;
    struct public_key invite = network_invite(1).pub;
    invitation = directory_invitation(n.directory, &invite);
    for (uint32_t i = 2; i <= COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "lid-%u", i);
        APPLIED(network_invited(&n, i, name, ROLE_PROVIDER, &e));
    }
    for (uint32_t i = 2; i <= 200; i++) {
        APPLIED(network_admitted(&n, i, i, i, &e));
    }
    for (uint32_t i = 1; i <= COUNT; i++) {
        char name[32];
        struct public_key key = network_invite(i).pub;
        snprintf(name, sizeof(name), "lid-%u", i);
        cr_assert(directory_name_used(n.directory, name));
        cr_assert_str_eq(directory_invitation(n.directory, &key)->name, name);
    }
    cr_assert(!directory_name_used(n.directory, "lid-3001"));
    cr_assert_eq(first, directory_member_named(n.directory, "lid-1"));
    cr_assert_eq(invitation, directory_invitation(n.directory, &invite));
    cr_assert_str_eq(first->name, "lid-1");
    cr_assert_eq(directory_member_count(n.directory), 200u);
    network_done(&n);
}

Test(directory, roles_and_states_have_names) {
    for (enum role r = ROLE_PROVIDER; r <= ROLE_OBSERVER; r++) {
        enum role back = (enum role)0;
        struct error e = {0};
        cr_assert_eq(role_parse(role_name(r), &back, &e), ERR_OK);
        cr_assert_eq(back, r);
    }
    cr_assert_null(role_name((enum role)0));
    cr_assert_null(role_name((enum role)9));
    enum role untouched = ROLE_OBSERVER;
    struct error e = {0};
    cr_assert_eq(role_parse("Provider", &untouched, &e), ERR_DATA);
    cr_assert_eq(untouched, ROLE_OBSERVER);
    cr_assert_str_eq(member_state_name(MEMBER_ADMITTED), "admitted");
    cr_assert_str_eq(member_state_name(MEMBER_SUSPENDED), "suspended");
    cr_assert_str_eq(member_state_name(MEMBER_REMOVED), "removed");
}
