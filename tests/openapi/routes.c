/* Owns saying what is compiled into both daemons: each route with its least role, each error with
 * its HTTP status. docs/openapi is held against it. Must not know any document. */
#include <stdio.h>

#include "agent/agent.h"
#include "hub/hub.h"

static void print_routes(const char *daemon, const struct api_route *routes, size_t count) {
    for (size_t i = 0; i < count; i++)
        printf("route\t%s\t%s\t%s\t%s\n", daemon, api_method_name(routes[i].method),
               routes[i].pattern, api_role_name(routes[i].least)); /* with its query's names */
}

int main(void) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    print_routes("agent", routes, count);
    routes = hub_routes(&count);
    print_routes("hub", routes, count);
    for (int code = ERR_OK + 1; code < ERR_COUNT; code++)
        printf("error\t%s\t%d\n", error_name((enum err)code), error_http_status((enum err)code));
    return 0;
}
