/* Owns reading the published figures (published.h). Must not know what a test does with them. */
#include "published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 30000
#define COLUMNS_MAX 32

static int column_of(char *const *fields, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(fields[i], name) == 0)
            return i;
    cr_assert_fail("the published file has no column %s", name);
    return -1;
}

/* The published files quote nothing. */
static int split(char *line, char **fields) {
    int count = 0;
    char *rest = line;
    for (char *field; (field = strsep(&rest, ",")) && count < COLUMNS_MAX;)
        fields[count++] = field;
    return count;
}

static int64_t number(const char *text) {
    return strcmp(text, "NA") == 0 ? -1 : strtoll(text, NULL, 10);
}

/* False at the end. */
static bool next_line(FILE *file, char *line, int size) {
    if (!fgets(line, size, file))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

struct published published_read(const char *path) {
    static const char *const wanted[] = {"datum",
                                         "bundesland_name",
                                         "intensivbetten_frei",
                                         "intensivbetten_belegt",
                                         "intensivbetten_7_tage_notfallreserve",
                                         "behandlungsgruppe"};
    struct published p = {.rows = calloc(ROWS_MAX, sizeof *p.rows)};
    char line[4096], copy[4096], *fields[COLUMNS_MAX];
    int at[6];
    FILE *file = fopen(path, "re");
    cr_assert(file && p.rows && next_line(file, line, sizeof line), "cannot read %s", path);
    p.header = strdup(line);
    int columns = split(line, fields);
    for (int i = 0; i < 6; i++)
        at[i] = column_of(fields, columns, wanted[i]);
    while (next_line(file, line, sizeof line)) {
        cr_assert_lt(p.count, ROWS_MAX);
        memcpy(copy, line, sizeof copy);
        cr_assert_eq(split(line, fields), columns);
        if (strcmp(fields[at[5]], "Erwachsene") != 0)
            continue;
        struct published_row *row = &p.rows[p.count++];
        snprintf(row->day, sizeof row->day, "%s", fields[at[0]]);
        snprintf(row->place, sizeof row->place, "%s", fields[at[1]]);
        row->free = number(fields[at[2]]);
        row->occupied = number(fields[at[3]]);
        row->reserve = number(fields[at[4]]);
        row->text = strdup(copy);
    }
    fclose(file);
    return p;
}

void published_free(struct published *p) {
    for (size_t i = 0; i < p->count; i++)
        free(p->rows[i].text);
    free(p->rows);
    free(p->header);
    *p = (struct published){0};
}

const struct published_row *published_row(const struct published *p, const char *day,
                                          const char *place) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].day, day) == 0 && (!place || strcmp(p->rows[i].place, place) == 0))
            return &p->rows[i];
    cr_assert_fail("nothing was published for %s on %s", place ? place : "the nation", day);
    return NULL;
}

void published_places(const struct published *p, char ret[][40]) {
    size_t count = 0;
    for (size_t i = 0; i < p->count && strcmp(p->rows[i].day, p->rows[0].day) == 0; i++) {
        cr_assert_lt(count, PUBLISHED_STATES);
        memcpy(ret[count++], p->rows[i].place, sizeof p->rows[i].place);
    }
    cr_assert_eq(count, PUBLISHED_STATES);
}

void published_cut(const struct published *p, size_t first, size_t step, size_t count,
                   const char *path) {
    FILE *out = fopen(path, "we");
    cr_assert(out, "cannot write %s", path);
    fprintf(out, "%s\n", p->header);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\n", p->rows[first + i * step].text);
    cr_assert_eq(fclose(out), 0);
}

bool published_find(struct lab *lab, const char **ret_states, const char **ret_nation) {
    const char *given = getenv("PLEK_DIVI_DIR");
    const char *dir = given ? given : PLEK_SOURCE_DIR "/../shared/data/divi";
    *ret_states = lab_text(lab, "%s/Intensivregister_Bundeslaender_Kapazitaeten.csv", dir);
    *ret_nation = lab_text(lab, "%s/Intensivregister_Deutschland_Kapazitaeten.csv", dir);
    return access(*ret_states, R_OK) == 0 && access(*ret_nation, R_OK) == 0;
}
