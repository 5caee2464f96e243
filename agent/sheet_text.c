/* Owns the encodings of tables (see sheet_text.h). Must not know rows or fields. */
#include "sheet_text.h"

#include <string.h>

#define UTF8_GROWTH 3 /* a byte of Windows-1252 becomes at most so many */

static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};

/* Windows-1252 from 0x80 to 0x9F; 0 where nothing is assigned. The rest is as in Latin-1. */
static const uint16_t windows[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

void sheet_text_init(struct sheet_text *t, const char *name, enum sheet_encoding encoding) {
    *t = (struct sheet_text){.name = name, .encoding = encoding};
    buf_init(&t->line, (size_t)UTF8_GROWTH * SHEET_MAX_LINE);
}

void sheet_text_done(struct sheet_text *t) {
    buf_done(&t->line);
}

size_t sheet_line_len(struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n')
            return i + 1;
        if (text.data[i] == '\r')
            return i + 1 < text.len && text.data[i + 1] == '\n' ? i + 2 : i + 1;
    }
    return text.len;
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
    while (text.len > 0) {
        struct bytes front = bytes_of(text.data, sheet_line_len(text));
        line++;
        if (!utf8_valid(front))
            return error_at(
                e, ERR_DATA, name, line, bad_column(front),
                "found bytes that are not UTF-8, expected UTF-8 text: save the file as UTF-8");
        text = bytes_of(text.data + front.len, text.len - front.len);
    }
    return ERR_OK;
}

/* ---- one line ---- */

static bool is_ascii(struct bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] >= 0x80 || line.data[i] == 0)
            return false;
    }
    return true;
}

static bool begins(struct bytes line, const char *with, size_t len) {
    return line.len >= len && memcmp(line.data, with, len) == 0;
}

/* What people hand in when they mean a CSV file. */
static enum err other_kind(const struct sheet_text *t, struct bytes first, struct error *e) {
    if (begins(first, "\xFF\xFE", 2) || begins(first, "\xFE\xFF", 2))
        return error_at(e, ERR_DATA, t->name, 1, 1,
                        "found UTF-16 text, expected UTF-8 or Windows-1252: save the file as "
                        "\"CSV UTF-8\"");
    if (begins(first, "PK\x03\x04", 4) || begins(first, "\xD0\xCF\x11\xE0", 4))
        return error_at(e, ERR_DATA, t->name, 1, 1,
                        "found a workbook or an archive, expected text: open it and save it as "
                        "\"CSV UTF-8\"");
    return ERR_OK;
}

static enum err convert(struct sheet_text *t, int number, struct bytes line, struct bytes *ret,
                        struct error *e) {
    t->line.len = 0;
    for (size_t i = 0; i < line.len; i++) {
        uint32_t c = line.data[i] >= 0x80 && line.data[i] < 0xA0 ? windows[line.data[i] - 0x80]
                                                                 : line.data[i];
        if (c == 0)
            return error_at(e, ERR_DATA, t->name, number, (int)i + 1,
                            "found byte 0x%02X, which is no character of Windows-1252: save the "
                            "file as UTF-8",
                            line.data[i]);
        if (c >= 0x800)
            buf_append_u8(&t->line, (uint8_t)(0xE0 | (c >> 12)));
        if (c >= 0x80)
            buf_append_u8(&t->line,
                          (uint8_t)(c >= 0x800 ? 0x80 | ((c >> 6) & 0x3F) : 0xC0 | (c >> 6)));
        buf_append_u8(&t->line, (uint8_t)(c >= 0x80 ? 0x80 | (c & 0x3F) : c));
    }
    *ret = buf_bytes(&t->line);
    return buf_failed(&t->line, e);
}

static enum err not_utf8(const struct sheet_text *t, int number, struct bytes line,
                         struct error *e) {
    if (t->decided > 0)
        return error_at(e, ERR_DATA, t->name, number, bad_column(line),
                        "found bytes that are not UTF-8, but line %d is UTF-8: save the whole file "
                        "in one encoding, or name it as \"encoding\" in the profile",
                        t->decided);
    return error_at(e, ERR_DATA, t->name, number, bad_column(line),
                    "found bytes that are not UTF-8, expected UTF-8 text: save the file as UTF-8, "
                    "or give the profile \"encoding\": \"windows-1252\"");
}

/* In Windows-1252 such a line is legal, but hardly ever meant: two encodings in one file. */
static enum err mixed(const struct sheet_text *t, int number, struct error *e) {
    return error_at(e, ERR_DATA, t->name, number, 0,
                    "found UTF-8 text, but line %d is Windows-1252: save the whole file in one "
                    "encoding, or name it as \"encoding\" in the profile",
                    t->decided);
}

enum err sheet_text_line(struct sheet_text *t, int number, struct bytes line, struct bytes *ret,
                         struct error *e) {
    enum err code = number == 1 ? other_kind(t, line, e) : ERR_OK;
    if (code != ERR_OK)
        return code;
    if (number == 1 && begins(line, (const char *)mark, sizeof mark)) {
        line = bytes_of(line.data + sizeof mark, line.len - sizeof mark);
        t->encoding = SHEET_UTF8; /* whatever was said: nothing else begins like this */
    }
    *ret = line;
    if (is_ascii(line))
        return ERR_OK;
    const uint8_t *nul = memchr(line.data, 0, line.len);
    if (nul)
        return error_at(e, ERR_DATA, t->name, number, bad_column(line),
                        "found a NUL byte, expected UTF-8 or Windows-1252 text");
    bool utf8 = utf8_valid(line);
    if (t->encoding == SHEET_DETECT) {
        t->encoding = utf8 ? SHEET_UTF8 : SHEET_WINDOWS_1252;
        t->decided = number;
    }
    if (t->encoding == SHEET_UTF8)
        return utf8 ? ERR_OK : not_utf8(t, number, line, e);
    return utf8 && t->decided > 0 ? mixed(t, number, e) : convert(t, number, line, ret, e);
}
