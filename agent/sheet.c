/* Owns reading CSV: lines, quotes and fields (see sheet.h). libcsv finds the fields; the physical
 * line each row begins in is kept here, because libcsv does not know it.
 * Must not know what a column means. */
#include "sheet.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLOCK_BYTES 4096 /* what libcsv grows its field buffer by */

_Static_assert(SHEET_MAX_LINE <= SHEET_MAX_ROW, "a line that fits is a row that fits");

struct sheet {
    struct sheet_config config;
    struct sheet_text text;
    struct csv_parser parser;
    struct error error;   /* the first one; sticky */
    struct buf line_open; /* the front of a line whose end has not come */
    int line;             /* of the physical line that is being read */
    int row_line;         /* where the open row began */
    size_t row_bytes;     /* of the open row so far */
    bool row_open;        /* a quoted field goes on in the next line */
    bool row_ended;       /* in this line */
    size_t header_count;  /* 0: the header is still to come */
    struct buf row;       /* the open row's fields, NUL after each */
    size_t starts[SHEET_MAX_COLUMNS];
    const char *fields[SHEET_MAX_COLUMNS];
    size_t count;
};

static bool failed(const struct sheet *s) {
    return s->error.code != ERR_OK;
}

static enum err outcome(const struct sheet *s, struct error *e) {
    if (failed(s) && e)
        *e = s->error;
    return s->error.code;
}

/* ---- the delimiter ---- */

static bool is_blank(struct bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr(" \t\r\n", line.data[i]))
            return false;
    }
    return true;
}

/* A first line "sep=;", which spreadsheets write and read, is about the table and no part of it. */
static bool take_sep(struct sheet *s, struct bytes line) {
    while (line.len > 0 && strchr("\r\n", line.data[line.len - 1]))
        line.len--;
    if (line.len >= 2 && line.data[0] == '"' && line.data[line.len - 1] == '"')
        line = bytes_of(line.data + 1, line.len - 2);
    if (line.len < 4 || strncasecmp((const char *)line.data, "sep=", 4) != 0)
        return false;
    char delimiter = line.len == 5 ? (char)line.data[4] : '\0';
    if (delimiter == ',' || delimiter == ';' || delimiter == '\t')
        s->config.delimiter = delimiter;
    else
        error_at(&s->error, ERR_DATA, s->config.name, s->line, 5,
                 "found sep= without a delimiter that is known here, expected sep=; or sep=, or "
                 "sep= and a tab");
    return true;
}

static void find_delimiter(struct sheet *s, struct bytes header) {
    static const char candidates[] = ";,\t";
    size_t counts[3] = {0};
    bool quoted = false;
    for (size_t i = 0; i < header.len; i++) {
        const char *at = header.data[i] ? strchr(candidates, header.data[i]) : NULL;
        quoted ^= header.data[i] == '"';
        if (at && !quoted)
            counts[at - candidates]++;
    }
    int kinds = 0;
    s->config.delimiter = ',';
    for (size_t i = 0; i < 3; i++) {
        kinds += counts[i] > 0;
        if (counts[i] > 0)
            s->config.delimiter = candidates[i];
    }
    if (kinds > 1)
        error_at(&s->error, ERR_DATA, s->config.name, s->line, 0,
                 "found both %s and %s in the header, expected one of them between the columns: "
                 "name it as \"delimiter\" in the profile",
                 counts[0] ? "';'" : "','", counts[2] ? "tabs" : "','");
}

/* ---- rows ---- */

static void fail_row(struct sheet *s, enum err code, int column, const char *what, size_t found,
                     size_t expected) {
    if (!failed(s))
        error_at(&s->error, code, s->config.name, s->row_line, column,
                 "found %zu %s, expected %s %zu", found, what,
                 code == ERR_TOO_LARGE ? "at most" : "as in the header,", expected);
}

