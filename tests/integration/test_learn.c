/* Who can learn what: each party of the table in docs/threat-model.md is played with everything it
 * holds, and tries each column. What it learns has to be what the cell says ("yes" or "no"), and
 * every cell of its row has to be tried: the document and this file hold each other. Members and
 * the thief also get a copy of the hub's database, as if the operator helped them. */
#include <string.h>

#include "network.h"
#include "proxy.h"
#include "snapshot.h"
#include "thief.h"
#include "vault.h"

#define NOTE "liftcode op de achterdeur"
#define PHONE "06-47114711"
#define PLACE "kamer-7b"
#define CIRCLE "kring-blauw"
#define INVITED "Zorghuis Elzenrode"

enum column {
    EXACT,
    COARSE,
    NOTES,
    PHONES,
    PLACES,
    POLICY,
    CIRCLES,
    PAST,
    UPDATES,
    KEYS,
    MEMBERS,
    COLUMNS
};
static const char *const columns[COLUMNS] = {
    "exact figures",         "coarse figures", "notes",          "phone", "places", "policy",
    "who is in an audience", "past figures",   "when, how much", "keys",  "members"};

static struct lab lab;
static struct network net;
static struct loot loot;
static struct thief thief;
static struct proxy *proxy;
static bool tried[COLUMNS];

static void setup(void) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK, "%s", e.detail);
    lab_open(&lab, "learn");
    memset(tried, 0, sizeof tried);
}

static void teardown(void) {
    proxy_free(proxy);
    loot_done(&loot);
    lab_close(&lab);
}

TestSuite(learn, .init = setup, .fini = teardown, .timeout = 240);

/* ---- the table ---- */

/* The text from the first row of the table on. */
static const char *table(void) {
    const char *text = lab_read(&lab, PLEK_SOURCE_DIR "/docs/threat-model.md");
    const char *at = strstr(text, "| party | exact figures |");
    cr_assert_not_null(at, "docs/threat-model.md has no table of parties");
    return at;
}

/* The k-th cell of a line, without the blanks around it. */
static const char *cell(const char *line, int k) {
    for (int i = 0; i <= k; i++) {
        line = strchr(line, '|');
        cr_assert_not_null(line, "a row has no cell %d", k);
        line++;
    }
    line += strspn(line, " ");
    size_t len = strcspn(line, "|\n");
    while (len > 0 && line[len - 1] == ' ')
        len--;
    return lab_text(&lab, "%.*s", (int)len, line);
}

static const char *row_of(const char *party) {
    for (const char *line = strchr(table(), '\n'); line && line[1] == '|';
         line = strchr(line + 1, '\n'))
        if (strcmp(cell(line + 1, 0), party) == 0)
            return line + 1;
    cr_assert_fail("the table has no row '%s'", party);
    return NULL;
}

static void learns(const char *party, enum column c, bool learned) {
    const char *head = table();
    cr_assert_str_eq(cell(head, (int)c + 1), columns[c]);
    const char *said = cell(row_of(party), (int)c + 1);
    bool yes = strncmp(said, "yes", 3) == 0, no = strncmp(said, "no", 2) == 0;
    cr_expect(yes != no, "%s, %s: found '%s', expected yes or no", party, columns[c], said);
    cr_expect_eq(learned, yes, "%s, %s: the table says '%s', and it %s", party, columns[c], said,
                 learned ? "learns it" : "does not");
    tried[c] = true;
}

static void finish(const char *party) {
    for (int c = 0; c < COLUMNS; c++)
        cr_expect(tried[c], "%s: nobody tried '%s'", party, columns[c]);
    lab_pass(&lab);
}

/* ---- the network: A shares with B exactly, with X as said ---- */

static const char charter[] =
    "{\"format\": 1, \"name\": \"Learn\", \"time_zone\": \"Europe/Amsterdam\", \"k\": 1,"
    " \"longest_validity\": \"7d\", \"services\": ["
    "{\"code\": \"bed\", \"unit\": \"bed\", \"validity\": \"24h\","
    " \"light\": {\"green\": 4, \"orange\": 2}},"
    "{\"code\": \"care\", \"unit\": \"place\", \"validity\": \"24h\","
    " \"light\": {\"green\": 4, \"orange\": 2}}]}";

