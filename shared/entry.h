/* Owns entries: building, parsing and excerpting them, header hash and views root.
 * Source: docs/protocol.md, "Entries". Checks form and signatures; the rules are feed.h's. */
#ifndef PLEK_ENTRY_H
#define PLEK_ENTRY_H

#include "keys.h"

#define ENTRY_MAX_BYTES (1024 * 1024)
#define ENTRY_MAX_VIEWS 512
#define ENTRY_MAX_GRANTS 256
#define VIEW_MAX_BYTES (256 * 1024)
#define HEADER_MAX_BYTES 2048
#define CHECKPOINT_MAX_BYTES 1024
#define AUDIENCE_ID_LEN 16
#define TARGET_MAX 32

/* Entry kinds: uint32 on the wire; unknown ones are stored and relayed. */
#define ENTRY_OPEN 1u /* first of an incarnation */
#define ENTRY_UPDATE 2u
#define ENTRY_BOX_RENEWAL 3u
#define ENTRY_HUB_GENESIS 16u
#define ENTRY_HUB_CHARTER 17u
#define ENTRY_HUB_INVITED 18u
#define ENTRY_HUB_ADMITTED 19u
#define ENTRY_HUB_SUSPENDED 20u
#define ENTRY_HUB_RESUMED 21u
#define ENTRY_HUB_REMOVED 22u
#define ENTRY_HUB_REVOKED 23u
#define ENTRY_HUB_CERTIFIED 24u

/* View kinds, likewise. */
#define VIEW_PLAIN 1u
#define VIEW_GRANT 2u
#define VIEW_STATE 3u
#define VIEW_HISTORY 4u
#define VIEW_MESSAGE 5u
#define VIEW_WITHDRAW 6u
#define VIEW_SELF 7u

struct head {
    uint64_t incarnation, seq; /* seq 0: an empty feed */
    struct hash hash;
};

struct header {
    struct public_key network, member, agent;
    uint64_t incarnation, seq;
    struct hash prev;
    int64_t claimed_ms;
    uint32_t kind;
    uint32_t view_count;
    struct hash views_root;
    bool has_hub_head;
    struct head hub_head;
    struct bytes checkpoint; /* borrowed; len 0: none */
};

struct target {
    uint8_t b[TARGET_MAX];
    size_t len; /* 16 or 32 */
};
struct target target_audience(const uint8_t id[static AUDIENCE_ID_LEN]);
struct target target_key(const struct public_key *k);
struct target target_plain(void);
bool target_equal(const struct target *a, const struct target *b);

/* One view of an entry. data.len 0 with length > 0: no longer held, only its leaf is. */
struct view {
    struct target target;
    uint32_t kind;
    struct hash key_id;
    uint32_t length;   /* bytes of the view */
    struct hash hash;  /* SHA-256 of the view */
    struct bytes data; /* borrowed */
};

/* A parsed entry or excerpt. Owns its copy of the bytes; views and checkpoint point into it. One
 * allocation: immutable, may be read by several threads. */
struct entry {
    struct header header;
    struct hash hash; /* SHA-256 of the header's exact bytes */
    struct bytes header_bytes;
    struct signature signature;
    struct view *views;  /* all (entry) or some (excerpt) */
    uint32_t *indices;   /* of each view in the entry */
    size_t view_count;   /* how many are in `views` */
    struct hash *leaves; /* internal: all leaf hashes; NULL for an excerpt */
};

/* Fills in view_count and views_root, signs, and appends the Entry's bytes. Views need kind,
 * target, key_id and data (never empty). ret_hash may be NULL. ERR_CAP, ERR_MALFORMED (an empty
 * view), ERR_TOO_LARGE (out's own max), ERR_NO_MEMORY. */
enum err entry_build(const struct header *header, const struct view *views, size_t count,
                     const struct sign_pair *key, struct buf *out, struct hash *ret_hash,
                     struct error *e) MUST_USE;
/* Strict decode, caps, the leaves of all views (hashed anew where data is present) give views_root.
 * The signature is not verified here. ERR_MALFORMED, ERR_CAP, ERR_FORMAT, ERR_VIEWS_ROOT,
 * ERR_NO_MEMORY. */
enum err entry_parse(struct bytes in, struct entry **ret, struct error *e) MUST_USE;
/* As entry_parse for an Excerpt: indices ascend, and each view's path leads to views_root
 * (ERR_VIEW_MISMATCH). */
enum err excerpt_parse(struct bytes in, struct entry **ret, struct error *e) MUST_USE;
void entry_free(struct entry *entry);
/* Verifies the signature under `agent` (the header's own agent key is not trusted).
 * ERR_SIGNATURE. */
enum err entry_verify(const struct entry *entry, const struct public_key *agent, struct error *e)
    MUST_USE;
/* Appends a whole entry's bytes (not an excerpt's: assert) with only the views whose keep[i] is
 * true carrying data, as far as it is held. keep NULL: all. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err entry_encode(const struct entry *entry, const bool *keep, struct buf *out, struct error *e)
    MUST_USE;
/* Appends an Excerpt with the views at positions which[0..count), ascending, of a whole entry (all
 * leaves known). ERR_NOT_FOUND when one of them has no data any more; ERR_CAP when the excerpt
 * would exceed ENTRY_MAX_BYTES (paths add to it: give the views in several excerpts then). */
enum err entry_excerpt(const struct entry *entry, const uint32_t *which, size_t count,
                       struct buf *out, struct error *e) MUST_USE;

#endif
