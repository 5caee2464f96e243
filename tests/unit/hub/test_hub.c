/* Owns the tests of making, opening and greeting: init is all or nothing, invitations work once,
 * and refusals say which and why. */
#include <criterion/criterion.h>

#include "town.h"

static const char *const file_names[] = {"hub.db", "hub.key", "hub.conf"};

static bool has_hub(const struct scratch *s, const char *dir) {
    char name[64];
    size_t found = 0;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, file_names[i]);
        found += scratch_exists(s, name);
    }
    cr_assert(found == 0 || found == 3, "found %zu of three files", found);
    return found == 3;
}

static enum err init_at(const struct scratch *s, const char *dir, const char *name,
                        const char *charter, struct error *e) {
    struct stream stream = {.seed = 5};
    struct entropy entropy = stream_entropy(&stream);
    char path[PATH_MAX];
    cr_assert_eq(keys_init(e), ERR_OK);
    struct bytes json = charter ? bytes_str(charter) : bytes_of(NULL, 0);
    return hub_init(scratch_path(s, dir, path), name, json, &entropy, TOWN_START_MS, e);
}

static enum err open_at(const struct scratch *s, const char *dir, struct hub **ret,
                        struct error *e) {
    static struct stream stream = {.seed = 6};
    struct entropy entropy = stream_entropy(&stream);
    char path[PATH_MAX];
    return hub_open(scratch_path(s, dir, path), NULL, &entropy, ret, e);
}

/* ---- init and open ---- */

Test(hub, init_makes_a_hub) {
    struct scratch s;
    struct error e = {0};
    struct hub *hub = NULL;
    struct stat info;
    char path[PATH_MAX];
    scratch_init(&s);
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_OK, "%s", e.detail);
    cr_assert(has_hub(&s, "a"));
    cr_assert_eq(stat(scratch_path(&s, "a", path), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    cr_assert_eq(stat(scratch_path(&s, "a/hub.key", path), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_OK, "%s", e.detail);
    const struct directory *d = hub_directory(hub);
    cr_assert_str_eq(directory_name(d), "Stad");
    cr_assert_eq(directory_head(d).seq, 2);
    cr_assert_eq(directory_head(d).incarnation, 1);
    cr_assert_eq(directory_charter_version(d), 1);
    cr_assert(key_equal(directory_network(d), &hub_keys(hub)->pub));
    cr_assert_str_eq(hub_settings(hub)->listen, "127.0.0.1:7535");
    hub_close(hub);
    scratch_done(&s);
}

Test(hub, init_twice_is_refused_and_changes_nothing) {
    struct scratch s;
    struct error e = {0};
    size_t len = 0, again_len = 0;
    scratch_init(&s);
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_OK);
    uint8_t *before = scratch_read(&s, "a/hub.db", &len);
    cr_assert_eq(init_at(&s, "a", "Land", NULL, &e), ERR_CANNOT_CREATE);
    uint8_t *after = scratch_read(&s, "a/hub.db", &again_len);
    cr_assert(bytes_equal(bytes_of(before, len), bytes_of(after, again_len)));
    free(before);
    free(after);
    scratch_done(&s);
}

Test(hub, init_is_all_or_nothing) {
    struct scratch s;
    struct error e = {0};
    scratch_init(&s);
    cr_assert_eq(init_at(&s, "a", "Stad", "{\"services\": 1}", &e), ERR_DATA);
    cr_assert(!scratch_exists(&s, "a"), "a bad charter leaves no directory");
    cr_assert_eq(init_at(&s, "a", "@hub", NULL, &e), ERR_DATA);
    cr_assert(!scratch_exists(&s, "a"), "nor does a bad name");
    cr_assert_eq(init_at(&s, "no/such/parent", "Stad", NULL, &e), ERR_CANNOT_CREATE);
    cr_assert(!scratch_exists(&s, "no"));
    scratch_done(&s);
}

/* A machine that stopped half-way: the next init starts anew; a lone database is not thrown away.
 */
Test(hub, init_after_one_that_was_cut_off) {
    struct scratch s;
    struct error e = {0};
    struct hub *hub = NULL;
    char path[PATH_MAX];
    scratch_init(&s);
    cr_assert_eq(mkdir(scratch_path(&s, "a", path), 0700), 0);
    scratch_write(&s, "a/hub.db", "rubbish");
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_CANNOT_CREATE, "whose database is it?");
    cr_assert(scratch_exists(&s, "a/hub.db"));
    cr_assert(!scratch_exists(&s, "a/lock"));
    scratch_write(&s, "a/hub.key.init", "half a k");
    scratch_write(&s, "a/hub.db.init", "half a database");
    scratch_write(&s, "a/hub.conf", "listen = \"127.0.0.1:1\"\n");
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_OK, "%s", e.detail);
    cr_assert(!scratch_exists(&s, "a/hub.key.init"));
    cr_assert(!scratch_exists(&s, "a/hub.db.init"));
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_OK, "%s", e.detail);
    cr_assert_str_eq(hub_settings(hub)->listen, "127.0.0.1:1", "an administrator's file stays");
    hub_close(hub);
    scratch_done(&s);
}

