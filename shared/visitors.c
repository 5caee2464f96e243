/* Owns who is connected to a listener (see visitors.h): places in a hash table of chains under a
 * random salt, because whoever connects chooses the addresses, and those who are idle in the order
 * of their last word. Must not know sockets. */
#include "visitors.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

#define BUCKETS 4096 /* chains stay short up to tens of thousands of places */
/* So many of the longest idle are looked at; the one of the most crowded place goes. */
#define CANDIDATES 16

/* A visitor stands in two queues, of all and of its place, while it is idle. */
enum { OF_ALL, OF_PLACE, QUEUES };

struct queue {
    struct visitor *oldest, *newest;
};

struct place {
    char text[ADDRESS_PLACE_SIZE];
    size_t visiting, staying;
    struct queue idle;
    struct place *next;
};

struct visitor {
    struct visitors *of_all;
    struct place *place; /* NULL: it made room and is counted no longer */
    void *of;
    struct visitor *older[QUEUES], *newer[QUEUES];
    bool idle, stays;
};

struct visitors {
    struct visitors_limits limits;
    size_t visiting, staying;
    struct queue idle;
    uint8_t salt[crypto_shorthash_KEYBYTES];
    struct place *buckets[BUCKETS];
};

struct visitors *visitors_new(const struct visitors_limits *limits) {
    struct visitors *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->limits = *limits;
    randombytes_buf(v->salt, sizeof v->salt);
    return v;
}

void visitors_free(struct visitors *v) {
    free(v);
}

/* ---- places ---- */

static size_t bucket_of(const struct visitors *v, const char *text) {
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t value;
    crypto_shorthash(hash, (const uint8_t *)text, strlen(text), v->salt);
    memcpy(&value, hash, sizeof value);
    return (size_t)(value % BUCKETS);
}

/* Where the pointer to this place stands, or would stand. */
static struct place **find(struct visitors *v, const char *address) {
    char text[ADDRESS_PLACE_SIZE];
    address_place(address, text);
    struct place **at = &v->buckets[bucket_of(v, text)];
    while (*at && strcmp((*at)->text, text) != 0)
        at = &(*at)->next;
    return at;
}

static void forget_if_empty(struct visitors *v, struct place *place) {
    if (place->visiting + place->staying > 0)
        return;
    struct place **at = &v->buckets[bucket_of(v, place->text)];
    while (*at != place)
        at = &(*at)->next;
    *at = place->next;
    free(place);
}

/* ---- who is idle ---- */

static void queue_add(struct queue *q, int which, struct visitor *v) {
    v->older[which] = q->newest;
    v->newer[which] = NULL;
    if (q->newest)
        q->newest->newer[which] = v;
    else
        q->oldest = v;
    q->newest = v;
}

static void queue_remove(struct queue *q, int which, struct visitor *v) {
    if (v->older[which])
        v->older[which]->newer[which] = v->newer[which];
    else
        q->oldest = v->newer[which];
    if (v->newer[which])
        v->newer[which]->older[which] = v->older[which];
    else
        q->newest = v->older[which];
}

void visitor_idle(struct visitor *v) {
    if (!v || !v->place || v->stays)
        return;
    visitor_busy(v); /* its last word is this one */
    v->idle = true;
    queue_add(&v->of_all->idle, OF_ALL, v);
    queue_add(&v->place->idle, OF_PLACE, v);
}

void visitor_busy(struct visitor *v) {
    if (!v || !v->idle)
        return;
    v->idle = false;
    queue_remove(&v->of_all->idle, OF_ALL, v);
    queue_remove(&v->place->idle, OF_PLACE, v);
}

/* ---- coming and going ---- */

static void uncount(struct visitor *v) {
    struct place *place = v->place;
    if (!place)
        return;
    visitor_busy(v);
    v->place = NULL;
    if (v->stays) {
        place->staying--;
        v->of_all->staying--;
    } else {
        place->visiting--;
        v->of_all->visiting--;
    }
    forget_if_empty(v->of_all, place);
}

/* Of a place with fewer than the newcomer's nobody has to go. */
static struct visitor *longest_idle(const struct visitors *v, const struct place *newcomer) {
    struct visitor *best = v->idle.oldest, *at = best;
    for (int i = 0; at && i < CANDIDATES; i++, at = at->newer[OF_ALL])
        if (at->place->visiting > best->place->visiting)
            best = at;
    return best && newcomer && best->place->visiting < newcomer->visiting ? NULL : best;
}

bool visitors_room(struct visitors *v, const char *address, void **ret_leaves) {
    const struct place *place = *find(v, address);
    struct visitor *leaves = NULL;
    bool full = v->visiting >= v->limits.all;
    if (place && place->visiting >= v->limits.each) {
        leaves = place->idle.oldest;
        full = true;
    } else if (full) {
        leaves = longest_idle(v, place);
    }
    if (full && !leaves)
        return false;
    *ret_leaves = leaves ? leaves->of : NULL;
    if (leaves)
        uncount(leaves);
    return true;
}

struct visitor *visitors_come(struct visitors *v, const char *address, void *of) {
    struct place **at = find(v, address);
    struct visitor *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    if (!*at) {
        struct place *place = calloc(1, sizeof *place);
        if (!place) {
            free(made);
            return NULL;
        }
        address_place(address, place->text);
        *at = place;
    }
    made->of_all = v;
    made->of = of;
    made->place = *at;
    made->place->visiting++;
    v->visiting++;
    visitor_idle(made);
    return made;
}

bool visitor_stay(struct visitor *v) {
    if (!v || v->stays)
        return true;
    if (!v->place || v->place->staying >= v->of_all->limits.each)
        return false;
    visitor_busy(v);
    v->stays = true;
    v->place->staying++;
    v->of_all->staying++;
    v->place->visiting--;
    v->of_all->visiting--;
    return true;
}

size_t visitors_count(const struct visitors *v) {
    return v->visiting + v->staying;
}

void visitor_leave(struct visitor *v) {
    if (v)
        uncount(v);
    free(v);
}
