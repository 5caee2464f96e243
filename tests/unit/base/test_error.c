/* Tests error codes, the names and numbers made from errors.def, and filled messages. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "error.h"

Test(error, names_are_lower_case_and_come_back) {
    cr_assert_str_eq(error_name(ERR_OK), "ok");
    cr_assert_str_eq(error_name(ERR_UNKNOWN_MEMBER), "unknown-member");
    cr_assert_str_eq(error_name(ERR_AHEAD), "ahead");
    for (int i = 0; i < ERR_COUNT; i++) {
        const char *name = error_name((enum err)i);
        cr_assert_gt(strlen(name), 1);
        for (const char *p = name; *p; p++) {
            cr_assert(islower((unsigned char)*p) || *p == '-', "%s", name);
        }
        cr_assert_eq(error_from_name(name), (enum err)i, "%s", name);
    }
    cr_assert_eq(error_from_name("no-such-thing"), ERR_INTERNAL);
    cr_assert_eq(error_from_name("OK"), ERR_INTERNAL);
    cr_assert_eq(error_from_name(""), ERR_INTERNAL);
}

Test(error, wire_codes_are_unique_and_come_back) {
    for (int i = 0; i < ERR_COUNT; i++) {
        cr_assert_eq(error_from_wire(error_wire((enum err)i)), (enum err)i, "%s",
                     error_name((enum err)i));
    }
    cr_assert_eq(error_wire(ERR_SIGNATURE), 36);
    cr_assert_eq(error_from_wire(999), ERR_PROTOCOL);
    cr_assert_eq(error_from_wire(UINT32_MAX), ERR_PROTOCOL);
}

Test(error, a_fault_in_a_document_names_the_document_once) {
    struct error e = {0};
    (void)error_at(&e, ERR_DATA, "services[0].unit", 0, 0, "found 'bath'");
    cr_assert_eq(error_in_file(&e, "charter.json"), ERR_DATA);
    cr_assert_str_eq(e.file, "charter.json: services[0].unit");
    cr_assert_eq(error_in_file(&e, "charter.json"), ERR_DATA);
    cr_assert_str_eq(e.file, "charter.json: services[0].unit");
    (void)error_set(&e, ERR_DATA, "found a list");
    (void)error_in_file(&e, "p.json");
    cr_assert_str_eq(e.file, "p.json");
    (void)error_at(&e, ERR_LOCKED, "d/lock", 0, 0, "held");
    cr_assert_eq(error_in_file(&e, "p.json"), ERR_LOCKED);
    cr_assert_str_eq(e.file, "d/lock");
}

Test(error, statuses_are_those_of_sysexits_and_http) {
    cr_assert_eq(error_exit_status(ERR_OK), 0);
    cr_assert_eq(error_exit_status(ERR_USAGE), 64);
    cr_assert_eq(error_exit_status(ERR_CONFIG), 78);
    cr_assert_eq(error_http_status(ERR_OK), 200);
    cr_assert_eq(error_http_status(ERR_DISK_FULL), 507);
    for (int i = 1; i < ERR_COUNT; i++) {
        int status = error_exit_status((enum err)i);
        int http = error_http_status((enum err)i);
        cr_assert(status >= 64 && status <= 78, "%s", error_name((enum err)i));
        cr_assert(http >= 400 && http < 600, "%s", error_name((enum err)i));
        cr_assert_gt(strlen(error_text((enum err)i)), 3);
    }
}

Test(error, a_code_out_of_range_is_an_internal_one) {
    cr_assert_str_eq(error_name((enum err)ERR_COUNT), "internal");
    cr_assert_eq(error_exit_status((enum err)1000), 70);
}

Test(error, set_fills_and_returns_the_code) {
    struct error e = {.file = "old", .line = 3, .column = 4};
    cr_assert_eq(error_set(&e, ERR_DATA, "found %d, expected %s", 7, "less"), ERR_DATA);
    cr_assert_eq(e.code, ERR_DATA);
    cr_assert_str_eq(e.detail, "found 7, expected less");
    cr_assert_str_empty(e.file);
    cr_assert_eq(e.line, 0);
    cr_assert_eq(e.column, 0);
    cr_assert_eq(error_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    cr_assert_eq(error_at(NULL, ERR_IO, "f", 1, 1, "nobody listens"), ERR_IO);
}

Test(error, the_arguments_may_lie_in_the_error_itself) {
    struct error e;
    error_at(&e, ERR_DATA, "a.json", 2, 5, "first");
    error_at(&e, ERR_CONFIG, e.file, 9, 0, "reading it: %s", e.detail);
    cr_assert_str_eq(e.detail, "reading it: first");
    cr_assert_str_eq(e.file, "a.json");
    cr_assert_eq(e.line, 9);
}

/* Every offset of a three-byte character against the cut, and the sizes just around it. */
Test(error, long_details_are_cut_between_characters) {
    for (int shift = ERROR_DETAIL_MAX - 8; shift <= ERROR_DETAIL_MAX + 2; shift++) {
        char text[ERROR_DETAIL_MAX + 64];
        memset(text, 'a', (size_t)shift);
        snprintf(text + shift, sizeof(text) - (size_t)shift, "€€€€");
        struct error e;
        error_set(&e, ERR_DATA, "%s", text);
        size_t len = strlen(e.detail);
        cr_assert_lt(len, ERROR_DETAIL_MAX);
        cr_assert_geq(len, ERROR_DETAIL_MAX - 3);
        cr_assert(utf8_valid(bytes_of(e.detail, len)));
        cr_assert_eq(strncmp(e.detail, text, len), 0);
    }
}

