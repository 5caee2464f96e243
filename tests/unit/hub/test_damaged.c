/* What the hub says of a database that somebody or some disk has changed: which part, and to
 * restore a backup. It never goes on with half of it. */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "town.h"

/* Past the gateway, while the hub is down. */
static void damage(struct town *t, const char *sql) {
    char path[PATH_MAX + 16];
    sqlite3 *raw = NULL;
    town_close(t);
    snprintf(path, sizeof path, "%s/hub.db", t->dir);
    cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(raw));
    cr_assert_gt(sqlite3_changes(raw), 0, "%s changed nothing", sql);
    sqlite3_close(raw);
}

static void two_members(struct town *t) {
    struct person p, q;
    struct circle c = {.id = {0}};
    const struct figures rows[] = {
        {.site = 1, .region = "r", .service = "bed", .ward = "", .free = known(3)}};
    town_init(t, 1, NULL);
    person_join(t, &p, "Noord", "provider");
    person_join(t, &q, "Zuid", "provider");
    person_share(t, &p, &c, "exact", rows, 1);
}

Test(damaged, a_hub_that_cannot_read_its_feed_does_not_start) {
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"DELETE FROM log", "holds no feed of the hub itself"},
        {"DELETE FROM author", "holds no feed of the hub itself"},
        {"DELETE FROM log WHERE author = 1 AND seq = 2", "seq 3 of the hub's own feed"},
        {"DELETE FROM log WHERE author = 1 AND seq > 1", "holds no charter"},
        {"UPDATE log SET body = x'00' WHERE author = 1 AND seq = 3", "seq 3 of the hub's own feed"},
        {"UPDATE log SET body = (SELECT body FROM log WHERE author = 1 AND seq = 4)"
         " WHERE author = 1 AND seq = 3",
         "seq 3 of the hub's own feed"},
        {"UPDATE author SET agent = x'00' WHERE id = 1", "a row of 'author'"},
        {"UPDATE log SET hash = x'00'", "a row of 'author'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct town t;
        struct error e = {0};
        two_members(&t);
        damage(&t, cases[i].sql);
        struct entropy entropy = stream_entropy(&t.stream);
        cr_assert_eq(hub_open(t.dir, t.vfs, &entropy, &t.hub, &e), ERR_STORE, "%s", cases[i].sql);
        cr_assert_null(t.hub);
        cr_assert(strstr(e.detail, cases[i].words), "%s: %s", cases[i].sql, e.detail);
        cr_assert(strstr(e.detail, "restore a backup"), "%s: %s", cases[i].sql, e.detail);
        town_done(&t);
    }
}

Test(damaged, a_published_figure_that_cannot_be_read_is_not_published_over) {
    static const char *const cases[] = {
        "INSERT INTO published VALUES (1, 'bed', -1, '', 1, 0, NULL, NULL, 0, 0, 0, 0, 0, x'00')",
        "INSERT INTO published VALUES (1, 'bed', -1, hex(zeroblob(99)), 1, 0, NULL, NULL, 0, 0, 0, "
        "0, 0, x'')",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct town t;
        struct error e = {0};
        json_t *answer = NULL;
        two_members(&t);
        damage(&t, cases[i]);
        town_open(&t);
        cr_assert_eq(town_call(&t, API_POST, "/v1/published", NULL, json_object(), &answer, &e),
                     ERR_STORE);
        cr_assert_null(answer);
        cr_assert(strstr(e.detail, "row of 'published' is damaged"), "%s", e.detail);
        town_done(&t);
    }
}