Test(hub, open_says_what_is_wrong) {
    struct scratch s;
    struct error e = {0};
    struct hub *hub = NULL;
    char path[PATH_MAX];
    scratch_init(&s);
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_NO_INPUT);
    cr_assert(strstr(e.detail, "plek-hub init"), "%s", e.detail);
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_OK);
    cr_assert_eq(chmod(scratch_path(&s, "a/hub.key", path), 0644), 0);
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_PERMISSION);
    cr_assert_eq(chmod(path, 0600), 0);
    scratch_write(&s, "a/hub.conf", "listen = \"127.0.0.1:1\"\nlisten.more = 3\n");
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_CONFIG);
    cr_assert_eq(e.line, 2);
    scratch_write(&s, "a/hub.conf", "tls.cert = \"/tmp/x\"\n");
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_CONFIG);
    scratch_write(&s, "a/hub.conf", "");
    scratch_write(&s, "a/hub.key", "plek hub key 1\nnot hex\n");
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_DATA);
    cr_assert_eq(unlink(scratch_path(&s, "a/hub.key", path)), 0);
    cr_assert_eq(open_at(&s, "a", &hub, &e), ERR_NO_INPUT);
    scratch_done(&s);
}

Test(hub, keys_of_another_hub) {
    struct scratch s;
    struct error e = {0};
    struct hub *hub = NULL;
    char from[PATH_MAX], to[PATH_MAX];
    struct stream stream = {.seed = 99};
    struct entropy entropy = stream_entropy(&stream);
    scratch_init(&s);
    cr_assert_eq(init_at(&s, "a", "Stad", NULL, &e), ERR_OK);
    cr_assert_eq(
        hub_init(scratch_path(&s, "b", to), "Land", bytes_of(NULL, 0), &entropy, TOWN_START_MS, &e),
        ERR_OK);
    cr_assert_eq(rename(scratch_path(&s, "a/hub.key", from), scratch_path(&s, "b/hub.key", to)), 0);
    cr_assert_eq(open_at(&s, "b", &hub, &e), ERR_CONFIG);
    scratch_done(&s);
}

/* ---- greeting ---- */

Test(hub, invitation_works_once) {
    struct town t;
    struct person p, q;
    char uri[INVITE_URI_MAX];
    town_init(&t, 1, NULL);
    town_invite(&t, "Noord", "coordinator", uri);
    person_make(&t, &p, uri);
    person_make(&t, &q, uri);
    struct greeting g = person_greet(&t, &p, true);
    cr_assert_eq(g.code, ERR_OK, "%s", g.error.detail);
    cr_assert_eq(g.welcome.hub_time_ms, t.now_ms);
    cr_assert_eq(g.welcome.hub_head.seq, 4);
    cr_assert(!g.welcome.has_own_head);
    cr_assert_eq(g.kx.b[0], 0x5a);
    const struct member *m = directory_member_named(hub_directory(t.hub), "Noord");
    cr_assert(m && m->role == ROLE_COORDINATOR);
    int64_t used_ms = t.now_ms;

    t.now_ms += 5000;
    g = person_greet(&t, &p, true);
    cr_assert_eq(g.code, ERR_OK, "the same request gets the same answer");
    cr_assert_eq(g.welcome.hub_head.seq, 4);
    cr_assert_eq(person_greet(&t, &p, false).code, ERR_OK);

    g = person_greet(&t, &q, true);
    cr_assert_eq(g.code, ERR_INVITE_USED);
    cr_assert_eq(g.refused.code, ERR_INVITE_USED);
    cr_assert_eq(g.refused.used_ms, used_ms);
    cr_assert(key_equal(&g.refused.used_by, &p.member.pub));
    cr_assert_eq(g.refused.hub_time_ms, t.now_ms);
    cr_assert(!g.unsigned_close);
    cr_assert_eq(directory_member_count(hub_directory(t.hub)), 1);
    town_done(&t);
}

Test(hub, an_older_invitation_to_the_same_name_says_that_there_is_a_newer_one) {
    struct town t;
    struct person p, q;
    char older[INVITE_URI_MAX], newer[INVITE_URI_MAX];
    town_init(&t, 1, NULL);
    town_invite(&t, "Noord", "provider", older);
    town_invite(&t, "Noord", "provider", newer);
    person_make(&t, &p, older);
    person_make(&t, &q, newer);
    struct greeting g = person_greet(&t, &p, true);
    cr_assert_eq(g.code, ERR_INVITE_EXPIRED);
    cr_assert(strstr(g.refused.detail, "replaced by a newer one"), "%s", g.refused.detail);
    cr_assert_eq(directory_member_count(hub_directory(t.hub)), 0);
    cr_assert_eq(person_greet(&t, &q, true).code, ERR_OK);
    town_done(&t);
}

