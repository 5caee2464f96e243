/* Owns how the hub's answers look to people: tables and lines from the API's JSON.
 * Must not ask for anything. */
#ifndef PLEK_HUB_SHOW_H
#define PLEK_HUB_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "error.h"

/* A string of an object, "" when it is not there. Borrowed. */
const char *show_text(const json_t *object, const char *key);
void show_members(const json_t *answer, FILE *out);
void show_one_member(const json_t *answer, FILE *out); /* with its agents */
void show_charter(const json_t *answer, FILE *out);
void show_published(const json_t *answer, FILE *out);
void show_aggregate(const json_t *rows, FILE *out);
/* Rows of an array that the caller opens and closes; `more`: some stand in it already. */
void show_aggregate_json(const json_t *rows, bool more, FILE *out);
/* RFC 4180; `more`: the header stands already. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err show_aggregate_csv(const json_t *rows, bool more, FILE *out, struct error *e) MUST_USE;
void show_status(const json_t *answer, FILE *out);

#endif
