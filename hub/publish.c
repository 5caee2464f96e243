/* Owns the way from sums to what is published (see publish.h). The rule is published.c's. */
#include "publish.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "published.h"
#include "span.h"

#define KEY_DOMAIN "plek/1/published"

/* A contribution of a service on a day. */
struct note {
    size_t service, day;
    struct published_part part;
};
struct notes {
    uint8_t key[32];
    struct note *items;
    size_t count, cap;
    const struct charter *charter;
};

/* A cell with what was, or now is, shown of it. */
struct entry_of {
    struct published_part *parts; /* owned */
    bool shown;
    int64_t published_ms;
    struct cell figure;
};
/* The cells of one service and day, by region. */
struct board {
    struct published_cell *cells;
    struct entry_of *entries;
    size_t count, cap;
};

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory to publish");
}

/* ---- contributions ---- */

/* Of the hub's own key, so that a copy of the store names nobody. */
static void make_key(const struct hub *hub, uint8_t key[static 32]) {
    crypto_generichash(key, 32, (const uint8_t *)KEY_DOMAIN, strlen(KEY_DOMAIN), hub->keys.box_seed,
                       SEED_LEN);
}

static enum err take_note(void *ctx, const struct public_key *member, const char *region,
                          size_t day, const struct cell *part, struct error *e) {
    const struct span_part *from = ctx;
    struct notes *to = from->ctx;
    if (region[0] == '\0' || !part->low.known)
        return ERR_OK;
    struct note *items = array_grow(to->items, to->count, &to->cap, sizeof *items);
    if (items == NULL)
        return no_memory(e);
    to->items = items;
    struct note note = {.service = (size_t)(from->service - to->charter->services), .day = day};
    int64_t what[7] = {part->low.value, part->high.value, part->high.known, part->open_ended};
    memcpy(note.part.region, region, strlen(region));
    crypto_generichash(note.part.who, PUBLISHED_DIGEST_LEN, member->b, KEY_LEN, to->key, 32);
    memcpy(&what[4], note.part.who, PUBLISHED_DIGEST_LEN);
    crypto_generichash(note.part.what, PUBLISHED_DIGEST_LEN, (const uint8_t *)what, sizeof what,
                       to->key, 32);
    to->items[to->count++] = note;
    return ERR_OK;
}

/* The contributions to one service and day, sorted; caller frees. */
static enum err gather(const struct notes *notes, size_t service, size_t day,
                       struct published_part **ret, size_t *ret_count, struct error *e) {
    struct published_part *parts = calloc(notes->count + 1, sizeof *parts);
    size_t count = 0;
    if (parts == NULL)
        return no_memory(e);
    for (size_t i = 0; i < notes->count; i++)
        if (notes->items[i].service == service && notes->items[i].day == day)
            parts[count++] = notes->items[i].part;
    published_sort(parts, count);
    *ret = parts;
    *ret_count = count;
    return ERR_OK;
}

/* ---- the board ---- */

static void board_done(struct board *b) {
    for (size_t i = 0; i < b->count; i++)
        free(b->entries[i].parts);
    free(b->cells);
    free(b->entries);
    *b = (struct board){.count = 0};
}

static enum err board_grow(struct board *b, struct error *e) {
    size_t cap = b->cap > 0 ? b->cap * 2 : 16;
    struct published_cell *cells = reallocarray(b->cells, cap, sizeof *cells);
    if (cells == NULL)
        return no_memory(e);
    b->cells = cells;
    struct entry_of *entries = reallocarray(b->entries, cap, sizeof *entries);
    if (entries == NULL)
        return no_memory(e);
    b->entries = entries;
    b->cap = cap;
    return ERR_OK;
}

/* Finds or adds; *ret is good until the next call. */
static enum err board_cell(struct board *b, const char *region, size_t *ret, struct error *e) {
    size_t at = 0;
    while (at < b->count && strcmp(b->cells[at].region, region) < 0)
        at++;
    *ret = at;
    if (at < b->count && strcmp(b->cells[at].region, region) == 0)
        return ERR_OK;
    enum err err = b->count == b->cap ? board_grow(b, e) : ERR_OK;
    if (err != ERR_OK)
        return err;
    memmove(&b->cells[at + 1], &b->cells[at], (b->count - at) * sizeof *b->cells);
    memmove(&b->entries[at + 1], &b->entries[at], (b->count - at) * sizeof *b->entries);
    b->cells[at] = (struct published_cell){.known = false};
    b->entries[at] = (struct entry_of){.parts = NULL};
    memcpy(b->cells[at].region, region, strlen(region) + 1);
    b->count++;
    return ERR_OK;
}

