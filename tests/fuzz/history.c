/* Fuzzes the plaintext of a history view: what is read can be written, and reads the same then; its
 * order and bounds hold (docs/protocol.md, "History"). The first bytes choose the clock. */
#include <stdlib.h>

#include "fuzz.h"
#include "history.h"

static void check_series(const struct history *h, const struct history_series *series) {
    FUZZ_CHECK(history_site(h, series->site) != NULL);
    FUZZ_CHECK(charter_code_valid(series->service) && utf8_valid(bytes_str(series->ward)));
    FUZZ_CHECK(series->count > 0 && series->first + series->count <= h->point_count);
    for (size_t i = series->first; i < series->first + series->count; i++) {
        const struct history_point *p = &h->points[i];
        FUZZ_CHECK(i == series->first || p->observed_ms > h->points[i - 1].observed_ms);
        FUZZ_CHECK(p->observed_ms % 1000 == 0 && p->valid_until_ms >= p->observed_ms);
    }
}

static void check_round(const struct history *h) {
    struct error e = {0};
    struct buf first, second;
    struct history *again = NULL;
    buf_init(&first, VIEW_MAX_BYTES);
    buf_init(&second, VIEW_MAX_BYTES);
    enum err rc = history_encode(h, &first, &e);
    FUZZ_CHECK(rc == ERR_OK || rc == ERR_CAP);
    if (rc == ERR_OK) {
        FUZZ_CHECK(history_decode(buf_bytes(&first), &again, &e) == ERR_OK);
        FUZZ_CHECK(again->counter == h->counter && again->point_count == h->point_count);
        FUZZ_CHECK(again->series_count == h->series_count && again->site_count == h->site_count);
        for (size_t i = 0; i < h->point_count; i++)
            FUZZ_CHECK(again->points[i].observed_ms == h->points[i].observed_ms &&
                       again->points[i].valid_until_ms == h->points[i].valid_until_ms);
        FUZZ_CHECK(history_encode(again, &second, &e) == ERR_OK);
        FUZZ_CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
        history_free(again);
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
    struct history *h = NULL;
    if (!fuzz_accepted(history_decode(plain, &h, &e), &e)) {
        FUZZ_CHECK(h == NULL);
        return 0;
    }
    FUZZ_CHECK(h->point_count <= HISTORY_MAX_POINTS);
    for (size_t i = 0; i < h->series_count; i++)
        check_series(h, &h->series[i]);
    check_round(h);
    (void)fuzz_accepted(history_check_clock(h, shift_ms, longest_ms, &e), &e);
    history_free(h);
    return 0;
}
