/* Tests a further agent of a member at the hub: its certificate is taken at its first hello, within
 * bounds, and never again after it was revoked. */
#include <criterion/criterion.h>
#include <string.h>

#include "hub_private.h"
#include "town.h"

/* A certificate of `of`'s member for this person's agent; the person has keys of its own. */
static void certify(struct person *p, const struct person *of, uint64_t serial) {
    struct error e = {0};
    struct buf out;
    p->member = of->member;
    p->cert.member = of->member.pub;
    p->cert.serial = serial;
    buf_init(&out, CERT_MAX_BYTES);
    cr_assert_eq(cert_issue(&p->cert, &of->member, &p->agent, &out, &e), ERR_OK, "%s", e.detail);
    memcpy(p->cert_bytes, out.data, out.len);
    p->cert_len = out.len;
    buf_done(&out);
}

/* Keys for a further agent; the invitation is never used. */
static void make_second(struct town *t, struct person *p, const struct person *of) {
    static int made;
    char uri[INVITE_URI_MAX], name[32];
    snprintf(name, sizeof name, "nobody %d", made++);
    town_invite(t, name, "provider", uri);
    person_make(t, p, uri);
    certify(p, of, 1);
}

static enum err greet(struct town *t, const struct person *p) {
    return person_greet(t, p, false).code;
}

static const struct member_agent *agent_of(struct town *t, const struct person *p) {
    return directory_agent(hub_directory(t->hub), &p->agent.pub);
}

static void do_revoke(struct town *t, const char *member, const struct person *p,
                      enum err expected) {
    struct error e = {0};
    char path[128], hex[2 * KEY_LEN + 1];
    json_t *answer = NULL;
    hex_encode(hex, bytes_of(p->agent.pub.b, KEY_LEN));
    snprintf(path, sizeof path, "/v1/members/%s/revoke", member);
    cr_assert_eq(town_call(t, API_POST, path, NULL, json_pack("{s:s}", "agent", hex), &answer, &e),
                 expected, "%s", e.detail);
    json_decref(answer);
}

Test(certify, a_members_further_agent_is_taken_at_its_hello) {
    struct town t;
    struct person p, second, stranger;
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Noord", "provider");
    make_second(&t, &second, &p);
    uint64_t before = directory_head(hub_directory(t.hub)).seq;
    struct greeting g = person_greet(&t, &second, false);
    cr_assert_eq(g.code, ERR_OK, "%s", g.error.detail);
    cr_assert_eq(g.welcome.hub_head.seq, before + 1, "committed before the welcome");
    cr_assert_eq(greet(&t, &second), ERR_OK);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, before + 1, "twice");
    town_close(&t);
    town_open(&t);
    cr_assert_not_null(agent_of(&t, &second));
    cr_assert_eq(agent_of(&t, &second)->member->agents, 2u);
    json_t *member = town_get(&t, "/v1/members/Noord");
    cr_assert_eq(json_array_size(json_object_get(member, "agents")), 2);
    json_decref(member);
    /* of a member key that is nobody's: nothing is written */
    make_second(&t, &stranger, &p);
    stranger.cert.member = stranger.agent.pub;
    uint64_t now = directory_head(hub_directory(t.hub)).seq;
    cr_assert_eq(greet(&t, &stranger), ERR_UNKNOWN_AUTHOR);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, now);
    town_done(&t);
}

Test(certify, a_newer_certificate_takes_the_place_of_the_older) {
    struct town t;
    struct person p;
    town_init(&t, 4, NULL);
    person_join(&t, &p, "Noord", "provider");
    struct person older = p;
    p.cert.not_after_ms += 1000;
    certify(&p, &p, 2);
    cr_assert_eq(greet(&t, &p), ERR_OK);
    cr_assert_eq(agent_of(&t, &p)->serial, 2u);
    uint64_t seq = directory_head(hub_directory(t.hub)).seq;
    cr_assert_eq(greet(&t, &older), ERR_OK, "an older one is no reason to turn it away");
    cr_assert_eq(agent_of(&t, &p)->serial, 2u);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, seq);
    town_done(&t);
}

