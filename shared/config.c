/* Owns reading configuration files by a table of keys, over libconfuse, and printing that table.
 * Must not know any key. Each key is given to libconfuse as a pointer option with our own parser,
 * because only there the line is still known when a value turns out to be wrong. */
#include "config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "text.h"

#define LAST_KEY "plek.end-of-file" /* see comment_is_open */

struct reader {
    const char *path;
    struct error fault; /* the first one stays */
    bool reached_end;
};

/* One key while a file is read. libconfuse gives its callbacks no context but the option, whose
 * simple_value points at `unused`: hence the first member. */
struct slot {
    void *unused;
    struct reader *reader;
    const struct config_key *key; /* NULL: LAST_KEY */
    bool given;
    int line;
    int64_t number; /* CONFIG_INT, CONFIG_DURATION, CONFIG_BOOL */
    char *text;     /* CONFIG_TEXT, owned */
};

static const char *type_name(enum config_type type) {
    switch (type) {
    case CONFIG_TEXT:
        return "TEXT";
    case CONFIG_INT:
        return "NUMBER";
    case CONFIG_BOOL:
        return "true|false";
    case CONFIG_DURATION:
        return "DURATION";
    }
    return "?";
}

static enum err parse_bool(const char *value, int64_t *ret, struct error *e) {
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *ret = strcasecmp(value, yes[i]) == 0;
            return ERR_OK;
        }
    }
    return error_set(e, ERR_CONFIG, "found '%.40s', expected true or false", value);
}

/* A bound as it would be written in the file. */
static const char *bound(const struct config_key *key, int64_t value,
                         char out[static TEXT_TIME_SIZE]) {
    _Static_assert(TEXT_TIME_SIZE >= TEXT_NUMBER_SIZE, "one buffer serves both");
    return key->type == CONFIG_DURATION ? text_duration(value, out) : text_number(value, 0, out);
}

