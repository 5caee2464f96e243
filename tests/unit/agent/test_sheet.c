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
    enum err code = sheet_read(bytes_of(copy, len), "t.csv", delimiter, note, s, e);
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
