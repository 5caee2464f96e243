/* Owns looking into what programs left on disk: copies of their directories and databases. Only of
 * programs that do not run: a daemon holds its database alone. Failures end the test. */
#ifndef PLEK_TEST_STORED_H
#define PLEK_TEST_STORED_H

#include <sqlite3.h>

#include "lab.h"

/* Copies every plain file of `from` into the new directory `to`, byte for byte (the write-ahead log
 * of a database that was killed too). */
void stored_copy(const char *from, const char *to);
/* Whether these bytes stand anywhere in a plain file of the directory; the same of a text. */
bool stored_holds(const char *dir, const void *data, size_t len);
bool stored_contains(struct lab *lab, const char *dir, const char *text);
/* The database, for reading and writing; the write-ahead log beside it is taken in. */
sqlite3 *stored_open(struct lab *lab, const char *dir, const char *file);
void stored_close(sqlite3 *db);
/* One statement without rows; how many rows it changed. */
int stored_change(struct lab *lab, const char *dir, const char *file, const char *sql);

#endif