static void on_field(void *field, size_t len, void *data) {
    struct sheet *s = data;
    int column = (int)s->count + 1;
    if (failed(s))
        return;
    if (s->count == SHEET_MAX_COLUMNS) {
        fail_row(s, ERR_TOO_LARGE, column, "or more columns", s->count + 1, SHEET_MAX_COLUMNS);
    } else if (len > SHEET_MAX_FIELD) {
        fail_row(s, ERR_TOO_LARGE, column, "bytes in a field", len, SHEET_MAX_FIELD);
    } else {
        s->starts[s->count++] = s->row.len;
        buf_append(&s->row, field, len);
        buf_append_u8(&s->row, 0);
        if (s->row.failed != ERR_OK)
            error_at(&s->error, s->row.failed, s->config.name, s->row_line, column,
                     "the row is larger than %d bytes", SHEET_MAX_ROW);
    }
}

static void on_row(int end, void *data) {
    (void)end;
    struct sheet *s = data;
    s->row_ended = true;
    bool header = s->header_count == 0;
    if (!header && s->count != s->header_count)
        fail_row(s, ERR_DATA, 0, "fields", s->count, s->header_count);
    if (!failed(s)) {
        for (size_t i = 0; i < s->count; i++)
            s->fields[i] = (const char *)s->row.data + s->starts[i];
        if (header)
            s->header_count = s->count;
        const struct sheet_row row = {s->row_line, header, s->count, s->fields};
        s->error.code = s->config.visit(s->config.ctx, &row, &s->error);
    }
    s->row.len = 0;
    s->count = 0;
    s->row_line = s->line; /* a further row in the same line; else set anew before the next */
}

static void fail_quote(struct sheet *s, int csv_code, bool at_end) {
    if (failed(s))
        return;
    int column = (int)s->count + 1;
    if (csv_code == CSV_ENOMEM || csv_code == CSV_ETOOBIG)
        error_at(&s->error, ERR_NO_MEMORY, s->config.name, s->line, column,
                 "no memory for this field");
    else if (at_end)
        error_at(&s->error, ERR_DATA, s->config.name, s->row_line, column,
                 "found a quoted field that never ends, expected its closing '\"'");
    else
        error_at(&s->error, ERR_DATA, s->config.name, s->line, column,
                 "found a '\"' or text beside one, expected quotes around the whole field and \"\" "
                 "for a quote inside");
}

/* ---- lines ---- */

/* True when the line is about the table, or blank in front of the header: no part of a row. */
static bool take_front(struct sheet *s, struct bytes line) {
    if (s->header_count > 0 || s->row_open)
        return false;
    if (s->line == 1 && take_sep(s, line))
        return true;
    if (is_blank(line))
        return true;
    if (s->config.delimiter == '\0')
        find_delimiter(s, line);
    csv_set_delim(&s->parser, (unsigned char)s->config.delimiter);
    return failed(s);
}

/* libcsv keeps an open field in memory: a quote that never ends must not fill it. */
static void check_open_row(struct sheet *s, size_t line_bytes) {
    s->row_bytes = s->row_open ? s->row_bytes + line_bytes : 0;
    if (s->row_bytes > SHEET_MAX_ROW && !failed(s))
        error_at(&s->error, ERR_TOO_LARGE, s->config.name, s->row_line, (int)s->count + 1,
                 "found a row of more than %d bytes: is a closing '\"' missing?", SHEET_MAX_ROW);
}

static void read_line(struct sheet *s, struct bytes raw) {
    struct bytes line;
    if (s->line == SHEET_MAX_LINES) {
        error_at(&s->error, ERR_TOO_LARGE, s->config.name, s->line, 0,
                 "found more than %d lines: split the file", SHEET_MAX_LINES);
        return;
    }
    s->line++;
    s->error.code = sheet_text_line(&s->text, s->line, raw, &line, &s->error);
    if (failed(s) || take_front(s, line))
        return;
    if (!s->row_open)
        s->row_line = s->line;
    s->row_ended = false;
    if (csv_parse(&s->parser, line.data, line.len, on_field, on_row, s) != line.len)
        fail_quote(s, csv_error(&s->parser), false);
    s->row_open = !s->row_ended && (s->row_open || !is_blank(line));
    check_open_row(s, line.len);
}

