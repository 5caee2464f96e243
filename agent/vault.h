/* Owns the key files: agent.key, member.key and member-next.key. Secrets leave only as key pairs.
 * Must not sign anything. Source: docs/formats.md, "Key files"; design 5 "Keys". */
#ifndef PLEK_AGENT_VAULT_H
#define PLEK_AGENT_VAULT_H

#include "keys.h"

#define VAULT_AGENT "agent.key"
#define VAULT_MEMBER "member.key"
#define VAULT_MEMBER_NEXT "member-next.key"
#define VAULT_PASSPHRASE_MAX 1024 /* bytes */

/* Makes all keys and writes the three files. passphrase empty: the member keys are not sealed.
 * The caller removes what was written when this fails. ERR_TOO_LARGE, ERR_NO_MEMORY (Argon2), file
 * errors. */
enum err vault_create(const char *dir, struct bytes passphrase, const struct entropy *entropy,
                      struct error *e) MUST_USE;
/* ERR_NO_INPUT, ERR_DATA with the file. */
enum err vault_open_agent(const char *dir, struct sign_pair *ret_sign, struct box_pair *ret_box,
                          struct error *e) MUST_USE;
/* The public half, which is not sealed, and whether the secret one is. ERR_NO_INPUT, ERR_DATA. */
enum err vault_member_public(const char *dir, struct public_key *ret, bool *ret_sealed,
                             struct error *e) MUST_USE;
/* The member key and the hash of its successor. ERR_USAGE: sealed and no passphrase given;
 * ERR_PERMISSION: wrong passphrase; ERR_DATA, ERR_NO_INPUT, ERR_NO_MEMORY. */
enum err vault_open_member(const char *dir, struct bytes passphrase, struct sign_pair *ret,
                           struct hash *ret_next, struct error *e) MUST_USE;

#endif
