/* Owns the failing allocators (see memory.h). Must not allocate itself. */
#include "memory.h"

#include <execinfo.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_memory.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool armed, paused, on_and_on;
static uint64_t left, failed;
static sqlite3_mem_methods real_sqlite;

static bool ends(void) {
    if (!armed || paused || (left > 0 && --left > 0))
        return false;
    if (failed > 0 && !on_and_on)
        return false;
    failed++;
    if (getenv("PLEK_FAULT_TRACE")) { /* where it was, to look into a finding */
        void *frames[24];
        backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
        fprintf(stderr, "--\n");
    }
    return true;
}

void *__wrap_malloc(size_t size) {
    return ends() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return ends() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return ends() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size) {
    return ends() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text) {
    return ends() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **ret, const char *fmt, ...) {
    if (ends()) {
        *ret = NULL;
        return -1;
    }
    va_list list;
    va_start(list, fmt);
    int n = vasprintf(ret, fmt, list);
    va_end(list);
    return n;
}

static void *sqlite_malloc(int size) {
    return ends() ? NULL : real_sqlite.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size) {
    return ends() ? NULL : real_sqlite.xRealloc(old, size);
}

void memory_init(void) {
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_sqlite);
    sqlite3_mem_methods methods = real_sqlite;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    /* SQLite's own small store of memory would hide most of its allocations. */
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    json_watch();
}

void memory_arm(uint64_t nth, bool on) {
    armed = true;
    paused = false;
    on_and_on = on;
    left = nth;
    failed = 0;
}

void memory_pause(bool now) {
    paused = now;
}

uint64_t memory_failed(void) {
    return failed;
}

uint64_t memory_disarm(void) {
    armed = paused = false;
    return failed;
}