static enum err parse_number(const struct config_key *key, const char *value, int64_t *ret,
                             struct error *e) {
    int64_t number = 0;
    enum err err = key->type == CONFIG_DURATION ? text_parse_duration(value, &number, e)
                                                : text_parse_number(value, 0, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    if (number < key->min || number > key->max) {
        char low[TEXT_TIME_SIZE];
        char high[TEXT_TIME_SIZE];
        return error_set(e, ERR_CONFIG, "found %.40s, expected %s to %s", value,
                         bound(key, key->min, low), bound(key, key->max, high));
    }
    *ret = number;
    return ERR_OK;
}

static enum err parse_text(const struct config_key *key, const char *value, char **ret,
                           struct error *e) {
    size_t len = strlen(value);
    if (len >= key->size) {
        return error_set(e, ERR_CONFIG, "found %zu bytes, expected at most %zu", len,
                         key->size - 1);
    }
    if (!utf8_valid(bytes_of(value, len))) {
        return error_set(e, ERR_CONFIG, "found bytes that are not UTF-8, expected UTF-8 text");
    }
    enum err code = key->check ? key->check(value, e) : ERR_OK;
    if (code != ERR_OK) {
        return code;
    }
    char *copy = strdup(value);
    if (!copy) {
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu bytes", len + 1);
    }
    *ret = copy;
    return ERR_OK;
}

static enum err parse_value(struct slot *slot, const char *value, struct error *e) {
    switch (slot->key->type) {
    case CONFIG_TEXT:
        return parse_text(slot->key, value, &slot->text, e);
    case CONFIG_BOOL:
        return parse_bool(value, &slot->number, e);
    case CONFIG_INT:
    case CONFIG_DURATION:
        return parse_number(slot->key, value, &slot->number, e);
    }
    return error_set(e, ERR_INTERNAL, "key %s has no known type", slot->key->name);
}

static void store_value(const struct slot *slot, void *target) {
    char *place = (char *)target + slot->key->offset;
    bool yes = slot->number != 0;
    switch (slot->key->type) {
    case CONFIG_TEXT:
        assert(slot->text);
        memcpy(place, slot->text, strlen(slot->text) + 1);
        return;
    case CONFIG_BOOL:
        memcpy(place, &yes, sizeof(yes));
        return;
    case CONFIG_INT:
    case CONFIG_DURATION:
        memcpy(place, &slot->number, sizeof(slot->number));
        return;
    }
}

enum err config_defaults(const struct config_key *keys, size_t count, void *target,
                         struct error *e) {
    for (size_t i = 0; i < count; i++) {
        struct slot slot = {.key = &keys[i]};
        enum err err = parse_value(&slot, keys[i].fallback ? keys[i].fallback : "", e);
        if (err == ERR_NO_MEMORY)
            return err;
        assert(err == ERR_OK && "a default in a key table is wrong");
        if (err == ERR_OK)
            store_value(&slot, target);
        free(slot.text);
    }
    return ERR_OK;
}

/* Keeps the first fault with its line; the code becomes ERR_CONFIG unless memory ran out. */
static void record(struct reader *reader, enum err code, int line, const char *detail) {
    if (reader->fault.code == ERR_OK) {
        error_at(&reader->fault, code == ERR_NO_MEMORY ? code : ERR_CONFIG, reader->path, line, 0,
                 "%s", detail);
    }
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result) {
    struct slot *slot = (struct slot *)opt->simple_value.ptr;
    *(void **)result = NULL;
    if (!slot->key) {
        slot->reader->reached_end = true;
        return 0;
    }
    char detail[ERROR_DETAIL_MAX];
    if (slot->given) {
        snprintf(detail, sizeof(detail), "%s is given twice (first in line %d), expected once",
                 slot->key->name, slot->line);
        record(slot->reader, ERR_CONFIG, cfg->line, detail);
        return -1;
    }
    struct error e = {0};
    enum err err = parse_value(slot, value, &e);
    if (err != ERR_OK) {
        snprintf(detail, sizeof(detail), "%s: %.200s", slot->key->name, e.detail);
        record(slot->reader, err, cfg->line, detail);
        return -1;
    }
    slot->given = true;
    slot->line = cfg->line;
    return 0;
}

static const char *hint(const char *message) {
    if (strncmp(message, "no such option", 14) == 0) {
        return "; expected one of those that `init` lists in a new directory";
    }
    if (strncmp(message, "unexpected token", 16) == 0) {
        return "; expected `key = value` (quote a value that has spaces or any of = , # ( ) { } +)";
    }
    return "; expected `key = value`";
}

static void on_fault(cfg_t *cfg, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static void on_fault(cfg_t *cfg, const char *fmt, va_list args) {
    struct slot *slot = (struct slot *)cfg->opts[0].simple_value.ptr;
    char message[128];
    char detail[ERROR_DETAIL_MAX];
    vsnprintf(message, sizeof(message), fmt, args);
    snprintf(detail, sizeof(detail), "%s%s", message, hint(message));
    record(slot->reader, ERR_CONFIG, cfg->line, detail);
}

static void free_slots(struct slot *slots, size_t count) {
    for (size_t i = 0; slots && i < count; i++) {
        free(slots[i].text);
    }
    free(slots);
}

/* Parses text into slots (count keys and one for LAST_KEY). A fault is in reader. */
static enum err parse_into(const char *text, struct slot *slots, size_t count,
                           struct reader *reader) {
    enum err err = ERR_NO_MEMORY;
    cfg_t *cfg = NULL;
    cfg_opt_t *opts = (cfg_opt_t *)calloc(count + 2, sizeof(*opts));
    if (!opts) {
        goto out;
    }
    for (size_t i = 0; i <= count; i++) {
        slots[i].reader = reader;
        opts[i].name = slots[i].key ? slots[i].key->name : LAST_KEY;
        opts[i].type = CFGT_PTR;
        opts[i].parsecb = on_value;
        opts[i].simple_value.ptr = &slots[i].unused;
    }
    cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg) {
        goto out;
    }
    cfg_set_error_function(cfg, on_fault);
    err = cfg_parse_buf(cfg, text) == CFG_SUCCESS ? ERR_OK : ERR_CONFIG;
out:
    if (cfg) {
        cfg_free(cfg); /* also resets libconfuse's lexer, which is global */
    }
    free(opts);
    if (err != ERR_OK) {
        record(reader, err, 0, err == ERR_CONFIG ? "cannot be parsed" : "out of memory");
    }
    return reader->fault.code;
}

static struct slot *new_slots(const struct config_key *keys, size_t count) {
    struct slot *slots = (struct slot *)calloc(count + 1, sizeof(*slots));
    for (size_t i = 0; slots && i < count; i++) {
        slots[i].key = &keys[i];
    }
    return slots;
}

/* libconfuse takes the end of the file for the end of a comment, and with it everything below a
 * forgotten one. A key of our own after the text shows whether parsing got there. */
static enum err comment_is_open(const struct buf *text, const struct config_key *keys, size_t count,
                                struct reader *reader) {
    struct reader probe = {.path = reader->path};
    struct slot *slots = new_slots(keys, count);
    struct buf longer = {.max = CONFIG_FILE_MAX + 64};
    buf_append(&longer, text->data, text->len);
    buf_append_str(&longer, "\n" LAST_KEY " = 1\n");
    enum err err = slots ? buf_failed(&longer, NULL) : ERR_NO_MEMORY;
    if (err == ERR_OK) {
        err = parse_into(buf_text(&longer), slots, count, &probe);
    }
    if (err != ERR_OK) {
        record(reader, err, 0, "out of memory");
    } else if (!probe.reached_end) {
        record(reader, ERR_CONFIG, 0, "a comment that starts with /* never ends, expected */");
    }
    buf_done(&longer);
    free_slots(slots, count);
    return reader->fault.code;
}

static enum err read_stream(FILE *in, struct buf *text, struct reader *reader) {
    char piece[4096];
    size_t n = 0;
    char detail[ERROR_DETAIL_MAX];
    while (text->failed == ERR_OK && (n = fread(piece, 1, sizeof(piece), in)) > 0) {
        buf_append(text, piece, n);
    }
    if (ferror(in)) {
        snprintf(detail, sizeof(detail), "cannot be read: %s", strerror(errno));
        record(reader, ERR_CONFIG, 0, detail);
    } else if (text->failed != ERR_OK) {
        snprintf(detail, sizeof(detail), "found more than %d bytes, expected a configuration file",
                 CONFIG_FILE_MAX);
        record(reader, text->failed, 0, detail);
    } else if (text->len > 0 && memchr(text->data, 0, text->len)) {
        record(reader, ERR_CONFIG, 0, "found a NUL byte, expected text");
    }
    return reader->fault.code;
}

/* Editors on Windows put a byte order mark in front; to libconfuse it would be part of a key. */
static void blank_mark(struct buf *text) {
    if (text->len >= 3 && memcmp(text->data, "\xEF\xBB\xBF", 3) == 0) {
        memset(text->data, ' ', 3);
    }
}

/* Where the text at `at` ends that began with a quote or slash-star there. */
static size_t skip_quoted(const struct buf *text, size_t at) {
    bool block = text->data[at] == '/';
    uint8_t quote = text->data[at];
    for (size_t i = at + (block ? 2 : 1); i < text->len; i++) {
        if (block && text->data[i] == '*' && i + 1 < text->len && text->data[i + 1] == '/') {
            return i + 2;
        }
        if (!block && text->data[i] == '\\') {
            i++;
        } else if (!block && text->data[i] == quote) {
            return i + 1;
        }
    }
    return text->len;
}

/* libconfuse 3.3 counts the lines of comments more than once, so it is not shown those that end
 * with their line. */
static void blank_line_comments(struct buf *text) {
    size_t i = 0;
    while (i < text->len) {
        uint8_t c = text->data[i], next = i + 1 < text->len ? text->data[i + 1] : 0;
        if (c == '"' || c == '\'' || (c == '/' && next == '*')) {
            i = skip_quoted(text, i);
        } else if (c == '#' || (c == '/' && next == '/')) {
            while (i < text->len && text->data[i] != '\n') {
                text->data[i++] = ' ';
            }
        } else {
            i++;
        }
    }
}

static enum err parse_text_file(struct buf *text, const struct config_key *keys, size_t count,
                                void *target, struct reader *reader) {
    struct slot *slots = new_slots(keys, count);
    if (!slots) {
        record(reader, ERR_NO_MEMORY, 0, "out of memory");
        return reader->fault.code;
    }
    blank_mark(text);
    blank_line_comments(text);
    enum err err = parse_into(buf_text(text), slots, count, reader);
    if (err == ERR_OK && reader->reached_end) {
        record(reader, ERR_CONFIG, 0, "found the key " LAST_KEY ", which is not for use");
        err = reader->fault.code;
    }
    if (err == ERR_OK && strstr(buf_text(text), "/*")) {
        err = comment_is_open(text, keys, count, reader);
    }
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (slots[i].given) {
            store_value(&slots[i], target);
        }
    }
    free_slots(slots, count);
    return err;
}

