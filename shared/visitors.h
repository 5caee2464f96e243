/* Owns who is connected to a listener, by place in the network (address.h): how many there may be,
 * and who makes room for whom. Those who ask for nothing at the moment do, the longest idle first.
 * Must not know sockets, nor what is asked. */
#ifndef PLEK_VISITORS_H
#define PLEK_VISITORS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_TEXT_MAX 48 /* an address as text, and its NUL */

struct visitors_limits {
    size_t all;  /* visitors at a time, beside those who stay */
    size_t each; /* of them from one place; and as many who stay */
};

struct visitors; /* of one listener */
struct visitor;  /* one connection; idle until it says something */

struct visitors *visitors_new(const struct visitors_limits *limits); /* NULL: no memory */
void visitors_free(struct visitors *v); /* after all left; accepts NULL */

/* May one more come from this address? True: with *ret_leaves (its `of`) to be hung up on first,
 * who is counted no longer; NULL: nobody has to. False: nobody there makes room, or
 * only one of a place with fewer than this one. */
bool visitors_room(struct visitors *v, const char *address, void **ret_leaves);
/* It came. `of` is the caller's and stands for it. NULL: no memory. */
struct visitor *visitors_come(struct visitors *v, const char *address, void *of);
/* All of these accept NULL. What it asked for is under way, so it makes no room; or is done. */
void visitor_busy(struct visitor *v);
void visitor_idle(struct visitor *v);
/* It is more than a visitor from now on and makes no room. False: its place has as many of those as
 * it may, nothing changed. */
bool visitor_stay(struct visitor *v);
void visitor_leave(struct visitor *v);           /* it is gone; frees it */
size_t visitors_count(const struct visitors *v); /* who stays included */

#endif
