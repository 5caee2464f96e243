/* Owns byte views, the growable buffer with a mandatory cap, hex and the check of UTF-8.
 * Must not know what the bytes mean. */
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 64

struct bytes bytes_str(const char *s) {
    return bytes_of(s, strlen(s));
}

bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b) {
    if (!b) {
        return;
    }
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_wipe_done(struct buf *b) {
    if (b && b->data) {
        explicit_bzero(b->data, b->cap + 1);
    }
    buf_done(b);
}

/* Room for `more` further bytes; one byte beyond cap is always there for buf_text's NUL. */
static bool buf_reserve(struct buf *b, size_t more) {
    if (b->failed != ERR_OK) {
        return false;
    }
    if (more > b->max - b->len) {
        b->failed = ERR_TOO_LARGE;
        return false;
    }
    if (b->data && more <= b->cap - b->len) {
        return true;
    }
    size_t need = b->len + more;
    size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_CAP;
    while (cap < need) {
        cap = cap > b->max / 2 ? b->max : cap * 2;
    }
    cap = cap > b->max ? b->max : cap;
    uint8_t *grown = cap < SIZE_MAX ? (uint8_t *)malloc(cap + 1) : NULL;
    if (!grown) {
        b->failed = ERR_NO_MEMORY;
        return false;
    }
    if (b->data) {
        memcpy(grown, b->data, b->len);
        /* Not realloc: a buffer may hold secrets, and the old place would keep them. */
        explicit_bzero(b->data, b->len);
        free(b->data);
    }
    b->data = grown;
    b->cap = cap;
    return true;
}

void buf_append(struct buf *b, const void *data, size_t len) {
    if (len > 0 && buf_reserve(b, len)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}

void buf_append_str(struct buf *b, const char *s) {
    buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) {
        b->failed = b->failed != ERR_OK ? b->failed : ERR_TOO_LARGE;
    } else if (n > 0 && buf_reserve(b, (size_t)n)) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void buf_append_u8(struct buf *b, uint8_t v) {
    buf_append(b, &v, 1);
}

void buf_append_u32be(struct buf *b, uint32_t v) {
    const uint8_t raw[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_append(b, raw, sizeof(raw));
}

void buf_append_u64be(struct buf *b, uint64_t v) {
    buf_append_u32be(b, (uint32_t)(v >> 32));
    buf_append_u32be(b, (uint32_t)v);
}

enum err buf_failed(const struct buf *b, struct error *e) {
    if (b->failed == ERR_OK) {
        return ERR_OK;
    }
    if (b->failed == ERR_NO_MEMORY) {
        return error_set(e, ERR_NO_MEMORY, "no memory for a buffer of more than %zu bytes", b->cap);
    }
    return error_set(e, b->failed, "found more than %zu bytes, expected at most %zu", b->max,
                     b->max);
}

struct bytes buf_bytes(const struct buf *b) {
    return b->failed == ERR_OK ? bytes_of(b->data, b->len) : bytes_of(NULL, 0);
}

const char *buf_text(struct buf *b) {
    if (b->failed != ERR_OK || !b->data) {
        return "";
    }
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

uint8_t *buf_take(struct buf *b, size_t *ret_len) {
    if (b->failed != ERR_OK) {
        buf_done(b);
    }
    uint8_t *data = b->data;
    *ret_len = b->len;
    *b = (struct buf){.max = b->max};
    return data;
}

void hex_encode(char *out, struct bytes in) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    out[2 * in.len] = '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

enum err hex_decode(uint8_t *ret, size_t len, const char *hex, struct error *e) {
    size_t found = strlen(hex);
    if (len > SIZE_MAX / 2 || found != 2 * len) {
        return error_set(e, ERR_DATA, "found %zu characters, expected %zu hex digits (%zu bytes)",
                         found, 2 * len, len);
    }
    for (size_t i = 0; i < found; i++) {
        if (hex_digit(hex[i]) < 0) {
            return error_set(e, ERR_DATA, "character %zu is not a hex digit, expected 0-9 or a-f",
                             i + 1);
        }
    }
    for (size_t i = 0; i < len; i++) {
        ret[i] = (uint8_t)(hex_digit(hex[2 * i]) * 16 + hex_digit(hex[2 * i + 1]));
    }
    return ERR_OK;
}

/* Length of the character that starts with `lead`, and the bounds of its second byte, which is
 * where overlong forms, surrogates and values over U+10FFFF show (RFC 3629, section 4). */
static size_t utf8_lead(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high) {
    *ret_low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *ret_high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead >= 0x01 && lead <= 0x7F) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 3;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* How many bytes at the front are plain ASCII without NUL, in steps of eight: most text is, and
 * whole tables pass through here. */
static size_t ascii_run(struct bytes in) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t i = 0;
    uint64_t eight;
    for (; in.len - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, in.data + i, sizeof eight);
        if (((eight | (eight - ones)) & tops) != 0) {
            break;
        }
    }
    return i;
}

bool utf8_valid(struct bytes in) {
    size_t i = 0;
    while (i < in.len) {
        i += ascii_run(bytes_of(in.data + i, in.len - i));
        if (i == in.len) {
            break;
        }
        uint8_t low;
        uint8_t high;
        size_t n = utf8_lead(in.data[i], &low, &high);
        if (n == 0 || n > in.len - i) {
            return false;
        }
        if (n > 1 && (in.data[i + 1] < low || in.data[i + 1] > high)) {
            return false;
        }
        for (size_t k = 2; k < n; k++) {
            if ((in.data[i + k] & 0xC0) != 0x80) {
                return false;
            }
        }
        i += n;
    }
    return true;
}
