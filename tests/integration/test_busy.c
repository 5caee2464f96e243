/* Everything at once: figures at two agents, pages of both daemons, log-ins, a hub that is killed
 * and one that is stopped, agents that begin again. All threads of both programs run;
 * packaging/test also runs this against daemons built with ThreadSanitizer. */
#include <stdio.h>
#include <string.h>

#include "network.h"
#include "visitor.h"

#define ROUNDS 12
#define FIGURES 6 /* a round, at each agent */
#define LOGINS 2  /* each hashes a password beside the loop */
#define VISITS (2 * (FIGURES + LOGINS) + 16)
#define WARDS 3

static struct lab lab;
static struct network net;

/* A daemon's screens and who may look at them. */
struct door {
    const char *address, *token;
};
static struct door doors[3]; /* A, B, hub */

static void setup(void) {
    lab_open(&lab, "busy");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(busy, .init = setup, .fini = teardown, .timeout = 600);

static const char *web_address(const char *agent) {
    const struct process *p = network_process(&net, agent);
    const char *last = NULL, *at = lab_read(&lab, p->out);
    while ((at = strstr(at, "web=http://")) != NULL)
        last = at++;
    cr_assert(last, "%s says no address", agent);
    return visitor_between(&lab, last, "web=http://", "\r\n");
}

static void share_with(const char *name, const char *other) {
    network_approve(&net, name, (const char *const[]){other, NULL});
    network_policy(&net, name,
                   lab_text(&lab,
                            "{\"audiences\":[{\"name\":\"all\",\"members\":[\"%s\",\"@hub\"],"
                            "\"services\":[\"*\"],\"precision\":\"exact\",\"history\":true}]}",
                            other));
}

static void open_doors(void) {
    const struct result *r = AGENT_DO(&net, "A", "user", "add", "beheer", "--role", "admin");
    doors[0].address = web_address("A");
    doors[0].token = visitor_token(&lab, doors[0].address,
                                   visitor_session(&lab, doors[0].address, r->out), "editor");
    r = AGENT_DO(&net, "B", "user", "add", "beheer", "--role", "admin");
    doors[1].address = web_address("B");
    doors[1].token = visitor_token(&lab, doors[1].address,
                                   visitor_session(&lab, doors[1].address, r->out), "editor");
    r = HUB_DO(&net, "user", "add", "beheer", "--role", "admin");
    doors[2].address = net.address;
    doors[2].token =
        visitor_token(&lab, net.address, visitor_session(&lab, net.address, r->out), "viewer");
}

/* ---- a round: all requests are under way before the first answer is read ---- */

struct round {
    struct peer peers[VISITS];
    bool must[VISITS]; /* it has to succeed: a log-in may find too many of them */
    size_t count;
};

static void begin(struct round *r, const struct door *door, const char *request, const char *body,
                  bool must) {
    cr_assert_lt(r->count, (size_t)VISITS);
    visitor_send(&lab, &r->peers[r->count], door->address, request, must ? door->token : "", body);
    r->must[r->count++] = must;
}

static void end(struct round *r) {
    for (size_t i = 0; i < r->count; i++) {
        const char *answer = visitor_answer(&lab, &r->peers[i]);
        if (r->must[i])
            cr_assert(strstr(answer, " 200 "), "%s", answer);
    }
    r->count = 0;
}

static void begin_figures(struct round *r, const struct door *door, int number) {
    for (int i = 0; i < FIGURES; i++)
        begin(r, door, "POST /v1/lines",
              lab_text(&lab,
                       "{\"service\":\"bed\",\"ward\":\"W%d\",\"set\":{\"free\":\"%d\","
                       "\"occupied\":\"7\"}}",
                       i, number * FIGURES + i),
              true);
    for (int i = 0; number % 3 == 0 && i < LOGINS; i++)
        begin(r, door, "POST /v1/login",
              "{\"user\":\"beheer\",\"password\":\"" VISITOR_PASSWORD "\"}", false);
    begin(r, door, "GET /v1/room?service=bed&limit=10", "", true);
    begin(r, door, "GET /v1/status", "", true);
    begin(r, door, "GET /v1/history?service=bed", "", true);
}

static void one_round(int number) {
    static struct round r;
    begin_figures(&r, &doors[0], number);
    begin_figures(&r, &doors[1], number);
    begin(&r, &doors[2], "GET /v1/aggregate?service=bed", "", true);
    begin(&r, &doors[2], "GET /v1/members", "", true);
    begin(&r, &doors[2], "GET /v1/coverage", "", true);
    begin(&r, &doors[2], "POST /v1/login",
          "{\"user\":\"beheer\",\"password\":\"" VISITOR_PASSWORD "\"}", false);
    end(&r);
}

/* ---- what came of it ---- */

/* The last figure of each ward of `from`, as `at` finds it. */
static bool arrived(const char *at, const char *from, int number) {
    json_t *rows = AGENT(&net, at, "find", "bed"), *row;
    size_t i;
    int good = 0;
    json_array_foreach(rows, i, row) {
        const char *ward = json_string_value(json_object_get(row, "ward"));
        const char *member = json_string_value(json_object_get(row, "member"));
        if (!ward || !member || strcmp(member, from) != 0)
            continue;
        good += number_at(row, "available") == number * FIGURES + (ward[1] - '0');
    }
    return good == FIGURES;
}

Test(busy, all_threads_at_once_lose_nothing_and_end_well) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    share_with("A", "B");
    share_with("B", "A");
    open_doors();
    for (int i = 0; i < ROUNDS; i++) {
        one_round(i);
        if (i == ROUNDS / 4) {
            lab_kill(&lab, network_process(&net, "hub"));
            network_run_hub(&net, NULL);
        } else if (i == ROUNDS / 2) {
            lab_stop(&lab, network_process(&net, "hub"));
            network_run_hub(&net, NULL);
        } else if (i == 3 * ROUNDS / 4) {
            lab_stop(&lab, network_process(&net, "B"));
            network_run_agent(&net, "B", NULL);
            doors[1].address = web_address("B");
        }
    }
    EVENTUALLY(arrived("B", "A", ROUNDS - 1));
    EVENTUALLY(arrived("A", "B", ROUNDS - 1));
    EVENTUALLY(number_at(network_sum(&net, "bed"), "sites_current") == 2);
    lab_pass(&lab);
}
