/* Fuzzes every route of the agent's API: a few requests a try, to an agent that joined a network
 * and has lines, a policy and places. Whatever they stored, it can be opened again. */
#include "stage.h"
#include "unit/agent/agent_kit.h"

#define MAX_REQUESTS 4

static struct kit kit;

static void clean_up(void) {
    scratch_done(&kit.scratch);
}

static void call(enum api_method method, const char *path, const char *body) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    struct error e = {0};
    json_t *answer = NULL;
    struct api_request request = {
        .method = method, .path = path, .actor = "uid:1000", .role = API_ADMIN, .now_ms = KIT_NOW};
    FUZZ_CHECK(json_parse(bytes_str(body), API_BODY_MAX, "body", &request.body, &e) == ERR_OK);
    FUZZ_CHECK(access_call(agent_access(kit.agent), routes, count, kit.agent, &request, &answer) ==
               ERR_OK);
    json_decref(answer);
    json_decref(request.body);
}

static void build(struct stage *s) {
    stage_begin();
    kit_joined(&kit, NULL);
    atexit(clean_up);
    call(API_POST, "/v1/lines",
         "{\"service\":\"bed\",\"ward\":\"A\",\"set\":{\"free\":\"3\",\"occupied\":\"4\"}}");
    call(API_POST, "/v1/places", "{\"service\":\"bed\",\"ward\":\"P\",\"code\":\"1\"}");
    call(API_POST, "/v1/policy",
         "{\"policy\":\"{\\\"audiences\\\":[{\\\"name\\\":\\\"all\\\",\\\"members\\\":[\\\"@"
         "hub\\\"],"
         "\\\"services\\\":[\\\"*\\\"],\\\"precision\\\":\\\"band\\\",\\\"history\\\":true}]}\"}");
    agent_close(kit.agent);
    kit.agent = NULL;
    stage_save(s, kit.dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stage stage;
    fuzz_init();
    if (stage.count == 0)
        build(&stage);
    struct fuzz_input in = fuzz_input(data, size);
    struct stage_api api = {.now_ms = KIT_NOW + KIT_HOUR};
    kit.counter = 1000;
    kit_reopen(&kit, NULL);
    api.routes = agent_routes(&api.count);
    api.domain = kit.agent;
    api.access = agent_access(kit.agent);
    for (int i = 0; i < MAX_REQUESTS && in.left > 0; i++) {
        stage_request(&api, &in);
        api.now_ms += 1000;
    }
    if (stage_changed())
        kit_reopen(&kit, NULL);
    agent_close(kit.agent);
    kit.agent = NULL;
    stage_restore(&stage);
    return 0;
}
