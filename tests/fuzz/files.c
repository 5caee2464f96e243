/* Fuzzes the small files of a daemon's directory and what a person carries between machines:
 * settings of both daemons, key files, the request and the certificate of a second agent
 * (docs/formats.md). The first byte says which. */
#include <unistd.h>

#include "certify.h"
#include "config.h"
#include "stage.h"
#include "unit/db/scratch.h"
#include "vault.h"

static struct scratch scratch;

static void clean_up(void) {
    scratch_done(&scratch);
}

static void put(const char *name, struct bytes content) {
    char path[PATH_MAX];
    FILE *file = fopen(scratch_path(&scratch, name, path), "wb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fwrite(content.data, 1, content.len, file) == content.len);
    FUZZ_CHECK(fclose(file) == 0 && chmod(path, 0600) == 0);
}

/* What a setting of each type takes; bounds hold for what was read. */
struct settings {
    char text[32];
    int64_t number, span;
    bool flag;
};
static const struct config_key keys[] = {
    {"text", CONFIG_TEXT, offsetof(struct settings, text), 32, 0, 0, "x", "text", NULL},
    {"number", CONFIG_INT, offsetof(struct settings, number), 0, -5, 500, "3", "number", NULL},
    {"flag", CONFIG_BOOL, offsetof(struct settings, flag), 0, 0, 0, "no", "flag", NULL},
    {"span", CONFIG_DURATION, offsetof(struct settings, span), 0, 1000, 86400000, "1h", "span",
     NULL}};

static void try_config(struct bytes content) {
    char path[PATH_MAX];
    struct error e = {0};
    struct settings s, before;
    memset(&s, 0, sizeof s);
    FUZZ_CHECK(config_defaults(keys, sizeof keys / sizeof *keys, &s, &e) == ERR_OK);
    before = s;
    put("x.conf", content);
    if (!fuzz_accepted(config_read(scratch_path(&scratch, "x.conf", path), keys,
                                   sizeof keys / sizeof *keys, &s, &e),
                       &e)) {
        FUZZ_CHECK(memcmp(&s, &before, sizeof s) == 0);
        return;
    }
    FUZZ_CHECK(s.number >= -5 && s.number <= 500 && s.span >= 1000 && s.span <= 86400000);
    FUZZ_CHECK(memchr(s.text, '\0', sizeof s.text) != NULL);
}

static void try_keys(struct bytes content) {
    struct error e = {0};
    struct sign_pair pair;
    struct box_pair box;
    struct public_key key;
    struct hash next;
    int64_t since = 0;
    bool sealed = false;
    put(VAULT_AGENT, content);
    put(VAULT_BOX_FIRST, content);
    put(VAULT_MEMBER, content);
    (void)fuzz_accepted(vault_open_agent(scratch.dir, &pair, &e), &e);
    e = (struct error){0};
    (void)fuzz_accepted(vault_open_box(scratch.dir, 1, &box, &since, &e), &e);
    e = (struct error){0};
    if (fuzz_accepted(vault_member_public(scratch.dir, &key, &sealed, &e), &e) && sealed)
        return; /* opening it is Argon2's work */
    e = (struct error){0};
    if (fuzz_accepted(vault_open_member(scratch.dir, bytes_of(NULL, 0), &pair, &next, &e), &e))
        FUZZ_CHECK(key_equal(&pair.pub, &key));
}

static void try_request(struct bytes content) {
    struct error e = {0};
    struct agent_request request;
    fuzz_fill(&request, sizeof request);
    if (fuzz_accepted(certify_read_request(content, "x.request", &request, &e), &e))
        FUZZ_CHECK(utf8_valid(bytes_str(request.label)) &&
                   box_key_check(&request.box, &e) == ERR_OK);
    else
        FUZZ_CHECK(fuzz_untouched(&request, sizeof request));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    if (scratch.dir[0] == '\0') {
        stage_begin();
        scratch_init(&scratch);
        atexit(clean_up);
    }
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in) % 3;
    if (how == 0)
        try_config(fuzz_rest(&in));
    else if (how == 1)
        try_keys(fuzz_rest(&in));
    else
        try_request(fuzz_rest(&in));
    return 0;
}
