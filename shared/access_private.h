/* Owns what access.c and access_routes.c share. Must not be included by anything else. */
#ifndef PLEK_ACCESS_PRIVATE_H
#define PLEK_ACCESS_PRIVATE_H

#include "access.h"

#define ACCESS_URL_MAX 256
#define ACCESS_THROTTLE_KEYS 2 /* a user's name and an address */

struct access {
    struct access_config config;
    struct throttle *throttle;
    char url[ACCESS_URL_MAX];
};

/* A new secret as text, and the hash that is kept of it. */
void access_new_secret(struct access *a, char text[static ACCESS_SECRET_SIZE], struct hash *ret);
struct hash access_hash(const char *secret);

#endif