static void open_network(bool recorded, const struct proxy_hook *hook) {
    const char *path = lab_path(&lab, "charter.json"), *secret = lab_path(&lab, "secret.txt");
    lab_write(path, charter);
    lab_write(secret, "vier losse woorden samen\n");
    network_init(&net, &lab, path);
    network_run_hub(&net, NULL);
    if (recorded)
        proxy = proxy_new(net.address, hook);
    const char *to = recorded ? lab_text(&lab, "ws://%s", proxy_address(proxy))
                              : lab_text(&lab, "ws://%s", net.address);
    AGENT_DO(&net, "A", "init", "--passphrase-file", secret);
    const struct result *uri = HUB_DO(&net, "invite", "--name", "A", "--address", to);
    AGENT_DO(&net, "A", "join", lab_text(&lab, "%.*s", (int)strcspn(uri->out, "\r\n"), uri->out),
             "--passphrase-file", secret);
    network_run_agent(&net, "A", NULL);
    network_invite(&net, INVITED, NULL); /* a name that stands in the directory alone */
}

static void set_beds(int free) {
    AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", free), "note=" NOTE);
}

static bool b_finds(int free) {
    json_t *row = row_where(AGENT(&net, "B", "find", "bed"), "member", "A");
    return number_at(row, "available") == free;
}

/* `to_x`: the rest of the policy after B's audience. */
static void share(const char *to_x, const char *x) {
    network_join_at(&net, "B",
                    lab_text(&lab, "ws://%s", proxy ? proxy_address(proxy) : net.address));
    network_run_agent(&net, "B", NULL);
    if (x)
        network_add(&net, x, NULL);
    EVENTUALLY(json_array_size(AGENT(&net, "A", "partner", "list")) == (x ? 2u : 1u));
    network_approve(&net, "A", (const char *const[]){"B", x, NULL});
    AGENT_DO(&net, "A", "site", "set", "A", "--phone", PHONE);
    AGENT_DO(&net, "A", "place", "add", "care", PLACE, "state=free");
    set_beds(5);
    network_policy(&net, "A",
                   lab_text(&lab,
                            "{\"audiences\":[{\"name\":\"" CIRCLE "\",\"members\":[\"B\"],"
                            "\"services\":[\"*\"],\"precision\":\"exact\",\"history\":true}%s]}",
                            to_x));
    EVENTUALLY(b_finds(5));
    set_beds(6);
    EVENTUALLY(b_finds(6) && network_drained(&net, "A"));
}

static const char *at_precision(const char *precision) {
    return lab_text(&lab,
                    ",{\"name\":\"kring-groen\",\"members\":[\"X\"],\"services\":[\"*\"],"
                    "\"precision\":\"%s\"}",
                    precision);
}

/* ---- what a party holds, and what it makes of it ---- */

static const char *copy_of(const char *name) {
    return lab_path(&lab, "copy-%s", name);
}
static void steal(const char *name) {
    lab_kill(&lab, network_process(&net, name));
    stored_copy(strcmp(name, "hub") == 0 ? net.hub_dir : network_dir(&net, name), copy_of(name));
}

static bool holds(const char *dir, const char *text) {
    return stored_contains(&lab, dir, text);
}

struct found {
    bool exact, coarse, note, phone, place, past;
};

static void look_into(struct found *f, const struct stolen_view *v, struct bytes plain) {
    struct snapshot *s = NULL;
    f->note |= memmem(plain.data, plain.len, NOTE, strlen(NOTE)) != NULL;
    f->phone |= memmem(plain.data, plain.len, PHONE, strlen(PHONE)) != NULL;
    f->place |= memmem(plain.data, plain.len, PLACE, strlen(PLACE)) != NULL;
    f->past |= v->kind == VIEW_HISTORY;
    if (v->kind != VIEW_STATE)
        return;
    cr_assert_eq(snapshot_decode(plain, &s, NULL), ERR_OK);
    f->exact |= s->precision == PRECISION_EXACT;
    f->coarse |= s->precision != PRECISION_EXACT;
    snapshot_free(s);
}

