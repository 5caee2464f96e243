/* Owns Jansson's allocator (see json_memory.h). What it gives can be freed by free(), as callers do
 * with json_dumps. Must not know any format. */
#include "json_memory.h"

#include <setjmp.h>
#include <stdlib.h>

#include "array.h"

/* A reading that is under way, and all that it made and did not free. */
struct reading {
    jmp_buf given_up;
    void **list;
    size_t count, room;
};

static _Thread_local uint64_t failures;
static _Thread_local struct reading *reading; /* NULL: none */

static bool note(struct reading *r, void *memory) {
    void **list = array_grow(r->list, r->count, &r->room, sizeof *list);
    if (list == NULL)
        return false;
    r->list = list;
    r->list[r->count++] = memory;
    return true;
}

/* The newest first: most live briefly. */
static void forget(struct reading *r, const void *memory) {
    for (size_t i = r->count; i-- > 0;) {
        if (r->list[i] != memory)
            continue;
        r->list[i] = r->list[--r->count];
        return;
    }
}

static void *watched_alloc(size_t size) {
    void *memory = malloc(size);
    if (memory != NULL && (reading == NULL || note(reading, memory)))
        return memory;
    free(memory);
    failures++;
    if (reading != NULL)
        longjmp(reading->given_up, 1);
    return NULL;
}

static void watched_free(void *memory) {
    if (reading != NULL && memory != NULL)
        forget(reading, memory);
    free(memory);
}

void json_watch(void) {
    json_set_alloc_funcs(watched_alloc, watched_free);
}

uint64_t json_failures(void) {
    return failures;
}

json_t *json_read(struct bytes text, size_t flags, json_error_t *ret_fault, bool *ret_no_memory) {
    struct reading r = {.list = NULL};
    const char *start = text.len > 0 ? (const char *)text.data : "";
    if (setjmp(r.given_up) != 0) {
        struct reading *left = reading;
        reading = NULL;
        for (size_t i = 0; i < left->count; i++)
            free(left->list[i]);
        free(left->list);
        *ret_no_memory = true;
        return NULL;
    }
    reading = &r;
    json_t *value = json_loadb(start, text.len, flags, ret_fault);
    reading = NULL;
    free(r.list);
    *ret_no_memory = value == NULL && json_error_code(ret_fault) == json_error_out_of_memory;
    return value;
}