enum err config_read(const char *path, const struct config_key *keys, size_t count, void *target,
                     struct error *e) {
    FILE *in = fopen(path, "re");
    if (!in && errno == ENOENT) {
        return ERR_OK;
    }
    if (!in) {
        return error_at(e, ERR_CONFIG, path, 0, 0, "cannot be opened: %s", strerror(errno));
    }
    struct reader reader = {.path = path};
    struct buf text = {.max = CONFIG_FILE_MAX};
    enum err err = read_stream(in, &text, &reader);
    fclose(in);
    if (err == ERR_OK) {
        err = parse_text_file(&text, keys, count, target, &reader);
    }
    buf_done(&text);
    if (err != ERR_OK && e) {
        *e = reader.fault;
    }
    return err;
}

/* "1m to 7d", "at most 63 bytes", or "" where the type says it all. */
static void describe_bounds(const struct config_key *key, char *out, size_t size) {
    char low[TEXT_TIME_SIZE];
    char high[TEXT_TIME_SIZE];
    switch (key->type) {
    case CONFIG_TEXT:
        snprintf(out, size, ", at most %zu bytes", key->size - 1);
        return;
    case CONFIG_BOOL:
        out[0] = '\0';
        return;
    case CONFIG_INT:
    case CONFIG_DURATION:
        snprintf(out, size, ", %s to %s", bound(key, key->min, low), bound(key, key->max, high));
        return;
    }
}

