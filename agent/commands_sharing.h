/* Owns the second half of the command table; commands.h is the whole. */
#ifndef PLEK_AGENT_COMMANDS_SHARING_H
#define PLEK_AGENT_COMMANDS_SHARING_H

#include "args.h"

/* policy, partner, find, status; ends with a NULL name. */
const struct args_command *sharing_commands(void);

#endif
