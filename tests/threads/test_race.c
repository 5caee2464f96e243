/* A race on purpose: ctest expects this program to fail. Shows that a report really fails a program
 * here, so that the others' silence means something. Only built with ThreadSanitizer. */
#include "threads.h"

static int shared;

static void *count(void *ctx) {
    (void)ctx;
    for (int i = 0; i < 1000; i++)
        shared++;
    return NULL;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], count, NULL);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    printf("%d\n", shared);
    return 0;
}
