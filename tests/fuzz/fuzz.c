/* Implements what the fuzz targets share (see fuzz.h). Must not know what a target tries. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

#define PATTERN 0xa5

_Noreturn void fuzz_broken(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

void fuzz_init(void) {
    struct error e = {0};
    FUZZ_CHECK(keys_init(&e) == ERR_OK);
}

bool fuzz_accepted(enum err rc, const struct error *e) {
    if (rc == ERR_OK)
        return true;
    FUZZ_CHECK(rc < ERR_COUNT);
    FUZZ_CHECK(e->code == rc);
    FUZZ_CHECK(e->detail[0] != '\0');
    FUZZ_CHECK(memchr(e->detail, '\0', sizeof e->detail) != NULL);
    FUZZ_CHECK(memchr(e->file, '\0', sizeof e->file) != NULL);
    FUZZ_CHECK(utf8_valid(bytes_str(e->detail)));
    FUZZ_CHECK(utf8_valid(bytes_str(e->file)));
    FUZZ_CHECK(e->line >= 0 && e->column >= 0);
    return false;
}

void fuzz_fill(void *out, size_t len) {
    memset(out, PATTERN, len);
}

bool fuzz_untouched(const void *out, size_t len) {
    const uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != PATTERN)
            return false;
    return true;
}

struct fuzz_input fuzz_input(const uint8_t *data, size_t size) {
    return (struct fuzz_input){.at = data, .left = size};
}

uint8_t fuzz_byte(struct fuzz_input *in) {
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

uint64_t fuzz_below(struct fuzz_input *in, uint64_t bound) {
    uint64_t v = 0;
    for (uint64_t range = bound - 1; range > 0; range >>= 8)
        v = v << 8 | fuzz_byte(in);
    return v % bound;
}

uint64_t fuzz_number(struct fuzz_input *in) {
    uint8_t how = fuzz_byte(in);
    if (how < 128)
        return how;
    uint64_t v = 0;
    for (unsigned left = how % 8 + 1; left > 0; left--)
        v = v << 8 | fuzz_byte(in);
    if (how >= 240)
        return UINT64_MAX - v;
    return how >= 224 ? (uint64_t)INT64_MAX - v : v;
}

struct bytes fuzz_piece(struct fuzz_input *in) {
    size_t len = (size_t)fuzz_below(in, 65536);
    if (len > in->left)
        len = in->left;
    struct bytes piece = {in->at, len};
    in->at += len;
    in->left -= len;
    return piece;
}

struct bytes fuzz_rest(struct fuzz_input *in) {
    struct bytes rest = {in->at, in->left};
    in->at += in->left;
    in->left = 0;
    return rest;
}

char *fuzz_text(struct fuzz_input *in) {
    struct bytes rest = fuzz_rest(in);
    char *text = malloc(rest.len + 1);
    FUZZ_CHECK(text != NULL);
    if (rest.len > 0)
        memcpy(text, rest.data, rest.len);
    text[rest.len] = '\0';
    return text;
}

/* splitmix64 */
void fuzz_stream_fill(void *stream, void *out, size_t len) {
    struct fuzz_stream *s = stream;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = (s->state += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        ((uint8_t *)out)[i] = (uint8_t)(z ^ (z >> 31));
    }
}