/* Everything of A's behind `seq` that any key opens. */
static struct found open_all(const struct thief *t, const struct public_key *author, uint64_t seq) {
    struct found f = {.exact = false};
    for (size_t i = 0; i < loot.count; i++) {
        struct buf plain;
        const struct stolen_view *v = &loot.views[i];
        if (!key_equal(&v->header.agent, author) || v->header.seq <= seq)
            continue;
        buf_init(&plain, VIEW_MAX_BYTES);
        if (thief_reads(t, v, &plain))
            look_into(&f, v, buf_bytes(&plain));
        buf_wipe_done(&plain);
    }
    return f;
}

static struct public_key agent_of(const char *name) {
    struct thief self;
    thief_agent(&lab, copy_of(name), &self);
    return self.self;
}

/* The line of A's agent key file that is secret, in any file of the directory. */
static bool holds_keys(const char *dir) {
    const char *file = lab_read(&lab, lab_text(&lab, "%s/agent.key", copy_of("A")));
    const char *at = strstr(file, "sign ");
    cr_assert_not_null(at);
    return holds(dir, lab_text(&lab, "%.*s", (int)strcspn(at + 5, "\r\n"), at + 5));
}

static int64_t rows(const char *dir, const char *file, const char *sql) {
    sqlite3 *db = stored_open(&lab, dir, file);
    sqlite3_stmt *q = NULL;
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(q), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    stored_close(db);
    return count;
}

/* How a sealed box or view begins: random bytes, found wherever it is kept in one piece. */
#define BEGINNING 30

/* Grants to others are what shows who is in an audience: whether a directory has one of them. */
static bool holds_grants(const char *dir, const struct public_key *self) {
    struct target mine = target_key(self);
    for (size_t i = 0; i < loot.count; i++) {
        const struct stolen_view *v = &loot.views[i];
        if (v->kind == VIEW_GRANT && !target_equal(&v->target, &mine) &&
            stored_holds(dir, v->data, BEGINNING))
            return true;
    }
    return false;
}

/* An agent with its directory; views behind `seq` count. */
static void try_as_agent(const char *party, const char *name, uint64_t seq) {
    const char *dir = copy_of(name);
    struct public_key author = agent_of("A");
    thief_agent(&lab, dir, &thief);
    thief_take_grants(&thief, &loot);
    struct found f = open_all(&thief, &author, seq);
    char hex[2 * KEY_LEN + 1];
    hex_encode(hex, bytes_of(author.b, KEY_LEN));
    learns(party, EXACT, f.exact);
    learns(party, COARSE, f.coarse);
    learns(party, NOTES, f.note || (seq == 0 && holds(dir, NOTE)));
    learns(party, PHONES, f.phone || (seq == 0 && holds(dir, PHONE)));
    learns(party, PLACES, f.place || holds(dir, PLACE));
    learns(party, POLICY, holds(dir, CIRCLE));
    learns(party, CIRCLES, holds_grants(dir, &thief.self));
    learns(party, PAST, f.past);
    learns(
        party, UPDATES,
        rows(dir, "agent.db",
             lab_text(&lab, "SELECT count(*) FROM peer_header WHERE agent = x'%s' AND seq > %lld",
                      hex, (long long)seq)) > 0);
    learns(party, KEYS, holds_keys(dir));
    learns(party, MEMBERS, holds(dir, INVITED));
    finish(party);
}

/* The same search finds all of it where it is allowed to be. */
static void control(void) {
    struct public_key author = agent_of("A");
    static const struct public_key nobody;
    struct thief b;
    thief_agent(&lab, copy_of("B"), &b);
    thief_take_grants(&b, &loot);
    struct found f = open_all(&b, &author, 0);
    cr_assert(f.exact && f.note && f.phone && f.past, "B opens too little");
    cr_assert(holds(copy_of("B"), PHONE) && holds(copy_of("A"), PLACE) &&
                  holds(copy_of("A"), CIRCLE) && holds_keys(copy_of("A")),
              "the search finds too little");
    cr_assert(holds_grants(copy_of("hub"), &nobody), "the hub holds no grants");
}

