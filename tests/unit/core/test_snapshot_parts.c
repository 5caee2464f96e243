/* Tests reading a stranger's snapshot: one valid message, each part of it spoiled. */
#include <criterion/criterion.h>
#include <string.h>

#include "codec.h"
#include "plek.pb-c.h"
#include "snapshot.h"

#define T0 INT64_C(1763730000000)

/* One valid message whose parts each test spoils. */
struct message {
    Plek__Snapshot snapshot;
    Plek__SiteCard sites[2], *site_pointers[2];
    Plek__Line lines[2], *line_pointers[2];
    uint32_t attributes[4];
    char *words[5];
};

static void message_init(struct message *m) {
    static char words[5][16] = {"bed", "security", "3", "title", "tbs"};
    static char name[] = "Noord";
    static char ward[] = "A";
    memset(m, 0, sizeof(*m));
    plek__snapshot__init(&m->snapshot);
    for (int i = 0; i < 2; i++) {
        plek__site_card__init(&m->sites[i]);
        plek__line__init(&m->lines[i]);
        m->sites[i].id = (uint32_t)i + 1;
        m->sites[i].name = name;
        m->lines[i].site = (uint32_t)i + 1;
        m->lines[i].ward = ward;
        m->lines[i].has_observed_s = m->lines[i].has_valid_s = 1;
        m->lines[i].observed_s = -60 * i;
        m->lines[i].valid_s = 3600;
        m->attributes[2 * i] = (uint32_t)(1 + 2 * i);
        m->attributes[2 * i + 1] = (uint32_t)(2 + 2 * i);
        m->site_pointers[i] = &m->sites[i];
        m->line_pointers[i] = &m->lines[i];
    }
    m->lines[0].n_attributes = 4;
    m->lines[0].attributes = m->attributes;
    for (int i = 0; i < 5; i++) {
        m->words[i] = words[i];
    }
    m->snapshot.counter = 1;
    m->snapshot.charter = 1;
    m->snapshot.base_s = T0 / 1000;
    m->snapshot.precision = PRECISION_EXACT;
    m->snapshot.n_words = 5;
    m->snapshot.words = m->words;
    m->snapshot.n_sites = 2;
    m->snapshot.sites = m->site_pointers;
    m->snapshot.n_lines = 2;
    m->snapshot.lines = m->line_pointers;
}

static enum err message_decode(const struct message *m, struct error *e) {
    struct buf b;
    struct snapshot *s = NULL;
    buf_init(&b, VIEW_MAX_BYTES);
    codec_encode(&m->snapshot, &b);
    enum err code = snapshot_decode(buf_bytes(&b), &s, e);
    snapshot_free(s);
    buf_done(&b);
    return code;
}

