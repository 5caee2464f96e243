/* Owns the commands over tables and places: import, export, place. Must not hold any rule. */
#ifndef PLEK_COMMANDS_TABLES_H
#define PLEK_COMMANDS_TABLES_H

#include "args.h"

/* Ends with a NULL name. */
const struct args_command *table_commands(void);

#endif
