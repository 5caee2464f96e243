/* Owns cells of CSV tables (see csv_cell.h). */
#include "csv_cell.h"

#include <string.h>

/* A spreadsheet runs what begins like this, quotes or not. */
static bool looks_like_formula(const char *text) {
    return text[0] != '\0' && strchr("=+-@\t\r\n", text[0]);
}

void csv_cell_text(struct buf *out, char delimiter, const char *text) {
    const char special[] = {'"', '\r', '\n', '\t', delimiter, '\0'};
    bool formula = looks_like_formula(text);
    size_t len = strlen(text);
    bool edges = len > 0 && (text[0] == ' ' || text[len - 1] == ' ');
    if (!edges && !strpbrk(text, special)) {
        buf_printf(out, "%s%s", formula ? "'" : "", text);
        return;
    }
    buf_append_str(out, formula ? "\"'" : "\"");
    for (const char *s = text; *s; s++) {
        if (*s == '"')
            buf_append_u8(out, '"');
        buf_append_u8(out, (uint8_t)*s);
    }
    buf_append_str(out, "\"");
}

void csv_cell_number(struct buf *out, char delimiter, char decimal, const json_t *value) {
    const char *text = json_string_value(value);
    if (json_is_integer(value)) {
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    }
    if (!text)
        return;
    if (text[strspn(text, "-0123456789.")] != '\0') {
        csv_cell_text(out, delimiter, text);
        return;
    }
    for (; *text; text++)
        buf_append_u8(out, (uint8_t)(*text == '.' ? decimal : *text));
}
