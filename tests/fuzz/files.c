/* Fuzzes the small files of a daemon's directory and what a person carries between machines:
 * settings of both daemons, key files, the request and the certificate of a second agent
 * (docs/formats.md). What is read, written again, reads the same. The first byte says which. */
#include <unistd.h>

#include "certify.h"
#include "config.h"
#include "hub/keyfile.h"
#include "hub/settings.h"
#include "settings.h"
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

/* What a setting of each type takes. */
struct kinds {
    char text[32];
    int64_t number, span;
    bool flag;
};
static const struct config_key kinds[] = {
    {"text", CONFIG_TEXT, offsetof(struct kinds, text), 32, 0, 0, "x", "text", NULL},
    {"number", CONFIG_INT, offsetof(struct kinds, number), 0, -5, 500, "3", "number", NULL},
    {"flag", CONFIG_BOOL, offsetof(struct kinds, flag), 0, 0, 0, "no", "flag", NULL},
    {"span", CONFIG_DURATION, offsetof(struct kinds, span), 0, 1000, 86400000, "1h", "span", NULL}};

static enum err kinds_read(const char *dir, void *target, struct error *e) {
    char path[PATH_MAX];
    size_t count = sizeof kinds / sizeof *kinds;
    (void)dir;
    FUZZ_CHECK(config_defaults(kinds, count, target, e) == ERR_OK);
    return config_read(scratch_path(&scratch, "x.conf", path), kinds, count, target, e);
}

static enum err agent_read(const char *dir, void *target, struct error *e) {
    return settings_read(dir, target, e);
}

static enum err hub_read(const char *dir, void *target, struct error *e) {
    return hub_settings_read(dir, target, e);
}

/* A settings file of ours. */
struct kind {
    const char *file;
    enum err (*read)(const char *dir, void *target, struct error *e);
    const struct config_key *keys;
    size_t count;
};
union any_settings {
    struct kinds kinds;
    struct agent_settings agent;
    struct hub_settings hub;
};

/* In single quotes libconfuse takes all but the quote and the backslash as it is. */
static void print_text(struct buf *out, const char *text) {
    buf_append_u8(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append_u8(out, '\\');
        buf_append_u8(out, (uint8_t)*text);
    }
    buf_append_u8(out, '\'');
}

/* The file that says what was read; its bounds hold. */
static void print_settings(const struct kind *kind, const union any_settings *s, struct buf *out) {
    char room[TEXT_TIME_SIZE];
    for (size_t i = 0; i < kind->count; i++) {
        const struct config_key *key = &kind->keys[i];
        const char *at = (const char *)s + key->offset;
        int64_t number = 0;
        buf_printf(out, "%s = ", key->name);
        if (key->type == CONFIG_TEXT) {
            FUZZ_CHECK(memchr(at, '\0', key->size) != NULL && utf8_valid(bytes_str(at)));
            print_text(out, at);
        } else if (key->type == CONFIG_BOOL) {
            buf_append_str(out, *(const bool *)at ? "yes" : "no");
        } else {
            memcpy(&number, at, sizeof number);
            FUZZ_CHECK(number >= key->min && number <= key->max);
            if (key->type == CONFIG_INT)
                buf_printf(out, "%lld", (long long)number);
            else
                buf_append_str(out, text_duration(number, room));
        }
        buf_append_u8(out, '\n');
    }
    FUZZ_CHECK(buf_failed(out, NULL) == ERR_OK);
}

static void try_settings(const struct kind *kind, struct bytes content) {
    struct error e = {0};
    union any_settings s, again;
    fuzz_fill(&s, sizeof s);
    put(kind->file, content);
    if (!fuzz_accepted(kind->read(scratch.dir, &s, &e), &e)) {
        FUZZ_CHECK(kind->keys == kinds || fuzz_untouched(&s, sizeof s));
        return;
    }
    struct buf first, second;
    buf_init(&first, CONFIG_FILE_MAX);
    buf_init(&second, CONFIG_FILE_MAX);
    print_settings(kind, &s, &first);
    put(kind->file, buf_bytes(&first));
    FUZZ_CHECK(kind->read(scratch.dir, &again, &e) == ERR_OK);
    print_settings(kind, &again, &second);
    FUZZ_CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_done(&first);
    buf_done(&second);
}

static void try_config(uint8_t which, struct bytes content) {
    struct kind all[] = {{"x.conf", kinds_read, kinds, sizeof kinds / sizeof *kinds},
                         {AGENT_CONF, agent_read, NULL, 0},
                         {SETTINGS_FILE, hub_read, hub_settings_keys, hub_settings_count}};
    all[1].keys = settings_keys(&all[1].count);
    try_settings(&all[which], content);
}

/* Both seeds come back, and make the pairs. */
static void try_hub_key(struct bytes content) {
    char path[PATH_MAX], copy[PATH_MAX];
    struct error e = {0};
    struct keyfile k, again;
    put(KEYFILE_NAME, content);
    if (!fuzz_accepted(keyfile_read(scratch_path(&scratch, KEYFILE_NAME, path), &k, &e), &e))
        return;
    unlink(scratch_path(&scratch, "copy.key", copy));
    FUZZ_CHECK(keyfile_write(copy, &k, &e) == ERR_OK);
    FUZZ_CHECK(keyfile_read(copy, &again, &e) == ERR_OK);
    FUZZ_CHECK(memcmp(&k, &again, sizeof k) == 0);
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
    uint8_t how = fuzz_byte(&in) % 6;
    switch (how) {
    case 1:
        try_keys(fuzz_rest(&in));
        break;
    case 2:
        try_request(fuzz_rest(&in));
        break;
    case 5:
        try_hub_key(fuzz_rest(&in));
        break;
    default:
        try_config(how == 0 ? 0 : how - 2, fuzz_rest(&in));
    }
    return 0;
}
