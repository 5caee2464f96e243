/* Owns plek-agent's commands but for `run` and `join` (main.c). Every one goes through the local
 * API. */
#ifndef PLEK_AGENT_COMMANDS_H
#define PLEK_AGENT_COMMANDS_H

#include <jansson.h>

#include "args.h"
#include "bytes.h"
#include "vault.h"

#define AGENT_COMMANDS_MAX 64
#define PASSPHRASE_MAX VAULT_PASSPHRASE_MAX

/* Ends with a NULL name; at most AGENT_COMMANDS_MAX. */
const struct args_command *agent_commands(void);
/* The operands from `first` on, "key=value", into `set`. ERR_USAGE, ERR_DATA. */
enum err commands_read_pairs(const struct args *a, int first, json_t *set, struct error *e)
    MUST_USE;
/* Appends a passphrase file's content without the line's end; `out` is the caller's to wipe.
 * ERR_NO_INPUT, ERR_DATA for an empty one, ERR_TOO_LARGE. */
enum err passphrase_read(const char *path, struct buf *out, struct error *e) MUST_USE;

#endif