static void steal_all(bool with_x) {
    steal("hub");
    steal("A");
    steal("B");
    if (with_x)
        steal("X");
    loot_load(&lab, copy_of("hub"), &loot);
    control();
}

static uint64_t feed_seq(void) {
    return (uint64_t)number_at(AGENT(&net, "A", "status"), "feed.seq");
}

/* ---- parties ---- */

Test(learn, hub_operator) {
    static const char party[] = "hub operator";
    open_network(false, NULL);
    share("", NULL);
    steal_all(false);
    const char *dir = copy_of("hub");
    struct public_key author = agent_of("A");
    thief_hub(&lab, dir, &thief);
    thief_take_grants(&thief, &loot);
    struct found f = open_all(&thief, &author, 0);
    learns(party, EXACT, f.exact);
    learns(party, COARSE, f.coarse);
    learns(party, NOTES, f.note || holds(dir, NOTE));
    learns(party, PHONES, f.phone || holds(dir, PHONE));
    learns(party, PLACES, f.place || holds(dir, PLACE));
    learns(party, POLICY, holds(dir, CIRCLE));
    learns(party, CIRCLES, holds_grants(dir, &thief.self));
    learns(party, PAST, f.past);
    learns(party, UPDATES, rows(dir, "hub.db", "SELECT count(*) FROM log WHERE kind = 2") > 0);
    learns(party, KEYS, holds_keys(dir));
    learns(party, MEMBERS, holds(dir, INVITED));
    finish(party);
}

static void partner_at(const char *party, const char *precision) {
    open_network(false, NULL);
    share(at_precision(precision), "X");
    EVENTUALLY(row_where(AGENT(&net, "X", "find", "bed"), "member", "A"));
    steal_all(true);
    try_as_agent(party, "X", 0);
}
Test(learn, partner_at_exact) {
    partner_at("partner, exact", "exact");
}
Test(learn, partner_at_rounded) {
    partner_at("partner, rounded", "rounded:5");
}
Test(learn, partner_at_band) {
    partner_at("partner, band", "band");
}
Test(learn, partner_at_light) {
    partner_at("partner, light", "light");
}

static void leaves(const char *party, const char *how) {
    open_network(false, NULL);
    share(at_precision("exact"), "X");
    EVENTUALLY(row_where(AGENT(&net, "X", "find", "bed"), "member", "A"));
    HUB_DO(&net, "member", how, "X");
    EVENTUALLY(strcmp(json_string_value(json_object_get(
                          row_where(AGENT(&net, "A", "partner", "list"), "name", "X"), "state")),
                      "admitted") != 0);
    uint64_t seq = feed_seq();
    set_beds(7);
    EVENTUALLY(b_finds(7) && network_drained(&net, "A"));
    set_beds(8);
    EVENTUALLY(b_finds(8) && network_drained(&net, "A"));
    steal_all(true);
    try_as_agent(party, "X", seq);
}
Test(learn, removed_partner) {
    leaves("removed partner", "remove");
}
Test(learn, suspended_member) {
    leaves("suspended member", "suspend");
}

Test(learn, other_member) {
    open_network(false, NULL);
    share("", "X");
    steal_all(true);
    try_as_agent("other member", "X", 0);
}

/* ---- who only listens ---- */

struct record {
    FILE *file;
    size_t bytes;
};
static struct record record;

static void *opened(void *ctx) {
    return ctx;
}
static void passes(void *connection, enum proxy_way way, struct bytes in, struct buf out[2]) {
    struct record *r = connection;
    r->bytes += in.len;
    (void)!fwrite(in.data, 1, in.len, r->file);
    fflush(r->file);
    buf_append(&out[way], in.data, in.len);
}
static void closed(void *connection) {
    (void)connection;
}