static enum err load_cell(void *ctx, const struct store_published *p, struct error *e) {
    struct board *b = ctx;
    size_t at = 0;
    if (strlen(p->region) > REGION_MAX || p->parts.len % sizeof(struct published_part) != 0)
        return error_set(e, ERR_STORE, "hub.db: a row of 'published' is damaged; restore a backup");
    enum err err = board_cell(b, p->region, &at, e);
    if (err != ERR_OK)
        return err;
    struct published_part *parts = calloc(1, p->parts.len + 1);
    if (parts == NULL)
        return no_memory(e);
    if (p->parts.len > 0)
        memcpy(parts, p->parts.data, p->parts.len);
    b->entries[at] = (struct entry_of){parts, p->shown, p->published_ms, p->cell};
    b->cells[at].known = true;
    b->cells[at].parts = parts;
    b->cells[at].count = p->parts.len / sizeof *parts;
    return ERR_OK;
}

static enum err load_board(struct hub *hub, const char *service, int64_t day,
                           const struct published_part *fresh, size_t count, struct board *b,
                           struct error *e) {
    size_t at = 0;
    enum err err = board_cell(b, "", &at, e);
    if (err == ERR_OK)
        err = store_published(hub->store, service, day, load_cell, b, e);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        if (strcmp(fresh[i].region, DAYS_NOWHERE) != 0)
            err = board_cell(b, fresh[i].region, &at, e);
    return err;
}

/* ---- one service, one day ---- */

struct publishing {
    struct hub *hub;
    const struct publish_query *query;
    const struct span *span;
    const struct notes *notes;
    int64_t now_ms;
};
struct at {
    size_t service, day;
};

static int64_t key_day(const struct publishing *p, size_t day) {
    return p->query->moment ? STORE_NOW : p->query->first_day + (int64_t)day;
}

/* Available, how many members it stands for, and of the whole network its coverage. */
static struct cell figure_of(const struct span *s, struct at at, const char *region) {
    struct cell cell = {.members = 0};
    const struct days *days = s->services[at.service];
    for (size_t r = 0; r < days_region_count(days); r++)
        if (strcmp(days_region(days, r), region) == 0)
            cell = span_cell(s, at.service, r, at.day);
    struct cell figure = {.low = cell.low, .high = cell.high, .open_ended = cell.open_ended};
    if (region[0] != '\0')
        return figure;
    figure.current = cell.current;
    figure.expired = cell.expired;
    figure.never = cell.never;
    return figure;
}

static int64_t count_members(const struct published_part *parts, size_t count) {
    int64_t members = 0;
    for (size_t i = 0; i < count; i++) {
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = memcmp(parts[k].who, parts[i].who, PUBLISHED_DIGEST_LEN) == 0;
        members += !again;
    }
    return members;
}

static enum err keep_cell(const struct publishing *p, struct at at, struct board *b, size_t i,
                          const struct published_part *fresh, size_t count, struct error *e) {
    const struct charter_service *service = &p->span->charter->services[at.service];
    size_t from = 0, to = count;
    const char *region = b->cells[i].region;
    struct store_published row = {.service = service->code,
                                  .day = key_day(p, at.day),
                                  .region = region,
                                  .published_ms = p->now_ms};
    if (b->cells[i].verdict == PUBLISHED_KEEP)
        return ERR_OK;
    b->entries[i].shown = b->cells[i].verdict == PUBLISHED_SHOW;
    if (b->cells[i].verdict == PUBLISHED_HIDE)
        return store_hide_published(p->hub->store, &row, e);
    if (region[0] != '\0') {
        while (from < count && strcmp(fresh[from].region, region) != 0)
            from++;
        for (to = from; to < count && strcmp(fresh[to].region, region) == 0;)
            to++;
    }
    row.cell = figure_of(p->span, at, region);
    row.cell.members = count_members(fresh + from, to - from);
    row.parts = bytes_of((const uint8_t *)(fresh + from), (to - from) * sizeof *fresh);
    b->entries[i].figure = row.cell;
    b->entries[i].published_ms = p->now_ms;
    return store_put_published(p->hub->store, &row, e);
}

static enum err decide(const struct publishing *p, struct at at, struct board *b, struct error *e) {
    const struct charter *charter = p->span->charter;
    struct published_part *fresh = NULL;
    size_t count = 0;
    enum err err = gather(p->notes, at.service, at.day, &fresh, &count, e);
    if (err == ERR_OK)
        err = load_board(p->hub, charter->services[at.service].code, key_day(p, at.day), fresh,
                         count, b, e);
    if (err == ERR_OK)
        err = published_decide(charter->k, fresh, count, b->cells, b->count, e);
    for (size_t i = 0; i < b->count && err == ERR_OK; i++)
        err = keep_cell(p, at, b, i, fresh, count, e);
    free(fresh);
    return err;
}