Test(hub, refusals_say_which) {
    struct town t;
    struct person p, q, r;
    char uri[INVITE_URI_MAX];
    town_init(&t, 2, NULL);
    person_join(&t, &p, "Noord", "provider");
    town_invite(&t, "Zuid", "provider", uri);
    person_make(&t, &q, uri);
    cr_assert_eq(person_greet(&t, &q, false).code, ERR_UNKNOWN_AUTHOR);
    t.now_ms += 7 * 24 * TOWN_HOUR_MS;
    struct greeting g = person_greet(&t, &q, true);
    cr_assert_eq(g.code, ERR_INVITE_EXPIRED);
    cr_assert(strstr(g.refused.detail, "2025-11-28"), "%s", g.refused.detail);
    q.join_bytes[q.join_len - 1] ^= 1;
    cr_assert_eq(person_greet(&t, &q, true).code, ERR_SIGNATURE);
    struct town other;
    town_init(&other, 3, NULL);
    town_invite(&other, "Oost", "provider", uri);
    person_make(&other, &r, uri);
    cr_assert_eq(person_greet(&t, &r, true).code, ERR_INVITE_UNKNOWN, "of another hub");
    town_done(&other);
    town_change(&t, "Noord", "suspend");
    g = person_greet(&t, &p, false);
    cr_assert_eq(g.code, ERR_SUSPENDED);
    cr_assert_eq(g.refused.code, ERR_SUSPENDED);
    cr_assert_eq(person_greet(&t, &p, true).code, ERR_SUSPENDED);
    town_change(&t, "Noord", "resume");
    cr_assert_eq(person_greet(&t, &p, false).code, ERR_OK);
    town_change(&t, "Noord", "remove");
    cr_assert_eq(person_greet(&t, &p, false).code, ERR_REMOVED);
    json_t *status = town_get(&t, "/v1/status");
    json_t *counts = json_object_get(status, "rejections");
    cr_assert_eq(json_integer_value(json_object_get(counts, "suspended")), 2);
    cr_assert_eq(json_integer_value(json_object_get(counts, "removed")), 1);
    cr_assert_eq(json_integer_value(json_object_get(counts, "unknown-author")), 1);
    json_decref(status);
    town_done(&t);
}

Test(hub, invitation_of_nobody) {
    struct town t;
    struct person p;
    struct error e = {0};
    char uri[INVITE_URI_MAX];
    struct invite made;
    town_init(&t, 4, NULL);
    town_invite(&t, "Noord", "provider", uri);
    cr_assert_eq(invite_parse(uri, &made, &e), ERR_OK);
    made.seed[0] ^= 1;
    cr_assert_eq(invite_format(&made, uri, &e), ERR_OK);
    person_make(&t, &p, uri);
    cr_assert_eq(person_greet(&t, &p, true).code, ERR_INVITE_UNKNOWN);
    town_done(&t);
}

/* A member that is in already does not come in again by another invitation. */
Test(hub, second_invitation_for_the_same_keys) {
    struct town t;
    struct person p;
    struct error e = {0};
    struct invite invite;
    char uri[INVITE_URI_MAX];
    struct buf out;
    town_init(&t, 5, NULL);
    person_join(&t, &p, "Noord", "provider");
    town_invite(&t, "Zuid", "provider", uri);
    cr_assert_eq(invite_parse(uri, &invite, &e), ERR_OK);
    sign_pair_from_seed(&p.invite, invite.seed);
    struct hash next = hash_blake2b(bytes_of(p.next.pub.b, KEY_LEN));
    buf_init(&out, JOIN_MAX_BYTES);
    cr_assert_eq(join_build(&invite.network, &p.invite, &p.member, &next, &p.agent,
                            bytes_of(p.cert_bytes, p.cert_len), &out, &e),
                 ERR_OK);
    memcpy(p.join_bytes, out.data, out.len);
    p.join_len = out.len;
    buf_done(&out);
    cr_assert_eq(person_greet(&t, &p, true).code, ERR_ALREADY_JOINED);
    cr_assert_eq(person_greet(&t, &p, false).code, ERR_OK);
    town_done(&t);
}

/* ---- sessions ---- */

Test(hub, last_seen_survives_a_restart) {
    struct town t;
    struct person p;
    town_init(&t, 6, NULL);
    person_join(&t, &p, "Noord", "provider");
    hub_note_session(t.hub, &p.agent.pub, true, t.now_ms);
    hub_note_session(t.hub, &p.agent.pub, true, t.now_ms + 1);
    hub_note_session(t.hub, &p.agent.pub, false, t.now_ms + 2);
    json_t *members = town_get(&t, "/v1/members");
    json_t *m = json_array_get(members, 0);
    cr_assert(json_is_true(json_object_get(m, "connected")), "the newer session is still there");
    json_decref(members);
    hub_note_session(t.hub, &p.agent.pub, false, t.now_ms + 1000);
    town_close(&t);
    town_open(&t);
    members = town_get(&t, "/v1/members");
    m = json_array_get(members, 0);
    cr_assert(json_is_false(json_object_get(m, "connected")));
    cr_assert_str_eq(json_string_value(json_object_get(m, "last_seen")), "2025-11-21T14:00:01Z");
    json_decref(members);
    town_done(&t);
}
