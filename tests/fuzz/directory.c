/* Fuzzes the hub's feed as its readers apply it: a run of events with any content, each in an entry
 * that the hub signed. What does not fit changes nothing (docs/protocol.md, "The hub's feed"). */
#include "fuzz.h"
#include "unit/core/network.h"

#define MAX_EVENTS 10
#define MEMBERS 3

/* All that can be asked of a directory, as one hash. */
static struct hash digest(const struct directory *d) {
    struct buf all;
    struct head head = directory_head(d);
    buf_init(&all, 1 << 20);
    buf_printf(&all, "%llu %s ", (unsigned long long)head.seq, directory_name(d));
    buf_append(&all, head.hash.b, HASH_LEN);
    buf_append(&all, directory_charter_json(d).data, directory_charter_json(d).len);
    buf_append_u32be(&all, directory_charter_version(d));
    for (size_t i = 0; i < directory_member_count(d); i++) {
        const struct member *m = directory_member_at(d, i);
        buf_append(&all, m->key.b, KEY_LEN);
        buf_printf(&all, "%s %d %d %u %lld ", m->name, m->role, m->state, m->agents,
                   (long long)m->since_ms);
        FUZZ_CHECK(directory_member(d, &m->key) == m);
        FUZZ_CHECK(directory_member_named(d, m->name) != NULL);
    }
    for (size_t i = 0; i < directory_agent_count(d); i++) {
        const struct member_agent *a = directory_agent_at(d, i);
        buf_append(&all, a->agent.b, KEY_LEN);
        buf_append(&all, a->box.b, KEY_LEN);
        buf_printf(&all, "%llu %d ", (unsigned long long)a->serial, a->revoked);
        FUZZ_CHECK(directory_agent(d, &a->agent) == a);
    }
    for (uint32_t i = 0; i <= MEMBERS; i++) {
        struct public_key key = network_invite(i).pub;
        const struct invitation *invitation = directory_invitation(d, &key);
        if (invitation != NULL)
            buf_printf(&all, "%s %d %d ", invitation->name, invitation->used, invitation->replaced);
    }
    FUZZ_CHECK(buf_failed(&all, NULL) == ERR_OK);
    struct hash h = hash_blake2b(buf_bytes(&all));
    buf_done(&all);
    return h;
}

/* One of the events that a well-behaved hub writes. */
static enum err good_event(struct network *n, struct fuzz_input *in, struct error *e) {
    static const uint32_t verbs[] = {ENTRY_HUB_SUSPENDED, ENTRY_HUB_RESUMED, ENTRY_HUB_REMOVED};
    uint32_t which = 1 + (uint32_t)fuzz_below(in, MEMBERS);
    switch (fuzz_byte(in) % 5) {
    case 0:
        return network_genesis(n, e);
    case 1:
        return network_charter(n, directory_charter_version(n->directory) + 1,
                               charter_default_json(), e);
    case 2:
        return network_invited(n, which, which == 1 ? "Haven" : "Baken", ROLE_PROVIDER, e);
    case 3:
        return network_admitted(n, which, which, which, e);
    default:
        return network_member_event(n, verbs[fuzz_byte(in) % 3], which, e);
    }
}

static enum err any_event(struct network *n, struct fuzz_input *in, struct error *e) {
    static const uint8_t filler = 0;
    uint32_t kind = (uint32_t)(fuzz_byte(in) % 10) + ENTRY_HUB_GENESIS;
    struct bytes content = fuzz_piece(in);
    if (content.len == 0)
        content = bytes_of(&filler, 1);
    return network_apply(n, kind, content, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = fuzz_input(data, size);
    struct network n;
    network_init(&n);
    for (int i = 0; i < MAX_EVENTS && in.left > 0; i++) {
        struct hash before = digest(n.directory);
        struct head head = directory_head(n.directory);
        struct error e = {0};
        uint8_t how = fuzz_byte(&in);
        n.now_ms += how >= 0xf0 ? INT64_C(90000000) : 1000;
        enum err rc = how % 2 == 0 ? good_event(&n, &in, &e) : any_event(&n, &in, &e);
        struct hash after = digest(n.directory);
        if (fuzz_accepted(rc, &e))
            FUZZ_CHECK(directory_head(n.directory).seq == head.seq + 1);
        else
            FUZZ_CHECK(hash_equal(&before, &after));
    }
    network_done(&n);
    return 0;
}
