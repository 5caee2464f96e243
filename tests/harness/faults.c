/* Owns what tests that inject faults have in common (faults.h). */
#include "faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

unsigned faults_times(unsigned normal, unsigned longer) {
    return getenv("PLEK_FAULTS_LONG") ? longer : normal;
}

struct prng faults_prng(void) {
    const char *text = getenv("PLEK_FAULTS_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    faults_say("PLEK_FAULTS_SEED=%llu", (unsigned long long)seed);
    return (struct prng){seed};
}

void faults_say(const char *format, ...) {
    va_list args;
    printf("faults: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void faults_pause_ms(int64_t ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- asking ---- */

json_t *faults_ask(struct lab *lab, const char *dir, const char *path, int wait_ms) {
    char *body = ask_socket(lab_text(lab, "%s/api.sock", dir), path, wait_ms);
    json_t *document = body ? json_loads(body, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (document)
        json_array_append_new(lab->documents, document);
    free(body);
    return document;
}

/* ---- what has to hold in the end ---- */

void faults_expect_calm(struct network *n, const char *name) {
    json_t *status = AGENT(n, name, "status");
    cr_assert_eq(json_array_size(json_object_get(status, "alarms")), 0, "%s alarms: %s", name,
                 lab_dump(n->lab, status));
    cr_assert_leq(number_at(status, "feed.incarnation"), 1, "%s opened another incarnation", name);
    cr_assert_eq(number_at(status, "feed.acked_seq"), number_at(status, "feed.seq"), "%s", name);
}

void faults_expect_once(struct network *n, const char *const *names) {
    json_t *hub = HUB(n, "status");
    int64_t entries = number_at(hub, "feed.seq");
    for (; *names; names++)
        entries += number_at(AGENT(n, *names, "status"), "feed.seq");
    cr_assert_eq(number_at(hub, "log"), entries, "the hub's log holds %lld entries of %lld",
                 (long long)number_at(hub, "log"), (long long)entries);
    cr_assert_eq(json_array_size(json_object_get(hub, "forks")), 0, "%s", lab_dump(n->lab, hub));
}
