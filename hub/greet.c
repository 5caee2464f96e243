/* Owns what becomes of a verified hello: welcome or refusal, admission by an invitation, and
 * certificates of further agents.
 * Must not verify the hello's signatures (done before) nor write frames. */
#include "hub_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"

static void refuse(const struct error *why, int64_t now_ms, struct greeting *g) {
    g->code = why->code;
    g->error = *why;
    g->refused = (struct refused){.code = why->code, .hub_time_ms = now_ms};
    snprintf(g->refused.detail, sizeof g->refused.detail, "%s", why->detail);
}

/* ---- invitations ---- */

static enum err check_invitation(const struct invitation *i, const struct hash *request,
                                 int64_t now_ms, struct greeting *g, struct error *e) {
    char fingerprint[FINGERPRINT_SIZE];
    char when[TEXT_TIME_SIZE];
    if (i == NULL)
        return error_set(e, ERR_INVITE_UNKNOWN,
                         "this hub never gave that invitation; ask its operator for a new one");
    if (i->used && hash_equal(&i->used_request, request))
        return ERR_OK;
    if (i->used) {
        g->refused.used_ms = i->used_ms;
        g->refused.used_by = i->used_by;
        return error_set(e, ERR_INVITE_USED,
                         "the invitation of '%s' was used on %s by the member key with fingerprint "
                         "%s; if that was not you, tell the hub's operator",
                         i->name, text_time(i->used_ms, when),
                         fingerprint_text(&i->used_by, fingerprint));
    }
    if (i->replaced)
        return error_set(e, ERR_INVITE_EXPIRED,
                         "the invitation of '%s' was replaced by a newer one; use that one",
                         i->name);
    if (now_ms >= i->expires_ms)
        return error_set(e, ERR_INVITE_EXPIRED,
                         "the invitation of '%s' expired on %s; ask the hub's operator for a new "
                         "one",
                         i->name, text_time(i->expires_ms, when));
    return ERR_OK;
}

/* Whether the keys can be new members' at all. */
static enum err check_keys(const struct hub *hub, const struct join *join,
                           const struct agent_hello *hello, struct error *e) {
    if (!key_equal(&join->cert.agent, &hello->cert.agent) ||
        !key_equal(&join->cert.member, &hello->cert.member))
        return error_set(e, ERR_CERTIFICATE,
                         "the join request and the hello carry certificates of different keys");
    if (directory_agent(hub->directory, &join->cert.agent) != NULL ||
        directory_member(hub->directory, &join->cert.member) != NULL)
        return error_set(e, ERR_ALREADY_JOINED,
                         "this member is in the network already, by another invitation");
    return ERR_OK;
}

static enum err admit(struct hub *hub, struct bytes join, int64_t now_ms, struct error *e) {
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    enum err err = event_admitted(join, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {.kind = ENTRY_HUB_ADMITTED, .payload = buf_bytes(&payload)};
        err = hub_append(hub, &event, now_ms, e);
    }
    buf_done(&payload);
    return err;
}

/* Whether the request names an invitation this hub gave. Asked before five signatures are verified
 * on the store's thread, for anybody can send a request; nothing else is believed of it here. */
static bool names_invitation(const struct hub *hub, struct bytes join) {
    struct public_key invite;
    struct bytes named = codec_borrow(codec_borrow(join, 1), 3);
    return key_from_bytes(&invite, named, NULL) == ERR_OK &&
           directory_invitation(hub->directory, &invite) != NULL;
}

/* Not the request's fault: the store's or memory's. */
static bool is_machines(enum err err) {
    return err == ERR_STORE || err == ERR_DISK_FULL || err == ERR_NO_MEMORY || err == ERR_LOCKED;
}

/* What kept an event out of the feed (code ERR_OK: nothing did): the machine's failure is returned,
 * anything else refuses the hello. */
static enum err settle(const struct error *why, struct error *refusal, struct error *e) {
    if (!is_machines(why->code)) {
        *refusal = *why;
        return ERR_OK;
    }
    if (e != NULL)
        *e = *why;
    return why->code;
}

/* A refusal is in *refusal; what is returned is the store's failure. */
static enum err take_join(struct hub *hub, const struct agent_hello *hello, int64_t now_ms,
                          struct greeting *g, struct error *refusal, struct error *e) {
    struct join join;
    struct hash request = hash_sha256(hello->join);
    if (!names_invitation(hub, hello->join)) {
        (void)!check_invitation(NULL, &request, now_ms, g, refusal);
        return ERR_OK;
    }
    if (join_verify(hello->join, &hub->keys.sign.pub, &join, refusal) != ERR_OK)
        return ERR_OK;
    const struct invitation *i = directory_invitation(hub->directory, &join.invite);
    if (check_invitation(i, &request, now_ms, g, refusal) != ERR_OK)
        return ERR_OK;
    if (i->used) /* this very request: the answer is the agent's standing, as before */
        return ERR_OK;
    if (check_keys(hub, &join, hello, refusal) != ERR_OK)
        return ERR_OK;
    struct error why = {0};
    (void)!admit(hub, hello->join, now_ms, &why);
    return settle(&why, refusal, e);
}