Test(certify, members_that_are_not_admitted_certify_nobody) {
    struct town t;
    struct person p, second;
    town_init(&t, 5, NULL);
    person_join(&t, &p, "Noord", "provider");
    make_second(&t, &second, &p);
    town_change(&t, "Noord", "suspend");
    cr_assert_eq(greet(&t, &second), ERR_SUSPENDED);
    cr_assert_null(agent_of(&t, &second));
    town_change(&t, "Noord", "resume");
    cr_assert_eq(greet(&t, &second), ERR_OK);
    town_change(&t, "Noord", "remove");
    make_second(&t, &second, &p);
    cr_assert_eq(greet(&t, &second), ERR_REMOVED);
    town_done(&t);
}

/* Another member cannot claim an agent that is known, whatever the serial. */
Test(certify, an_agent_stays_with_its_member) {
    struct town t;
    struct person p, q;
    town_init(&t, 6, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    struct person claimed = p;
    certify(&claimed, &q, 9);
    cr_assert_eq(greet(&t, &claimed), ERR_CERTIFICATE);
    cr_assert_eq(agent_of(&t, &p)->serial, 1u);
    town_done(&t);
}

Test(certify, a_revoked_agent_does_not_come_back) {
    struct town t;
    struct person p, second;
    struct hub_news news;
    town_init(&t, 7, NULL);
    person_join(&t, &p, "Noord", "provider");
    make_second(&t, &second, &p);
    cr_assert_eq(greet(&t, &second), ERR_OK);
    hub_take_news(t.hub, &news);
    hub_news_done(&news);
    do_revoke(&t, "Noord", &second, ERR_OK);
    hub_take_news(t.hub, &news);
    cr_assert_eq(news.expelled_count, 1u);
    cr_assert(key_equal(&news.expelled[0].agent, &second.agent.pub));
    cr_assert_eq(news.expelled[0].code, ERR_REVOKED);
    hub_news_done(&news);
    cr_assert_eq(greet(&t, &second), ERR_REVOKED);
    certify(&second, &p, 2);
    cr_assert_eq(greet(&t, &second), ERR_REVOKED, "by a newer certificate");
    cr_assert_eq(greet(&t, &p), ERR_OK, "the member's other agent");
    do_revoke(&t, "Noord", &second, ERR_CONFLICT);
    struct person nobody = second;
    nobody.agent.pub.b[0] ^= 1;
    do_revoke(&t, "Noord", &nobody, ERR_NOT_FOUND);
    town_done(&t);
}

/* What one member can write into everybody's directory. */
Test(certify, certificates_are_bounded_in_number_and_in_rate) {
    struct town t;
    struct person p, second;
    town_init(&t, 8, NULL);
    person_join(&t, &p, "Noord", "provider");
    uint64_t serial = 2;
    while (serial < 100) {
        certify(&p, &p, serial++);
        if (greet(&t, &p) != ERR_OK)
            break;
    }
    cr_assert_eq(serial, 35u, "32 at once, then `rate`");
    cr_assert_eq(greet(&t, &p), ERR_RATE);
    t.now_ms += TOWN_HOUR_MS;
    cr_assert_eq(greet(&t, &p), ERR_OK);
    for (int n = 1; n < DIRECTORY_MAX_AGENTS; n++) {
        t.now_ms += TOWN_HOUR_MS;
        make_second(&t, &second, &p);
        cr_assert_eq(greet(&t, &second), ERR_OK, "agent %d", n + 1);
    }
    struct person last = second;
    t.now_ms += TOWN_HOUR_MS;
    make_second(&t, &second, &p);
    cr_assert_eq(greet(&t, &second), ERR_CAP);
    do_revoke(&t, "Noord", &last, ERR_OK);
    cr_assert_eq(greet(&t, &second), ERR_OK, "room again");
    town_done(&t);
}
