/* Owns reading CSV: lines, quotes and fields (see sheet.h). libcsv finds the fields; the physical
 * line each row begins in is kept here, because libcsv does not know it.
 * Must not know what a column means. */
#include "sheet.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096 /* what libcsv grows its field buffer by */

struct reading {
    const char *name;
    sheet_visit visit;
    void *ctx;
    struct error *e;
    enum err code;       /* sticky */
    int line;            /* of the chunk that is being read */
    int row_line;        /* where the open row began */
    bool row_ended;      /* in this chunk */
    size_t header_count; /* 0: the header is still to come */
    struct buf text;     /* the open row's fields, NUL after each */
    size_t starts[SHEET_MAX_COLUMNS];
    const char *fields[SHEET_MAX_COLUMNS];
    size_t count;
};

/* ---- the text -------------------------------------------------------------------------------- */

static struct bytes skip_mark(struct bytes text) {
    static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};
    if (text.len >= sizeof mark && memcmp(text.data, mark, sizeof mark) == 0)
        return bytes_of(text.data + sizeof mark, text.len - sizeof mark);
    return text;
}

/* How long the line at the front is, its end included. A CR alone ends one too. */
static size_t line_len(struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n')
            return i + 1;
        if (text.data[i] == '\r')
            return i + 1 < text.len && text.data[i + 1] == '\n' ? i + 2 : i + 1;
    }
    return text.len;
}

static bool is_blank(struct bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr(" \t\r\n", line.data[i]))
            return false;
    }
    return true;
}

/* The first character of a line that is not one: how many valid ones stand before it. */
static int bad_column(struct bytes line) {
    int column = 1;
    size_t i = 0;
    while (i < line.len) {
        size_t len = 1;
        while (len < 4 && len < line.len - i && !utf8_valid(bytes_of(line.data + i, len)))
            len++;
        if (!utf8_valid(bytes_of(line.data + i, len)))
            return column;
        i += len;
        column++;
    }
    return column;
}

enum err sheet_check_text(struct bytes text, const char *name, struct error *e) {
    int line = 0;
    if (utf8_valid(text)) /* nearly always: then no line has to be looked at alone */
        return ERR_OK;
    while (text.len > 0) {
        struct bytes front = bytes_of(text.data, line_len(text));
        line++;
        if (!utf8_valid(front))
            return error_at(
                e, ERR_DATA, name, line, bad_column(front),
                "found bytes that are not UTF-8, expected UTF-8 text: save the file as UTF-8");
        text = bytes_of(text.data + front.len, text.len - front.len);
    }
    return ERR_OK;
}

/* ---- the delimiter --------------------------------------------------------------------------- */

