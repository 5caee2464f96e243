/* Owns agent.db: schema and statements. Must not know what a row means to the domain.
 * Migrations are append-only: a released one is never edited. */
#include "store.h"

#include "users.h"

#define AGENT_APPLICATION_ID 0x506c6541 /* "PleA" */

#define OF_NETWORK " network INTEGER NOT NULL REFERENCES network ON DELETE CASCADE,"

/* Keys, ids and hashes are BLOBs; times are ms UTC; amounts are scaled integers, NULL = unknown. */
static const char schema_1[] =
    /* One row in this version; every table of a network names it. */
    "CREATE TABLE network("
    " id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, address TEXT NOT NULL,"
    " join_request BLOB NOT NULL, certificate BLOB NOT NULL, begun_ms INTEGER NOT NULL,"
    " joined_ms INTEGER, clock_offset_ms INTEGER, picture_ms INTEGER) STRICT;"
    "CREATE TABLE hub_entry(" OF_NETWORK " seq INTEGER NOT NULL, hash BLOB NOT NULL,"
    " received_ms INTEGER NOT NULL, excerpt BLOB NOT NULL, PRIMARY KEY(network, seq)) STRICT;"
    /* own records */
    "CREATE TABLE site("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, region TEXT NOT NULL, phone TEXT NOT NULL,"
    " hours TEXT NOT NULL, reports TEXT NOT NULL, note TEXT NOT NULL) STRICT;"
    "CREATE TABLE line("
    " id INTEGER PRIMARY KEY, site INTEGER NOT NULL REFERENCES site, service TEXT NOT NULL,"
    " ward TEXT NOT NULL, UNIQUE(site, service, ward)) STRICT;"
    "CREATE TABLE line_attribute("
    " line INTEGER NOT NULL REFERENCES line ON DELETE CASCADE, name TEXT NOT NULL,"
    " value TEXT NOT NULL, PRIMARY KEY(line, name)) STRICT;"
    "CREATE TABLE capacity("
    " line INTEGER PRIMARY KEY REFERENCES line ON DELETE CASCADE,"
    " total INTEGER, occupied INTEGER, free INTEGER, held INTEGER, blocked INTEGER, need INTEGER,"
    " blocked_reason TEXT NOT NULL, blocked_until_ms INTEGER NOT NULL, status INTEGER NOT NULL,"
    " next_free_ms INTEGER NOT NULL, note TEXT NOT NULL, observed_ms INTEGER NOT NULL,"
    " valid_until_ms INTEGER NOT NULL, validity_ms INTEGER NOT NULL, entered_ms INTEGER NOT NULL,"
    " actor TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"
    /* what a line said before its last change: for taking that back; attributes: "name=value,..."
     */
    "CREATE TABLE capacity_before("
    " line INTEGER PRIMARY KEY REFERENCES line ON DELETE CASCADE,"
    " total INTEGER, occupied INTEGER, free INTEGER, held INTEGER, blocked INTEGER, need INTEGER,"
    " blocked_reason TEXT NOT NULL, blocked_until_ms INTEGER NOT NULL, status INTEGER NOT NULL,"
    " next_free_ms INTEGER NOT NULL, note TEXT NOT NULL, observed_ms INTEGER NOT NULL,"
    " valid_until_ms INTEGER NOT NULL, validity_ms INTEGER NOT NULL, attributes TEXT NOT NULL) "
    "STRICT;"
    /* never leaves the agent; the counts of a line with places follow from them */
    "CREATE TABLE place("
    " id INTEGER PRIMARY KEY, line INTEGER NOT NULL REFERENCES line ON DELETE CASCADE,"
    " code TEXT NOT NULL, state INTEGER NOT NULL, reason TEXT NOT NULL, until_ms INTEGER NOT NULL,"
    " note TEXT NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
    " UNIQUE(line, code)) STRICT;"
    /* Own figures as they were stated; id: the order of recording, a figure that is stated
     * otherwise for the same second gets a new one. past_told: how far an audience was told of a
     * service. */
    "CREATE TABLE past("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, line INTEGER NOT NULL REFERENCES line ON DELETE "
    "CASCADE,"
    " observed_ms INTEGER NOT NULL, valid_until_ms INTEGER NOT NULL,"
    " total INTEGER, occupied INTEGER, free INTEGER, held INTEGER, blocked INTEGER, need INTEGER,"
    " status INTEGER NOT NULL, entered_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
    " UNIQUE(line, observed_ms)) STRICT;"
    "CREATE INDEX past_entered ON past(entered_ms);"
    "CREATE TABLE past_told(" OF_NETWORK " audience BLOB NOT NULL, service TEXT NOT NULL,"
    " upto INTEGER NOT NULL, PRIMARY KEY(network, audience, service)) STRICT;"
    /* sharing */
    "CREATE TABLE policy(" OF_NETWORK " version INTEGER NOT NULL, json TEXT NOT NULL,"
    " applied_ms INTEGER NOT NULL, actor TEXT NOT NULL, PRIMARY KEY(network, version)) STRICT;"
    "CREATE TABLE partner(" OF_NETWORK " member BLOB NOT NULL,"
    " approved_ms INTEGER NOT NULL, actor TEXT NOT NULL, PRIMARY KEY(network, member)) STRICT;"
    /* refused: members that trust = directory does not let in. newcomer: those it may let in, for
     * as long as they stand in `status`; waited: how long the agent saw them there; trusted 0: they
     * wait. */
    "CREATE TABLE refused(" OF_NETWORK " member BLOB NOT NULL,"
    " refused_ms INTEGER NOT NULL, actor TEXT NOT NULL, PRIMARY KEY(network, member)) STRICT;"
    "CREATE TABLE newcomer(" OF_NETWORK " member BLOB NOT NULL, since_ms INTEGER NOT NULL,"
    " waited_ms INTEGER NOT NULL, counted_ms INTEGER NOT NULL, trusted_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, member)) STRICT;"
    /* what leaves; `name` is the policy's, `id` the random one on the wire; key empty: none in use;
     * key_precision and key_services: what the policy said when the key was made */
    "CREATE TABLE audience(" OF_NETWORK " name TEXT NOT NULL, id BLOB NOT NULL,"
    " key BLOB NOT NULL, key_id BLOB NOT NULL, key_ms INTEGER NOT NULL, key_precision TEXT NOT "
    "NULL,"
    " key_services TEXT NOT NULL, counter INTEGER NOT NULL, digest BLOB NOT NULL,"
    " sealed_seq INTEGER NOT NULL, sealed_ms INTEGER NOT NULL,"
    " history_counter INTEGER NOT NULL,"
    " PRIMARY KEY(network, name)) STRICT;"
    "CREATE TABLE granted(" OF_NETWORK " audience BLOB NOT NULL, agent BLOB NOT NULL,"
    " member BLOB NOT NULL, box BLOB NOT NULL, granted_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, audience, agent)) STRICT;"
    "CREATE TABLE own_entry(" OF_NETWORK " incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, hash BLOB NOT NULL, kind INTEGER NOT NULL, bytes BLOB NOT NULL,"
    " sealed_ms INTEGER NOT NULL, pruned INTEGER NOT NULL, PRIMARY KEY(network, seq)) STRICT;"
    "CREATE INDEX own_entry_whole ON own_entry(network, seq) WHERE pruned = 0;"
    "CREATE TABLE own_feed("
    " network INTEGER PRIMARY KEY REFERENCES network ON DELETE CASCADE,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, acked_incarnation "
    "INTEGER NOT NULL,"
    " acked_seq INTEGER NOT NULL, acked_hash BLOB NOT NULL) STRICT;"
    /* own X25519 keys after the first, which the certificate names; seq: the entry that announced
     * it, 0: none yet; at: when it was made, then when it was announced */
    "CREATE TABLE own_box(" OF_NETWORK " number INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL, PRIMARY KEY(network, number)) STRICT;"
    /* what arrives */
    "CREATE TABLE cursor(" OF_NETWORK " class INTEGER NOT NULL,"
    " position INTEGER NOT NULL, PRIMARY KEY(network, class)) STRICT;"
    /* incarnation and seq: where it was granted */
    "CREATE TABLE held_key(" OF_NETWORK " agent BLOB NOT NULL, key_id BLOB NOT NULL,"
    " audience BLOB NOT NULL, key BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent, key_id)) STRICT;"
    "CREATE TABLE peer_header(" OF_NETWORK " agent BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(network, agent)) STRICT;"
    /* the X25519 key that an agent renewed last, and where it said so */
    "CREATE TABLE peer_box(" OF_NETWORK " agent BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, box BLOB NOT NULL, received_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent)) STRICT;"
    /* rank: the later of the state and the grant of its key; where two audiences of one agent cover
     * the same service, the higher rank is what we see now */
    "CREATE TABLE picture("
    " id INTEGER PRIMARY KEY," OF_NETWORK " member BLOB NOT NULL,"
    " agent BLOB NOT NULL, audience BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, rank_incarnation INTEGER NOT NULL, rank_seq INTEGER NOT NULL,"
    " counter INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " precision INTEGER NOT NULL, step INTEGER NOT NULL, UNIQUE(network, agent, audience)) STRICT;"
    "CREATE TABLE seen_site("
    " picture INTEGER NOT NULL REFERENCES picture ON DELETE CASCADE, id INTEGER NOT NULL,"
    " name TEXT NOT NULL, region TEXT NOT NULL, phone TEXT NOT NULL, hours TEXT NOT NULL,"
    " reports TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY(picture, id)) STRICT;"
    "CREATE INDEX seen_site_region ON seen_site(region);"
    /* attributes: "name=value,name=value" */
    "CREATE TABLE seen_line("
    " id INTEGER PRIMARY KEY, picture INTEGER NOT NULL REFERENCES picture ON DELETE CASCADE,"
    " site INTEGER NOT NULL, service TEXT NOT NULL, ward TEXT NOT NULL,"
    " attributes TEXT NOT NULL, available INTEGER, total INTEGER, occupied INTEGER, held INTEGER,"
    " blocked INTEGER, need INTEGER, blocked_reason TEXT NOT NULL, blocked_until_ms INTEGER NOT "
    "NULL,"
    " next_free_ms INTEGER NOT NULL, note TEXT NOT NULL, status INTEGER NOT NULL,"
    " low INTEGER, high INTEGER, light INTEGER NOT NULL, observed_ms INTEGER NOT NULL,"
    " valid_until_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX seen_line_picture ON seen_line(picture);"
    /* find reads the rows of those lines alone that it shows; all of them it judges by what
     * judged.c packed of a picture, one value instead of a row and eight columns a line */
    "CREATE TABLE seen_judged("
    " picture INTEGER PRIMARY KEY REFERENCES picture ON DELETE CASCADE, lines BLOB NOT NULL)"
    " STRICT;"
    /* the newest view of an (agent, audience) whose key has not arrived */
    "CREATE TABLE waiting(" OF_NETWORK " agent BLOB NOT NULL, audience BLOB NOT NULL,"
    " key_id BLOB NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " received_ms INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, excerpt BLOB NOT NULL,"
    " PRIMARY KEY(network, agent, audience)) STRICT;"
    /* Partners' past, a series for each line: said is the sender's time, by which a point is known;
     * observed the same, its clock corrected. history_view: counters that came; history_hole: those
     * that did not, between others that did; after: the last position before; asked: pulled again
     * from there. */
    "CREATE TABLE seen_series("
    " id INTEGER PRIMARY KEY," OF_NETWORK " agent BLOB NOT NULL, member BLOB NOT NULL,"
    " site INTEGER NOT NULL, service TEXT NOT NULL, ward TEXT NOT NULL,"
    " UNIQUE(network, agent, site, service, ward)) STRICT;"
    "CREATE TABLE seen_past("
    " series INTEGER NOT NULL REFERENCES seen_series ON DELETE CASCADE,"
    " said_ms INTEGER NOT NULL, audience BLOB NOT NULL,"
    " observed_ms INTEGER NOT NULL, valid_until_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " precision INTEGER NOT NULL, step INTEGER NOT NULL, status INTEGER NOT NULL,"
    " available INTEGER, total INTEGER, occupied INTEGER, held INTEGER, blocked INTEGER,"
    " need INTEGER, low INTEGER, high INTEGER, light INTEGER NOT NULL,"
    " PRIMARY KEY(series, said_ms)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX seen_past_received ON seen_past(received_ms);"
    "CREATE TABLE seen_past_site(" OF_NETWORK " agent BLOB NOT NULL, site INTEGER NOT NULL,"
    " name TEXT NOT NULL, region TEXT NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent, site)) STRICT;"
    "CREATE TABLE history_view(" OF_NETWORK " agent BLOB NOT NULL, audience BLOB NOT NULL,"
    " counter INTEGER NOT NULL, position INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent, audience, counter)) STRICT;"
    "CREATE INDEX history_view_received ON history_view(network, received_ms);"
    /* up to where an author took an audience's past back: nothing older counts any more */
    "CREATE TABLE history_withdrawn(" OF_NETWORK " agent BLOB NOT NULL, audience BLOB NOT NULL,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent, audience)) STRICT;"
    "CREATE TABLE history_hole("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," OF_NETWORK " agent BLOB NOT NULL,"
    " audience BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " after INTEGER NOT NULL, since_ms INTEGER NOT NULL, asked INTEGER NOT NULL,"
    " UNIQUE(network, agent, audience, first)) STRICT;"
    "CREATE TABLE refusal("
    " code TEXT PRIMARY KEY, count INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    " detail TEXT NOT NULL) STRICT;"
    "CREATE TABLE alarm("
    " code TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    " PRIMARY KEY(code, subject)) STRICT;" USERS_SCHEMA;