static bool keep_front(struct sheet *s, struct bytes front) {
    buf_append(&s->line_open, front.data, front.len);
    if (s->line_open.failed != ERR_OK)
        error_at(&s->error, s->line_open.failed, s->config.name, s->line + 1, 0,
                 "the line is longer than %d bytes", SHEET_MAX_LINE);
    return !failed(s);
}

static bool ends_in_cr(struct bytes line) {
    return line.len > 0 && line.data[line.len - 1] == '\r';
}

/* Takes the next whole line off the front of the piece; false: its end has not come. A CR at the
 * very end may be half of a CRLF. */
static bool next_line(struct sheet *s, struct bytes *piece, struct bytes *ret) {
    bool half = ends_in_cr(buf_bytes(&s->line_open));
    size_t len = half ? (size_t)(piece->data[0] == '\n') : sheet_line_len(*piece);
    struct bytes front = bytes_of(piece->data, len);
    bool whole =
        half || (len > 0 && front.data[len - 1] == '\n') || (ends_in_cr(front) && len < piece->len);
    *piece = bytes_of(piece->data + len, piece->len - len);
    if (whole && s->line_open.len == 0 && len <= SHEET_MAX_LINE) {
        *ret = front;
        return true;
    }
    if (!keep_front(s, front))
        return false;
    *ret = buf_bytes(&s->line_open);
    return whole;
}

enum err sheet_feed(struct sheet *s, struct bytes piece, struct error *e) {
    struct bytes line;
    while (!failed(s) && piece.len > 0) {
        if (!next_line(s, &piece, &line))
            continue;
        read_line(s, line);
        s->line_open.len = 0;
    }
    return outcome(s, e);
}

enum err sheet_end(struct sheet *s, struct error *e) {
    if (!failed(s) && s->line_open.len > 0)
        read_line(s, buf_bytes(&s->line_open));
    s->line_open.len = 0;
    if (!failed(s) && csv_fini(&s->parser, on_field, on_row, s) != 0)
        fail_quote(s, csv_error(&s->parser), true);
    if (!failed(s) && s->header_count == 0)
        error_at(&s->error, ERR_DATA, s->config.name, 0, 0,
                 "found no rows, expected a header line and rows");
    return outcome(s, e);
}

/* ---- the whole ---- */

enum err sheet_open(const struct sheet_config *config, struct sheet **ret, struct error *e) {
    struct sheet *s = calloc(1, sizeof *s);
    if (!s || csv_init(&s->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(s);
        return error_set(e, ERR_NO_MEMORY, "no memory to read %.100s", config->name);
    }
    s->config = *config;
    sheet_text_init(&s->text, config->name, config->encoding);
    csv_set_blk_size(&s->parser, BLOCK_BYTES);
    buf_init(&s->line_open, SHEET_MAX_LINE);
    buf_init(&s->row, SHEET_MAX_ROW);
    *ret = s;
    return ERR_OK;
}

void sheet_close(struct sheet *s) {
    if (!s)
        return;
    csv_free(&s->parser);
    sheet_text_done(&s->text);
    buf_done(&s->line_open);
    buf_done(&s->row);
    free(s);
}

enum err sheet_read(struct bytes text, const struct sheet_config *config, struct error *e) {
    struct sheet *s = NULL;
    enum err code = sheet_open(config, &s, e);
    if (code == ERR_OK)
        code = sheet_feed(s, text, e);
    if (code == ERR_OK)
        code = sheet_end(s, e);
    sheet_close(s);
    return code;
}
