/* Owns how answers of the local API look to a person at a terminal. Must not fetch or change
 * anything. */
#ifndef PLEK_AGENT_SHOW_H
#define PLEK_AGENT_SHOW_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define SHOW_TEXT_SIZE 96

/* "just now", "12 min", "3 h", "2 days" */
char *show_age(int64_t seconds, char out[static SHOW_TEXT_SIZE]);
/* A value as text: strings as they are, numbers, "yes"/"no", "-" for null. */
const char *show_cell(const json_t *object, const char *key, char out[static SHOW_TEXT_SIZE]);

/* What there is room for in a row, at whatever precision it came. For a table's column. */
const char *show_available(const json_t *row, char *out);

void show_sites(const json_t *answer, FILE *out);
void show_lines(const json_t *answer, FILE *out);
void show_line(const json_t *answer, FILE *out);
void show_confirmed(const json_t *answer, FILE *out);
void show_places(const json_t *answer, FILE *out);
void show_import(const json_t *answer, FILE *out);
void show_charter(const json_t *answer, FILE *out);
void show_find(const json_t *answer, FILE *out);
void show_policy(const json_t *answer, FILE *out);
void show_applied(const json_t *answer, FILE *out);
void show_preview(const json_t *answer, FILE *out); /* find, for somebody else */
void show_findings(const json_t *answer, FILE *out);
void show_partners(const json_t *answer, FILE *out);
void show_partner(const json_t *answer, FILE *out);
void show_key(const json_t *key, FILE *out);
void show_withdraw(const json_t *answer, FILE *out);
void show_pause(const json_t *answer, FILE *out);
/* An array of rows, oldest first. */
void show_audit(const json_t *rows, FILE *out);
void show_history(const json_t *answer, FILE *out);
void show_status(const json_t *answer, FILE *out);

#endif
