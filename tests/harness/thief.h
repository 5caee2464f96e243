/* Owns a thief: what a hub's stolen database holds, every key that a stolen directory gives, and
 * each of the ones tried on each of the others. Works on copies (stored.h), with the functions that
 * seal and open. Failures end the test. */
#ifndef PLEK_TEST_THIEF_H
#define PLEK_TEST_THIEF_H

#include "audience.h"
#include "stored.h"

#define LOOT_MAX 2048
#define THIEF_KEYS_MAX 256
#define THIEF_KINDS (VIEW_SELF + 1)

/* One view out of the hub's database, with the header of the entry it came in. */
struct stolen_view {
    struct header header;
    struct target target;
    uint32_t kind;
    struct hash key_id;
    uint8_t *data;
    size_t len;
};
struct loot {
    struct stolen_view views[LOOT_MAX];
    size_t count;
};
/* Everything in the hub.db of this directory. */
void loot_load(struct lab *lab, const char *hub_dir, struct loot *ret);
void loot_done(struct loot *loot);

struct thief {
    struct public_key self; /* the agent's key, or the hub's */
    struct box_pair box;
    struct audience_key keys[THIEF_KEYS_MAX];
    size_t count, granted; /* keys in all, and those out of grants */
};
/* The keys of an agent's directory: its own, and those of audiences that its inbox holds. */
void thief_agent(struct lab *lab, const char *dir, struct thief *ret);
void thief_hub(struct lab *lab, const char *hub_dir, struct thief *ret);
/* Opens every grant that opens, and keeps the key. */
void thief_take_grants(struct thief *thief, const struct loot *loot);
/* Whether any of its keys opens the view; what it says is appended to *ret. */
bool thief_reads(const struct thief *thief, const struct stolen_view *view, struct buf *ret);
bool thief_opens(const struct thief *thief, const struct stolen_view *view);

/* How an author's sealed views of one audience (NULL: of all) fared, by whether their entry came
 * after `seq`. */
struct tally {
    size_t old_opened, new_opened, new_sealed;
    size_t new_kinds[THIEF_KINDS];
};
struct tally thief_tally(const struct thief *thief, const struct loot *loot,
                         const struct public_key *author, const uint8_t *audience, uint64_t seq);

#endif
