/* CSV as people's programs write it, and as they get it wrong. */
#include "sheet.h"
#include "unit/agent/agent_kit.h"

/* Rows as text: "1:a|b;" - the line and the fields. */
struct seen {
    char text[4096];
    size_t len;
    int rows;
    int stop_at; /* this row's visit fails */
};

static enum err note(void *ctx, const struct sheet_row *row, struct error *e) {
    struct seen *s = ctx;
    if (++s->rows == s->stop_at)
        return error_set(e, ERR_DATA, "stopped");
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len,
                               "%s%d:", row->header ? "h" : "", row->line);
    for (size_t i = 0; i < row->count && s->len < sizeof s->text; i++)
        s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s%s",
                                   i > 0 ? "|" : "", row->fields[i]);
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, ";");
    return ERR_OK;
}

static enum sheet_encoding encoding = SHEET_UTF8; /* each test is a process of its own */

/* The bytes are copied to heap memory of their exact size, so that a sanitizer sees any over-read.
 */
static enum err read_bytes(const char *data, size_t len, char delimiter, struct seen *s,
                           struct error *e) {
    char *copy = malloc(len > 0 ? len : 1);
    cr_assert_not_null(copy);
    if (len > 0)
        memcpy(copy, data, len);
    *s = (struct seen){.stop_at = s->stop_at};
    *e = (struct error){0};
    const struct sheet_config config = {
        .name = "t.csv", .delimiter = delimiter, .encoding = encoding, .visit = note, .ctx = s};
    enum err code = sheet_read(bytes_of(copy, len), &config, e);
    free(copy);
    return code;
}

static void expect_rows(const char *text, const char *rows) {
    struct error e = {0};
    struct seen s = {0};
    cr_assert_eq(read_bytes(text, strlen(text), '\0', &s, &e), ERR_OK, "'%s': %d: %s", text, e.line,
                 e.detail);
    cr_assert_str_eq(s.text, rows, "'%s' gave %s", text, s.text);
}

static void expect_fault(const char *text, int line, int column, const char *words) {
    struct error e = {0};
    struct seen s = {0};
    cr_assert_eq(read_bytes(text, strlen(text), '\0', &s, &e), ERR_DATA, "'%s' was read", text);
    cr_assert_str_eq(e.file, "t.csv");
    cr_assert_eq(e.line, line, "'%s': line %d", text, e.line);
    cr_assert_eq(e.column, column, "'%s': column %d", text, e.column);
    cr_assert_not_null(strstr(e.detail, words), "'%s': %s", text, e.detail);
}

Test(sheet, plain_rows) {
    expect_rows("a,b\n1,2\n3,4\n", "h1:a|b;2:1|2;3:3|4;");
    expect_rows("a;b\n1;2", "h1:a|b;2:1|2;");
    expect_rows("a\n1\n", "h1:a;2:1;");
    expect_rows("a,b\n,\n", "h1:a|b;2:|;");
}

Test(sheet, line_ends) {
    expect_rows("a,b\r\n1,2\r\n3,4", "h1:a|b;2:1|2;3:3|4;");
    expect_rows("a,b\r1,2\r3,4\r", "h1:a|b;2:1|2;3:3|4;");
    expect_rows("a,b\n\n\r\n1,2\n   \n3,4\n\n", "h1:a|b;4:1|2;6:3|4;");
    expect_rows("\n\na,b\n1,2\n", "h3:a|b;4:1|2;");
}

Test(sheet, byte_order_mark) {
    expect_rows("\xEF\xBB\xBF"
                "a,b\n1,2\n",
                "h1:a|b;2:1|2;");
    expect_rows("\xEF\xBB\xBF\"a\",b\n1,2\n", "h1:a|b;2:1|2;");
}

Test(sheet, quotes) {
    expect_rows("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "h1:a|b;2:x,y|say \"hi\";");
    expect_rows("a,b\n\"\",\" spaces stay \"\n", "h1:a|b;2:| spaces stay ;");
    expect_rows("a,b\n  x , y\n", "h1:a|b;2:x|y;");
}

