/* Owns a small cache of excerpts ready to send. Direct-mapped: a newer one takes an older one's
 * slot. Must not know how an excerpt is made. */
#include "excerpts.h"

void excerpts_done(struct excerpts *x) {
    for (size_t i = 0; i < EXCERPTS_SLOTS; i++) {
        blob_unref(x->slots[i].blob);
        x->slots[i] = (struct excerpts_slot){.place = 0};
    }
}

/* Entries follow each other and mostly have few views: their log indices must not share low bits.
 */
static size_t slot_of(int table, uint64_t place) {
    uint64_t mixed = (place * 8 + (uint64_t)table) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> 32) % EXCERPTS_SLOTS;
}

struct blob *excerpts_get(const struct excerpts *x, int table, uint64_t place,
                          int64_t *ret_received_ms) {
    const struct excerpts_slot *slot = &x->slots[slot_of(table, place)];
    if (slot->place != place || slot->table != table)
        return NULL;
    *ret_received_ms = slot->received_ms;
    return blob_ref(slot->blob);
}

void excerpts_put(struct excerpts *x, int table, uint64_t place, struct blob *blob,
                  int64_t received_ms) {
    if (blob_bytes(blob).len > EXCERPTS_MAX_BYTES)
        return;
    struct excerpts_slot *slot = &x->slots[slot_of(table, place)];
    blob_unref(slot->blob);
    *slot = (struct excerpts_slot){place, table, received_ms, blob_ref(blob)};
}
