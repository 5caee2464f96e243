/* Owns what the programs of this folder share. They are plain programs, because Criterion does not
 * run under ThreadSanitizer, which they are made for (preset tsan); a data race there ends them
 * with a report and a status other than 0. Must not know what a program tries. */
#ifndef PLEK_TEST_THREADS_H
#define PLEK_TEST_THREADS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a promise is broken. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void thread_start(pthread_t *ret, void *(*run)(void *), void *ctx) {
    CHECK(pthread_create(ret, NULL, run, ctx) == 0);
}

static inline void thread_join(pthread_t thread) {
    CHECK(pthread_join(thread, NULL) == 0);
}

#endif
