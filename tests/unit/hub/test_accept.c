/* Owns the tests of the hub's rule: each reason to refuse an entry, what stays the same then,
 * forks, the rate, and groups whose commit fails. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>

#include "renewal.h"
#include "town.h"
#include "vfs/watch_vfs.h"

static json_int_t count_at(const json_t *status, const char *object, const char *key) {
    return json_integer_value(json_object_get(json_object_get(status, object), key));
}

static json_int_t log_size(struct town *t) {
    json_t *status = town_get(t, "/v1/status");
    json_int_t size = json_integer_value(json_object_get(status, "log"));
    json_decref(status);
    return size;
}

/* Refused with this code, counted once, nothing stored. */
static void assert_refused(struct town *t, struct person *p, struct entry *take_entry,
                           const struct public_key *agent, enum err code) {
    json_t *before = town_get(t, "/v1/status");
    town_begin(t);
    struct outcome o = town_accept(t, take_entry, agent);
    town_commit(t);
    json_t *after = town_get(t, "/v1/status");
    cr_assert_eq(o.err, ERR_OK);
    cr_assert_eq(o.verdict, FEED_REJECT);
    cr_assert_eq(o.reject.code, code, "found %s (%s), expected %s", error_name(o.reject.code),
                 o.reject.detail, error_name(code));
    cr_assert_eq(o.head.seq, p->head.seq);
    cr_assert_eq(json_integer_value(json_object_get(after, "log")),
                 json_integer_value(json_object_get(before, "log")));
    cr_assert_eq(count_at(after, "rejections", error_name(code)),
                 count_at(before, "rejections", error_name(code)) + 1);
    json_decref(before);
    json_decref(after);
    entry_free(take_entry);
}

static struct entry *plain_update(struct town *t, const struct person *p) {
    struct draft d;
    draft_init(t, &d, p);
    return draft_build(&d, &p->agent);
}

static void publish(struct town *t, struct person *p) {
    struct draft d;
    draft_init(t, &d, p);
    person_publish(t, p, &d);
}

Test(accept, chain_of_one_agent) {
    struct town t;
    struct person p;
    town_init(&t, 1, NULL);
    person_join(&t, &p, "Noord", "provider");
    json_int_t before = log_size(&t);
    for (int i = 0; i < 5; i++)
        publish(&t, &p);
    cr_assert_eq(p.head.seq, 5);
    cr_assert_eq(log_size(&t), before + 5);
    struct greeting g = person_greet(&t, &p, false);
    cr_assert_eq(g.code, ERR_OK);
    cr_assert(g.welcome.has_own_head);
    cr_assert_eq(g.welcome.own_head.seq, 5);
    cr_assert(hash_equal(&g.welcome.own_head.hash, &p.head.hash));
    town_close(&t);
    town_open(&t);
    publish(&t, &p);
    cr_assert_eq(p.head.seq, 6);
    town_done(&t);
}

Test(accept, unknown_author) {
    struct town t;
    struct person p, stranger;
    char uri[INVITE_URI_MAX];
    town_init(&t, 2, NULL);
    person_join(&t, &p, "Noord", "provider");
    town_invite(&t, "Zuid", "provider", uri);
    person_make(&t, &stranger, uri);
    assert_refused(&t, &stranger, plain_update(&t, &stranger), &stranger.agent.pub,
                   ERR_UNKNOWN_AUTHOR);
    town_done(&t);
}

Test(accept, header_must_be_the_senders) {
    struct town t;
    struct person p, q;
    struct draft d;
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    draft_init(&t, &d, &p);
    d.header.network = q.member.pub;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_NETWORK);
    draft_init(&t, &d, &p);
    d.header.agent = q.agent.pub;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_CERTIFICATE);
    draft_init(&t, &d, &p);
    d.header.member = q.member.pub;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_CERTIFICATE);
    town_done(&t);
}

Test(accept, standing_of_the_member) {
    struct town t;
    struct person p;
    town_init(&t, 4, NULL);
    person_join(&t, &p, "Noord", "provider");
    publish(&t, &p);
    town_change(&t, "Noord", "suspend");
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_SUSPENDED);
    town_change(&t, "Noord", "resume");
    publish(&t, &p);
    town_change(&t, "Noord", "remove");
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_REMOVED);
    town_done(&t);
}

