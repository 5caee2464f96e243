/* Owns the events of the hub's feed: each is checked whole, then changes the directory.
 * Must not know the store; checks of signature and chain come before it (feed.h). */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "directory_private.h"
#include "feed.h"
#include "plek.pb-c.h"

/* ---- genesis, charter, invited ------------------------------------------------------------------
 */

/* What a handler gets: the view's bytes and the entry's claimed time. */
struct event {
    struct bytes view;
    int64_t claimed_ms;
};

static enum err decode(const ProtobufCMessageDescriptor *type, const struct event *event,
                       const char *what, void *ret, struct error *e) {
    return codec_decode(type, event->view, EVENT_MAX_BYTES, what, (ProtobufCMessage **)ret, e);
}

static enum err apply_genesis(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubGenesis *message = NULL;
    struct public_key box;
    enum err code = decode(&plek__hub_genesis__descriptor, event, "genesis", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    code = key_from_bytes(&box, codec_bytes(message->box), e);
    code = code != ERR_OK ? code : box_key_check(&box, e);
    code = code != ERR_OK ? code : event_check_name(message->name, ERR_MALFORMED, e);
    if (code == ERR_OK) {
        d->box = box;
        memcpy(d->name, message->name, strlen(message->name) + 1);
    }
    codec_free(message);
    return code;
}

static enum err make_charter(const Plek__HubCharter *message, struct charter_record **ret,
                             struct error *e) {
    struct charter_record *made = (struct charter_record *)directory_take_zeroed(sizeof(*made), e);
    if (!made) {
        return ERR_NO_MEMORY;
    }
    made->version = message->version;
    enum err code = charter_parse(codec_bytes(message->json), "charter", &made->charter, e);
    if (code == ERR_OK) {
        made->json_len = message->json.len;
        made->json = (uint8_t *)directory_take_zeroed(made->json_len, e);
        code = made->json ? ERR_OK : ERR_NO_MEMORY;
    }
    if (code != ERR_OK) {
        charter_record_free(made);
        return code;
    }
    memcpy(made->json, message->json.data, made->json_len);
    *ret = made;
    return ERR_OK;
}

static enum err apply_charter(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubCharter *message = NULL;
    enum err code = decode(&plek__hub_charter__descriptor, event, "charter", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    uint64_t expected = (uint64_t)directory_charter_version(d) + 1;
    struct charter_record *made = NULL;
    if (message->version != expected) {
        code = error_set(e, ERR_CONFLICT, "found charter version %u, expected %llu",
                         message->version, (unsigned long long)expected);
    }
    code = code != ERR_OK ? code : directory_reserve(&d->charters, NULL, e);
    code = code != ERR_OK ? code : make_charter(message, &made, e);
    if (code == ERR_OK) {
        directory_push(&d->charters, made);
    }
    codec_free(message);
    return code;
}

/* The directory's own items may be changed by the directory. */
static struct name_record *own_name(const struct directory *d, const char *name) {
    char folded[NAME_MAX_BYTES + 1];
    directory_fold(folded, name);
    return (struct name_record *)(uintptr_t)map_get(&d->by_name, bytes_str(folded));
}

static enum err read_invited(const struct directory *d, const Plek__HubInvited *message,
                             struct invitation *ret, struct error *e) {
    struct invitation made = {.used = false};
    enum err code = key_from_bytes(&made.invite, codec_bytes(message->invite), e);
    code = code != ERR_OK ? code : event_check_name(message->name, ERR_MALFORMED, e);
    if (code != ERR_OK) {
        return code;
    }
    if (message->role < ROLE_PROVIDER || message->role > ROLE_OBSERVER) {
        return error_set(e, ERR_MALFORMED, "found role %u, expected 1, 2 or 3", message->role);
    }
    if (message->expires_ms <= 0) {
        return error_set(e, ERR_MALFORMED,
                         "found an invitation that expires at %lld, expected a "
                         "time after 1970",
                         (long long)message->expires_ms);
    }
    if (directory_invitation(d, &made.invite)) {
        return error_set(e, ERR_CONFLICT,
                         "found an invitation key that was used before, expected "
                         "a new one");
    }
    const struct name_record *name = own_name(d, message->name);
    if (name && name->member) {
        return error_set(e, ERR_NAME_TAKEN,
                         "'%s' is or was a member of this network; choose another name",
                         message->name);
    }
    made.name = message->name;
    made.role = (enum role)message->role;
    made.expires_ms = message->expires_ms;
    *ret = made;
    return ERR_OK;
}

static enum err add_invitation(struct directory *d, const struct invitation *made,
                               struct error *e) {
    enum err code = directory_reserve(&d->invitations, &d->by_invite, e);
    code = code != ERR_OK ? code : directory_reserve(&d->names, &d->by_name, e);
    if (code != ERR_OK) {
        return code;
    }
    size_t name_size = strlen(made->name) + 1;
    struct name_record *known = own_name(d, made->name), *name = known;
    struct invitation_record *record =
        (struct invitation_record *)directory_take_zeroed(sizeof(*record) + name_size, e);
    if (!known) {
        name = (struct name_record *)directory_take_zeroed(sizeof(*name) + name_size, e);
    }
    if (!record || !name) {
        free(record);
        free(known ? NULL : name);
        return ERR_NO_MEMORY;
    }
    struct invitation *item = &record->invitation;
    *item = *made;
    memcpy(record->name, made->name, name_size);
    item->name = record->name;
    directory_push(&d->invitations, item);
    map_put(&d->by_invite, item);
    if (known) {
        known->invitation->replaced = true;
    } else {
        directory_fold(name->folded, made->name);
        directory_push(&d->names, name);
        map_put(&d->by_name, name);
    }
    name->invitation = item;
    return ERR_OK;
}

static enum err apply_invited(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubInvited *message = NULL;
    enum err code = decode(&plek__hub_invited__descriptor, event, "invited", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    struct invitation made;
    code = read_invited(d, message, &made, e);
    code = code != ERR_OK ? code : add_invitation(d, &made, e);
    codec_free(message);
    return code;
}

/* ---- admitted, certified ---- */

/* The directory's own items may be changed by the directory. */
static struct invitation *own_invitation(const struct directory *d, const struct public_key *k) {
    return (struct invitation *)(uintptr_t)map_get(&d->by_invite, key_bytes(k));
}

static struct member *own_member(const struct directory *d, const struct public_key *k) {
    return (struct member *)(uintptr_t)map_get(&d->by_member, key_bytes(k));
}

static struct member_agent *own_agent(const struct directory *d, const struct public_key *k) {
    return (struct member_agent *)(uintptr_t)map_get(&d->by_agent, key_bytes(k));
}

static enum err check_admission(const struct directory *d, const struct join *join,
                                int64_t claimed_ms, struct error *e) {
    const struct invitation *invitation = directory_invitation(d, &join->invite);
    if (!invitation) {
        return error_set(e, ERR_INVITE_UNKNOWN,
                         "found a join by an invitation this network never gave");
    }
    if (invitation->used) {
        return error_set(e, ERR_INVITE_USED, "the invitation of '%s' was used already",
                         invitation->name);
    }
    if (invitation->replaced) {
        return error_set(e, ERR_INVITE_EXPIRED,
                         "the invitation of '%s' was replaced by a newer one; use that one",
                         invitation->name);
    }
    if (claimed_ms >= invitation->expires_ms) {
        return error_set(e, ERR_INVITE_EXPIRED,
                         "the invitation of '%s' has expired; ask the hub's operator for another",
                         invitation->name);
    }
    if (directory_member(d, &join->cert.member) || key_equal(&join->cert.member, &d->network)) {
        return error_set(e, ERR_CONFLICT,
                         "found a member key that is in this network already, expected a new one");
    }
    if (directory_agent(d, &join->cert.agent) || key_equal(&join->cert.agent, &d->network)) {
        return error_set(e, ERR_CONFLICT,
                         "found an agent key that is in this network already, expected a new one");
    }
    if (d->members.count >= DIRECTORY_MAX_MEMBERS) {
        return error_set(e, ERR_CAP, "found %zu members, expected at most %d", d->members.count,
                         DIRECTORY_MAX_MEMBERS);
    }
    return ERR_OK;
}

static void put_agent(struct directory *d, struct member_agent *take_item, const struct cert *cert,
                      const struct member *member) {
    *take_item = (struct member_agent){.agent = cert->agent,
                                       .box = cert->box,
                                       .member = member,
                                       .serial = cert->serial,
                                       .not_after_ms = cert->not_after_ms};
    directory_push(&d->agents, take_item);
    map_put(&d->by_agent, take_item);
}

static enum err admit(struct directory *d, const struct join *join, struct bytes request,
                      int64_t claimed_ms, struct error *e) {
    enum err code = directory_reserve(&d->members, &d->by_member, e);
    code = code != ERR_OK ? code : directory_reserve(&d->agents, &d->by_agent, e);
    if (code != ERR_OK) {
        return code;
    }
    struct member *member = (struct member *)directory_take_zeroed(sizeof(*member), e);
    struct member_agent *agent = (struct member_agent *)directory_take_zeroed(sizeof(*agent), e);
    if (!member || !agent) {
        free(member);
        free(agent);
        return ERR_NO_MEMORY;
    }
    struct invitation *invitation = own_invitation(d, &join->invite);
    member->key = join->cert.member;
    member->name = invitation->name;
    member->role = invitation->role;
    member->state = MEMBER_ADMITTED;
    member->next_member = join->next_member;
    member->since_ms = claimed_ms;
    member->agents = 1;
    directory_push(&d->members, member);
    map_put(&d->by_member, member);
    put_agent(d, agent, &join->cert, member);
    own_name(d, member->name)->member = member;
    invitation->used = true;
    invitation->used_ms = claimed_ms;
    invitation->used_by = member->key;
    invitation->used_request = hash_sha256(request);
    return ERR_OK;
}

static enum err apply_admitted(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubAdmitted *message = NULL;
    enum err code = decode(&plek__hub_admitted__descriptor, event, "admitted", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    struct join join;
    struct bytes request = codec_bytes(message->join);
    code = join_verify(request, &d->network, &join, e);
    code = code != ERR_OK ? code : check_admission(d, &join, event->claimed_ms, e);
    code = code != ERR_OK ? code : admit(d, &join, request, event->claimed_ms, e);
    codec_free(message);
    return code;
}

static enum err check_certified(const struct directory *d, const struct cert *cert,
                                struct error *e) {
    const struct member *member = directory_member(d, &cert->member);
    const struct member_agent *agent = directory_agent(d, &cert->agent);
    if (!key_equal(&cert->network, &d->network)) {
        return error_set(e, ERR_NETWORK, "found a certificate of another network");
    }
    if (!member) {
        return error_set(e, ERR_UNKNOWN_MEMBER,
                         "found a certificate of a member key that is not "
                         "in this network");
    }
    if (member->state != MEMBER_ADMITTED) {
        return error_set(e, ERR_CONFLICT, "found a certificate of '%s', who is %s", member->name,
                         member_state_name(member->state));
    }
    if (key_equal(&cert->agent, &d->network) || (agent && agent->member != member)) {
        return error_set(e, ERR_CONFLICT, "found an agent key that belongs to another member");
    }
    if (agent && agent->revoked) {
        return error_set(e, ERR_REVOKED, "found a certificate of a revoked agent of '%s'",
                         member->name);
    }
    if (!agent && member->agents >= DIRECTORY_MAX_AGENTS) {
        return error_set(e, ERR_CAP, "'%s' has %u agents, expected at most %d", member->name,
                         member->agents, DIRECTORY_MAX_AGENTS);
    }
    if (agent && cert->serial <= agent->serial) {
        return error_set(e, ERR_CONFLICT, "found certificate serial %llu, expected above %llu",
                         (unsigned long long)cert->serial, (unsigned long long)agent->serial);
    }
    return ERR_OK;
}

static enum err certify(struct directory *d, const struct cert *cert, struct error *e) {
    struct member_agent *agent = own_agent(d, &cert->agent);
    if (agent) {
        if (agent->renewed.seq == 0)
            agent->box = cert->box;
        agent->serial = cert->serial;
        agent->not_after_ms = cert->not_after_ms;
        return ERR_OK;
    }
    enum err code = directory_reserve(&d->agents, &d->by_agent, e);
    if (code != ERR_OK) {
        return code;
    }
    agent = (struct member_agent *)directory_take_zeroed(sizeof(*agent), e);
    if (!agent) {
        return ERR_NO_MEMORY;
    }
    struct member *member = own_member(d, &cert->member);
    put_agent(d, agent, cert, member);
    member->agents++;
    return ERR_OK;
}

static enum err apply_certified(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubCertified *message = NULL;
    enum err code = decode(&plek__hub_certified__descriptor, event, "certified", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    struct cert cert;
    code = cert_verify(codec_bytes(message->certificate), &cert, e);
    codec_free(message);
    code = code != ERR_OK ? code : check_certified(d, &cert, e);
    return code != ERR_OK ? code : certify(d, &cert, e);
}

void directory_renew(struct directory *d, const struct public_key *key, const struct head *at,
                     const struct public_key *box) {
    struct member_agent *agent = own_agent(d, key);
    if (!agent || (agent->renewed.seq > 0 && !head_after(at, &agent->renewed)))
        return;
    agent->box = *box;
    agent->renewed = *at;
}

/* ---- suspended, resumed, removed, revoked ---- */

static enum err find_member(const struct directory *d, struct bytes raw, struct member **ret,
                            struct error *e) {
    struct public_key key;
    enum err code = key_from_bytes(&key, raw, e);
    if (code != ERR_OK) {
        return code;
    }
    struct member *member = own_member(d, &key);
    if (!member) {
        return error_set(e, ERR_UNKNOWN_MEMBER, "found a member key that is not in this network");
    }
    *ret = member;
    return ERR_OK;
}

/* Moves a member to `to` from one of the states in `from` (a bit each). */
static enum err change_state(const struct directory *d, const struct event *event, unsigned from,
                             enum member_state to, struct error *e) {
    Plek__HubMember *message = NULL;
    struct member *member = NULL;
    enum err code = decode(&plek__hub_member__descriptor, event, "member event", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    code = event_check_reason(message->reason, ERR_MALFORMED, e);
    code = code != ERR_OK ? code : find_member(d, codec_bytes(message->member), &member, e);
    codec_free(message);
    if (code != ERR_OK) {
        return code;
    }
    if ((from & (1u << member->state)) == 0) {
        return error_set(e, ERR_CONFLICT, "'%s' is %s and cannot become %s from there",
                         member->name, member_state_name(member->state), member_state_name(to));
    }
    member->state = to;
    return ERR_OK;
}

static enum err apply_suspended(struct directory *d, const struct event *event, struct error *e) {
    return change_state(d, event, 1u << MEMBER_ADMITTED, MEMBER_SUSPENDED, e);
}

static enum err apply_resumed(struct directory *d, const struct event *event, struct error *e) {
    return change_state(d, event, 1u << MEMBER_SUSPENDED, MEMBER_ADMITTED, e);
}

static enum err apply_removed(struct directory *d, const struct event *event, struct error *e) {
    return change_state(d, event, 1u << MEMBER_ADMITTED | 1u << MEMBER_SUSPENDED, MEMBER_REMOVED,
                        e);
}

static enum err revoke(const struct directory *d, const Plek__HubRevoked *message,
                       struct error *e) {
    struct member *member = NULL;
    struct public_key key;
    enum err code = event_check_reason(message->reason, ERR_MALFORMED, e);
    code = code != ERR_OK ? code : key_from_bytes(&key, codec_bytes(message->agent), e);
    code = code != ERR_OK ? code : find_member(d, codec_bytes(message->member), &member, e);
    if (code != ERR_OK) {
        return code;
    }
    struct member_agent *agent = own_agent(d, &key);
    if (!agent || agent->member != member) {
        return error_set(e, ERR_NOT_FOUND, "found an agent key that is not one of '%s'",
                         member->name);
    }
    if (agent->revoked) {
        return error_set(e, ERR_CONFLICT, "this agent of '%s' was revoked before", member->name);
    }
    agent->revoked = true;
    member->agents--;
    return ERR_OK;
}

static enum err apply_revoked(struct directory *d, const struct event *event, struct error *e) {
    Plek__HubRevoked *message = NULL;
    enum err code = decode(&plek__hub_revoked__descriptor, event, "revoked", &message, e);
    if (code != ERR_OK) {
        return code;
    }
    code = revoke(d, message, e);
    codec_free(message);
    return code;
}

/* ---- one entry ---- */

struct handler {
    uint32_t kind;
    enum err (*apply)(struct directory *d, const struct event *event, struct error *e);
};

static const struct handler handlers[] = {
    {ENTRY_HUB_GENESIS, apply_genesis},     {ENTRY_HUB_CHARTER, apply_charter},
    {ENTRY_HUB_INVITED, apply_invited},     {ENTRY_HUB_ADMITTED, apply_admitted},
    {ENTRY_HUB_SUSPENDED, apply_suspended}, {ENTRY_HUB_RESUMED, apply_resumed},
    {ENTRY_HUB_REMOVED, apply_removed},     {ENTRY_HUB_REVOKED, apply_revoked},
    {ENTRY_HUB_CERTIFIED, apply_certified},
};

static const struct handler *handler_of(uint32_t kind) {
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].kind == kind) {
            return &handlers[i];
        }
    }
    return NULL;
}

static enum err check_place(const struct directory *d, const struct header *h, struct error *e) {
    if (!key_equal(&h->network, &d->network) || !key_equal(&h->member, &d->network) ||
        !key_equal(&h->agent, &d->network)) {
        return error_set(e, ERR_NETWORK, "found an entry that is not of this network's hub");
    }
    if ((d->head.seq == 0) != (h->kind == ENTRY_HUB_GENESIS)) {
        return error_set(e, ERR_CONFLICT,
                         d->head.seq == 0 ? "found an entry of kind %u first, expected genesis"
                                          : "found a second genesis (kind %u), expected one",
                         h->kind);
    }
    return ERR_OK;
}

enum err directory_apply(struct directory *d, const struct entry *entry, struct error *e) {
    enum err code = check_place(d, &entry->header, e);
    if (code != ERR_OK) {
        return code;
    }
    const struct handler *handler = handler_of(entry->header.kind);
    if (handler) {
        if (entry->header.view_count != 1 || entry->view_count != 1 ||
            entry->views[0].kind != VIEW_PLAIN || entry->views[0].data.len == 0) {
            return error_set(e, ERR_MALFORMED,
                             "found %u views in an entry of the hub, expected one, unsealed",
                             entry->header.view_count);
        }
        struct event event = {entry->views[0].data, entry->header.claimed_ms};
        code = handler->apply(d, &event, e);
        if (code != ERR_OK) {
            return code;
        }
    }
    d->head = (struct head){entry->header.incarnation, entry->header.seq, entry->hash};
    return ERR_OK;
}
