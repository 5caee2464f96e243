/* Owns which characters a table's bytes are: UTF-8 or Windows-1252, said or found out line by line.
 * Must not know rows or fields. */
#ifndef PLEK_AGENT_SHEET_TEXT_H
#define PLEK_AGENT_SHEET_TEXT_H

#include "bytes.h"

#define SHEET_MAX_LINE (1024 * 1024) /* bytes of a physical line */

/* DETECT: the first line that is not plain ASCII decides, and all others have to agree with it. */
enum sheet_encoding { SHEET_DETECT, SHEET_UTF8, SHEET_WINDOWS_1252 };

struct sheet_text {
    const char *name;
    enum sheet_encoding encoding; /* said, or found */
    int decided;                  /* the line that decided; 0: said, or none yet */
    struct buf line;              /* a converted line */
};
void sheet_text_init(struct sheet_text *t, const char *name, enum sheet_encoding encoding);
void sheet_text_done(struct sheet_text *t);
/* The line as UTF-8: itself, or converted and borrowed until the next call. `number` counts from 1;
 * line 1 loses its byte order mark. ERR_DATA with line and column (in characters): not in the
 * encoding, a line that contradicts the one that decided, a NUL, another kind of file. */
enum err sheet_text_line(struct sheet_text *t, int number, struct bytes line, struct bytes *ret,
                         struct error *e) MUST_USE;
/* How long the line at the front is, its end (CRLF, LF or CR) included. */
size_t sheet_line_len(struct bytes text);
/* ERR_DATA with line and column (in characters) of what is not UTF-8. */
enum err sheet_check_text(struct bytes text, const char *name, struct error *e) MUST_USE;

#endif