Test(accept, observers_publish_no_figures) {
    struct town t;
    struct person p;
    struct circle c;
    struct draft d;
    town_init(&t, 5, NULL);
    person_join(&t, &p, "Ministerie", "observer");
    circle_new(&t, &c, &p);
    draft_init(&t, &d, &p);
    draft_state(&t, &d, &c, bytes_str("figures"));
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_ROLE);
    publish(&t, &p);
    town_done(&t);
}

Test(accept, place_in_the_feed) {
    struct town t;
    struct person p;
    struct draft d;
    town_init(&t, 6, NULL);
    person_join(&t, &p, "Noord", "provider");
    draft_init(&t, &d, &p);
    d.header.kind = ENTRY_UPDATE;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_KIND);
    publish(&t, &p);
    publish(&t, &p);
    draft_init(&t, &d, &p);
    d.header.seq++;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_SEQ);
    draft_init(&t, &d, &p);
    d.header.prev.b[0] ^= 1;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_PREV);
    draft_init(&t, &d, &p);
    d.header.incarnation += 2;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_INCARNATION);
    draft_init(&t, &d, &p);
    d.header.incarnation++;
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_KIND);
    draft_init(&t, &d, &p);
    d.header.incarnation++;
    d.header.kind = ENTRY_OPEN;
    person_publish(&t, &p, &d);
    cr_assert_eq(p.head.incarnation, 2);
    cr_assert_eq(p.head.seq, 3);
    town_done(&t);
}

Test(accept, kinds_of_views) {
    struct town t;
    struct person p;
    struct circle c;
    struct draft d;
    town_init(&t, 7, NULL);
    person_join(&t, &p, "Noord", "provider");
    circle_new(&t, &c, &p);
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_PLAIN, target_plain(), (struct hash){{0}}, bytes_str("open"));
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_KIND);
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_STATE, target_audience(c.id), (struct hash){{0}}, bytes_str("no key id"));
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_KIND);
    town_done(&t);
}

/* Every member would read it. */
Test(accept, a_key_renewal_has_a_key_in_it) {
    struct town t;
    struct person p;
    struct draft d;
    struct buf view;
    struct error e = {0};
    const struct public_key zero = {{0}};
    town_init(&t, 7, NULL);
    person_join(&t, &p, "Noord", "provider");
    draft_init(&t, &d, &p);
    person_publish(&t, &p, &d);
    draft_init(&t, &d, &p);
    d.header.kind = ENTRY_BOX_RENEWAL;
    draft_raw(&d, VIEW_PLAIN, target_plain(), (struct hash){{0}}, bytes_str("no key"));
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_MALFORMED);
    buf_init(&view, RENEWAL_MAX_BYTES);
    cr_assert_eq(renewal_encode(&zero, t.now_ms, &view, &e), ERR_OK);
    draft_init(&t, &d, &p);
    d.header.kind = ENTRY_BOX_RENEWAL;
    draft_raw(&d, VIEW_PLAIN, target_plain(), (struct hash){{0}}, buf_bytes(&view));
    assert_refused(&t, &p, draft_build(&d, &p.agent), &p.agent.pub, ERR_LOW_ORDER);
    buf_done(&view);
    town_done(&t);
}

Test(accept, held_entries_change_nothing) {
    struct town t;
    struct person p;
    struct draft d;
    struct entry *entries[3];
    town_init(&t, 8, NULL);
    person_join(&t, &p, "Noord", "provider");
    for (int i = 0; i < 3; i++) {
        draft_init(&t, &d, &p);
        entries[i] = draft_build(&d, &p.agent);
        town_begin(&t);
        struct outcome o = town_accept(&t, entries[i], &p.agent.pub);
        town_commit(&t);
        cr_assert_eq(o.verdict, FEED_ACCEPT);
        p.head = o.head;
    }
    json_int_t before = log_size(&t);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            town_begin(&t);
            struct outcome o = town_accept(&t, entries[i], &p.agent.pub);
            town_commit(&t);
            cr_assert_eq(o.verdict, FEED_HELD);
            cr_assert_eq(o.head.seq, 3);
        }
        town_close(&t);
        town_open(&t);
    }
    cr_assert_eq(log_size(&t), before);
    for (int i = 0; i < 3; i++)
        entry_free(entries[i]);
    town_done(&t);
}

