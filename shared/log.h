/* Owns log lines: `event key=value ...` on standard error, one per event. Only shells call this. */
#ifndef PLEK_LOG_H
#define PLEK_LOG_H

#include <stddef.h>

#include "error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* the one mutable global, set once in main */
enum err log_level_parse(const char *text, enum log_level *ret, struct error *e) MUST_USE;
enum err log_level_check(const char *text, struct error *e) MUST_USE; /* only whether it is one */
/* `fields` is "key=value key=value"; values with spaces or quotes are the caller's to quote with
 * log_quote. The line gets a time (RFC 3339, ms) and the level in front and is written at once. */
void log_event(enum log_level level, const char *event, const char *fields, ...) PRINTF_LIKE(3, 4);
/* A value safe in a log line: quoted and escaped when needed, cut at size. Returns out. */
char *log_quote(const char *value, char *out, size_t size);

#endif
