/* Owns the steps of somebody who logs in, for the proof that each answers after its sync. Must not
 * know whose routes they are. */
#ifndef PLEK_TEST_LOGINS_H
#define PLEK_TEST_LOGINS_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "access.h"

struct logins {
    struct access *access;
    const struct api_route *routes;
    size_t count;
    void *domain;
    int64_t now_ms;
    struct access_caller caller;
    void (*check)(void *ctx, const char *path); /* after each step */
    void *ctx;
};

static inline json_t *logins_step(struct logins *l, const char *path, json_t *take_body) {
    struct api_request r = {.method = API_POST,
                            .path = path,
                            .body = take_body,
                            .now_ms = l->now_ms,
                            .role = API_ADMIN,
                            .actor = "test",
                            .caller = &l->caller};
    json_t *answer = NULL;
    l->caller.work = (struct password_work){.wanted = false};
    enum err err = access_call(l->access, l->routes, l->count, l->domain, &r, &answer);
    char *text = json_dumps(answer, JSON_COMPACT);
    cr_assert_eq(err, ERR_OK, "%s: %s", path, text);
    free(text);
    json_decref(take_body);
    l->check(l->ctx, path);
    return answer;
}

static inline void logins_adopt(struct logins *l) {
    snprintf(l->caller.session, sizeof l->caller.session, "%s", l->caller.new_session);
    access_csrf(l->caller.session, l->caller.csrf);
}

/* A user by a link, its log-in, a new password, a log-out. */
static inline void logins_try(struct logins *l) {
    l->caller = (struct access_caller){.local = true, .address = "192.0.2.1"};
    json_t *made =
        logins_step(l, "/v1/users", json_pack("{s:s, s:s}", "name", "els", "role", "viewer"));
    l->caller.local = false;
    json_decref(logins_step(l, "/v1/invite",
                            json_pack("{s:s, s:s}", "token",
                                      json_string_value(json_object_get(made, "invite")),
                                      "password", "een zin van woorden")));
    json_decref(made);
    json_decref(logins_step(
        l, "/v1/login", json_pack("{s:s, s:s}", "user", "els", "password", "een zin van woorden")));
    logins_adopt(l);
    json_decref(logins_step(
        l, "/v1/password",
        json_pack("{s:s, s:s}", "old", "een zin van woorden", "new", "een andere zin")));
    logins_adopt(l);
    json_decref(logins_step(l, "/v1/logout", json_object()));
}

#endif
