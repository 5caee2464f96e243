/* Owns the tables made from errors.def and the one way to fill a struct error.
 * Must not log, allocate or know any other module (but for the check of UTF-8). */
#include "error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "bytes.h"

/* The functions themselves, not what error.h makes of them for the analyser. */
#undef error_set
#undef error_at

#define NAME_MAX_LEN 20

/* A code's name in lower case, spelled out at compile time so that no mutable table is needed. */
#define CHAR_AT(name, i) ((i) < sizeof(#name) ? #name[(i) < sizeof(#name) ? (i) : 0] : '\0')
#define LOWER(c) ((char)((c) == '_' ? '-' : ((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c))))
#define LOWER_AT(name, i) LOWER(CHAR_AT(name, i))
#define LOWER_4(name, i)                                                                           \
    LOWER_AT(name, (i)), LOWER_AT(name, (i) + 1), LOWER_AT(name, (i) + 2), LOWER_AT(name, (i) + 3)
#define LOWER_NAME(name)                                                                           \
    { LOWER_4(name, 0), LOWER_4(name, 4), LOWER_4(name, 8), LOWER_4(name, 12), LOWER_4(name, 16) }

struct error_row {
    int exit_status;
    int http_status;
    uint32_t wire;
    const char *text;
};

static const struct error_row rows[ERR_COUNT] = {
#define ERR(name, exit, http, wire, text) {exit, http, wire, text},
#include "errors.def"
#undef ERR
};

static const char names[ERR_COUNT][NAME_MAX_LEN] = {
#define ERR(name, exit, http, wire, text) LOWER_NAME(name),
#include "errors.def"
#undef ERR
};

/* The last character of each name's room has to be its NUL. */
#define ERR(name, exit, http, wire, text)                                                          \
    _Static_assert(sizeof(#name) <= NAME_MAX_LEN, "NAME_MAX_LEN is too small for " #name);
#include "errors.def"
#undef ERR

static const struct error_row *row_of(enum err code) {
    return (unsigned)code < ERR_COUNT ? &rows[code] : &rows[ERR_INTERNAL];
}

/* Messages go into JSON, so they stay UTF-8 whatever a peer or a file put into them: a character
 * that a cut left incomplete goes, other bytes that are none become '?'. */
static void keep_utf8(char *text, bool cut) {
    size_t len = strlen(text);
    size_t i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if (n <= len - i && utf8_valid(bytes_of(text + i, n))) {
            i += n;
        } else if (cut && n > len - i) {
            text[i] = '\0';
            return;
        } else {
            text[i++] = '?';
        }
    }
}

static void format_cut(char *out, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void format_cut(char *out, size_t size, const char *fmt, va_list args) {
    int n = vsnprintf(out, size, fmt, args);
    if (n < 0) {
        out[0] = '\0';
    }
    keep_utf8(out, n >= 0 && (size_t)n >= size);
}

static void copy_cut(char *out, size_t size, const char *in) {
    size_t len = strnlen(in, size);
    bool cut = len == size;
    if (cut) {
        len = size - 1;
    }
    memcpy(out, in, len);
    out[len] = '\0';
    keep_utf8(out, cut);
}

/* The arguments may point into *e itself (a caller adding context), so everything is formatted
 * aside first. */
static enum err fill(struct error *e, enum err code, const char *file, int line, int column,
                     const char *fmt, va_list args) __attribute__((format(printf, 6, 0)));

static enum err fill(struct error *e, enum err code, const char *file, int line, int column,
                     const char *fmt, va_list args) {
    if (!e) {
        return code;
    }
    struct error made = {.code = code, .line = line, .column = column};
    format_cut(made.detail, sizeof(made.detail), fmt, args);
    if (file) {
        copy_cut(made.file, sizeof(made.file), file);
    }
    *e = made;
    return code;
}

enum err error_set(struct error *e, enum err code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(e, code, NULL, 0, 0, fmt, args);
    va_end(args);
    return code;
}

enum err error_at(struct error *e, enum err code, const char *file, int line, int column,
                  const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(e, code, file, line, column, fmt, args);
    va_end(args);
    return code;
}

enum err error_in_file(struct error *e, const char *file) {
    size_t len = strlen(file);
    if (error_exit_status(e->code) != EX_DATAERR || strncmp(e->file, file, len) == 0)
        return e->code;
    char place[2 * ERROR_FILE_MAX];
    snprintf(place, sizeof(place), "%s%s%s", file, e->file[0] ? ": " : "", e->file);
    copy_cut(e->file, sizeof(e->file), place);
    return e->code;
}

const char *error_name(enum err code) {
    return (unsigned)code < ERR_COUNT ? names[code] : names[ERR_INTERNAL];
}

const char *error_text(enum err code) {
    return row_of(code)->text;
}

int error_exit_status(enum err code) {
    return row_of(code)->exit_status;
}

int error_http_status(enum err code) {
    return row_of(code)->http_status;
}

uint32_t error_wire(enum err code) {
    return row_of(code)->wire;
}

enum err error_from_wire(uint32_t wire) {
    for (int i = 0; i < ERR_COUNT; i++) {
        if (rows[i].wire == wire) {
            return (enum err)i;
        }
    }
    return ERR_PROTOCOL;
}

enum err error_from_name(const char *name) {
    for (int i = 0; i < ERR_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum err)i;
        }
    }
    return ERR_INTERNAL;
}

char *error_format(const struct error *e, char *out, unsigned size) {
    if (size == 0) {
        return out;
    }
    char place[ERROR_FILE_MAX + 32] = "";
    const char *colon = e->file[0] ? ":" : "";
    if (e->line > 0 && e->column > 0) {
        snprintf(place, sizeof(place), "%s%s%d:%d: ", e->file, colon, e->line, e->column);
    } else if (e->line > 0) {
        snprintf(place, sizeof(place), "%s%s%d: ", e->file, colon, e->line);
    } else if (e->file[0]) {
        snprintf(place, sizeof(place), "%s: ", e->file);
    }
    const char *detail = e->detail[0] ? e->detail : error_text(e->code);
    int n = snprintf(out, size, "%s%s", place, detail);
    keep_utf8(out, n >= 0 && (unsigned)n >= size);
    /* One line, whatever a peer or a file put into the message. */
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            *p = ' ';
        }
    }
    return out;
}
