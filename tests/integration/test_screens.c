/* Both daemons' screens over loopback: files, a first administrator by a link, the API with a
 * session and with a token, and nothing for who is unknown. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "network.h"
#include "peer.h"

#define PASSWORD "een zin van woorden"

TestSuite(screens, .timeout = 300);

static struct lab lab;
static struct network net;

static const char *ask(const char *address, const char *first, const char *lines,
                       const char *body) {
    char text[16384];
    size_t len = 0;
    ssize_t n;
    struct peer p;
    peer_open(&p, address);
    peer_send_text(&p, lab_text(&lab,
                                "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s"
                                "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                first, address, lines, strlen(body), body));
    while (len < sizeof text - 1 && (n = recv(p.fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    peer_close(&p);
    return lab_text(&lab, "%s", text);
}

/* What stands between `from` and the next of `ends`. */
static const char *between(const char *text, const char *from, const char *ends) {
    const char *start = strstr(text, from);
    cr_assert(start, "%s is not in %s", from, text);
    start += strlen(from);
    return lab_text(&lab, "%.*s", (int)strcspn(start, ends), start);
}

/* A link's token from "user add"; its first line is the address to open. */
static const char *token_of(const char *out, const char *address) {
    cr_assert(strstr(out, lab_text(&lab, "http://%s/#invite=", address)), "%s", out);
    return between(out, "#invite=", "\r\n");
}

static void use(const char *address, const char *link, const char *route, const char *json) {
    cr_assert(strstr(ask(address, "GET /", "", ""), "content-security-policy"));
    cr_assert(strstr(ask(address, "GET /shared/api.js", "", ""), "text/javascript"));
    cr_assert(strstr(ask(address, route, "", ""), " 401 "));
    const char *body = lab_text(&lab, "{\"token\":\"%s\",\"password\":\"" PASSWORD "\"}", link);
    const char *answer = ask(address, "POST /v1/invite", "", body);
    cr_assert(strstr(answer, " 200 "), "%s", answer);
    const char *cookie = lab_text(&lab, "Cookie: %s\r\n", between(answer, "set-cookie: ", ";"));
    cr_assert(strstr(ask(address, route, cookie, ""), " 200 "));
    cr_assert(strstr(ask(address, "POST /v1/tokens", cookie, json), " 403 "), "without a proof");
    cookie = lab_text(&lab, "%sX-Plek-CSRF: %s\r\n", cookie, between(answer, "\"csrf\":\"", "\""));
    answer = ask(address, "POST /v1/tokens", cookie, json);
    const char *bearer =
        lab_text(&lab, "Authorization: Bearer %s\r\n", between(answer, "\"token\":\"", "\""));
    cr_assert(strstr(ask(address, route, bearer, ""), " 200 "));
    cr_assert(strstr(ask(address, "GET /v1/users", bearer, ""), " 403 "), "a viewer's token");
    answer = ask(address, "POST /v1/login", "", "{\"user\":\"ada\",\"password\":\"" PASSWORD "\"}");
    cr_assert(strstr(answer, " 200 "), "%s", answer);
}

Test(screens, are_for_those_who_log_in) {
    static const char token[] = "{\"name\":\"epd\",\"role\":\"viewer\"}";
    lab_open(&lab, "screens");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    struct process *a = network_add(&net, "A", NULL);
    const char *address = between(lab_read(&lab, a->out), "web=http://", "\r\n");
    const struct result *r = AGENT_DO(&net, "A", "user", "add", "ada", "--role", "admin");
    use(address, token_of(r->out, address), "GET /v1/lines", token);
    r = HUB_DO(&net, "user", "add", "ada", "--role", "admin");
    use(net.address, token_of(r->out, net.address), "GET /v1/members", token);
    json_t *users = AGENT(&net, "A", "user", "list");
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(users, 0), "state")),
                     "active");
    AGENT_DO(&net, "A", "user", "remove", "ada");
    const char *answer =
        ask(address, "POST /v1/login", "", "{\"user\":\"ada\",\"password\":\"" PASSWORD "\"}");
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
    const char *answer = ask(net.address, route, "", "");
    cr_assert(strstr(answer, "\"available\":{\"low\":6,\"high\":6}"), "%s", answer);
    lab_kill(&lab, network_process(&net, "hub"));
    network_run_hub(&net, NULL);
    EVENTUALLY(json_object_get(json_object_get(HUB(&net, "status"), "publishing"), "next_at") !=
               json_null());
    cr_assert_str_eq(published_at(), last);
    answer = ask(net.address, route, "", "");
    cr_assert(strstr(answer, "\"available\":{\"low\":6,\"high\":6}"), "%s", answer);
    lab_pass(&lab);
    lab_close(&lab);
}
