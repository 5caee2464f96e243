/* Both daemons' screens over loopback: files, a first administrator by a link, the API with a
 * session and with a token, and nothing for who is unknown. */
#include <criterion/criterion.h>
#include <string.h>

#include "network.h"
#include "visitor.h"

#define LOGIN "{\"user\":\"beheer\",\"password\":\"" VISITOR_PASSWORD "\"}"

TestSuite(screens, .timeout = 300);

static struct lab lab;
static struct network net;

static void use(const char *address, const char *added, const char *route) {
    cr_assert(strstr(visitor_ask(&lab, address, "GET /", "", ""), "content-security-policy"));
    cr_assert(strstr(visitor_ask(&lab, address, "GET /shared/api.js", "", ""), "text/javascript"));
    cr_assert(strstr(visitor_ask(&lab, address, route, "", ""), " 401 "));
    const char *session = visitor_session(&lab, address, added);
    const char *cookie = lab_text(&lab, "%.*s\r\n", (int)strcspn(session, "\r"), session);
    cr_assert(strstr(visitor_ask(&lab, address, route, cookie, ""), " 200 "));
    cr_assert(strstr(visitor_ask(&lab, address, "POST /v1/tokens", cookie,
                                 "{\"name\":\"epd\",\"role\":\"viewer\"}"),
                     " 403 "),
              "without a proof");
    const char *bearer = visitor_token(&lab, address, session, "viewer");
    cr_assert(strstr(visitor_ask(&lab, address, route, bearer, ""), " 200 "));
    cr_assert(strstr(visitor_ask(&lab, address, "GET /v1/users", bearer, ""), " 403 "),
              "a viewer's token");
    const char *answer = visitor_ask(&lab, address, "POST /v1/login", "", LOGIN);
    cr_assert(strstr(answer, " 200 "), "%s", answer);
}

Test(screens, are_for_those_who_log_in) {
    lab_open(&lab, "screens");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    struct process *a = network_add(&net, "A", NULL);
    const char *address = visitor_between(&lab, lab_read(&lab, a->out), "web=http://", "\r\n");
    const struct result *r = AGENT_DO(&net, "A", "user", "add", "beheer", "--role", "admin");
    use(address, r->out, "GET /v1/lines");
    r = HUB_DO(&net, "user", "add", "beheer", "--role", "admin");
    use(net.address, r->out, "GET /v1/members");
    json_t *users = AGENT(&net, "A", "user", "list");
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(users, 0), "state")),
                     "active");
    AGENT_DO(&net, "A", "user", "remove", "beheer");
    const char *answer = visitor_ask(&lab, address, "POST /v1/login", "", LOGIN);
    cr_assert(strstr(answer, " 401 "), "%s", answer);
    lab_pass(&lab);
    lab_close(&lab);
}

static const char *published_at(void) {
    json_t *publishing = json_object_get(HUB(&net, "status"), "publishing");
    return json_string_value(json_object_get(publishing, "last_at"));
}

/* The hub publishes by itself for strangers, and a kill loses nothing of it. */
Test(screens, show_strangers_what_the_hub_published_by_itself) {
    static const char *const names[] = {"A", "B", "C"};
    static const char route[] = "GET /v1/public/aggregate";
    lab_open(&lab, "publish");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    for (int i = 0; i < 3; i++) {
        network_add(&net, names[i], NULL);
        network_policy(&net, names[i],
                       "{\"audiences\":[{\"name\":\"hub\",\"members\":[\"@hub\"],"
                       "\"services\":[\"*\"],\"precision\":\"exact\"}]}");
        AGENT_DO(&net, names[i], "set", "bed", lab_text(&lab, "free=%d", i + 1));
    }
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 6);
    cr_assert_null(published_at(), "nothing is published unless somebody wants it");
    lab_stop(&lab, network_process(&net, "hub"));
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir), "public = yes\npublish.every = 6h\n");
    network_run_hub(&net, NULL);
    EVENTUALLY(published_at() != NULL);
    const char *last = lab_text(&lab, "%s", published_at());
    const char *answer = visitor_ask(&lab, net.address, route, "", "");
    cr_assert(strstr(answer, "\"available\":{\"low\":6,\"high\":6}"), "%s", answer);
    lab_kill(&lab, network_process(&net, "hub"));
    network_run_hub(&net, NULL);
    EVENTUALLY(json_object_get(json_object_get(HUB(&net, "status"), "publishing"), "next_at") !=
               json_null());
    cr_assert_str_eq(published_at(), last);
    answer = visitor_ask(&lab, net.address, route, "", "");
    cr_assert(strstr(answer, "\"available\":{\"low\":6,\"high\":6}"), "%s", answer);
    lab_pass(&lab);
    lab_close(&lab);
}