/* The organisation's own journal. Who received something stands apart: an audience's members are
 * the same from one sealing to the next. */
static const char schema_2[] =
    "CREATE TABLE journal_group("
    " id INTEGER PRIMARY KEY," OF_NETWORK " digest BLOB NOT NULL, UNIQUE(network, digest)) STRICT;"
    "CREATE TABLE journal_member("
    " group_id INTEGER NOT NULL REFERENCES journal_group ON DELETE CASCADE, member BLOB NOT NULL,"
    " PRIMARY KEY(group_id, member)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX journal_member_of ON journal_member(member);"
    /* group_id NULL: concerns nobody in particular; seq 0: no entry; policy 0: none */
    "CREATE TABLE journal("
    " id INTEGER PRIMARY KEY," OF_NETWORK " at_ms INTEGER NOT NULL, event TEXT NOT NULL,"
    " group_id INTEGER REFERENCES journal_group, audience TEXT NOT NULL, precision TEXT NOT NULL,"
    " services TEXT NOT NULL, policy INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"
    "CREATE INDEX journal_at ON journal(network, at_ms);"
    "CREATE INDEX journal_of_group ON journal(group_id);"
    /* Audiences withdrawn; pending: still to be said; lifted: over once that is said. */
    "CREATE TABLE withdrawn(" OF_NETWORK " name TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    " actor TEXT NOT NULL, pending INTEGER NOT NULL, lifted INTEGER NOT NULL,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(network, name)) STRICT;"
    "ALTER TABLE audience ADD COLUMN withdrawals INTEGER NOT NULL DEFAULT 0;"
    /* 1: a tombstone, which has no lines: its author took it back */
    "ALTER TABLE picture ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;"
    /* Audiences to which nothing newer is sealed for now. */
    "CREATE TABLE paused(" OF_NETWORK " name TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    " actor TEXT NOT NULL, PRIMARY KEY(network, name)) STRICT;"
    /* what was let go because its author had too much of it here */
    "CREATE TABLE dropped("
    " what TEXT PRIMARY KEY, count INTEGER NOT NULL, last_ms INTEGER NOT NULL) STRICT;";

