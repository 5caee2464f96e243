/* Owns how the hub's answers look to people: tables and lines from the API's JSON.
 * Must not ask for anything. */
#ifndef PLEK_HUB_SHOW_H
#define PLEK_HUB_SHOW_H

#include <jansson.h>
#include <stdio.h>

/* A string of an object, "" when it is not there. Borrowed. */
const char *show_text(const json_t *object, const char *key);
void show_members(const json_t *answer, FILE *out);
void show_charter(const json_t *answer, FILE *out);
void show_published(const json_t *answer, FILE *out);
void show_aggregate(const json_t *answer, FILE *out);
void show_status(const json_t *answer, FILE *out);

#endif
