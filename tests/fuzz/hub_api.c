/* Fuzzes every route of the hub's API: a few requests a try, to a hub with members, one of which
 * shares figures with it. Whatever they stored, it can be opened again. */
#include <criterion/criterion.h>

#include "stage.h"
#include "unit/hub/town.h"

#define MAX_REQUESTS 4

static struct town town;

static void clean_up(void) {
    scratch_done(&town.scratch);
}

static void build(struct stage *s) {
    static struct person haven, baken;
    static struct circle circle;
    const struct figures rows[] = {{.site = 1,
                                    .region = "nh",
                                    .service = "bed",
                                    .ward = "A",
                                    .total = known(10),
                                    .occupied = known(7),
                                    .held = known(0),
                                    .blocked = known(0)}};
    stage_begin();
    town_init(&town, 1, NULL);
    atexit(clean_up);
    person_join(&town, &haven, "Haven", "provider");
    person_join(&town, &baken, "Baken", "provider");
    person_share(&town, &haven, &circle, "exact", rows, 1);
    town_close(&town);
    stage_save(s, town.dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stage stage;
    fuzz_init();
    if (stage.count == 0)
        build(&stage);
    struct fuzz_input in = fuzz_input(data, size);
    struct stage_api api = {.now_ms = TOWN_START_MS + TOWN_HOUR_MS};
    town.stream.used = 1000;
    town_open(&town);
    api.routes = hub_routes(&api.count);
    api.domain = town.hub;
    api.access = hub_access(town.hub);
    for (int i = 0; i < MAX_REQUESTS && in.left > 0; i++) {
        stage_request(&api, &in);
        api.now_ms += 1000;
    }
    (void)hub_idle(town.hub, api.now_ms);
    town_close(&town);
    if (stage_changed()) {
        town_open(&town);
        town_close(&town);
    }
    stage_restore(&stage);
    return 0;
}
