/* Numbers as tables write them: one test for each trap. */
#include "numeral.h"
#include "unit/agent/agent_kit.h"

static void reads(const char *cell, char decimal, const char *expected) {
    struct error e = {0};
    char out[NUMERAL_SIZE];
    KIT_OK(numeral_read(cell, decimal, out, &e));
    cr_assert_str_eq(out, expected, "'%s' gave '%s', expected '%s'", cell, out, expected);
}

static void refuses(const char *cell, char decimal, const char *words, const char *more) {
    struct error e = {0};
    char out[NUMERAL_SIZE] = "untouched";
    cr_assert_eq(numeral_read(cell, decimal, out, &e), ERR_DATA, "'%s' gave '%s'", cell, out);
    cr_assert_not_null(strstr(e.detail, words), "%s", e.detail);
    cr_assert_not_null(strstr(e.detail, more), "%s", e.detail);
    cr_assert_str_eq(out, "untouched");
}

Test(numeral, plain) {
    static const char marks[] = {'\0', ',', '.'};
    for (size_t i = 0; i < sizeof marks; i++) {
        reads("0", marks[i], "0");
        reads("12", marks[i], "12");
        reads("-3", marks[i], "-3");
        reads("+3", marks[i], "3");
        reads("\xE2\x88\x92"
              "3",
              marks[i], "-3");
        reads("123456", marks[i], "123456");
    }
}

Test(numeral, one_thousand_or_one_point_two_is_refused_with_both_readings) {
    refuses("1.234", '\0', "1234 when '.'", "1.234 when it is");
    refuses("1,234", '\0', "1234 when ','", "1.234 when it is");
    refuses("-1.000", '\0', "-1000 when", "-1.000 when");
    refuses("123.456", '\0', "123456", "\"decimal\"");
}

Test(numeral, the_profile_says_which) {
    reads("1.234", ',', "1234");
    reads("1.234", '.', "1.234");
    reads("1,234", '.', "1234");
    reads("1,234", ',', "1.234");
    reads("-1.234.567,5", ',', "-1234567.5");
    reads("1,234,567.50", '.', "1234567.5");
}

Test(numeral, what_has_one_reading_only_needs_no_profile) {
    reads("12,5", '\0', "12.5");
    reads("12.5", '\0', "12.5");
    reads("1.234,5", '\0', "1234.5");
    reads("1,234.5", '\0', "1234.5");
    reads("1.234.567", '\0', "1234567");
    reads("0,125", '\0', "0.125");
    reads("1234,567", '\0', "1234.567");
    reads("1\xC2\xA0"
          "234",
          '\0', "1234");
    reads("1\xE2\x80\xAF"
          "234,5",
          '\0', "1234.5");
}

Test(numeral, zeros_that_say_nothing_go) {
    reads("12,00", '\0', "12");
    reads("12,50", ',', "12.5");
    reads("100", '\0', "100");
    reads("0,0", '\0', "0");
}

Test(numeral, the_other_mark_in_the_wrong_place_is_refused) {
    refuses("1.5", ',', "'1.5'", "1.234,5");
    refuses("1,5", '.', "'1,5'", "1,234.5");
    refuses("12.34,5", ',', "12.34,5", "','");
    refuses("0.123", ',', "0.123", "','");
}

/* Left as it is: the number's own reader says what was expected. */
Test(numeral, no_number_stays_what_it_is) {
    static const char *const cells[] = {"",        "x",   "1 000",       "1..2", ".5",   "5.",
                                        "12.34.5", "1e3", "1.234,567.8", "--1",  "1,2,3"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        reads(cells[i], '\0', cells[i]);
    struct error e = {0};
    char out[NUMERAL_SIZE];
    KIT_FAILS(numeral_read("1111111111111111111111111111111111111111111111111111", '\0', out, &e),
              ERR_DATA);
}

/* Any cell is read or refused; what is read has nothing but a sign, digits and one point. */
Test(numeral, a_refused_cell_leaves_what_was_there) {
    refuses("12,5", '.', "'12,5'", "1,234.5");
    refuses("1.234", '\0', "1234", "1.234");
    refuses("123456789012345678901234567890123456789012345678", '\0', "...", "a number");
}

Test(numeral, two_signs_are_no_number) {
    reads("-\xE2\x88\x92"
          "5",
          '\0',
          "-\xE2\x88\x92"
          "5");
}

Test(numeral, any_short_cell) {
    static const char letters[] = "019.,- ";
    for (int n = 0; n < 7 * 7 * 7 * 7 * 7; n++) {
        char cell[6] = "", out[NUMERAL_SIZE];
        struct error e = {0};
        for (int i = 0, left = n; i < 5; i++, left /= 7)
            cell[i] = letters[left % 7];
        if (numeral_read(cell, ",."[n % 2], out, &e) == ERR_OK && strcmp(out, cell) != 0) {
            cr_assert_eq(strspn(out, "-0123456789."), strlen(out), "'%s' gave '%s'", cell, out);
            char *point = strchr(out, '.');
            cr_assert(!point || !strchr(point + 1, '.'), "'%s' gave '%s'", cell, out);
        }
    }
}