#define SPOILED(expected, part, ...)                                                               \
    do {                                                                                           \
        struct message m_;                                                                         \
        struct message *m = &m_;                                                                   \
        struct error e = {0};                                                                      \
        message_init(m);                                                                           \
        __VA_ARGS__;                                                                               \
        enum err code = message_decode(m, &e);                                                     \
        cr_assert_eq(code, expected, "%s: %s %s", #__VA_ARGS__, error_name(code), e.detail);       \
        cr_assert_not_null(strstr(e.detail, part), "%s: %s", #__VA_ARGS__, e.detail);              \
    } while (0)

#define FINE(...)                                                                                  \
    do {                                                                                           \
        struct message m_;                                                                         \
        struct message *m = &m_;                                                                   \
        struct error e = {0};                                                                      \
        message_init(m);                                                                           \
        __VA_ARGS__;                                                                               \
        cr_assert_eq(message_decode(m, &e), ERR_OK, "%s: %s", #__VA_ARGS__, e.detail);             \
    } while (0)

Test(snapshot_parts, frames_out_of_range_are_refused) {
    FINE((void)m);
    SPOILED(ERR_MALFORMED, "base", m->snapshot.base_s = -1);
    SPOILED(ERR_MALFORMED, "base", m->snapshot.base_s = INT64_MAX);
    SPOILED(ERR_MALFORMED, "precision 0", m->snapshot.precision = 0);
    SPOILED(ERR_MALFORMED, "precision 5", m->snapshot.precision = 5);
    SPOILED(ERR_MALFORMED, "step", m->snapshot.has_step = 1, m->snapshot.step = 5);
    SPOILED(ERR_MALFORMED, "step", m->snapshot.precision = PRECISION_ROUNDED);
    SPOILED(ERR_MALFORMED, "step", m->snapshot.precision = PRECISION_ROUNDED,
            m->snapshot.has_step = 1, m->snapshot.step = 1);
    FINE(m->snapshot.precision = PRECISION_ROUNDED, m->snapshot.has_step = 1, m->snapshot.step = 2);
    char bad[] = "Bed";
    SPOILED(ERR_MALFORMED, "word 0", m->words[0] = bad);
    FINE(m->words[0] = m->words[2]); /* a word twice is only waste */
}

Test(snapshot_parts, sites_out_of_range_are_refused) {
    char empty[] = "";
    char long_name[SITE_NAME_MAX + 2];
    char control[] = "a\x1B[31m";
    memset(long_name, 'a', sizeof(long_name));
    long_name[SITE_NAME_MAX + 1] = '\0';
    SPOILED(ERR_MALFORMED, "sites out of order", m->sites[1].id = 1);
    SPOILED(ERR_MALFORMED, "sites out of order", m->sites[0].id = 3);
    SPOILED(ERR_MALFORMED, "name of 0", m->sites[0].name = empty);
    SPOILED(ERR_MALFORMED, "name of 81", m->sites[0].name = long_name);
    SPOILED(ERR_MALFORMED, "phone of 0", m->sites[0].phone = empty);
    SPOILED(ERR_MALFORMED, "phone of 81", m->sites[0].phone = long_name);
    SPOILED(ERR_MALFORMED, "region of 81", m->sites[0].region = long_name);
    SPOILED(ERR_MALFORMED, "control character in a hours", m->sites[0].hours = control);
    SPOILED(ERR_MALFORMED, "control character in a note", m->sites[0].note = control);
    SPOILED(ERR_MALFORMED, "control character in a reports", m->sites[0].reports = control);
    FINE(long_name[SITE_NAME_MAX] = '\0', m->sites[0].name = long_name);
}

Test(snapshot_parts, lines_out_of_range_are_refused) {
    char empty[] = "";
    SPOILED(ERR_MALFORMED, "without its card", m->lines[0].site = 7);
    SPOILED(ERR_MALFORMED, "out of order or twice", m->lines[1].site = 1);
    SPOILED(ERR_MALFORMED, "out of order or twice", m->lines[0].site = 2, m->lines[1].site = 1);
    SPOILED(ERR_MALFORMED, "word 5 of 5", m->lines[0].service = 5);
    SPOILED(ERR_MALFORMED, "word 4294967295", m->attributes[0] = UINT32_MAX);
    SPOILED(ERR_MALFORMED, "word 5", m->attributes[1] = 5);
    SPOILED(ERR_MALFORMED, "attributes of a line", m->attributes[2] = 1);
    SPOILED(ERR_MALFORMED, "ward of 0", m->lines[0].ward = empty);
    FINE(m->lines[0].ward = NULL);
    SPOILED(ERR_MALFORMED, "without its value", m->lines[0].n_attributes = 3);
    uint32_t many[2 * (LINE_MAX_ATTRIBUTES + 1)] = {0};
    SPOILED(ERR_CAP, "17 attributes", m->lines[0].attributes = many,
            m->lines[0].n_attributes = 2 * (LINE_MAX_ATTRIBUTES + 1));
}

Test(snapshot_parts, figures_out_of_range_are_refused) {
    SPOILED(ERR_MALFORMED, "status 5", m->lines[0].has_status = 1, m->lines[0].status = 5);
    SPOILED(ERR_MALFORMED, "status 0", m->lines[0].has_status = 1);
    SPOILED(ERR_MALFORMED, "without a validity", m->lines[0].has_valid_s = 0);
    SPOILED(ERR_MALFORMED, "without a validity", m->lines[0].has_valid_s = 0,
            m->snapshot.has_valid_s = 1, m->snapshot.valid_s = -1);
    FINE(m->lines[0].has_valid_s = 0, m->snapshot.has_valid_s = 1, m->snapshot.valid_s = 60);
    SPOILED(ERR_MALFORMED, "without a validity", m->lines[0].valid_s = -1);
    SPOILED(ERR_MALFORMED, "without a validity", m->lines[0].valid_s = INT64_MAX);
    SPOILED(ERR_MALFORMED, "without the time", m->lines[0].has_observed_s = 0);
    FINE(m->lines[0].has_observed_s = 0, m->lines[0].has_valid_s = 0);
    SPOILED(ERR_MALFORMED, "without the time", m->lines[0].has_observed_s = 0,
            m->lines[0].has_valid_s = 0, m->lines[0].has_available = 1);
    SPOILED(ERR_MALFORMED, "1970", m->lines[0].observed_s = INT64_MIN);
    SPOILED(ERR_MALFORMED, "1970", m->lines[0].observed_s = INT64_MAX);
    SPOILED(ERR_MALFORMED, "1970", m->lines[0].observed_s = -T0 / 1000);
    FINE(m->lines[0].observed_s = -T0 / 1000 + 1);
    SPOILED(ERR_MALFORMED, "1970", m->lines[0].has_next_free_s = 1,
            m->lines[0].next_free_s = INT64_MAX);
    SPOILED(ERR_MALFORMED, "1970", m->lines[0].has_blocked_until_s = 1,
            m->lines[0].blocked_until_s = INT64_MIN);
    SPOILED(ERR_MALFORMED, "amount -1", m->lines[0].has_total = 1, m->lines[0].total = -1);
    SPOILED(ERR_MALFORMED, "amount -1", m->lines[0].has_need = 1, m->lines[0].need = -1);
    SPOILED(ERR_MALFORMED, "amount -1", m->lines[0].has_held = 1, m->lines[0].held = -1);
    SPOILED(ERR_MALFORMED, "amount 9223372036854775807", m->lines[0].has_occupied = 1,
            m->lines[0].occupied = INT64_MAX);
    SPOILED(ERR_MALFORMED, "amount -9223372036854775808", m->lines[0].has_available = 1,
            m->lines[0].available = INT64_MIN);
    FINE(m->lines[0].has_available = 1, m->lines[0].available = -5);
}

Test(snapshot_parts, figures_of_another_precision_are_refused) {
    char text[] = "x";
    static const uint32_t all[] = {PRECISION_EXACT, PRECISION_ROUNDED, PRECISION_BAND,
                                   PRECISION_LIGHT};
    for (size_t i = 0; i < 4; i++) {
        bool exact = i == 0;
        bool fits[] = {i <= 1, exact, exact, exact, i == 2, i == 3, exact};
        for (size_t k = 0; k < 7; k++) {
            struct message m;
            struct error e = {0};
            message_init(&m);
            m.snapshot.precision = all[i];
            m.snapshot.has_step = i == 1;
            m.snapshot.step = 5;
            Plek__Line *l = &m.lines[0];
            l->has_available = k == 0;
            l->has_total = k == 1;
            l->note = k == 2 ? text : NULL;
            l->has_next_free_s = k == 3;
            l->next_free_s = 1;
            l->has_low = k == 4;
            l->has_light = k == 5;
            l->light = 1;
            l->has_need = k == 6;
            cr_assert_eq(message_decode(&m, &e), fits[k] ? ERR_OK : ERR_MALFORMED,
                         "precision %u, field %zu: %s", all[i], k, e.detail);
        }
    }
    SPOILED(ERR_MALFORMED, "band", m->snapshot.precision = PRECISION_BAND, m->lines[0].has_high = 1,
            m->lines[0].high = 2);
    SPOILED(ERR_MALFORMED, "band", m->snapshot.precision = PRECISION_BAND, m->lines[0].has_low = 1,
            m->lines[0].low = 3, m->lines[0].has_high = 1, m->lines[0].high = 2);
    SPOILED(ERR_MALFORMED, "light", m->snapshot.precision = PRECISION_LIGHT,
            m->lines[0].has_light = 1, m->lines[0].light = 4);
    SPOILED(ERR_MALFORMED, "light", m->snapshot.precision = PRECISION_LIGHT,
            m->lines[0].has_light = 1, m->lines[0].light = 0);
}
