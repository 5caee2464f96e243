/* Owns plek-hub's commands but for `run` (main.c). Every one but init goes through the local API.
 */
#ifndef PLEK_HUB_COMMANDS_H
#define PLEK_HUB_COMMANDS_H

#include "args.h"

#define HUB_COMMANDS_MAX 32

/* Ends with a NULL name; at most HUB_COMMANDS_MAX. */
const struct args_command *hub_commands(void);

#endif
