/* Owns what the fuzz targets share: the entry point of libFuzzer, checks that end the program, and
 * drawing choices from the input. Must not know what a target tries. */
#ifndef PLEK_TEST_FUZZ_H
#define PLEK_TEST_FUZZ_H

#include "bytes.h"

/* Each target defines it. The same bytes, the same run: nothing outlives a call that changes what
 * the next one does. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise of ours: says which one and aborts, which libFuzzer and the replay report. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_broken(#condition, __FILE__, __LINE__);                                           \
    } while (0)
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

/* sodium_init; the first thing every target does. */
void fuzz_init(void);

/* `rc` is what a function gave that was handed *e with code ERR_OK: a refusal names its code and
 * says something that can be shown, in UTF-8. Returns whether it succeeded. */
bool fuzz_accepted(enum err rc, const struct error *e);

/* Outputs stay untouched on failure: fill before, ask after. */
void fuzz_fill(void *out, size_t len);
bool fuzz_untouched(const void *out, size_t len);

/* ---- choices, from the front of the input; all zero once it is used up ---- */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};
struct fuzz_input fuzz_input(const uint8_t *data, size_t size);
uint8_t fuzz_byte(struct fuzz_input *in);
/* 0 <= result < bound; takes as many bytes as bound needs. */
uint64_t fuzz_below(struct fuzz_input *in, uint64_t bound);
/* One byte chooses the magnitude: 0, small numbers, and those at the ends of the range are likely.
 */
uint64_t fuzz_number(struct fuzz_input *in);
/* Two bytes of length, then as many as there are. Borrowed. */
struct bytes fuzz_piece(struct fuzz_input *in);
struct bytes fuzz_rest(struct fuzz_input *in);
/* The rest as a C string, cut at its first NUL; free() it. */
char *fuzz_text(struct fuzz_input *in);

/* Bytes that look random and are the same in every run. */
struct fuzz_stream {
    uint64_t state;
};
void fuzz_stream_fill(void *stream, void *out, size_t len); /* an entropy's fill */

#endif
