/* Key files: made once, opened with the right passphrase only, never readable for others. */
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/agent/agent_kit.h"
#include "vault.h"

static struct kit kit;

static void setup(void) {
    struct error e = {0};
    kit_new(&kit);
    snprintf(kit.dir, sizeof kit.dir, "%s", kit.scratch.dir);
    KIT_OK(keys_init(&e));
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(vault, .init = setup, .fini = teardown);

static struct bytes phrase(const char *text) {
    return bytes_str(text);
}

static mode_t mode_of(const char *name) {
    char path[PATH_MAX];
    struct stat info;
    cr_assert_eq(stat(scratch_path(&kit.scratch, name, path), &info), 0);
    return info.st_mode & 0777;
}

Test(vault, unsealed_keys_come_back) {
    struct error e = {0};
    struct sign_pair agent, agent_again, member;
    struct box_pair box, box_again;
    struct hash next;
    KIT_OK(vault_create(kit.dir, bytes_of(NULL, 0), &kit.entropy, KIT_NOW, &e));
    int64_t since_ms = 0, since_again_ms = 0;
    KIT_OK(vault_open_agent(kit.dir, &agent, &e));
    KIT_OK(vault_open_agent(kit.dir, &agent_again, &e));
    KIT_OK(vault_open_box(kit.dir, 1, &box, &since_ms, &e));
    KIT_OK(vault_open_box(kit.dir, 1, &box_again, &since_again_ms, &e));
    cr_assert_eq(since_ms, KIT_NOW);
    cr_assert_eq(since_again_ms, KIT_NOW);
    cr_assert_arr_eq(&agent, &agent_again, sizeof agent);
    cr_assert_arr_eq(&box, &box_again, sizeof box);
    KIT_OK(vault_open_member(kit.dir, bytes_of(NULL, 0), &member, &next, &e));
    cr_assert_not(key_equal(&agent.pub, &member.pub));
    cr_assert_not(key_equal(&agent.pub, &box.pub));
}

Test(vault, files_are_private) {
    struct error e = {0};
    KIT_OK(vault_create(kit.dir, bytes_of(NULL, 0), &kit.entropy, KIT_NOW, &e));
    cr_assert_eq(mode_of(VAULT_AGENT), 0600);
    cr_assert_eq(mode_of(VAULT_BOX_FIRST), 0600);
    cr_assert_eq(mode_of(VAULT_MEMBER), 0600);
    cr_assert_eq(mode_of(VAULT_MEMBER_NEXT), 0600);
}

Test(vault, public_half_names_the_member) {
    struct error e = {0};
    struct sign_pair member;
    struct public_key key;
    struct hash next;
    bool sealed = false;
    KIT_OK(vault_create(kit.dir, phrase("zonnebloem"), &kit.entropy, KIT_NOW, &e));
    KIT_OK(vault_open_member(kit.dir, phrase("zonnebloem"), &member, &next, &e));
    KIT_OK(vault_member_public(kit.dir, &key, &sealed, &e));
    cr_assert(key_equal(&key, &member.pub));
    cr_assert(sealed);
}

/* The commitment in member.key is the hash of what member-next.key holds. */
Test(vault, commits_to_the_next_member_key) {
    struct error e = {0};
    struct sign_pair member, next_pair;
    struct hash next, none, zero = {0};
    char from[PATH_MAX], to[PATH_MAX];
    KIT_OK(vault_create(kit.dir, bytes_of(NULL, 0), &kit.entropy, KIT_NOW, &e));
    KIT_OK(vault_open_member(kit.dir, bytes_of(NULL, 0), &member, &next, &e));
    cr_assert_eq(rename(scratch_path(&kit.scratch, VAULT_MEMBER_NEXT, from),
                        scratch_path(&kit.scratch, VAULT_MEMBER, to)),
                 0);
    KIT_OK(vault_open_member(kit.dir, bytes_of(NULL, 0), &next_pair, &none, &e));
    struct hash expected = hash_blake2b(bytes_of(next_pair.pub.b, KEY_LEN));
    cr_assert(hash_equal(&next, &expected));
    cr_assert(hash_equal(&none, &zero));
}

Test(vault, wrong_or_missing_passphrase_is_refused) {
    struct error e = {0};
    struct sign_pair member, untouched;
    struct hash next;
    memset(&member, 0xA5, sizeof member);
    memset(&untouched, 0xA5, sizeof untouched);
    KIT_OK(vault_create(kit.dir, phrase("zonnebloem"), &kit.entropy, KIT_NOW, &e));
    KIT_FAILS(vault_open_member(kit.dir, phrase("zonneblom"), &member, &next, &e), ERR_PERMISSION);
    KIT_FAILS(vault_open_member(kit.dir, bytes_of(NULL, 0), &member, &next, &e), ERR_USAGE);
    cr_assert_not_null(strstr(e.detail, "--passphrase-file"));
    cr_assert_arr_eq(&member, &untouched, sizeof member);
}

/* A sealed file must not hold the seed in any form it is known by. */
Test(vault, sealed_file_does_not_hold_the_seed) {
    struct error e = {0};
    struct sign_pair member;
    struct hash next;
    size_t len = 0;
    KIT_OK(vault_create(kit.dir, phrase("zonnebloem"), &kit.entropy, KIT_NOW, &e));
    KIT_OK(vault_open_member(kit.dir, phrase("zonnebloem"), &member, &next, &e));
    uint8_t *text = scratch_read(&kit.scratch, VAULT_MEMBER, &len);
    char base64[64];
    base64_encode(base64, sizeof base64,
                  bytes_of(member.secret, 30)); /* a whole number of characters */
    cr_assert_null(memmem(text, len, base64, strlen(base64)));
    cr_assert_null(memmem(text, len, member.secret, 16));
    cr_assert_not_null(memmem(text, len, "argon2id13", 10));
    free(text);
}

Test(vault, any_damaged_byte_is_noticed) {
    struct error e = {0};
    struct sign_pair member;
    struct hash next;
    size_t len = 0;
    char path[PATH_MAX];
    KIT_OK(vault_create(kit.dir, bytes_of(NULL, 0), &kit.entropy, KIT_NOW, &e));
    uint8_t *text = scratch_read(&kit.scratch, VAULT_MEMBER, &len);
    char *start = memmem(text, len, "unsealed ", 9);
    cr_assert_not_null(start);
    size_t seed_at = (size_t)((uint8_t *)start - text) + 9;
    scratch_path(&kit.scratch, VAULT_MEMBER, path);
    for (size_t i = 0; i < seed_at + 42;
         i++) { /* up to the commitment, which only the hub can check */
        uint8_t was = text[i];
        text[i] = was == 'x' ? 'y' : 'x';
        FILE *file = fopen(path, "wb");
        fwrite(text, 1, len, file);
        fclose(file);
        enum err code = vault_open_member(kit.dir, bytes_of(NULL, 0), &member, &next, &e);
        cr_assert_eq(code, ERR_DATA, "byte %zu: %d", i, code);
        text[i] = was;
    }
    free(text);
}

Test(vault, missing_files_say_so) {
    struct error e = {0};
    struct sign_pair pair;
    struct box_pair box;
    struct hash next;
    int64_t since_ms = 0;
    KIT_FAILS(vault_open_agent(kit.dir, &pair, &e), ERR_NO_INPUT);
    KIT_FAILS(vault_open_box(kit.dir, 1, &box, &since_ms, &e), ERR_NO_INPUT);
    KIT_FAILS(vault_open_member(kit.dir, bytes_of(NULL, 0), &pair, &next, &e), ERR_NO_INPUT);
    cr_assert_not_null(strstr(e.file, VAULT_MEMBER));
}

Test(vault, absurd_limits_in_a_file_are_refused) {
    struct error e = {0};
    struct sign_pair member;
    struct hash next;
    size_t len = 0;
    KIT_OK(vault_create(kit.dir, phrase("zonnebloem"), &kit.entropy, KIT_NOW, &e));
    char *text = (char *)scratch_read(&kit.scratch, VAULT_MEMBER, &len);
    text[len] = '\0';
    char *limits = strstr(text, " 2 67108864 ");
    cr_assert_not_null(limits, "%s", text);
    char more[1024];
    snprintf(more, sizeof more, "%.*s 2 6710886400000 %s", (int)(limits - text), text, limits + 12);
    scratch_write(&kit.scratch, VAULT_MEMBER, more);
    KIT_FAILS(vault_open_member(kit.dir, phrase("zonnebloem"), &member, &next, &e), ERR_DATA);
    free(text);
}

Test(vault, too_long_a_passphrase) {
    struct error e = {0};
    static char text[VAULT_PASSPHRASE_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    KIT_FAILS(vault_create(kit.dir, phrase(text), &kit.entropy, KIT_NOW, &e), ERR_TOO_LARGE);
    cr_assert_not(scratch_exists(&kit.scratch, VAULT_AGENT));
}

/* ---- the X25519 keys ---- */

Test(vault, a_wiped_key_is_overwritten_before_it_goes) {
    struct error e = {0};
    struct box_pair box;
    int64_t since_ms = 0;
    size_t len = 0;
    char path[PATH_MAX], kept[PATH_MAX];
    KIT_OK(vault_make_box(kit.dir, 7, &kit.entropy, KIT_NOW, &e));
    cr_assert_eq(mode_of("box-7.key"), 0600);
    /* A second name for the same file shows what became of its content. */
    cr_assert_eq(link(scratch_path(&kit.scratch, "box-7.key", path),
                      scratch_path(&kit.scratch, "kept", kept)),
                 0);
    KIT_OK(vault_wipe_box(kit.dir, 7, &e));
    cr_assert_not(vault_has_box(kit.dir, 7));
    KIT_FAILS(vault_open_box(kit.dir, 7, &box, &since_ms, &e), ERR_NO_INPUT);
    uint8_t *content = scratch_read(&kit.scratch, "kept", &len);
    cr_assert_gt(len, 0);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(content[i], 0);
    free(content);
    KIT_OK(vault_wipe_box(kit.dir, 7, &e)); /* gone already */
}

Test(vault, a_damaged_key_is_named) {
    struct error e = {0};
    struct box_pair box;
    int64_t since_ms = 0;
    static const char *const bad[] = {"", "plek-box-key 1\n", "plek-box-key 1\nsince x\nbox AAAA\n",
                                      "plek-agent-key 1\nsince 1\nbox AAAA\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        scratch_write(&kit.scratch, "box-2.key", bad[i]);
        KIT_FAILS(vault_open_box(kit.dir, 2, &box, &since_ms, &e), ERR_DATA);
        cr_assert_not_null(strstr(e.file, "box-2.key"));
    }
}
