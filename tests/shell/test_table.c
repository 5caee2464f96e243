/* Tests of tables for a terminal: alignment by characters, and nothing a terminal would obey. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static char *printed(const struct table *t) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    table_print(t, out);
    fclose(out);
    return text;
}

#define CELLS(...) ((const char *const[]){__VA_ARGS__})

Test(table, columns_are_as_wide_as_their_widest_cell) {
    struct table *t = table_new(CELLS("member", "free", "age"), 3);
    table_row(t, CELLS("A", "12", "3m"));
    table_row(t, CELLS("Hospital", "4", NULL));
    char *text = printed(t);
    cr_assert_str_eq(text, "member    free  age\n"
                           "A         12    3m\n"
                           "Hospital  4     -\n");
    free(text);
    table_free(t);
}

Test(table, width_counts_characters_not_bytes) {
    struct table *t = table_new(CELLS("a", "b"), 2);
    table_row(t, CELLS("\xC3\xBC\xC3\xBC", "1"));
    table_row(t, CELLS("xx", "2"));
    char *text = printed(t);
    cr_assert_str_eq(text, "a   b\n\xC3\xBC\xC3\xBC  1\nxx  2\n");
    free(text);
    table_free(t);
}

Test(table, control_characters_of_partners_do_not_reach_the_terminal) {
    struct table *t = table_new(CELLS("name"), 1);
    table_row(t, CELLS("\x1B[31mred\x07\n\x7F"));
    table_row(t, CELLS("c1 \xC2\x9B"
                       "x"));
    char *text = printed(t);
    cr_assert_str_eq(text, "name\n?[31mred???\nc1 ??x\n");
    free(text);
    table_free(t);
}

Test(table, takes_many_rows) {
    struct table *t = table_new(CELLS("n"), 1);
    char cell[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(cell, sizeof cell, "%d", i);
        table_row(t, CELLS(cell));
    }
    char *text = printed(t);
    size_t lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    cr_assert_eq(lines, 1001);
    cr_assert(strstr(text, "\n999\n"));
    free(text);
    table_free(t);
    table_free(NULL);
}
