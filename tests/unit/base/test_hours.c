/* Tests the hours in which a site reports: what may be written, its normal form, and until when a
 * validity runs on, on both days of the change of summer time too. */
#include <criterion/criterion.h>
#include <string.h>

#include "hours.h"

#define HOUR INT64_C(3600000)
#define TEXT_SIZE 121 /* as a site card has room for */

static struct hours hours(const char *text) {
    struct hours h;
    struct error e = {0};
    cr_assert_eq(hours_parse(text, &h, &e), ERR_OK, "%s: %s", text, e.detail);
    return h;
}

static const struct zone *amsterdam(void) {
    const struct zone *z = NULL;
    cr_assert_eq(zone_find("Europe/Amsterdam", &z, NULL), ERR_OK);
    return z;
}

static int64_t at(const char *time) {
    int64_t ms = 0;
    cr_assert_eq(text_parse_time(time, &ms, NULL), ERR_OK, "%s", time);
    return ms;
}

/* ---- texts ---- */

Test(hours, have_one_normal_form) {
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"", ""},
        {"-", ""},
        {" - ", ""},
        {"mo-fr 08:00-17:00; sa 10:00-13:00", "Mo-Fr 08:00-17:00; Sa 10:00-13:00"},
        {"MA-VR 8:00-17:00 ;zA 10:00 - 13:00;", "Mo-Fr 08:00-17:00; Sa 10:00-13:00"},
        {"maandag - vrijdag 8:00-17:00", "Mo-Fr 08:00-17:00"},
        {"mon,wed 9:00-12:00", "Mo,We 09:00-12:00"},
        {"di 8:00-9:00; do 8:00-9:00; wo 7:00-8:00", "Tu,Th 08:00-09:00; We 07:00-08:00"},
        {"za-ma 10:00-11:00", "Mo,Sa-Su 10:00-11:00"},
        {"fr-th 10:00-11:00", "Mo-Su 10:00-11:00"},
        {"mo-mo 10:00-11:00", "Mo 10:00-11:00"},
        {"08:00-09:00,20:00-21:00", "Mo-Su 08:00-09:00,20:00-21:00"},
        {"vr 8:00-12:00,12:00-13:00", "Fr 08:00-12:00,12:00-13:00"},
        {"mo-su 22:00-6:00", "Mo-Su 22:00-06:00"},
        {"mo 18:00-24:00", "Mo 18:00-24:00"},
        {"mo 18:00-0:00", "Mo 18:00-24:00"},
        {"24/7", "24/7"},
        {"mo-su 0:00-24:00", "24/7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hours h = hours(cases[i].text), again;
        char text[TEXT_SIZE];
        struct error e = {0};
        cr_assert_eq(hours_text(&h, text, sizeof text, &e), ERR_OK, "%s", e.detail);
        cr_assert_str_eq(text, cases[i].normal, "%s: %s", cases[i].text, text);
        again = hours(text);
        cr_assert_eq(hours_text(&again, text, sizeof text, &e), ERR_OK);
        cr_assert_str_eq(text, cases[i].normal, "a normal form stays: %s", text);
    }
}

