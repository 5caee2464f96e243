/* Fuzzes what people paste: invitations and hub addresses (docs/protocol.md, "Enrolment"). What is
 * read, written again, reads the same; a refusal repeats no part of the seed. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "join.h"

/* Whether 12 characters behind "seed=" stand in a message. */
static bool tells_seed(const char *uri, const struct error *e) {
    const char *seed = strstr(uri, "seed=");
    char part[13];
    if (seed == NULL || strlen(seed) < 5 + 12)
        return false;
    memcpy(part, seed + 5, 12);
    part[12] = '\0';
    return strstr(e->detail, part) != NULL || strstr(e->file, part) != NULL;
}

static void try_invite(const char *uri) {
    struct error e = {0};
    struct invite invite, again;
    char text[INVITE_URI_MAX];
    fuzz_fill(&invite, sizeof invite);
    if (!fuzz_accepted(invite_parse(uri, &invite, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&invite, sizeof invite));
        FUZZ_CHECK(!tells_seed(uri, &e));
        return;
    }
    FUZZ_CHECK(invite_format(&invite, text, &e) == ERR_OK);
    FUZZ_CHECK(invite_parse(text, &again, &e) == ERR_OK);
    FUZZ_CHECK(strcmp(again.address, invite.address) == 0);
    FUZZ_CHECK(key_equal(&again.network, &invite.network));
    FUZZ_CHECK(memcmp(again.seed, invite.seed, SEED_LEN) == 0);
    FUZZ_CHECK(again.expires_ms == invite.expires_ms);
}

static void try_address(const char *text) {
    struct error e = {0};
    char address[INVITE_ADDRESS_MAX], again[INVITE_ADDRESS_MAX];
    fuzz_fill(address, sizeof address);
    bool found = fuzz_accepted(address_parse(text, address, &e), &e);
    if (!found) {
        FUZZ_CHECK(fuzz_untouched(address, sizeof address));
    } else {
        FUZZ_CHECK(strncmp(address, "ws://", 5) == 0 || strncmp(address, "wss://", 6) == 0);
        FUZZ_CHECK(address_parse(address, again, &e) == ERR_OK);
        FUZZ_CHECK(strcmp(address, again) == 0);
    }
    e = (struct error){0};
    bool checked = fuzz_accepted(address_check(text, &e), &e);
    FUZZ_CHECK(checked == (found || text[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    char *text = fuzz_text(&in);
    try_invite(text);
    try_address(text);
    free(text);
    return 0;
}
