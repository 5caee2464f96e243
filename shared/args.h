/* Owns command lines: a table of commands, options that may stand anywhere after the command word,
 * `--help` and `--version`. Must not know what a command does. */
#ifndef PLEK_ARGS_H
#define PLEK_ARGS_H

#include <stdbool.h>
#include <stdio.h>

#include "error.h"

struct args_option {
    const char *name;  /* "dir" for --dir */
    const char *value; /* "DIR" when it takes a value, NULL for a flag */
    bool repeated;
    const char *help;
};

struct args; /* the parsed line: borrowed argv strings */

typedef enum err (*args_run)(const struct args *a, struct error *e);
struct args_command {
    const char *name;                  /* "site add": one or two words */
    const char *operands;              /* "SERVICE [key=value...]", for help */
    const struct args_option *options; /* ends with a NULL name */
    int min_operands, max_operands;    /* max -1: any number */
    const char *help;                  /* one line */
    args_run run;
};
struct args_program {
    const char *name, *help;
    const struct args_command *commands; /* ends with a NULL name */
};

/* Parses, handles --help and --version, runs the command; prints a failure as one line
 * "plek-agent: ..." on standard error; returns the sysexits status. `--name=value` and
 * `--name value` are alike; `--` ends the options. */
int args_main(const struct args_program *program, int argc, char **argv);

const char *args_command_name(const struct args *a); /* "site add" */
bool args_flag(const struct args *a, const char *name);
const char *args_option(const struct args *a, const char *name); /* NULL when absent */
int args_option_count(const struct args *a, const char *name);
const char *args_option_at(const struct args *a, const char *name, int index);
int args_count(const struct args *a); /* operands */
const char *args_at(const struct args *a, int index);

#endif
