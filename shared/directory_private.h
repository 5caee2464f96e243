/* Owns what directory.c (looking up), directory_apply.c (events) and event.c (builders) share of
 * the directory. Nobody else includes it. */
#ifndef PLEK_DIRECTORY_PRIVATE_H
#define PLEK_DIRECTORY_PRIVATE_H

#include "directory.h"
#include "map.h"

#define EVENT_MAX_BYTES (CHARTER_MAX_BYTES + 64) /* the largest is a charter */

/* A name that was given once, in the form that tells names apart. */
struct name_record {
    const struct member *member;   /* NULL: only invited so far */
    struct invitation *invitation; /* the newest one for this name */
    char folded[];
};

/* An invitation, and behind it the name that it and the member made of it point to. */
struct invitation_record {
    struct invitation invitation;
    char name[];
};

/* Older charters stay: pointers to them were handed out. */
struct charter_record {
    uint32_t version;
    struct charter *charter;
    uint8_t *json;
    size_t json_len;
};

/* Items are allocated one by one, so that pointers to them stay valid. */
struct list {
    void **items;
    size_t count, cap;
};

struct directory {
    struct public_key network, box;
    char name[NAME_MAX_BYTES + 1];
    struct head head;
    struct list members, agents, invitations, names, charters;
    struct map by_member, by_agent, by_invite, by_name;
};

/* Room for one more in a list and, where given, its table: what comes next cannot fail. */
enum err directory_reserve(struct list *l, struct map *m, struct error *e) MUST_USE;
void directory_push(struct list *l, void *take_item);      /* room is reserved */
void *directory_take_zeroed(size_t size, struct error *e); /* NULL and ERR_NO_MEMORY in *e */
void charter_record_free(struct charter_record *r);
/* ASCII letters without case: names that differ only there are one name. `out` has room for the
 * name, of which NAME_MAX_BYTES count, and its NUL. */
void directory_fold(char *out, const char *name);

static inline struct bytes key_bytes(const struct public_key *k) {
    return bytes_of(k->b, KEY_LEN);
}

/* Of a member or network, and of a reason (NULL allowed); `code` is the caller's kind of fault. */
enum err event_check_name(const char *name, enum err code, struct error *e) MUST_USE;
enum err event_check_reason(const char *reason, enum err code, struct error *e) MUST_USE;

#endif