/* A row's number is where it begins, also after fields of several lines. */
Test(sheet, rows_of_several_lines) {
    expect_rows("a,b\n\"one\ntwo\n\nfour\",2\n3,4\n", "h1:a|b;2:one\ntwo\n\nfour|2;6:3|4;");
    expect_rows("\"a\r\nb\",c\r\n1,2\r\n", "h1:a\r\nb|c;3:1|2;");
}

Test(sheet, finds_the_delimiter_in_the_header) {
    expect_rows("naam;vrij\n\"Noord, Zuid\";3\n", "h1:naam|vrij;2:Noord, Zuid|3;");
    expect_rows("\"a;b\",c\n1,2\n", "h1:a;b|c;2:1|2;");
    expect_fault("a,b;c\n1,2;3\n", 1, 0, "delimiter");
    expect_fault("\n\na,b;c\n", 3, 0, "delimiter");
}

Test(sheet, fixed_delimiter) {
    struct error e = {0};
    struct seen s = {0};
    KIT_OK(read_bytes("a,b;c\n1,5;2\n", 12, ';', &s, &e));
    cr_assert_str_eq(s.text, "h1:a,b|c;2:1,5|2;");
}

Test(sheet, wrong_quotes_have_a_place) {
    expect_fault("a,b\n1,x\"y\n", 2, 2, "\"");
    expect_fault("a,b\n1,2\n\"x\"y,3\n", 3, 1, "\"");
    expect_fault("a,b\n1,2\n3,\"never\nends\n", 3, 2, "never ends");
    expect_fault("a,\"b\n1,2\n", 1, 2, "never ends");
}

Test(sheet, rows_have_as_many_fields_as_the_header) {
    expect_fault("a,b\n1,2\n1,2,3\n", 3, 0, "found 3 fields");
    expect_fault("a,b\n1\n", 2, 0, "found 1 fields");
    expect_fault("a,b\n\n1,2,\n", 3, 0, "found 3 fields");
}

Test(sheet, not_utf8) {
    expect_fault("a,b\nx,\xE9t\xE9\n", 2, 3, "UTF-8");
    expect_fault("a,b\n\xC3\xA9\xC3\xA9,\xFF\n", 2, 4, "UTF-8");
    struct error e = {0};
    struct seen s = {0};
    KIT_FAILS(read_bytes("a,b\nx\0y,2\n", 10, '\0', &s, &e), ERR_DATA);
    cr_assert_eq(e.line, 2);
    cr_assert_eq(e.column, 2);
}

Test(sheet, nothing_in_it) {
    expect_fault("", 0, 0, "no rows");
    expect_fault("\n\r\n  \n", 0, 0, "no rows");
    expect_rows("a,b\n", "h1:a|b;");
}

Test(sheet, a_visit_that_fails_ends_it) {
    struct error e = {0};
    struct seen s = {.stop_at = 3};
    KIT_FAILS(read_bytes("a\n1\n2\n3\n4\n", 10, '\0', &s, &e), ERR_DATA);
    cr_assert_eq(s.rows, 3);
    cr_assert_str_eq(e.detail, "stopped");
}

Test(sheet, caps) {
    struct error e = {0};
    struct seen s = {0};
    size_t len = SHEET_MAX_FIELD + 10;
    char *text = malloc(len);
    memset(text, 'x', len);
    memcpy(text, "a\n", 2);
    text[len - 1] = '\n';
    KIT_FAILS(read_bytes(text, len, '\0', &s, &e), ERR_TOO_LARGE);
    cr_assert_eq(e.line, 2);
    memset(text, ',', SHEET_MAX_COLUMNS);
    KIT_FAILS(read_bytes(text, SHEET_MAX_COLUMNS, '\0', &s, &e), ERR_TOO_LARGE);
    KIT_OK(read_bytes(text, SHEET_MAX_COLUMNS - 1, '\0', &s, &e));
    free(text);
}