Test(hours, that_cannot_be_read_are_refused_with_the_place_and_an_example) {
    static const struct {
        const char *text, *place;
    } bad[] = {
        {"elke dag 8:00", "'elke dag 8:00' at character 1"},
        {"mo-fr", "the end at character 6"},
        {"mo-fr 8-17", "'8-17' at character 7"},
        {"mo-fr 08:00", "the end at character 12"},
        {"mo-fr 08:00-25:00", "'25:00' at character 13"},
        {"mo-fr 08:00-24:01", "character 13"},
        {"mo-fr 08:60-17:00", "character 7"},
        {"mo-fr 08:00-08:00", "character 7"},
        {"mo-fr 24:00-08:00", "character 7"},
        {"mo-fr 08:000-17:00", "character 7"},
        {"m 08:00-17:00", "'m 08:00-17:00' at character 1"},
        {"mox 08:00-17:00", "character 1"},
        {"mo- 08:00-17:00", "'08:00-17:00' at character 5"},
        {"mo, 08:00-17:00", "character 5"},
        {"mo 08:00-12:00, tu 08:00-12:00", "'tu 08:00-12:00' at character 17"},
        {"mo 08:00-12:00,11:00-13:00", "'11:00-13:00' at character 16"},
        {"mo 22:00-06:00,23:00-23:30", "character 16"},
        {"mo 1:00-2:00,3:00-4:00,5:00-6:00,7:00-8:00,9:00-10:00", "at most four"},
        {"mo-fr 08:00-12:00; we 13:00-17:00", "'we 13:00-17:00' at character 20"},
        {"mo 08:00-12:00 open", "'open' at character 16"},
        {"24/7; mo 08:00-12:00", "character 5"},
        {"- mo", "'mo' at character 3"},
        {"mo 08:00-17:00; PH off", "'PH off' at character 17"},
        {"\xc3\xa9", "character 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hours h = {.count = {7}};
        struct error e = {0};
        cr_assert_eq(hours_parse(bad[i].text, &h, &e), ERR_DATA, "%s", bad[i].text);
        cr_assert(strstr(e.detail, bad[i].place), "%s: %s", bad[i].text, e.detail);
        cr_assert(strstr(e.detail, "expected ") && strstr(e.detail, "such as mo-fr 08:00-17:00"),
                  "%s", e.detail);
        cr_assert_eq(h.count[0], 7, "nothing changed");
    }
}

Test(hours, too_long_for_a_card_are_refused) {
    struct hours h =
        hours("mo 8:00-9:01,10:00-11:00;tu 8:00-9:02,10:00-11:00;we 8:00-9:03,10:00-11:00;"
              "th 8:00-9:04,10:00-11:00;fr 8:00-9:05,10:00-11:00");
    char text[TEXT_SIZE] = "as it was";
    struct error e = {0};
    cr_assert_eq(hours_text(&h, text, sizeof text, &e), ERR_DATA);
    cr_assert(strstr(e.detail, "138 bytes, expected at most 120"), "%s", e.detail);
    cr_assert_str_eq(text, "as it was");
}

/* ---- running on ---- */

/* When a validity ends, local time of Amsterdam; NULL: then. */
static const struct run_case {
    const char *hours, *end;
    int64_t validity_h;
    const char *opens, *runs_to;
} runs[] = {
    /* Friday 16:40 and a day: Saturday is closed */
    {"mo-fr 8:00-17:00", "2026-11-21T16:40:00+01:00", 24, "2026-11-23T08:00:00+01:00",
     "2026-11-23T10:00:00+01:00"},
    /* the middle of a working day, and its last minute */
    {"mo-fr 8:00-17:00", "2026-11-20T12:00:00+01:00", 24, NULL, NULL},
    {"mo-fr 8:00-17:00", "2026-11-20T16:59:59+01:00", 24, NULL, NULL},
    {"mo-fr 8:00-17:00", "2026-11-20T17:00:00+01:00", 24, "2026-11-23T08:00:00+01:00",
     "2026-11-23T10:00:00+01:00"},
    /* just opened: as long as if it had ended the night before */
    {"mo-fr 8:00-17:00", "2026-11-20T08:05:00+01:00", 24, "2026-11-20T08:00:00+01:00",
     "2026-11-20T10:00:00+01:00"},
    {"mo-fr 8:00-17:00", "2026-11-20T10:00:00+01:00", 24, NULL, NULL},
    /* the grace is never longer than the validity, nor than the opening */
    {"mo-fr 8:00-17:00", "2026-11-20T17:30:00+01:00", 1, "2026-11-23T08:00:00+01:00",
     "2026-11-23T09:00:00+01:00"},
    {"8:00-8:30,20:00-20:30", "2026-11-20T14:00:00+01:00", 6, "2026-11-20T20:00:00+01:00",
     "2026-11-20T20:30:00+01:00"},
    {"8:00-8:30,20:00-20:30", "2026-11-20T20:30:00+01:00", 6, "2026-11-21T08:00:00+01:00",
     "2026-11-21T08:30:00+01:00"},
    /* several spans a day: the break at noon */
    {"mo-fr 8:00-12:00,13:00-17:00", "2026-11-20T12:10:00+01:00", 4, "2026-11-20T13:00:00+01:00",
     "2026-11-20T15:00:00+01:00"},
    /* touching spans are one opening */
    {"mo-fr 8:00-12:00,12:00-17:00", "2026-11-20T12:10:00+01:00", 4, NULL, NULL},
    {"mo 18:00-24:00; tu 0:00-6:00", "2026-11-24T00:10:00+01:00", 24, NULL, NULL},
    {"mo 23:00-24:00; tu 0:00-6:00", "2026-11-24T00:10:00+01:00", 24, "2026-11-23T23:00:00+01:00",
     "2026-11-24T01:00:00+01:00"},
    /* night shifts */
    {"mo-su 22:00-6:00", "2026-11-20T03:00:00+01:00", 24, NULL, NULL},
    {"mo-su 22:00-6:00", "2026-11-20T12:00:00+01:00", 24, "2026-11-20T22:00:00+01:00",
     "2026-11-21T00:00:00+01:00"},
    {"su 22:00-6:00", "2026-11-23T05:00:00+01:00", 24, NULL, NULL},
    {"su 22:00-6:00", "2026-11-23T06:00:00+01:00", 24, "2026-11-29T22:00:00+01:00",
     "2026-11-30T00:00:00+01:00"},
    /* never closed, and no hours said */
    {"24/7", "2026-11-21T16:40:00+01:00", 24, NULL, NULL},
    {"mo-su 6:00-18:00,18:00-6:00", "2026-11-21T16:40:00+01:00", 24, NULL, NULL},
    {"", "2026-11-21T16:40:00+01:00", 24, NULL, NULL},
    /* the weekend in which summer time begins is an hour shorter, and 8:00 stays 8:00 */
    {"mo-fr 8:00-17:00", "2026-03-28T16:40:00+01:00", 24, "2026-03-30T08:00:00+02:00",
     "2026-03-30T10:00:00+02:00"},
    /* and longer when it ends */
    {"mo-fr 8:00-17:00", "2026-10-24T16:40:00+02:00", 24, "2026-10-26T08:00:00+01:00",
     "2026-10-26T10:00:00+01:00"},
    /* an opening inside the hour that is skipped: the next week's */
    {"su 2:00-3:00", "2026-03-28T12:00:00+01:00", 24, "2026-04-05T02:00:00+02:00",
     "2026-04-05T03:00:00+02:00"},
    /* one that begins in it begins after it */
    {"su 2:30-6:00", "2026-03-28T12:00:00+01:00", 24, "2026-03-29T03:30:00+02:00",
     "2026-03-29T05:30:00+02:00"},
    /* the hour that comes twice: from the first 2:00 to 3:00 are two hours; 2:30 is the first */
    {"su 2:00-3:00", "2026-10-24T12:00:00+02:00", 24, "2026-10-25T02:00:00+02:00",
     "2026-10-25T03:00:00+01:00"},
    {"su 1:00-2:30", "2026-10-25T02:40:00+02:00", 24, "2026-11-01T01:00:00+01:00",
     "2026-11-01T02:30:00+01:00"},
    {"su 1:00-2:30", "2026-10-25T02:10:00+01:00", 24, "2026-11-01T01:00:00+01:00",
     "2026-11-01T02:30:00+01:00"},
    /* a night shift across the change */
    {"sa 22:00-6:00", "2026-10-25T05:59:00+01:00", 24, NULL, NULL},
    {"sa 22:00-6:00", "2026-03-29T06:00:00+02:00", 24, "2026-04-04T22:00:00+02:00",
     "2026-04-05T00:00:00+02:00"},
};

Test(hours, a_validity_that_ends_while_closed_runs_on) {
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const struct run_case *c = &runs[i];
        struct hours h = hours(c->hours);
        struct hours_run run = {1, 2};
        bool on = hours_run_on(&h, amsterdam(), at(c->end), c->validity_h * HOUR, &run);
        char opens[TEXT_TIME_SIZE], ends[TEXT_TIME_SIZE];
        text_time(run.opens_ms, opens);
        text_time(run.end_ms, ends);
        cr_assert_eq(on, c->opens != NULL, "%s, %s: %s", c->hours, c->end, opens);
        if (!on) {
            cr_assert(run.opens_ms == 1 && run.end_ms == 2);
            continue;
        }
        cr_assert_eq(run.opens_ms, at(c->opens), "%s, %s: opens %s", c->hours, c->end, opens);
        cr_assert_eq(run.end_ms, at(c->runs_to), "%s, %s: until %s", c->hours, c->end, ends);
    }
}

