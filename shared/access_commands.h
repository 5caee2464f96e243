/* Owns the commands over users and tokens, which both programs have: what each asks of the API and
 * how its answer is shown. Must not know how the API is reached. */
#ifndef PLEK_ACCESS_COMMANDS_H
#define PLEK_ACCESS_COMMANDS_H

#include <stdio.h>

#include "api.h"
#include "args.h"

struct access_command {
    enum api_method method;
    char path[API_PATH_MAX];
    json_t *take_body; /* NULL: none */
    void (*show)(const json_t *answer, FILE *out);
};
/* What the command on this line asks; one of ACCESS_COMMANDS. ERR_USAGE. */
enum err access_command(const struct args *a, struct access_command *ret, struct error *e) MUST_USE;

extern const struct args_option access_new_options[], access_plain_options[];
/* Rows of a table of commands; `run` calls access_command. */
#define ACCESS_COMMANDS(run)                                                                       \
    {"user add", "NAME", access_new_options,                                                       \
     1,          1,      "let somebody use the screens: prints a link to choose a password by",    \
     run},                                                                                         \
        {"user list", "", access_plain_options, 0, 0, "who can log in", run},                      \
        {"user role", "NAME ROLE", access_plain_options, 2, 2, "change what a user may do", run},  \
        {"user reset",                                                                             \
         "NAME",                                                                                   \
         access_plain_options,                                                                     \
         1,                                                                                        \
         1,                                                                                        \
         "print a new link; the old password and sessions end",                                    \
         run},                                                                                     \
        {"user remove", "NAME", access_plain_options, 1, 1, "a user can log in no more", run},     \
        {"token add", "NAME", access_new_options,                                                  \
         1,           1,      "let a program use the API: prints its token, this once",            \
         run},                                                                                     \
        {"token list", "", access_plain_options, 0, 0, "which programs may use the API", run}, {   \
        "token remove", "NAME", access_plain_options, 1, 1, "a token is over", run                 \
    }
#define ACCESS_COMMAND_COUNT 8

#endif