/* Whatever is cut off, it is read or refused with a place, never worse. */
Test(sheet, truncation_at_every_byte) {
    static const char text[] = "\xEF\xBB\xBF"
                               "a;\"b\"\r\n\"x;\"\"\ny\";\xC3\xA9\r\n\r\n3;4\r\n";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct error e = {0};
        struct seen s = {0};
        enum err code = read_bytes(text, len, '\0', &s, &e);
        cr_assert(code == ERR_OK || code == ERR_DATA, "%zu: %d", len, code);
    }
}

Test(sheet, any_byte_replaced) {
    static const char text[] = "a;\"b\"\n\"x;\"\"\ny\";2\n3;4\n";
    static const char others[] = "\",;\n\rx \x80";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (size_t k = 0; k < sizeof others - 1; k++) {
            char copy[sizeof text];
            struct error e = {0};
            struct seen s = {0};
            memcpy(copy, text, sizeof text);
            copy[at] = others[k];
            enum err code = read_bytes(copy, sizeof text - 1, '\0', &s, &e);
            cr_assert(code == ERR_OK || code == ERR_DATA, "%zu %zu: %d", at, k, code);
        }
    }
}

/* ---- dialects: one test for each trap ---- */

Test(sheet, tab_between_columns) {
    expect_rows("a\tb\n1,5\t2;3\n", "h1:a|b;2:1,5|2;3;");
    expect_rows("a\tb\n\t2\n", "h1:a|b;2:|2;");
    expect_fault("a\tb,c\n1\t2,3\n", 1, 0, "both ',' and tabs");
}

Test(sheet, sep_line_names_the_delimiter) {
    expect_rows("sep=;\na;b\n1;2\n", "h2:a|b;3:1|2;");
    expect_rows("SEP=,\r\na,b;c\r\n1,2\r\n", "h2:a|b;c;3:1|2;");
    expect_rows("\"sep=\t\"\na\tb\n1\t2\n", "h2:a|b;3:1|2;");
    expect_rows("\xEF\xBB\xBFsep=;\na;b\n1;2\n", "h2:a|b;3:1|2;");
    expect_fault("sep=|\na|b\n", 1, 5, "sep=");
    expect_fault("sep=;\n", 0, 0, "no rows");
    expect_rows("a\nsep=;\n", "h1:a;2:sep=;;");
}

/* The file's own word is nearer to it than the profile's. */
Test(sheet, sep_line_wins_over_the_profile) {
    struct error e = {0};
    struct seen s = {0};
    KIT_OK(read_bytes("sep=;\na;b\n1;2\n", 14, ',', &s, &e));
    cr_assert_str_eq(s.text, "h2:a|b;3:1|2;");
}

Test(sheet, windows_1252_is_found_out) {
    encoding = SHEET_DETECT;
    expect_rows("naam,n\nZo\xEB,1\nCaf\xE9 \x80,2\n",
                "h1:naam|n;2:Zo\xC3\xAB|1;3:Caf\xC3\xA9 \xE2\x82\xAC|2;");
    expect_rows("naam,n\nZo\xC3\xAB,1\n", "h1:naam|n;2:Zo\xC3\xAB|1;");
    expect_rows("a,\x8A\xFF\n1,2\n", "h1:a|\xC5\xA0\xC3\xBF;2:1|2;");
}

Test(sheet, windows_1252_when_the_profile_says_so) {
    encoding = SHEET_WINDOWS_1252;
    expect_rows("a\n\xC3\xA9\n", "h1:a;2:\xC3\x83\xC2\xA9;");
    expect_fault("a\nx\x81\n", 2, 2, "0x81");
}

Test(sheet, a_byte_order_mark_wins_over_the_profile) {
    encoding = SHEET_WINDOWS_1252;
    expect_rows("\xEF\xBB\xBF"
                "a\n\xC3\xA9\n",
                "h1:a;2:\xC3\xA9;");
    expect_fault("\xEF\xBB\xBF"
                 "a\n\xE9\n",
                 2, 1, "UTF-8");
}

Test(sheet, two_encodings_in_one_file) {
    encoding = SHEET_DETECT;
    expect_fault("a\n\xC3\xA9\nb\n\xE9\n", 4, 1, "line 2 is UTF-8");
    expect_fault("a\n\xE9\nb\n\xC3\xA9\n", 4, 0, "line 2 is Windows-1252");
}