Test(learn, network_observer) {
    static const char party[] = "network observer";
    const char *dir = lab_path(&lab, "copy-wire");
    LAB_OK(&lab, "mkdir", dir);
    record.file = fopen(lab_text(&lab, "%s/wire", dir), "we");
    cr_assert_not_null(record.file);
    struct proxy_hook hook = {.opened = opened, .passes = passes, .closed = closed, .ctx = &record};
    open_network(true, &hook);
    share("", NULL);
    size_t before = record.bytes;
    set_beds(9);
    EVENTUALLY(b_finds(9) && network_drained(&net, "A"));
    bool grows = record.bytes > before;
    steal_all(false);
    /* What is not sealed is found: the websocket's own words. */
    cr_assert(holds(dir, "plek.v1") && record.bytes > 4096, "nothing was recorded");
    size_t readable = 0;
    for (size_t i = 0; i < loot.count; i++) {
        readable +=
            loot.views[i].kind != VIEW_PLAIN && stored_holds(dir, loot.views[i].data, BEGINNING);
    }
    cr_expect_eq(readable, 0u, "%zu views can be told on the wire", readable);
    learns(party, EXACT, readable > 0);
    learns(party, COARSE, readable > 0);
    learns(party, NOTES, holds(dir, NOTE));
    learns(party, PHONES, holds(dir, PHONE));
    learns(party, PLACES, holds(dir, PLACE));
    learns(party, POLICY, holds(dir, CIRCLE));
    learns(party, CIRCLES, readable > 0);
    learns(party, PAST, readable > 0);
    learns(party, UPDATES, grows);
    learns(party, KEYS, holds_keys(dir));
    learns(party, MEMBERS, holds(dir, INVITED));
    fclose(record.file);
    finish(party);
}

/* ---- who has the disk ---- */

Test(learn, disk_thief) {
    static const char party[] = "thief of the agent's disk";
    struct error e = {0};
    struct sign_pair member;
    struct hash next;
    open_network(false, NULL);
    share("", NULL);
    steal_all(false);
    const char *dir = copy_of("A");
    bool figures = rows(dir, "agent.db", "SELECT count(*) FROM capacity WHERE free = 6") > 0;
    learns(party, EXACT, figures);
    learns(party, COARSE, figures);
    learns(party, NOTES, holds(dir, NOTE));
    learns(party, PHONES, holds(dir, PHONE));
    learns(party, PLACES, holds(dir, PLACE));
    learns(party, POLICY, holds(dir, CIRCLE));
    learns(party, CIRCLES, holds(dir, CIRCLE));
    learns(party, PAST, rows(dir, "agent.db", "SELECT count(*) FROM past") > 0);
    learns(party, UPDATES, rows(dir, "agent.db", "SELECT count(*) FROM own_entry") > 0);
    learns(party, KEYS, holds_keys(dir));
    learns(party, MEMBERS, holds(dir, INVITED));
    /* But the member key is sealed: not without the passphrase, and not with another. */
    cr_expect_eq(vault_open_member(dir, bytes_of(NULL, 0), &member, &next, &e), ERR_USAGE);
    cr_expect_eq(vault_open_member(dir, bytes_str("drie losse woorden"), &member, &next, &e),
                 ERR_PERMISSION);
    cr_expect_eq(vault_open_member(dir, bytes_str("vier losse woorden samen"), &member, &next, &e),
                 ERR_OK);
    sign_pair_wipe(&member);
    finish(party);
}

/* ---- the document ---- */

/* Each row names the tests behind it, "suite::test", and they exist. */
Test(learn, every_row_names_its_tests) {
    int count = 0;
    for (const char *line = strchr(strchr(table(), '\n') + 1, '\n'); line && line[1] == '|';
         line = strchr(line + 1, '\n')) {
        const char *names = cell(line + 1, COLUMNS + 1);
        cr_expect(strstr(names, "::"), "%s: found no test in '%s'", cell(line + 1, 0), names);
        for (const char *at = names; (at = strchr(at, '`')); at = strchr(at + 1, '`') + 1) {
            int suite = (int)strcspn(at + 1, ":`");
            const char *test = at + 1 + suite + 2;
            const struct result *list = LAB_OK(
                &lab, "env", "-i",
                lab_text(&lab, "%s/test_integration_%.*s", PLEK_BIN_DIR, suite, at + 1), "--list");
            cr_expect(strstr(list->out, lab_text(&lab, "%.*s\n", (int)strcspn(test, "`"), test)),
                      "there is no test %.*s", (int)strcspn(at + 1, "`"), at + 1);
            count++;
        }
    }
    cr_expect_geq(count, 10);
    lab_pass(&lab);
}