Test(error, a_detail_of_just_the_room_is_not_cut) {
    char text[ERROR_DETAIL_MAX] = {0};
    memset(text, 'x', sizeof(text) - 4);
    memcpy(text + sizeof(text) - 4, "€", 3);
    struct error e;
    error_set(&e, ERR_DATA, "%s", text);
    cr_assert_str_eq(e.detail, text);
}

Test(error, a_long_file_name_is_cut) {
    char name[ERROR_FILE_MAX + 10] = {0};
    memset(name, 'f', sizeof(name) - 1);
    struct error e;
    error_at(&e, ERR_DATA, name, 1, 0, "x");
    cr_assert_eq(strlen(e.file), ERROR_FILE_MAX - 1);
}

Test(error, bytes_that_are_not_utf8_become_question_marks) {
    struct error e;
    error_set(&e, ERR_DATA, "found '%.3s', expected text", "a\xFF\xC3(");
    cr_assert_str_eq(e.detail, "found 'a?\?', expected text");
    error_at(&e, ERR_DATA, "b\xE9te.csv", 0, 0, "caf\xC3\xA9");
    cr_assert_str_eq(e.file, "b?te.csv");
    cr_assert_str_eq(e.detail, "café");
}

static const char *formatted(const char *file, int line, int column, const char *detail) {
    static char out[512];
    struct error e;
    error_at(&e, ERR_DATA, file, line, column, "%s", detail);
    return error_format(&e, out, sizeof(out));
}

Test(error, format_leaves_out_what_does_not_apply) {
    cr_assert_str_eq(formatted("a.json", 3, 14, "bad"), "a.json:3:14: bad");
    cr_assert_str_eq(formatted("a.conf", 3, 0, "bad"), "a.conf:3: bad");
    cr_assert_str_eq(formatted("services[2].code", 0, 0, "bad"), "services[2].code: bad");
    cr_assert_str_eq(formatted(NULL, 3, 14, "bad"), "3:14: bad");
    cr_assert_str_eq(formatted(NULL, 0, 0, "bad"), "bad");
    cr_assert_str_eq(formatted("a", 1, 0, ""), "a:1: data does not have the expected form");
    cr_assert_str_eq(formatted(NULL, 0, 0, "one\ntwo\tthree"), "one two three");
}

Test(error, format_respects_every_size) {
    struct error e;
    error_at(&e, ERR_DATA, "a.json", 3, 14, "één €");
    char whole[64];
    error_format(&e, whole, sizeof(whole));
    for (unsigned size = 0; size <= strlen(whole) + 1; size++) {
        char out[64];
        memset(out, '#', sizeof(out));
        cr_assert_eq(error_format(&e, out, size), out);
        cr_assert_eq(out[size], '#');
        if (size > 0) {
            cr_assert_lt(strlen(out), size);
            cr_assert(utf8_valid(bytes_str(out)));
            cr_assert_eq(strncmp(out, whole, strlen(out)), 0);
        }
    }
}