static enum err find_delimiter(struct bytes text, const char *name, char *ret, struct error *e) {
    size_t commas = 0, semicolons = 0;
    int line = 1;
    while (text.len > 0 && is_blank(bytes_of(text.data, line_len(text)))) {
        size_t len = line_len(text);
        text = bytes_of(text.data + len, text.len - len);
        line++;
    }
    bool quoted = false;
    size_t len = line_len(text);
    for (size_t i = 0; i < len; i++) {
        quoted ^= text.data[i] == '"';
        commas += !quoted && text.data[i] == ',';
        semicolons += !quoted && text.data[i] == ';';
    }
    if (commas > 0 && semicolons > 0)
        return error_at(
            e, ERR_DATA, name, line, 0,
            "found both ',' and ';' in the header, expected one of them between the columns: "
            "name it as \"delimiter\" in the profile");
    *ret = semicolons > 0 ? ';' : ',';
    return ERR_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void fail_row(struct reading *r, enum err code, int line, int column, const char *what,
                     size_t found, size_t expected) {
    if (r->code == ERR_OK)
        r->code =
            error_at(r->e, code, r->name, line, column, "found %zu %s, expected %s %zu", found,
                     what, code == ERR_TOO_LARGE ? "at most" : "as in the header,", expected);
}

static void on_field(void *field, size_t len, void *data) {
    struct reading *r = data;
    int column = (int)r->count + 1;
    if (r->code != ERR_OK)
        return;
    if (r->count == SHEET_MAX_COLUMNS) {
        fail_row(r, ERR_TOO_LARGE, r->row_line, column, "or more columns", r->count + 1,
                 SHEET_MAX_COLUMNS);
    } else if (len > SHEET_MAX_FIELD) {
        fail_row(r, ERR_TOO_LARGE, r->row_line, column, "bytes in a field", len, SHEET_MAX_FIELD);
    } else {
        r->starts[r->count++] = r->text.len;
        buf_append(&r->text, field, len);
        buf_append_u8(&r->text, 0);
        if (r->text.failed != ERR_OK)
            r->code = error_at(r->e, r->text.failed, r->name, r->row_line, column,
                               "the row is larger than %d bytes", SHEET_MAX_ROW);
    }
}

static void on_row(int end, void *data) {
    (void)end;
    struct reading *r = data;
    r->row_ended = true;
    bool header = r->header_count == 0;
    if (r->code == ERR_OK && !header && r->count != r->header_count)
        fail_row(r, ERR_DATA, r->row_line, 0, "fields", r->count, r->header_count);
    if (r->code == ERR_OK) {
        for (size_t i = 0; i < r->count; i++)
            r->fields[i] = (const char *)r->text.data + r->starts[i];
        if (header)
            r->header_count = r->count;
        const struct sheet_row row = {r->row_line, header, r->count, r->fields};
        r->code = r->visit(r->ctx, &row, r->e);
    }
    r->text.len = 0;
    r->count = 0;
    r->row_line = r->line; /* a further row in the same chunk; else set anew before the next */
}

static void fail_quote(struct reading *r, int csv_code, bool at_end) {
    if (r->code != ERR_OK)
        return;
    int column = (int)r->count + 1;
    if (csv_code == CSV_ENOMEM || csv_code == CSV_ETOOBIG)
        r->code =
            error_at(r->e, ERR_NO_MEMORY, r->name, r->line, column, "no memory for this field");
    else if (at_end)
        r->code = error_at(r->e, ERR_DATA, r->name, r->row_line, column,
                           "found a quoted field that never ends, expected its closing '\"'");
    else
        r->code =
            error_at(r->e, ERR_DATA, r->name, r->line, column,
                     "found a '\"' or text beside one, expected quotes around the whole field and "
                     "\"\" for a quote inside");
}

static void read_lines(struct reading *r, struct csv_parser *parser, struct bytes text) {
    bool open = false;
    while (text.len > 0 && r->code == ERR_OK) {
        struct bytes chunk = bytes_of(text.data, line_len(text));
        r->line++;
        if (!open)
            r->row_line = r->line;
        r->row_ended = false;
        if (csv_parse(parser, chunk.data, chunk.len, on_field, on_row, r) != chunk.len)
            fail_quote(r, csv_error(parser), false);
        open = !r->row_ended && (open || !is_blank(chunk));
        text = bytes_of(text.data + chunk.len, text.len - chunk.len);
    }
    if (r->code == ERR_OK && csv_fini(parser, on_field, on_row, r) != 0)
        fail_quote(r, csv_error(parser), true);
    if (r->code == ERR_OK && r->header_count == 0)
        r->code = error_at(r->e, ERR_DATA, r->name, 0, 0,
                           "found no rows, expected a header line and rows");
}

enum err sheet_read(struct bytes text, const char *name, char delimiter, sheet_visit visit,
                    void *ctx, struct error *e) {
    text = skip_mark(text);
    enum err code = sheet_check_text(text, name, e);
    if (code == ERR_OK && delimiter == '\0')
        code = find_delimiter(text, name, &delimiter, e);
    if (code != ERR_OK)
        return code;
    struct reading *r = calloc(1, sizeof *r);
    struct csv_parser parser;
    if (!r || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(r);
        return error_set(e, ERR_NO_MEMORY, "no memory to read %.100s", name);
    }
    csv_set_delim(&parser, (unsigned char)delimiter);
    csv_set_blk_size(&parser, BLOCK_BYTES);
    r->name = name;
    r->visit = visit;
    r->ctx = ctx;
    r->e = e;
    buf_init(&r->text, SHEET_MAX_ROW);
    read_lines(r, &parser, text);
    code = r->code;
    csv_free(&parser);
    buf_done(&r->text);
    free(r);
    return code;
}