/* Two signed entries for one place: kept as proof, the agent is stopped until its next incarnation.
 */
Test(accept, fork_stops_the_agent) {
    struct town t;
    struct person p, copy;
    struct draft d;
    struct hub_news news;
    town_init(&t, 9, NULL);
    person_join(&t, &p, "Noord", "provider");
    publish(&t, &p);
    copy = p;
    publish(&t, &p);
    publish(&t, &p);
    hub_take_news(t.hub, &news);
    hub_news_done(&news);
    for (int i = 0; i < 2; i++) {
        draft_init(&t, &d, &copy);
        d.header.claimed_ms += 1 + i;
        struct outcome o = person_send(&t, &copy, draft_build(&d, &copy.agent));
        cr_assert_eq(o.verdict, FEED_FORK);
        cr_assert_eq(o.reject.code, ERR_FORK);
        cr_assert_eq(o.head.seq, 3);
    }
    hub_take_news(t.hub, &news);
    cr_assert_eq(news.expelled_count, 1);
    cr_assert_eq(news.expelled[0].code, ERR_FORK);
    cr_assert(key_equal(&news.expelled[0].agent, &p.agent.pub));
    hub_news_done(&news);
    town_close(&t);
    town_open(&t);
    json_t *status = town_get(&t, "/v1/status");
    json_t *forks = json_object_get(status, "forks");
    cr_assert_eq(json_array_size(forks), 1, "one proof is kept");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(forks, 0), "seq")), 2);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(forks, 0), "member")),
                     "Noord");
    json_decref(status);
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_FORK);
    draft_init(&t, &d, &p);
    d.header.kind = ENTRY_OPEN;
    d.header.incarnation++;
    person_publish(&t, &p, &d);
    publish(&t, &p);
    town_close(&t);
    town_open(&t);
    publish(&t, &p);
    town_done(&t);
}

Test(accept, rate_is_per_member) {
    struct town t;
    struct person p, q;
    char path[PATH_MAX];
    town_init(&t, 10, NULL);
    town_close(&t);
    FILE *conf = fopen(scratch_path(&t.scratch, "hub/hub.conf", path), "a");
    cr_assert(conf);
    fputs("limit.member_rate = 2\nlimit.member_burst = 3\n", conf);
    fclose(conf);
    town_open(&t);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    for (int i = 0; i < 3; i++)
        publish(&t, &p);
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_RATE);
    publish(&t, &q);
    t.now_ms += 499;
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_RATE);
    t.now_ms += 1;
    publish(&t, &p);
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_RATE);
    t.now_ms += 60000;
    for (int i = 0; i < 3; i++)
        publish(&t, &p);
    assert_refused(&t, &p, plain_update(&t, &p), &p.agent.pub, ERR_RATE);
    town_done(&t);
}

/* ---- groups ---- */

static char *status_text(struct town *t) {
    json_t *status = town_get(t, "/v1/status");
    json_object_del(status, "database_bytes");
    char *text = json_dumps(status, JSON_SORT_KEYS);
    json_decref(status);
    return text;
}

static void assert_news_empty(struct town *t) {
    struct hub_news news;
    hub_take_news(t->hub, &news);
    cr_assert(!news.hub_feed);
    cr_assert_eq(news.agent_count, 0);
    cr_assert_eq(news.expelled_count, 0);
    hub_news_done(&news);
}

/* A group with an admission, an entry, a rejection, a fork and a suspension, whose commit fails at
 * its sync: memory and disk are as before, and the same group succeeds when tried again. */
