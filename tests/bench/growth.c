/* Implements what the growth measurements share. Must not measure. */
#include "growth.h"

#include <stdio.h>
#include <sys/stat.h>

#define REST_SECONDS 2

enum err growth_add(struct bench *b, const char *family, double x,
                    const struct growth_value *values, size_t count, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        struct report_point point = {family, values[i].name, values[i].unit, x, values[i].value};
        if (point.value > 0)
            err = report_point(b->report, &point, e);
        else
            fprintf(stderr, "bench: growth: %s at %.0f: too little to be measured\n", point.name,
                    x);
    }
    return err;
}

double growth_store_mib(const char *dir, const char *name) {
    static const char *const parts[] = {"", "-wal"};
    char path[BENCH_PATH_MAX + 64];
    double bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        struct stat file;
        snprintf(path, sizeof path, "%s/%s%s", dir, name, parts[i]);
        if (stat(path, &file) == 0)
            bytes += (double)file.st_size;
    }
    return bytes / (1024 * 1024);
}

static bool later(void *ctx) {
    return bench_now_ns() >= *(const int64_t *)ctx;
}

enum err growth_restart_hub(struct testbed *t, struct process_usage *ret, struct error *e) {
    enum err err = testbed_stop_hub(t, e);
    if (err == ERR_OK)
        err = testbed_start_hub(t, e);
    int64_t until = bench_now_ns() + REST_SECONDS * INT64_C(1000000000);
    if (err == ERR_OK)
        err = testbed_until(t, later, &until, REST_SECONDS + 10, e);
    return err == ERR_OK ? process_usage(&t->hub, ret, e) : err;
}
