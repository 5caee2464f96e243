/* Owns what counts as one place in the network (see address.h). */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NETWORK_BYTES 8

const char *address_place(const char *address, char out[static ADDRESS_PLACE_SIZE]) {
    struct in6_addr found;
    char text[INET6_ADDRSTRLEN] = "";
    size_t zone = strcspn(address, "%"); /* "fe80::1%eth0" */
    if (zone < sizeof text)
        memcpy(text, address, zone);
    snprintf(out, ADDRESS_PLACE_SIZE, "%.*s", ADDRESS_PLACE_SIZE - 1, address);
    if (inet_pton(AF_INET6, text, &found) != 1)
        return out;
    if (IN6_IS_ADDR_V4MAPPED(&found)) {
        inet_ntop(AF_INET, &found.s6_addr[12], out, ADDRESS_PLACE_SIZE);
        return out;
    }
    memset(&found.s6_addr[NETWORK_BYTES], 0, sizeof found.s6_addr - NETWORK_BYTES);
    inet_ntop(AF_INET6, &found, text, sizeof text);
    snprintf(out, ADDRESS_PLACE_SIZE, "%.44s/64", text);
    return out;
}