/* A figure that was counted later never holds for a shorter time. */
Test(hours, a_later_end_never_becomes_an_earlier_one) {
    static const char *const texts[] = {"mo-fr 8:00-17:00", "22:00-6:00", "su 2:00-3:00",
                                        "8:00-8:30,20:00-20:30", "mo 9:00-9:10; sa 23:30-1:00"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct hours h = hours(texts[i]);
        int64_t before = 0;
        for (int64_t end = at("2026-03-20T00:00:00Z"); end < at("2026-04-07T00:00:00Z");
             end += HOUR / 6) {
            struct hours_run run = {0, end};
            bool on = hours_run_on(&h, amsterdam(), end, 24 * HOUR, &run);
            cr_assert(run.end_ms >= before && run.end_ms >= end, "%s", texts[i]);
            cr_assert(!on || run.end_ms > run.opens_ms);
            before = run.end_ms;
        }
    }
}

Test(hours, moments_are_those_of_the_local_clock) {
    char out[HOURS_MOMENT_SIZE];
    cr_assert_str_eq(hours_moment(amsterdam(), at("2026-11-20T15:40:30Z"), false, out),
                     "Fri 16:40");
    cr_assert_str_eq(hours_moment(amsterdam(), at("2026-07-05T22:05:00Z"), true, out),
                     "Mon 2026-07-06 00:05");
}