Test(sheet, utf_16_and_workbooks_are_told_apart) {
    encoding = SHEET_DETECT;
    struct error e = {0};
    struct seen s = {0};
    KIT_FAILS(read_bytes("\xFF\xFE"
                         "a\0\n\0",
                         6, '\0', &s, &e),
              ERR_DATA);
    cr_assert_not_null(strstr(e.detail, "UTF-16"), "%s", e.detail);
    expect_fault("PK\x03\x04zip", 1, 1, "workbook");
    KIT_FAILS(read_bytes("a\0\n\0", 4, '\0', &s, &e), ERR_DATA);
    cr_assert_not_null(strstr(e.detail, "NUL"), "%s", e.detail);
}

/* In pieces of any size it is the same table. */
Test(sheet, pieces_of_any_size) {
    static const char text[] = "sep=;\r\n\r\na;\"b\"\r\n\"x;\"\"\ny\";\xE9t\xE9\r\n\r\r3;4\r\n5;6";
    static const char rows[] = "h3:a|b;4:x;\"\ny|\xC3\xA9t\xC3\xA9;8:3|4;9:5|6;";
    for (size_t size = 1; size < sizeof text; size++) {
        struct error e = {0};
        struct seen s = {0};
        struct sheet *sheet = NULL;
        const struct sheet_config config = {
            .name = "t.csv", .encoding = SHEET_DETECT, .visit = note, .ctx = &s};
        KIT_OK(sheet_open(&config, &sheet, &e));
        for (size_t at = 0; at < sizeof text - 1; at += size) {
            size_t left = sizeof text - 1 - at, len = left < size ? left : size;
            char *piece = malloc(len);
            memcpy(piece, text + at, len);
            KIT_OK(sheet_feed(sheet, bytes_of(piece, len), &e));
            free(piece);
        }
        KIT_OK(sheet_end(sheet, &e));
        cr_assert_str_eq(s.text, rows, "pieces of %zu gave %s", size, s.text);
        sheet_close(sheet);
    }
}

Test(sheet, a_fault_stays) {
    struct error e = {0};
    struct seen s = {0};
    struct sheet *sheet = NULL;
    const struct sheet_config config = {.name = "t.csv", .visit = note, .ctx = &s};
    KIT_OK(sheet_open(&config, &sheet, &e));
    KIT_FAILS(sheet_feed(sheet, bytes_str("a,b\n1\n"), &e), ERR_DATA);
    KIT_FAILS(sheet_feed(sheet, bytes_str("1,2\n"), &e), ERR_DATA);
    cr_assert_eq(e.line, 2);
    KIT_FAILS(sheet_end(sheet, &e), ERR_DATA);
    cr_assert_eq(s.rows, 1, "only the header was seen");
    sheet_close(sheet);
}

/* A quote that never closes must not gather the rest of a large file. */
Test(sheet, an_open_quote_is_bounded) {
    struct error e = {0};
    struct seen s = {0};
    struct sheet *sheet = NULL;
    const struct sheet_config config = {.name = "t.csv", .visit = note, .ctx = &s};
    KIT_OK(sheet_open(&config, &sheet, &e));
    enum err code = sheet_feed(sheet, bytes_str("a,b\n1,\"x\n"), &e);
    size_t fed = 0;
    for (; code == ERR_OK && fed < (size_t)8 * SHEET_MAX_ROW; fed += 8)
        code = sheet_feed(sheet, bytes_str("1234567\n"), &e);
    cr_assert_eq(code, ERR_TOO_LARGE);
    cr_assert_eq(e.line, 2);
    cr_assert_leq(fed, (size_t)SHEET_MAX_ROW + 16);
    sheet_close(sheet);
    KIT_OK(sheet_open(&config, &sheet, &e));
    for (code = ERR_OK, fed = 0; code == ERR_OK && fed < (size_t)8 * SHEET_MAX_LINE; fed += 8)
        code = sheet_feed(sheet, bytes_str("12345678"), &e);
    cr_assert_eq(code, ERR_TOO_LARGE, "a line without an end");
    sheet_close(sheet);
}
