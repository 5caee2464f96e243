/* Owns configuration files: one table of keys drives parsing (libconfuse), bounds, defaults,
 * `--help` and the manual page. An unknown key is an error with file and line. */
#ifndef PLEK_CONFIG_H
#define PLEK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

#define CONFIG_FILE_MAX 65536 /* bytes */

enum config_type { CONFIG_TEXT, CONFIG_INT, CONFIG_BOOL, CONFIG_DURATION };

/* One key. `offset` is where its value stands in the caller's struct: CONFIG_TEXT is a char array
 * of `size` bytes, CONFIG_INT and CONFIG_DURATION (ms) an int64_t, CONFIG_BOOL a bool. */
struct config_key {
    const char *name; /* "web.listen" */
    enum config_type type;
    size_t offset;
    size_t size;          /* CONFIG_TEXT only */
    int64_t min, max;     /* CONFIG_INT, CONFIG_DURATION */
    const char *fallback; /* default, as it would be written in the file */
    const char *help;     /* one line */
    /* CONFIG_TEXT only, NULL: any text. What a value has to be; its fault gets file and line. */
    enum err (*check)(const char *value, struct error *e);
};

/* Fills the struct with the defaults. A bad default is our bug (assert). ERR_NO_MEMORY. */
enum err config_defaults(const struct config_key *keys, size_t count, void *target, struct error *e)
    MUST_USE;
/* Reads `path` over what the struct holds. The form is libconfuse's: one `key = value` a line, `#`
 * comments, "quotes" around values with other characters than letters, digits and ./:@_-[]. A file
 * that does not exist is ERR_OK and changes nothing; ERR_CONFIG with file:line otherwise, target
 * unchanged on failure. */
enum err config_read(const char *path, const struct config_key *keys, size_t count, void *target,
                     struct error *e) MUST_USE;
/* The keys with type, bounds, default and help, as text for `--help`. */
void config_print_help(FILE *out, const struct config_key *keys, size_t count);
/* The same as troff paragraphs for the manual page. */
void config_print_manual(FILE *out, const struct config_key *keys, size_t count);

#endif
