/* Owns joining a network: certifying the agent's keys, the request, and what admission changes
 * here. Must not talk to the hub: the shell carries the session. Source: docs/protocol.md,
 * "Enrolment". */
#include <stdlib.h>
#include <string.h>

#include "agent_private.h"
#include "certify.h"
#include "records.h"
#include "store.h"
#include "vault.h"

/* Expiry warns and marks figures, it rejects nothing (design 5), so a certificate lives for years.
 */
#define CERT_LIFE_MS (INT64_C(730) * 24 * 3600 * 1000)

static enum err refuse_joined(struct agent *a, struct error *e) {
    const char *name = a->directory ? directory_name(a->directory) : NULL;
    return error_set(
        e, ERR_ALREADY_JOINED,
        "this agent belongs to the network %s%s%s already: use another DIR for another network",
        name ? "'" : "", name ? name : "it joined", name ? "'" : "");
}

/* True when the request that is stored was made from this invitation. */
static bool same_invite(const struct agent *a, const struct invite *invite) {
    struct join stored;
    if (a->network.id == 0 || !key_equal(&a->network.key, &invite->network) ||
        join_verify(bytes_of(a->network.join, a->network.join_len), &a->network.key, &stored,
                    NULL) != ERR_OK)
        return false;
    struct sign_pair pair;
    sign_pair_from_seed(&pair, invite->seed);
    bool same = key_equal(&pair.pub, &stored.invite);
    sign_pair_wipe(&pair);
    return same;
}

static enum err build_request(struct agent *a, const struct invite *invite,
                              const struct sign_pair *member, const struct hash *next,
                              int64_t now_ms, struct buf *cert, struct buf *request,
                              struct error *e) {
    struct cert fields = {
        .network = invite->network,
        .member = member->pub,
        .agent = a->keys.pub,
        .box = agent_box(a)->pub,
        .serial = 1,
        .not_after_ms = now_ms + CERT_LIFE_MS,
        .label = CERTIFY_LABEL,
    };
    enum err code = cert_issue(&fields, member, &a->keys, cert, e);
    if (code != ERR_OK)
        return code;
    struct sign_pair pair;
    sign_pair_from_seed(&pair, invite->seed);
    code = join_build(&invite->network, &pair, member, next, &a->keys, buf_bytes(cert), request, e);
    sign_pair_wipe(&pair);
    return code;
}

/* What an earlier invitation began and never finished makes room. */
static enum err store_network(struct agent *a, const struct invite *invite, struct bytes cert,
                              struct bytes request, int64_t now_ms, struct error *e) {
    enum err code = db_run(a->db, SQL_NETWORK_FORGET_BEGUN, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(a->db, SQL_NETWORK_ADD);
    db_bind_blob(&q, ":key", bytes_of(invite->network.b, KEY_LEN));
    db_bind_text(&q, ":address", invite->address);
    db_bind_blob(&q, ":join_request", request);
    db_bind_blob(&q, ":certificate", cert);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

static enum err begin_anew(struct agent *a, const struct invite *invite, struct bytes passphrase,
                           int64_t now_ms, struct error *e) {
    struct sign_pair member = {0};
    struct hash next;
    struct buf cert, request;
    buf_init(&cert, CERT_MAX_BYTES);
    buf_init(&request, JOIN_MAX_BYTES);
    enum err code = vault_open_member(a->dir, passphrase, &member, &next, e);
    if (code == ERR_OK)
        code = build_request(a, invite, &member, &next, now_ms, &cert, &request, e);
    sign_pair_wipe(&member);
    if (code == ERR_OK)
        code = db_begin(a->db, e);
    if (code == ERR_OK) {
        code = store_network(a, invite, buf_bytes(&cert), buf_bytes(&request), now_ms, e);
        code = db_end(a->db, code, e);
    }
    buf_done(&cert);
    buf_done(&request);
    return code != ERR_OK ? code : agent_reload(a, e);
}

/* The hub may have moved: the newest copy of the invitation says where it is. */
static enum err go_on(struct agent *a, const struct invite *invite, struct error *e) {
    struct db_query q = db_query(a->db, SQL_NETWORK_ADDRESS);
    db_bind_int(&q, ":network", a->network.id);
    db_bind_text(&q, ":address", invite->address);
    enum err code = db_run_query(&q, e);
    if (code == ERR_OK)
        memcpy(a->network.address, invite->address, sizeof a->network.address);
    return code;
}

static enum err check_member_key(const struct agent *a, struct error *e) {
    if (files_exist(a->dir, VAULT_MEMBER))
        return ERR_OK;
    return error_at(e, ERR_NO_INPUT, a->dir, 0, 0,
                    "there is no member key here, as init --second leaves it: run plek-agent "
                    "request, have that certified, and join with the certificate");
}

enum err agent_join_begin(struct agent *a, const struct invite *invite, struct bytes passphrase,
                          int64_t now_ms, struct error *e) {
    if (a->network.joined)
        return refuse_joined(a, e);
    if (same_invite(a, invite))
        return go_on(a, invite, e);
    enum err code = check_member_key(a, e);
    return code != ERR_OK ? code : begin_anew(a, invite, passphrase, now_ms, e);
}

/* ---- admitted ---- */

/* A further agent's is named by its label, so that partners can tell the two apart. */
static enum err first_site(struct agent *a, const char *member_name, struct error *e) {
    struct db_query q = db_query(a->db, SQL_SITE_COUNT);
    bool any = db_step(&q) && db_column_int(&q, 0) > 0;
    enum err code = db_finish(&q, e);
    if (code != ERR_OK || any)
        return code;
    struct site site = {0};
    struct cert cert;
    code = cert_verify(bytes_of(a->network.cert, a->network.cert_len), &cert, e);
    if (code != ERR_OK)
        return code;
    bool named = cert.label[0] != '\0' && strcmp(cert.label, CERTIFY_LABEL) != 0;
    const char *name = named ? cert.label : member_name;
    _Static_assert(NAME_MAX_BYTES <= SITE_NAME_MAX, "a member's name fits a site's");
    _Static_assert(CERT_MAX_LABEL <= SITE_NAME_MAX, "a label fits a site's name");
    memcpy(site.name, name, strlen(name) + 1);
    return records_site_add(a, &site, e);
}

static enum err store_admission(struct agent *a, const char *member_name, int64_t now_ms,
                                struct error *e) {
    struct db_query q = db_query(a->db, SQL_NETWORK_JOINED);
    db_bind_int(&q, ":network", a->network.id);
    db_bind_int(&q, ":now", now_ms);
    enum err code = db_run_query(&q, e);
    return code != ERR_OK ? code : first_site(a, member_name, e);
}

enum err agent_join_finish(struct agent *a, int64_t now_ms, struct error *e) {
    if (a->network.joined)
        return ERR_OK;
    const struct member_agent *self =
        a->directory ? directory_agent(a->directory, &a->keys.pub) : NULL;
    if (!self || !key_equal(&self->member->key, &a->network.member))
        return error_set(e, ERR_NOT_JOINED,
                         "the hub's feed does not hold our admission: ask the hub's operator");
    enum err code = db_begin(a->db, e);
    if (code != ERR_OK)
        return code;
    code = store_admission(a, self->member->name, now_ms, e);
    code = db_end(a->db, code, e);
    if (code != ERR_OK)
        return code;
    a->network.joined = true;
    agent_mark_dirty(a);
    agent_raise_event(a, AGENT_EVENT_STATUS | AGENT_EVENT_LINES);
    return ERR_OK;
}