Test(accept, failed_commit_leaves_nothing) {
    struct town t;
    struct person p, q, late;
    struct draft d;
    struct circle c;
    char uri[INVITE_URI_MAX];
    struct error e = {0};
    json_t *answer = NULL;
    struct watch_vfs *watch = watch_vfs_new("watch-hub");
    cr_assert(watch);
    town_init(&t, 11, NULL);
    town_close(&t);
    t.vfs = "watch-hub";
    town_open(&t);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    publish(&t, &p);
    struct person copy = p;
    publish(&t, &p);
    town_invite(&t, "Oost", "provider", uri);
    person_make(&t, &late, uri);
    circle_new(&t, &c, &p);
    struct hub_news news;
    hub_take_news(t.hub, &news);
    hub_news_done(&news);
    draft_init(&t, &d, &p);
    draft_grant_to(&t, &d, &c, &q);
    draft_state(&t, &d, &c, bytes_str("figures"));
    struct entry *good = draft_build(&d, &p.agent);
    draft_init(&t, &d, &copy);
    d.header.seq += 3;
    struct entry *gap = draft_build(&d, &p.agent);
    struct agent_hello hello = {.network = late.cert.network,
                                .cert = late.cert,
                                .join = bytes_of(late.join_bytes, late.join_len)};
    struct greeting g;

    for (int attempt = 0; attempt < 2; attempt++) {
        char *before = status_text(&t);
        town_begin(&t);
        cr_assert_eq(town_accept(&t, good, &p.agent.pub).verdict, FEED_ACCEPT);
        cr_assert_eq(town_accept(&t, gap, &p.agent.pub).verdict, FEED_REJECT);
        cr_assert_eq(hub_greet(t.hub, &hello, t.now_ms, &g, &e), ERR_OK);
        cr_assert_eq(g.code, ERR_OK, "%s", g.error.detail);
        cr_assert_eq(town_call(&t, API_POST, "/v1/members/Zuid/suspend", NULL, NULL, &answer, &e),
                     ERR_OK, "%s", e.detail);
        json_decref(answer);
        if (attempt == 0)
            watch_vfs_fail(watch, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
        enum err err = hub_commit(t.hub, &e);
        cr_assert_eq(err == ERR_OK, attempt == 1, "%s", e.detail);
        char *after = status_text(&t);
        if (attempt == 0) {
            cr_assert_str_eq(after, before);
            assert_news_empty(&t);
            cr_assert_null(directory_agent(hub_directory(t.hub), &late.agent.pub));
            cr_assert_eq(directory_member_named(hub_directory(t.hub), "Zuid")->state,
                         MEMBER_ADMITTED);
        }
        free(before);
        free(after);
    }
    cr_assert_eq(directory_member_named(hub_directory(t.hub), "Zuid")->state, MEMBER_SUSPENDED);
    char *before = status_text(&t);
    town_close(&t);
    town_open(&t);
    char *after = status_text(&t);
    cr_assert_str_eq(after, before, "what is in memory is what is on disk");
    free(before);
    free(after);
    entry_free(good);
    entry_free(gap);
    town_done(&t);
    watch_vfs_free(watch);
}

/* The disk fills up in the middle of a group: whatever of it is reported as done is done. */
Test(accept, failure_within_a_group) {
    struct town t;
    struct person p, q;
    struct draft d;
    struct watch_vfs *watch = watch_vfs_new("watch-hub");
    cr_assert(watch);
    town_init(&t, 12, NULL);
    town_close(&t);
    t.vfs = "watch-hub";
    town_open(&t);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    for (uint64_t nth = 1; nth <= 6; nth++) {
        struct error e = {0};
        char *before = status_text(&t);
        town_begin(&t);
        draft_init(&t, &d, &p);
        struct entry *first = draft_build(&d, &p.agent);
        draft_init(&t, &d, &q);
        struct entry *second = draft_build(&d, &q.agent);
        watch_vfs_fail(watch, WATCH_WRITE, nth, 1, SQLITE_FULL, ENOSPC);
        struct outcome one = town_accept(&t, first, &p.agent.pub);
        struct outcome two = town_accept(&t, second, &q.agent.pub);
        enum err err = hub_commit(t.hub, &e);
        watch_vfs_fail(watch, WATCH_WRITE, 1, 0, SQLITE_OK, 0);
        if (err == ERR_OK && one.err == ERR_OK)
            p.head = one.head;
        if (err == ERR_OK && two.err == ERR_OK)
            q.head = two.head;
        char *after = status_text(&t);
        if (err != ERR_OK) {
            cr_assert_eq(err, ERR_DISK_FULL, "%s", e.detail);
            cr_assert_str_eq(after, before);
        }
        free(before);
        free(after);
        entry_free(first);
        entry_free(second);
        town_close(&t);
        town_open(&t);
        publish(&t, &p);
        publish(&t, &q);
    }
    town_done(&t);
    watch_vfs_free(watch);
}
