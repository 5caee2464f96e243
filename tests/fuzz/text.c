/* Fuzzes the small texts people and programs write: times, days, durations, numbers, numerals of
 * tables, hours of a site, words of fixed lists, fingerprints, hex and base64. What is read,
 * written again, reads the same. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "capacity.h"
#include "directory.h"
#include "fuzz.h"
#include "hours.h"
#include "keys.h"
#include "numeral.h"
#include "place.h"
#include "precision.h"
#include "snapshot.h"
#include "zone.h"

static void try_time(const char *s) {
    struct error e = {0};
    int64_t ms, again;
    char text[TEXT_TIME_SIZE];
    fuzz_fill(&ms, sizeof ms);
    if (!fuzz_accepted(text_parse_time(s, &ms, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&ms, sizeof ms));
        return;
    }
    FUZZ_CHECK(text_parse_time(text_time(ms, text), &again, &e) == ERR_OK && again == ms);
}

static void try_day(const char *s) {
    struct error e = {0};
    int64_t y;
    int year, month, day, m, d;
    char text[TEXT_DAY_SIZE];
    if (!fuzz_accepted(text_parse_day(s, &year, &month, &day, &e), &e))
        return;
    int64_t days = text_days_from_civil(year, month, day);
    text_civil_from_days(days, &y, &m, &d);
    FUZZ_CHECK(y == year && m == month && d == day);
    FUZZ_CHECK(strcmp(text_day(days, text), s) == 0);
}

/* A day means its noon, which is on that day wherever summer time begins. */
static void try_zoned(const char *s) {
    static const struct zone *zone;
    struct error e = {0};
    int64_t ms, plain;
    char text[TEXT_DAY_SIZE];
    FUZZ_CHECK(zone != NULL || zone_find("Europe/Amsterdam", &zone, &e) == ERR_OK);
    fuzz_fill(&ms, sizeof ms);
    if (!fuzz_accepted(zone_parse_time(zone, s, &ms, &e), &e))
        FUZZ_CHECK(fuzz_untouched(&ms, sizeof ms));
    else if (text_parse_time(s, &plain, &e) == ERR_OK)
        FUZZ_CHECK(ms == plain);
    else
        FUZZ_CHECK(strcmp(zone_day(zone, ms, text), s) == 0);
}

/* Words of fixed lists. */
static void try_words(const char *s) {
    struct error e = {0};
    enum role role;
    enum status status;
    enum api_role api_role;
    enum place_state state;
    if (fuzz_accepted(role_parse(s, &role, &e), &e))
        FUZZ_CHECK(strcmp(role_name(role), s) == 0);
    e = (struct error){0};
    if (fuzz_accepted(status_parse(s, &status, &e), &e))
        FUZZ_CHECK(strcmp(status_name(status), s) == 0);
    e = (struct error){0};
    if (fuzz_accepted(api_role_parse(s, &api_role, &e), &e))
        FUZZ_CHECK(strcmp(api_role_name(api_role), s) == 0);
    e = (struct error){0};
    if (fuzz_accepted(place_state_parse(s, &state, &e), &e))
        FUZZ_CHECK(strcmp(place_state_name(state), s) == 0);
}

static void try_duration(const char *s) {
    struct error e = {0};
    int64_t ms, again;
    char text[TEXT_TIME_SIZE];
    if (fuzz_accepted(text_parse_duration(s, &ms, &e), &e))
        FUZZ_CHECK(text_parse_duration(text_duration(ms, text), &again, &e) == ERR_OK &&
                   again == ms && ms >= 0);
}

static void try_number(const char *s) {
    for (int decimals = 0; decimals <= 3; decimals++) {
        struct error e = {0};
        int64_t v, again;
        char text[TEXT_NUMBER_SIZE];
        if (fuzz_accepted(text_parse_number(s, decimals, &v, &e), &e))
            FUZZ_CHECK(text_parse_number(text_number(v, decimals, text), decimals, &again, &e) ==
                           ERR_OK &&
                       again == v);
    }
}

/* What a table's cell reads as does not depend on being read a second time. */
static void try_numeral(const char *s) {
    static const char marks[] = {'\0', ',', '.'};
    for (size_t i = 0; i < sizeof marks; i++) {
        struct error e = {0};
        char first[NUMERAL_SIZE], second[NUMERAL_SIZE];
        fuzz_fill(first, sizeof first);
        if (!fuzz_accepted(numeral_read(s, marks[i], first, &e), &e)) {
            FUZZ_CHECK(fuzz_untouched(first, sizeof first));
            continue;
        }
        FUZZ_CHECK(memchr(first, '\0', sizeof first) != NULL);
        int64_t v, again;
        if (text_parse_number(first, 3, &v, &e) != ERR_OK)
            continue;
        FUZZ_CHECK(numeral_read(first, '.', second, &e) == ERR_OK);
        FUZZ_CHECK(text_parse_number(second, 3, &again, &e) == ERR_OK && again == v);
    }
}

static void try_hours(const char *s) {
    struct error e = {0};
    struct hours hours, again;
    char text[HOURS_MAX + 1], second[HOURS_MAX + 1];
    fuzz_fill(&hours, sizeof hours);
    if (!fuzz_accepted(hours_parse(s, &hours, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&hours, sizeof hours));
        return;
    }
    if (!fuzz_accepted(hours_text(&hours, text, sizeof text, &e), &e))
        return;
    FUZZ_CHECK(hours_parse(text, &again, &e) == ERR_OK);
    FUZZ_CHECK(hours_text(&again, second, sizeof second, &e) == ERR_OK);
    FUZZ_CHECK(strcmp(text, second) == 0);
    for (int day = 0; day < HOURS_DAYS; day++)
        for (int i = 0; i < hours.count[day]; i++)
            FUZZ_CHECK(hours.spans[day][i].from < hours.spans[day][i].to);
}

static void try_precision(const char *s) {
    struct error e = {0};
    struct precision p, again;
    char text[32], second[32];
    fuzz_fill(&p, sizeof p);
    if (!fuzz_accepted(precision_parse(s, &p, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&p, sizeof p));
        return;
    }
    FUZZ_CHECK(precision_parse(precision_text(&p, text), &again, &e) == ERR_OK);
    FUZZ_CHECK(strcmp(precision_text(&again, second), text) == 0);
}

static void try_keys(const char *s) {
    struct error e = {0};
    uint8_t bytes[KEY_LEN];
    char text[2 * KEY_LEN + 1];
    struct public_key key = {{1}};
    if (fuzz_accepted(hex_decode(bytes, KEY_LEN, s, &e), &e)) {
        hex_encode(text, bytes_of(bytes, KEY_LEN));
        FUZZ_CHECK(strcasecmp(text, s) == 0);
    }
    e = (struct error){0};
    if (fuzz_accepted(base64_decode(bytes, KEY_LEN, s, strlen(s), &e), &e)) {
        base64_encode(text, sizeof text, bytes_of(bytes, KEY_LEN));
        FUZZ_CHECK(strcmp(text, s) == 0);
    }
    (void)fingerprint_matches(&key, s);
    (void)capacity_holds_bsn(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    char *s = fuzz_text(&in);
    try_time(s);
    try_day(s);
    try_zoned(s);
    try_words(s);
    try_duration(s);
    try_number(s);
    try_numeral(s);
    try_hours(s);
    try_precision(s);
    try_keys(s);
    free(s);
    return 0;
}
