/* Owns the project's error codes and the message that travels with one.
 * Must not log, allocate or know any other module. */
#ifndef PLEK_ERROR_H
#define PLEK_ERROR_H

#include <stdint.h>

#define ERROR_DETAIL_MAX 256 /* bytes, NUL included */
#define ERROR_FILE_MAX 128   /* bytes, NUL included */

enum err {
#define ERR(name, exit, http, wire, text) ERR_##name,
#include "errors.def"
#undef ERR
    ERR_COUNT
};

/* What went wrong and where. line and column count from 1; 0 means "does not apply".
 * `file` is a file name or a JSON path ("services[2].code"). A plain value: copy it freely. */
struct error {
    enum err code;
    int line;
    int column;
    int64_t retry_ms; /* trying again makes sense after this; 0: does not apply */
    char file[ERROR_FILE_MAX];
    char detail[ERROR_DETAIL_MAX];
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fills *e (NULL allowed) and returns `code`, so that a failing function can
 * `return error_set(e, ERR_DATA, "found '%s', expected a number", s);`. Long details are cut,
 * at a UTF-8 boundary. Clears file, line and column. */
enum err error_set(struct error *e, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set, with a place. file may be NULL. */
enum err error_at(struct error *e, enum err code, const char *file, int line, int column,
                  const char *fmt, ...) PRINTF_LIKE(6, 7);

#ifdef __clang_analyzer__
/* The analyser does not see into error.c: tell it that the code that goes in comes out. */
#define error_set(e, code, ...) (error_set((e), (code), __VA_ARGS__), (code))
#define error_at(e, code, ...) (error_at((e), (code), __VA_ARGS__), (code))
#endif

/* A fault in a document (exit status 65) names the document too: "FILE: PATH". Leaves *e alone when
 * it does already, or when its code is another matter. Returns e->code. */
enum err error_in_file(struct error *e, const char *file);

/* The code's name in lower case with dashes ("unknown-member"), used in JSON and logs. */
const char *error_name(enum err code);
/* The code's one-line meaning. */
const char *error_text(enum err code);
int error_exit_status(enum err code); /* sysexits.h */
int error_http_status(enum err code);
uint32_t error_wire(enum err code);
/* The code of a wire number; ERR_PROTOCOL for one this version does not know. */
enum err error_from_wire(uint32_t wire);
/* The code of a name as error_name gives it; ERR_INTERNAL for an unknown one. */
enum err error_from_name(const char *name);

/* "file:line:column: detail" in one line, without what does not apply; detail falls back on
 * error_text. Writes at most `size` bytes, always NUL-terminated; returns `out`. */
char *error_format(const struct error *e, char *out, unsigned size);

#endif