/* ---- rows ---- */

static enum err add_row(const struct publishing *p, struct at at, const struct board *b, size_t i,
                        bool final, json_t *rows, struct error *e) {
    const struct charter *charter = directory_charter(p->hub->directory);
    const struct charter_service *service = &charter->services[at.service];
    const struct entry_of *entry = &b->entries[i];
    const char *region = b->cells[i].region;
    char day[TEXT_DAY_SIZE], time[TEXT_TIME_SIZE];
    const struct cell nothing = {.members = 0};
    const struct cell_name name = {.day = text_day(p->query->first_day + (int64_t)at.day, day),
                                   .service = service->code,
                                   .region = region,
                                   .decimals = service->decimals,
                                   .open = p->query->moment,
                                   .final = final};
    static const char *const coverage[] = {"sites_current", "sites_expired", "sites_never"};
    json_t *row = cell_json(entry->shown ? &entry->figure : &nothing, &name);
    if (row == NULL)
        return no_memory(e);
    json_object_set_new(row, "suppressed", json_boolean(!entry->shown));
    json_object_set_new(row, "published_at",
                        entry->shown ? json_string(text_time(entry->published_ms, time))
                                     : json_null());
    if (!entry->shown)
        json_object_set_new(row, "members", json_null());
    for (size_t c = 0; c < 3 && (!entry->shown || region[0] != '\0'); c++)
        json_object_set_new(row, coverage[c], json_null());
    return json_array_append_new(rows, row) == 0 ? ERR_OK : no_memory(e);
}

static enum err add_rows(const struct publishing *p, struct at at, const struct board *b,
                         bool final, json_t *rows, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < b->count && err == ERR_OK; i++)
        err = add_row(p, at, b, i, final, rows, e);
    return err;
}

static bool is_final(const struct publish_query *query, size_t day) {
    return query->final != NULL && query->final[day];
}

static enum err show_one(const struct publishing *p, struct at at, json_t *rows, struct error *e) {
    const struct charter *charter = directory_charter(p->hub->directory);
    struct board b = {.count = 0};
    enum err err =
        load_board(p->hub, charter->services[at.service].code, key_day(p, at.day), NULL, 0, &b, e);
    if (err == ERR_OK && rows != NULL)
        err = add_rows(p, at, &b, is_final(p->query, at.day), rows, e);
    board_done(&b);
    return err;
}

static enum err publish_one(const struct publishing *p, struct at at, json_t *rows,
                            struct error *e) {
    struct board b = {.count = 0};
    if (is_final(p->query, at.day))
        return show_one(p, at, rows, e);
    enum err err = decide(p, at, &b, e);
    if (err == ERR_OK && rows != NULL)
        err = add_rows(p, at, &b, false, rows, e);
    board_done(&b);
    return err;
}

enum err publish_days(struct hub *hub, const struct publish_query *query, int64_t now_ms,
                      json_t *rows, struct error *e) {
    const struct charter *charter = directory_charter(hub->directory);
    struct notes notes = {.charter = charter};
    struct span span = {.charter = NULL};
    const struct span_query asked = {.first_day = query->first_day,
                                     .count = query->count,
                                     .now_ms = query->moment ? now_ms : 0,
                                     .service = query->service,
                                     .visit = take_note,
                                     .ctx = &notes};
    struct publishing p = {hub, query, &span, &notes, now_ms};
    make_key(hub, notes.key);
    enum err err = span_read(hub, &asked, &span, e);
    for (size_t day = 0; day < query->count; day++)
        for (size_t i = 0; i < charter->service_count && err == ERR_OK; i++)
            if (span.services[i] != NULL)
                err = publish_one(&p, (struct at){i, day}, rows, e);
    span_done(&span);
    free(notes.items);
    sodium_memzero(notes.key, sizeof notes.key);
    return err;
}

enum err publish_last(struct hub *hub, const struct publish_query *query, json_t *rows,
                      struct error *e) {
    const struct charter *charter = directory_charter(hub->directory);
    const struct publishing p = {.hub = hub, .query = query};
    enum err err = ERR_OK;
    for (size_t day = 0; day < query->count; day++)
        for (size_t i = 0; i < charter->service_count && err == ERR_OK; i++)
            if (query->service == NULL || strcmp(query->service, charter->services[i].code) == 0)
                err = show_one(&p, (struct at){i, day}, rows, e);
    return err;
}
