/* Owns log lines: `event key=value ...` on standard error, one per event, each one write.
 * Must not keep state beyond the level; only shells call this. */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "text.h"

/* Below PIPE_BUF, so that lines of several threads never mix in a pipe. */
#define LOG_LINE_MAX 2048
#define LOG_CUT_MARK " cut=yes\n"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
#define LEVEL_COUNT (sizeof(level_names) / sizeof(level_names[0]))

static atomic_int current_level = LOG_INFO;

void log_set_level(enum log_level level) {
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum err log_level_parse(const char *text, enum log_level *ret, struct error *e) {
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return ERR_OK;
        }
    }
    return error_set(e, ERR_DATA, "found log level '%.40s', expected error, warn, info or debug",
                     text);
}

enum err log_level_check(const char *text, struct error *e) {
    enum log_level level;
    return log_level_parse(text, &level, e);
}

/* RFC 3339 with milliseconds always there, so that columns line up. */
static size_t format_head(char *out, size_t size, enum log_level level, const char *event) {
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    char seconds[TEXT_TIME_SIZE];
    text_time((int64_t)now.tv_sec * 1000, seconds);
    size_t len = strlen(seconds);
    seconds[len - 1] = '\0'; /* the Z */
    int n = snprintf(out, size, "%s.%03dZ %s %s", seconds, (int)(now.tv_nsec / 1000000),
                     level_names[level], event);
    return n > 0 ? (size_t)n : 0;
}

static void write_all(const char *line, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* nowhere left to report it */
        }
        line += n;
        len -= (size_t)n;
    }
}

static size_t end_line(char *line, size_t len) {
    const size_t room = LOG_LINE_MAX - sizeof(LOG_CUT_MARK);
    bool cut = len > room;
    if (cut) {
        len = room;
        while (len > 0 && ((unsigned char)line[len] & 0xC0) == 0x80) {
            len--;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) {
            line[i] = ' ';
        }
    }
    const char *tail = cut ? LOG_CUT_MARK : "\n";
    memcpy(line + len, tail, strlen(tail));
    return len + strlen(tail);
}

void log_event(enum log_level level, const char *event, const char *fields, ...) {
    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed)) {
        return;
    }
    assert((size_t)level < LEVEL_COUNT);
    char line[LOG_LINE_MAX];
    size_t len = format_head(line, sizeof(line), level, event);
    if (fields && fields[0] && len < sizeof(line) - 1) {
        line[len++] = ' ';
        va_list args;
        va_start(args, fields);
        int n = vsnprintf(line + len, sizeof(line) - len, fields, args);
        va_end(args);
        len += n > 0 ? (size_t)n : 0;
    }
    write_all(line, end_line(line, len));
}

static bool plain(unsigned char c) {
    return c > 0x20 && c != 0x7F && c != '"' && c != '\\' && c != '=';
}

static bool all_plain(const char *value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!plain((unsigned char)value[i])) {
            return false;
        }
    }
    return len > 0 && utf8_valid(bytes_of(value, len));
}

/* One character of `value` as it stands inside quotes: an escape, or 1 to 4 bytes of UTF-8. Returns
 * how many bytes of `value` it took; out holds the NUL-terminated text. */
static size_t quote_one(const char *value, size_t left, char out[static 5]) {
    unsigned char c = (unsigned char)value[0];
    if (c == '"' || c == '\\') {
        snprintf(out, 5, "\\%c", c);
        return 1;
    }
    if (c == '\n' || c == '\t') {
        snprintf(out, 5, "\\%c", c == '\n' ? 'n' : 't');
        return 1;
    }
    size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    if (c < 0x20 || c == 0x7F || n > left || !utf8_valid(bytes_of(value, n))) {
        snprintf(out, 5, "\\x%02x", c);
        return 1;
    }
    memcpy(out, value, n);
    out[n] = '\0';
    return n;
}

char *log_quote(const char *value, char *out, size_t size) {
    static const char cut_end[] = "...\"";
    if (size == 0) {
        return out;
    }
    out[0] = '\0';
    const char *in = value ? value : "-";
    size_t left = strlen(in);
    if (left < size && all_plain(in, left)) {
        memcpy(out, in, left + 1);
        return out;
    }
    if (size < sizeof("\"\"")) {
        return out;
    }
    size_t len = 0;
    size_t fits = 0; /* how much of out leaves room for the mark of a cut */
    out[len++] = '"';
    while (left > 0) {
        char one[5];
        size_t used = quote_one(in, left, one);
        size_t n = strlen(one);
        if (len + sizeof(cut_end) <= size) {
            fits = len;
        }
        if (len + n + 2 > size) {
            memcpy(out + fits, fits > 0 ? cut_end : "", fits > 0 ? sizeof(cut_end) : 1);
            return out;
        }
        memcpy(out + len, one, n);
        len += n;
        in += used;
        left -= used;
    }
    memcpy(out + len, "\"", 2);
    return out;
}