static const char *const migrations[] = {schema_1, schema_2};

/* Pages of the cache lie among what is allocated while a network is read, so that what db_rest lets
 * go of stays with the process. */
#define CACHE_KIB 1024

static const struct db_schema schema = {
    .application_id = AGENT_APPLICATION_ID,
    .migrations = migrations,
    .count = (int)(sizeof migrations / sizeof migrations[0]),
    .cache_kib = CACHE_KIB,
};

static const struct db_statement statements[] = {
#define SQL(name, text) {#name, text},
#include "store_sql.def"
#undef SQL
};

enum err agent_store_open(const char *path, const char *vfs, struct db **ret, struct error *e) {
    return db_open(path, vfs, &schema, statements, SQL_COUNT, ret, e);
}

struct amount store_read_amount(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
}

static enum err damaged(const struct error *why, struct error *e) {
    return error_set(e, ERR_STORE, "agent.db: %.120s: restore a backup", why->detail);
}

enum err store_read_key(struct db_query *q, int column, struct public_key *ret, struct error *e) {
    struct error why = {0};
    enum err code = key_from_bytes(ret, db_column_blob(q, column), &why);
    return code == ERR_OK ? ERR_OK : damaged(&why, e);
}

enum err store_read_hash(struct db_query *q, int column, struct hash *ret, struct error *e) {
    struct error why = {0};
    enum err code = hash_from_bytes(ret, db_column_blob(q, column), &why);
    return code == ERR_OK ? ERR_OK : damaged(&why, e);
}
