/* Fuzzes what the headers of a browser's request are judged by (shared/guard.h), addresses of both
 * ends, and command lines (shared/args.h). The first byte says which; the texts follow each other,
 * each ended by a NUL. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "args.h"
#include "fuzz.h"
#include "guard.h"
#include "web.h"

#define MAX_TEXTS 12

static enum err ran(const struct args *a, struct error *e) {
    (void)e;
    FUZZ_CHECK(args_command_name(a) != NULL);
    FUZZ_CHECK(args_count(a) >= 0 && args_count(a) <= 2);
    for (int i = 0; i < args_count(a); i++)
        FUZZ_CHECK(args_at(a, i) != NULL);
    for (int i = 0; i < args_option_count(a, "many"); i++)
        FUZZ_CHECK(args_option_at(a, "many", i) != NULL);
    FUZZ_CHECK(args_option_count(a, "dir") <= 1);
    (void)args_flag(a, "json");
    return ERR_OK;
}

static const struct args_option options[] = {{"dir", "DIR", false, "where"},
                                             {"many", "X", true, "any number"},
                                             {"json", NULL, false, "as JSON"},
                                             {NULL, NULL, false, NULL}};
static const struct args_command commands[] = {{"go", "[A] [B]", options, 0, 2, "goes", ran},
                                               {"site add", "NAME", options, 1, 1, "adds", ran},
                                               {NULL, NULL, NULL, 0, 0, NULL, NULL}};
static const struct args_program program = {"fuzz", "tries", commands};

/* What it prints is help and complaints: kept out of the way. */
static void try_args(int count, char **texts) {
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    FUZZ_CHECK(out >= 0 && err >= 0 && nowhere >= 0);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    int status = args_main(&program, count, texts);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    close(nowhere);
    FUZZ_CHECK(status >= 0 && status < 128);
}

static void try_guard(char **texts) {
    char cookie[48];
    fuzz_fill(cookie, sizeof cookie);
    if (guard_cookie(texts[0], texts[1], cookie, sizeof cookie))
        FUZZ_CHECK(memchr(cookie, '\0', sizeof cookie) != NULL && strstr(texts[0], cookie) != NULL);
    if (guard_path_ok(texts[0]))
        FUZZ_CHECK(texts[0][0] == '/' && strstr(texts[0], "/.") == NULL &&
                   strstr(texts[0], "//") == NULL && strchr(texts[0], '\\') == NULL);
    FUZZ_CHECK(!guard_host_local(texts[0]) || guard_host_ok(texts[0], texts[1]));
    FUZZ_CHECK(guard_host_ok(texts[0], texts[1]) || !guard_host_ok(texts[0], NULL));
    FUZZ_CHECK(guard_same_site("", "cross-site", texts[0]) == false);
    (void)guard_same_site(texts[0], texts[1], texts[2]);
    (void)guard_etag_match(texts[0], "\"abc\"");
    (void)guard_gzip_ok(texts[0]);
}

/* An address to listen on, written again, reads the same. */
static void try_listen(const char *text) {
    struct error e = {0};
    char host[WEB_ADDRESS_MAX], host_again[WEB_ADDRESS_MAX], again[WEB_ADDRESS_MAX + 16];
    int port, port_again;
    fuzz_fill(host, sizeof host);
    fuzz_fill(&port, sizeof port);
    if (!fuzz_accepted(web_split_address(text, host, sizeof host, &port, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(host, sizeof host) && fuzz_untouched(&port, sizeof port));
        return;
    }
    FUZZ_CHECK(port >= 0 && port <= 65535);
    const char *digits = strrchr(text, ':') + 1;
    FUZZ_CHECK(strspn(digits, "0123456789") == strlen(digits));
    snprintf(again, sizeof again, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    FUZZ_CHECK(web_split_address(again, host_again, sizeof host_again, &port_again, &e) == ERR_OK);
    FUZZ_CHECK(strcmp(host, host_again) == 0 && port == port_again);
}

/* Where somebody is does not change by being asked twice. */
static void try_place(const char *text) {
    char place[ADDRESS_PLACE_SIZE], again[ADDRESS_PLACE_SIZE];
    FUZZ_CHECK(address_place(text, place) == place);
    FUZZ_CHECK(memchr(place, '\0', sizeof place) != NULL);
    FUZZ_CHECK(strcmp(address_place(place, again), place) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *texts[MAX_TEXTS + 1] = {NULL}, *copy = calloc(1, size + 2);
    int count = 0;
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, size);
    uint8_t how = size > 0 ? data[0] : 0;
    texts[count++] = (char *)(uintptr_t) "fuzz";
    for (size_t at = 1; at < size && count < MAX_TEXTS; at += strlen(copy + at) + 1)
        texts[count++] = copy + at;
    if (how % 2 == 0) {
        try_args(count, texts);
    } else {
        while (count < 4)
            texts[count++] = copy + size;
        try_guard(texts + 1);
        try_listen(texts[1]);
        try_place(texts[1]);
    }
    free(copy);
    return 0;
}
