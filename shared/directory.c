/* Owns the directory: who is in the network, under which rules, as it follows from the hub's feed.
 * Must not know the store; checks of signature and chain come before it (feed.h). */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "directory_private.h"

/* ---- words ---- */

static const char *const role_names[] = {NULL, "provider", "coordinator", "observer"};

const char *role_name(enum role r) {
    return (unsigned)r <= ROLE_OBSERVER ? role_names[r] : NULL;
}

enum err role_parse(const char *text, enum role *ret, struct error *e) {
    for (enum role r = ROLE_PROVIDER; r <= ROLE_OBSERVER; r++) {
        if (strcmp(text, role_names[r]) == 0) {
            *ret = r;
            return ERR_OK;
        }
    }
    return error_set(e, ERR_DATA, "found role '%.40s', expected provider, coordinator or observer",
                     text);
}

const char *member_state_name(enum member_state s) {
    switch (s) {
    case MEMBER_ADMITTED:
        return "admitted";
    case MEMBER_SUSPENDED:
        return "suspended";
    case MEMBER_REMOVED:
        return "removed";
    }
    return "removed";
}

void directory_fold(char *out, const char *name) {
    size_t i = 0;
    for (; name[i] && i < NAME_MAX_BYTES; i++) {
        bool upper = name[i] >= 'A' && name[i] <= 'Z';
        out[i] = upper ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    out[i] = '\0';
}

/* ---- memory ---- */

static enum err list_reserve(struct list *l, struct error *e) {
    void **items = array_grow(l->items, l->count, &l->cap, sizeof *items);
    if (!items)
        return error_set(e, ERR_NO_MEMORY, "no memory for a list of more than %zu items", l->count);
    l->items = items;
    return ERR_OK;
}

void directory_push(struct list *l, void *take_item) {
    l->items[l->count++] = take_item;
}

static void list_done(struct list *l) {
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i]);
    }
    free(l->items);
    *l = (struct list){.items = NULL};
}

enum err directory_reserve(struct list *l, struct map *m, struct error *e) {
    enum err code = list_reserve(l, e);
    return code != ERR_OK || !m ? code : map_reserve(m, e);
}

void *directory_take_zeroed(size_t size, struct error *e) {
    void *made = calloc(1, size);
    if (!made) {
        error_set(e, ERR_NO_MEMORY, "no memory for the directory");
    }
    return made;
}

static struct bytes member_key(const void *item) {
    return key_bytes(&((const struct member *)item)->key);
}

static struct bytes agent_key(const void *item) {
    return key_bytes(&((const struct member_agent *)item)->agent);
}

static struct bytes invite_key(const void *item) {
    return key_bytes(&((const struct invitation *)item)->invite);
}

static struct bytes name_key(const void *item) {
    return bytes_str(((const struct name_record *)item)->folded);
}

enum err directory_new(const struct public_key *network, struct directory **ret, struct error *e) {
    struct directory *d = (struct directory *)directory_take_zeroed(sizeof(*d), e);
    if (!d) {
        return ERR_NO_MEMORY;
    }
    d->network = *network;
    map_init(&d->by_member, network->b, member_key);
    map_init(&d->by_agent, network->b, agent_key);
    map_init(&d->by_invite, network->b, invite_key);
    map_init(&d->by_name, network->b, name_key);
    *ret = d;
    return ERR_OK;
}

void charter_record_free(struct charter_record *r) {
    if (r) {
        charter_free(r->charter);
        free(r->json);
        free(r);
    }
}

void directory_free(struct directory *d) {
    if (!d) {
        return;
    }
    for (size_t i = 0; i < d->charters.count; i++) {
        charter_record_free((struct charter_record *)d->charters.items[i]);
    }
    d->charters.count = 0;
    list_done(&d->charters);
    list_done(&d->members);
    list_done(&d->agents);
    list_done(&d->invitations);
    list_done(&d->names);
    map_done(&d->by_member);
    map_done(&d->by_agent);
    map_done(&d->by_invite);
    map_done(&d->by_name);
    free(d);
}

/* ---- looking up ---- */

static const struct name_record *name_record(const struct directory *d, const char *name) {
    char folded[NAME_MAX_BYTES + 1];
    if (strlen(name) > NAME_MAX_BYTES) {
        return NULL;
    }
    directory_fold(folded, name);
    return (const struct name_record *)map_get(&d->by_name, bytes_str(folded));
}

static const struct charter_record *newest_charter(const struct directory *d) {
    return d->charters.count > 0
               ? (const struct charter_record *)d->charters.items[d->charters.count - 1]
               : NULL;
}

struct head directory_head(const struct directory *d) {
    return d->head;
}

const struct public_key *directory_network(const struct directory *d) {
    return &d->network;
}

const struct public_key *directory_hub_box(const struct directory *d) {
    return &d->box;
}

const char *directory_name(const struct directory *d) {
    return d->name;
}

const struct charter *directory_charter(const struct directory *d) {
    const struct charter_record *r = newest_charter(d);
    return r ? r->charter : NULL;
}

struct bytes directory_charter_json(const struct directory *d) {
    const struct charter_record *r = newest_charter(d);
    return r ? bytes_of(r->json, r->json_len) : bytes_of(NULL, 0);
}

uint32_t directory_charter_version(const struct directory *d) {
    const struct charter_record *r = newest_charter(d);
    return r ? r->version : 0;
}

const struct member *directory_member(const struct directory *d, const struct public_key *key) {
    return (const struct member *)map_get(&d->by_member, key_bytes(key));
}

const struct member *directory_member_named(const struct directory *d, const char *name) {
    const struct name_record *r = name_record(d, name);
    return r ? r->member : NULL;
}

const struct member_agent *directory_agent(const struct directory *d,
                                           const struct public_key *agent) {
    return (const struct member_agent *)map_get(&d->by_agent, key_bytes(agent));
}

const struct member *directory_admitted(const struct directory *d, const struct public_key *agent) {
    const struct member_agent *known = directory_agent(d, agent);
    bool takes_part = known && !known->revoked && known->member->state == MEMBER_ADMITTED;
    return takes_part ? known->member : NULL;
}

const struct invitation *directory_invitation(const struct directory *d,
                                              const struct public_key *invite) {
    return (const struct invitation *)map_get(&d->by_invite, key_bytes(invite));
}

const struct invitation *directory_invitation_named(const struct directory *d, const char *name) {
    const struct name_record *r = name_record(d, name);
    return r ? r->invitation : NULL;
}

bool directory_name_used(const struct directory *d, const char *name) {
    return name_record(d, name) != NULL;
}

size_t directory_member_count(const struct directory *d) {
    return d->members.count;
}

const struct member *directory_member_at(const struct directory *d, size_t index) {
    return index < d->members.count ? (const struct member *)d->members.items[index] : NULL;
}

size_t directory_agent_count(const struct directory *d) {
    return d->agents.count;
}

const struct member_agent *directory_agent_at(const struct directory *d, size_t index) {
    return index < d->agents.count ? (const struct member_agent *)d->agents.items[index] : NULL;
}
