/* Tests what counts as one place in the network. */
#include <criterion/criterion.h>

#include "address.h"

Test(address, one_place_is_one_network) {
    static const struct {
        const char *address, *place;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"192.0.2.8", "192.0.2.8"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2::1", "2001:db8:1:2::/64"},
        {"2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::1", "2001:db8:1:3::/64"},
        {"fe80::1%eth0", "fe80::/64"},
        {"::1", "::/64"},
        {"", ""},
        {"nonsense", "nonsense"},
        {"a name far too long for any address that there is, cut in the middle",
         "a name far too long for any address that there "},
    };
    char place[ADDRESS_PLACE_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(address_place(cases[i].address, place), cases[i].place, "%s: %s",
                         cases[i].address, place);
}
