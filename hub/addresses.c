/* Owns the counts per address: a hash table of chains under a random salt, because whoever connects
 * chooses the addresses. Must not know connections or the limit. */
#include "addresses.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

#define BUCKETS 4096 /* chains stay short up to tens of thousands of addresses */

struct address {
    char text[ADDRESS_PLACE_SIZE];
    size_t count;
    struct address *next;
};
struct addresses {
    uint8_t salt[crypto_shorthash_KEYBYTES];
    struct address *buckets[BUCKETS];
};

struct addresses *addresses_new(void) {
    struct addresses *a = calloc(1, sizeof *a);
    if (a)
        randombytes_buf(a->salt, sizeof a->salt);
    return a;
}

void addresses_free(struct addresses *a) {
    if (!a)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (a->buckets[i]) {
            struct address *next = a->buckets[i]->next;
            free(a->buckets[i]);
            a->buckets[i] = next;
        }
    }
    free(a);
}

static size_t bucket_of(const struct addresses *a, const char *address) {
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t value;
    crypto_shorthash(hash, (const uint8_t *)address, strlen(address), a->salt);
    memcpy(&value, hash, sizeof value);
    return (size_t)(value % BUCKETS);
}

/* Where the pointer to this address stands, or would stand. */
static struct address **find(struct addresses *a, const char *address) {
    struct address **at = &a->buckets[bucket_of(a, address)];
    while (*at && strcmp((*at)->text, address) != 0)
        at = &(*at)->next;
    return at;
}

size_t addresses_count(const struct addresses *a, const char *text) {
    char place[ADDRESS_PLACE_SIZE];
    const char *address = address_place(text, place);
    const struct address *found = a->buckets[bucket_of(a, address)];
    while (found && strcmp(found->text, address) != 0)
        found = found->next;
    return found ? found->count : 0;
}

bool addresses_add(struct addresses *a, const char *text) {
    char place[ADDRESS_PLACE_SIZE];
    const char *address = address_place(text, place);
    struct address **at = find(a, address);
    if (!*at) {
        struct address *made = calloc(1, sizeof *made);
        if (!made)
            return false;
        snprintf(made->text, sizeof made->text, "%s", address);
        *at = made;
    }
    (*at)->count++;
    return true;
}

void addresses_remove(struct addresses *a, const char *text) {
    char place[ADDRESS_PLACE_SIZE];
    struct address **at = find(a, address_place(text, place));
    struct address *found = *at;
    assert(found);
    if (!found || --found->count > 0)
        return;
    *at = found->next;
    free(found);
}