/* ---- certificates ---- */

/* A member's feed entries are everybody's, for good: this many at once, then one an hour. */
#define CERTIFY_BURST 32
#define CERTIFY_COST 3600 /* of a bucket that gains one a second */

/* Whether the directory does not know this certificate of a member's yet. */
static bool is_newer(const struct hub *hub, const struct cert *cert) {
    const struct member_agent *agent = directory_agent(hub->directory, &cert->agent);
    if (agent == NULL)
        return directory_member(hub->directory, &cert->member) != NULL;
    return key_equal(&agent->member->key, &cert->member) && !agent->revoked &&
           cert->serial > agent->serial;
}

static enum err check_certificate(struct hub *hub, const struct cert *cert, int64_t now_ms,
                                  struct error *e) {
    static const struct presence_limit limit = {PRESENCE_CERTIFICATES, 1,
                                                CERTIFY_BURST * CERTIFY_COST};
    const struct member *member = directory_member(hub->directory, &cert->member);
    enum err err = hub_check_member(member, e);
    if (err != ERR_OK)
        return err;
    if (directory_agent(hub->directory, &cert->agent) == NULL &&
        member->agents >= DIRECTORY_MAX_AGENTS)
        return error_set(e, ERR_CAP,
                         "'%s' has %d agents, as many as a member may have: ask the hub's operator "
                         "to revoke one that is not in use",
                         member->name, DIRECTORY_MAX_AGENTS);
    err = presence_take(&hub->presence, &cert->member, &limit, CERTIFY_COST, now_ms, e);
    if (err == ERR_RATE)
        return error_set(e, ERR_RATE, "'%s' certified %d agents in a short time; try again later",
                         member->name, CERTIFY_BURST);
    return err;
}

static enum err certify(struct hub *hub, struct bytes certificate, int64_t now_ms,
                        struct error *e) {
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    enum err err = event_certified(certificate, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {.kind = ENTRY_HUB_CERTIFIED, .payload = buf_bytes(&payload)};
        err = hub_append(hub, &event, now_ms, e);
    }
    buf_done(&payload);
    return err;
}

/* As take_join. Its signatures were verified with the hello. */
static enum err take_certificate(struct hub *hub, const struct agent_hello *hello, int64_t now_ms,
                                 struct error *refusal, struct error *e) {
    if (!is_newer(hub, &hello->cert) ||
        check_certificate(hub, &hello->cert, now_ms, refusal) != ERR_OK)
        return ERR_OK;
    struct error why = {0};
    (void)!certify(hub, hello->cert_bytes, now_ms, &why);
    return settle(&why, refusal, e);
}

/* ---- the answer ---- */

static void welcome(const struct hub *hub, const struct public_key *agent, int64_t now_ms,
                    struct greeting *g) {
    const struct author *author = authors_find(&hub->authors, agent);
    g->code = ERR_OK;
    g->welcome.hub_time_ms = now_ms;
    g->welcome.hub_head = directory_head(hub->directory);
    g->welcome.has_own_head = author != NULL && author->head.seq > 0;
    if (g->welcome.has_own_head)
        g->welcome.own_head = author->head;
}

static enum err check_standing(const struct hub *hub, const struct agent_hello *hello,
                               struct error *e) {
    const struct member_agent *agent = NULL;
    enum err err = hub_check_agent(hub, &hello->cert.agent, &agent, e);
    if (agent != NULL && !key_equal(&agent->member->key, &hello->cert.member))
        return error_set(e, ERR_CERTIFICATE, "this agent key belongs to another member");
    return err;
}

enum err hub_greet(struct hub *hub, const struct agent_hello *hello, int64_t now_ms,
                   struct greeting *ret, struct error *e) {
    assert(hub->depth > 0);
    struct greeting g = {.kx = hello->kx, .cert = hello->cert};
    struct error refusal = {0};
    enum err err = ERR_OK;
    if (hello->join.len > 0)
        err = take_join(hub, hello, now_ms, &g, &refusal, e);
    if (err == ERR_OK && refusal.code == ERR_OK)
        err = take_certificate(hub, hello, now_ms, &refusal, e);
    if (err == ERR_OK && refusal.code != ERR_OK)
        err = settle(&refusal, &refusal, e);
    if (err != ERR_OK)
        return err;
    if (refusal.code == ERR_OK)
        (void)check_standing(hub, hello, &refusal);
    if (refusal.code == ERR_OK) {
        welcome(hub, &hello->cert.agent, now_ms, &g);
    } else {
        int64_t used_ms = g.refused.used_ms;
        struct public_key used_by = g.refused.used_by;
        refuse(&refusal, now_ms, &g);
        g.refused.used_ms = used_ms;
        g.refused.used_by = used_by;
        hub_note_rejection(hub, refusal.code, now_ms);
    }
    *ret = g;
    return ERR_OK;
}
