/* Owns the key files: agent.key, box-N.key, member.key and member-next.key. Secrets leave only as
 * key pairs. Must not sign anything. Source: docs/formats.md, "Key files"; design 5 "Keys". */
#ifndef PLEK_AGENT_VAULT_H
#define PLEK_AGENT_VAULT_H

#include "keys.h"

#define VAULT_AGENT "agent.key"
#define VAULT_BOX_FIRST "box-1.key"
#define VAULT_MEMBER "member.key"
#define VAULT_MEMBER_NEXT "member-next.key"
#define VAULT_PASSPHRASE_MAX 1024 /* bytes */

/* Makes all keys and writes the four files. passphrase empty: the member keys are not sealed.
 * The caller removes what was written when this fails. ERR_TOO_LARGE, ERR_NO_MEMORY (Argon2), file
 * errors. */
enum err vault_create(const char *dir, struct bytes passphrase, const struct entropy *entropy,
                      int64_t now_ms, struct error *e) MUST_USE;
/* The agent's own two files alone. */
enum err vault_create_agent(const char *dir, const struct entropy *entropy, int64_t now_ms,
                            struct error *e) MUST_USE;
/* ERR_NO_INPUT, ERR_DATA with the file. */
enum err vault_open_agent(const char *dir, struct sign_pair *ret, struct error *e) MUST_USE;

/* The agent's X25519 keys, numbered from 1 in the order they were made. */
#define VAULT_BOX_NAME_SIZE 32
char *vault_box_name(int64_t number, char out[static VAULT_BOX_NAME_SIZE]); /* "box-3.key" */
bool vault_has_box(const char *dir, int64_t number);
/* Makes one; durable when this returns. File errors. */
enum err vault_make_box(const char *dir, int64_t number, const struct entropy *entropy,
                        int64_t now_ms, struct error *e) MUST_USE;
/* since_ms: when it was made. ERR_NO_INPUT, ERR_DATA. */
enum err vault_open_box(const char *dir, int64_t number, struct box_pair *ret,
                        int64_t *ret_since_ms, struct error *e) MUST_USE;
/* Overwrites and removes it; one that is gone is ERR_OK. File errors: it may still be there. */
enum err vault_wipe_box(const char *dir, int64_t number, struct error *e) MUST_USE;
/* The public half, which is not sealed, and whether the secret one is. ERR_NO_INPUT, ERR_DATA. */
enum err vault_member_public(const char *dir, struct public_key *ret, bool *ret_sealed,
                             struct error *e) MUST_USE;
/* The member key and the hash of its successor. ERR_USAGE: sealed and no passphrase given;
 * ERR_PERMISSION: wrong passphrase; ERR_DATA, ERR_NO_INPUT, ERR_NO_MEMORY. */
enum err vault_open_member(const char *dir, struct bytes passphrase, struct sign_pair *ret,
                           struct hash *ret_next, struct error *e) MUST_USE;

#endif
