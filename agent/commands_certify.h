/* Owns the commands for a further agent of an organisation: request and certify. Must not hold any
 * rule: certify.h does. */
#ifndef PLEK_AGENT_COMMANDS_CERTIFY_H
#define PLEK_AGENT_COMMANDS_CERTIFY_H

#include "args.h"

/* Ends with a NULL name. */
const struct args_command *certify_commands(void);

#endif
