/* Fuzzes the plaintext of a state view: what is read can be written, and reads the same then; a
 * fault leaves nothing behind (docs/protocol.md, "State"). The first bytes choose the clock. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "snapshot.h"

static struct hash digest_of(const struct snapshot *s) {
    struct error e = {0};
    struct hash h;
    FUZZ_CHECK(snapshot_digest(s, &h, &e) == ERR_OK);
    return h;
}

static void check_content(const struct snapshot *s) {
    FUZZ_CHECK(s->line_count <= SNAPSHOT_MAX_LINES && s->site_count <= SNAPSHOT_MAX_SITES);
    for (size_t i = 0; i < s->line_count; i++) {
        const struct seen_line *line = &s->lines[i];
        FUZZ_CHECK(snapshot_site(s, line->site) != NULL);
        FUZZ_CHECK(utf8_valid(bytes_str(line->ward)));
        FUZZ_CHECK(charter_code_valid(line->service));
        FUZZ_CHECK(line->attribute_count <= LINE_MAX_ATTRIBUTES);
        FUZZ_CHECK(line->figure.valid_until_ms >= line->figure.observed_ms);
    }
}

/* All lines or none are moved. */
static void check_clock(const struct snapshot *s, struct bytes in, int64_t shift_ms,
                        int64_t longest_ms) {
    struct error e = {0};
    struct snapshot *moved = NULL;
    FUZZ_CHECK(snapshot_decode(in, &moved, &e) == ERR_OK);
    bool applied = fuzz_accepted(snapshot_apply_clock(moved, shift_ms, longest_ms, &e), &e);
    for (size_t i = 0; i < s->line_count; i++) {
        int64_t before = s->lines[i].figure.observed_ms;
        int64_t by = applied && before != 0 ? shift_ms : 0;
        FUZZ_CHECK(moved->lines[i].figure.observed_ms == before + by);
    }
    snapshot_free(moved);
}

static void check_round(const struct snapshot *s) {
    struct error e = {0};
    struct buf first, second;
    struct snapshot *again = NULL;
    buf_init(&first, VIEW_MAX_BYTES);
    buf_init(&second, VIEW_MAX_BYTES);
    enum err rc = snapshot_encode(s, &first, &e);
    FUZZ_CHECK(rc == ERR_OK || rc == ERR_CAP);
    if (rc == ERR_OK) {
        FUZZ_CHECK(snapshot_decode(buf_bytes(&first), &again, &e) == ERR_OK);
        FUZZ_CHECK(again->counter == s->counter);
        FUZZ_CHECK(again->line_count == s->line_count && again->site_count == s->site_count);
        struct hash a = digest_of(s), b = digest_of(again);
        FUZZ_CHECK(hash_equal(&a, &b));
        FUZZ_CHECK(snapshot_encode(again, &second, &e) == ERR_OK);
        FUZZ_CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
        snapshot_free(again);
    }
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    int64_t shift_ms = -(int64_t)fuzz_below(&in, UINT32_MAX) * 1000;
    int64_t longest_ms = 1000 + (int64_t)fuzz_below(&in, UINT32_MAX) * 1000;
    struct bytes plain = fuzz_rest(&in);
    struct error e = {0};
    struct snapshot *s = NULL;
    if (!fuzz_accepted(snapshot_decode(plain, &s, &e), &e)) {
        FUZZ_CHECK(s == NULL);
        return 0;
    }
    check_content(s);
    check_round(s);
    check_clock(s, plain, shift_ms, longest_ms);
    snapshot_free(s);
    return 0;
}