static void describe_default(const struct config_key *key, char *out, size_t size) {
    const char *fallback = key->fallback ? key->fallback : "";
    snprintf(out, size, "%s%s", fallback[0] ? "default " : "no default", fallback);
}

void config_print_help(FILE *out, const struct config_key *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char bounds[96];
        char fallback[128];
        describe_bounds(&keys[i], bounds, sizeof(bounds));
        describe_default(&keys[i], fallback, sizeof(fallback));
        fprintf(out, "  %s = %s\n      %s (%s%s)\n", keys[i].name, type_name(keys[i].type),
                keys[i].help, fallback, bounds);
    }
}

/* troff reads a backslash as an escape, a leading dot or quote as a request, - as a hyphen. */
static void print_troff(FILE *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '\\') {
            fputs("\\e", out);
        } else if (*p == '-') {
            fputs("\\-", out);
        } else if (p == text && (*p == '.' || *p == '\'')) {
            fprintf(out, "\\&%c", *p);
        } else {
            fputc(*p, out);
        }
    }
}

void config_print_manual(FILE *out, const struct config_key *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char bounds[96];
        char fallback[128];
        describe_bounds(&keys[i], bounds, sizeof(bounds));
        describe_default(&keys[i], fallback, sizeof(fallback));
        fputs(".TP\n.B ", out);
        print_troff(out, keys[i].name);
        fprintf(out, " = \\fI%s\\fR\n", type_name(keys[i].type));
        print_troff(out, keys[i].help);
        fputs("\n(", out);
        print_troff(out, fallback);
        print_troff(out, bounds);
        fputs(")\n", out);
    }
}
