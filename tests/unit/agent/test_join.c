/* Making an agent and joining: all or nothing, once, and what admission changes. */
#include <sys/stat.h>

#include "inbox.h"
#include "records.h"
#include "unit/agent/agent_kit.h"

static struct kit kit;

static void setup(void) {
    kit_new(&kit);
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(init, .init = setup, .fini = teardown);
TestSuite(join, .fini = teardown);

static struct bytes none(void) {
    return bytes_of(NULL, 0);
}

/* ---- init ---- */

Test(init, makes_a_private_directory) {
    struct error e = {0};
    struct stat info;
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    cr_assert_eq(stat(kit.dir, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    cr_assert(scratch_exists(&kit.scratch, "agent/agent.conf"));
    cr_assert(scratch_exists(&kit.scratch, "agent/agent.db"));
    cr_assert_not(scratch_exists(&kit.scratch, "agent/init.unfinished"));
    kit_reopen(&kit, NULL);
    cr_assert_not(agent_joined(kit.agent));
    cr_assert_null(agent_directory(kit.agent));
    cr_assert_eq(agent_network(kit.agent), 0);
}

Test(init, default_settings_are_commented_out_and_readable) {
    struct error e = {0};
    size_t len = 0;
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    char *text = (char *)scratch_read(&kit.scratch, "agent/agent.conf", &len);
    text[len] = '\0';
    cr_assert_not_null(strstr(text, "\n#ca = \"\""), "%s", text);
    for (char *c = text; *c; c++) { /* as an administrator who takes every default over */
        if (c[0] == '\n' && c[1] == '#' && c[2] != ' ')
            c[1] = ' ';
    }
    scratch_write(&kit.scratch, "agent/agent.conf", text);
    free(text);
    kit_reopen(&kit, NULL);
    cr_assert_eq(agent_settings(kit.agent)->log_level, LOG_INFO);
}

Test(init, bad_settings_name_the_line) {
    struct error e = {0};
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    scratch_write(&kit.scratch, "agent/agent.conf", "log.level = info\ncolour = red\n");
    KIT_FAILS(agent_open(kit.dir, NULL, &kit.entropy, &kit.agent, &e), ERR_CONFIG);
    cr_assert_eq(e.line, 2);
    scratch_write(&kit.scratch, "agent/agent.conf", "hub = nowhere\n");
    KIT_FAILS(agent_open(kit.dir, NULL, &kit.entropy, &kit.agent, &e), ERR_CONFIG);
    cr_assert_null(kit.agent);
}

Test(init, twice_changes_nothing) {
    struct error e = {0};
    size_t before_len = 0, after_len = 0;
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    uint8_t *before = scratch_read(&kit.scratch, "agent/member.key", &before_len);
    KIT_FAILS(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e), ERR_CANNOT_CREATE);
    uint8_t *after = scratch_read(&kit.scratch, "agent/member.key", &after_len);
    cr_assert_eq(before_len, after_len);
    cr_assert_arr_eq(before, after, before_len);
    free(before);
    free(after);
}

/* Each file alone is reason enough not to make new keys beside it. */
Test(init, leaves_what_is_there_alone) {
    static const char *const files[] = {"agent/agent.key", "agent/member.key", "agent/agent.db"};
    struct error e = {0};
    char path[PATH_MAX];
    cr_assert_eq(mkdir(kit.dir, 0755), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write(&kit.scratch, files[i], "precious");
        KIT_FAILS(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e), ERR_CANNOT_CREATE);
        cr_assert_eq(scratch_size(&kit.scratch, files[i]), 8);
        cr_assert_eq(unlink(scratch_path(&kit.scratch, files[i], path)), 0);
    }
    cr_assert_not(scratch_exists(&kit.scratch, "agent/lock"));
}

Test(init, failure_leaves_no_directory) {
    static char too_long[2000];
    struct error e = {0};
    memset(too_long, 'x', sizeof too_long - 1);
    KIT_FAILS(agent_init(kit.dir, bytes_str(too_long), &kit.entropy, KIT_NOW, &e), ERR_TOO_LARGE);
    cr_assert_not(scratch_exists(&kit.scratch, "agent"));
}

Test(init, failure_in_a_prepared_directory_leaves_it_as_it_was) {
    static char too_long[2000];
    struct error e = {0};
    memset(too_long, 'x', sizeof too_long - 1);
    cr_assert_eq(mkdir(kit.dir, 0755), 0);
    scratch_write(&kit.scratch, "agent/agent.conf", "log.level = debug\n");
    KIT_FAILS(agent_init(kit.dir, bytes_str(too_long), &kit.entropy, KIT_NOW, &e), ERR_TOO_LARGE);
    cr_assert_eq(scratch_size(&kit.scratch, "agent/agent.conf"), 18);
    cr_assert_not(scratch_exists(&kit.scratch, "agent/agent.db"));
    cr_assert_not(scratch_exists(&kit.scratch, "agent/agent.key"));
    cr_assert_not(scratch_exists(&kit.scratch, "agent/init.unfinished"));
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    kit_reopen(&kit, NULL);
    cr_assert_eq(agent_settings(kit.agent)->log_level, LOG_DEBUG);
}

/* As a power cut in the middle leaves it. */
Test(init, takes_up_an_interrupted_one) {
    struct error e = {0};
    cr_assert_eq(mkdir(kit.dir, 0700), 0);
    scratch_write(&kit.scratch, "agent/init.unfinished", "x");
    scratch_write(&kit.scratch, "agent/agent.key", "half");
    KIT_FAILS(agent_open(kit.dir, NULL, &kit.entropy, &kit.agent, &e), ERR_NO_INPUT);
    KIT_OK(agent_init(kit.dir, none(), &kit.entropy, KIT_NOW, &e));
    kit_reopen(&kit, NULL);
}

Test(init, without_a_parent_or_over_a_file) {
    struct error e = {0};
    char path[PATH_MAX];
    KIT_FAILS(
        agent_init(scratch_path(&kit.scratch, "no/where", path), none(), &kit.entropy, KIT_NOW, &e),
        ERR_NO_INPUT);
    scratch_write(&kit.scratch, "file", "x");
    KIT_FAILS(
        agent_init(scratch_path(&kit.scratch, "file", path), none(), &kit.entropy, KIT_NOW, &e),
        ERR_CANNOT_CREATE);
}

Test(init, open_without_init_says_what_to_do) {
    struct error e = {0};
    KIT_FAILS(agent_open(kit.dir, NULL, &kit.entropy, &kit.agent, &e), ERR_NO_INPUT);
    cr_assert_not_null(strstr(e.detail, "init"));
}

/* ---- join ---- */

static struct bytes request(struct agent_session_config *config) {
    struct error e = {0};
    KIT_OK(agent_session_fill(kit.agent, config, &e));
    return config->join;
}

Test(join, begin_stores_a_request_the_hub_accepts) {
    struct error e = {0};
    struct agent_session_config config;
    struct join parsed;
    kit_alone(&kit);
    KIT_FAILS(agent_session_fill(kit.agent, &config, &e), ERR_NOT_JOINED);
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e));
    cr_assert_str_eq(agent_hub_address(kit.agent), "ws://127.0.0.1:7535");
    cr_assert_not(agent_joined(kit.agent));
    KIT_OK(join_verify(request(&config), &kit.hub.pub, &parsed, &e));
    cr_assert(key_equal(&parsed.invite, &(struct public_key){0}) == false);
    cr_assert(key_equal(&parsed.cert.agent, &agent_keys(kit.agent)->pub));
    cr_assert(key_equal(&parsed.cert.box, &agent_box(kit.agent)->pub));
    cr_assert(key_equal(&parsed.cert.member, agent_member(kit.agent)));
    cr_assert_eq(config.hub_head.seq, 0);
    cr_assert_eq(config.own.seq, 0);
}

/* A join that was cut short goes on with the very same request: the hub answers the same. */
Test(join, nothing_is_taken_from_a_hub_before_it_began) {
    struct error e = {0};
    kit_alone(&kit);
    KIT_FAILS(inbox_take(kit.agent, 0, 1, KIT_NOW, bytes_str("x"), KIT_NOW, &e), ERR_PROTOCOL);
    cr_assert(strstr(e.detail, "before a join began"), "%s", e.detail);
}

Test(join, same_invitation_again_after_a_restart) {
    struct error e = {0};
    struct agent_session_config config;
    struct buf first;
    buf_init(&first, JOIN_MAX_BYTES);
    kit_alone(&kit);
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e));
    struct bytes made = request(&config);
    buf_append(&first, made.data, made.len);
    kit_reopen(&kit, NULL);
    snprintf(kit.invite.address, sizeof kit.invite.address, "ws://127.0.0.1:9999");
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW + KIT_DAY, &e));
    cr_assert(bytes_equal(request(&config), buf_bytes(&first)));
    kit_reopen(&kit, NULL);
    cr_assert_str_eq(agent_hub_address(kit.agent), "ws://127.0.0.1:9999");
    buf_done(&first);
}

Test(join, another_invitation_replaces_one_that_led_nowhere) {
    struct error e = {0};
    struct agent_session_config config;
    struct join parsed;
    kit_alone(&kit);
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e));
    kit.invite.network = kit_pair(9).pub;
    memset(kit.invite.seed, 7, SEED_LEN);
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e));
    struct public_key network = kit_pair(9).pub;
    KIT_OK(join_verify(request(&config), &network, &parsed, &e));
    kit_reopen(&kit, NULL);
    KIT_OK(join_verify(request(&config), &network, &parsed, &e));
}

Test(join, sealed_member_key_needs_its_passphrase) {
    struct error e = {0};
    kit_new(&kit);
    KIT_OK(agent_init(kit.dir, bytes_str("zonnebloem"), &kit.entropy, KIT_NOW, &e));
    kit_reopen(&kit, NULL);
    KIT_FAILS(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e), ERR_USAGE);
    KIT_FAILS(agent_join_begin(kit.agent, &kit.invite, bytes_str("x"), KIT_NOW, &e),
              ERR_PERMISSION);
    cr_assert_eq(agent_network(kit.agent), 0);
    KIT_OK(agent_join_begin(kit.agent, &kit.invite, bytes_str("zonnebloem"), KIT_NOW, &e));
}

Test(join, admission_makes_the_first_site) {
    struct error e = {0};
    struct records r;
    struct agent_session_config config;
    kit_joined(&kit, NULL);
    cr_assert(agent_joined(kit.agent));
    KIT_OK(records_load(kit.agent, &r, &e));
    cr_assert_eq(r.site_count, 1);
    cr_assert_str_eq(r.sites[0].name, KIT_MEMBER);
    records_done(&r);
    cr_assert_eq(request(&config).len, 0, "an admitted agent sends no join request");
    cr_assert_eq(config.hub_head.seq, 4);
    kit_reopen(&kit, NULL);
    cr_assert(agent_joined(kit.agent));
    cr_assert_not_null(agent_charter(kit.agent));
    KIT_OK(agent_join_finish(kit.agent, KIT_NOW, &e));
    KIT_OK(records_load(kit.agent, &r, &e));
    cr_assert_eq(r.site_count, 1, "finishing again makes no second site");
    records_done(&r);
}

Test(join, not_finished_before_our_admission_stands_in_the_feed) {
    struct error e = {0};
    struct records r;
    struct buf join;
    buf_init(&join, JOIN_MAX_BYTES);
    kit_invited(&kit, kit_charter, &join);
    kit_reopen(&kit, NULL);
    KIT_FAILS(agent_join_finish(kit.agent, KIT_NOW, &e), ERR_NOT_JOINED);
    cr_assert_not(agent_joined(kit.agent));
    KIT_OK(records_load(kit.agent, &r, &e));
    cr_assert_eq(r.site_count, 0);
    records_done(&r);
    KIT_FAILS(agent_need_joined(kit.agent, &e), ERR_NOT_JOINED);
    buf_done(&join);
}

Test(join, second_network_is_refused) {
    struct error e = {0};
    kit_joined(&kit, NULL);
    KIT_FAILS(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e), ERR_ALREADY_JOINED);
    kit.invite.network = kit_pair(9).pub;
    KIT_FAILS(agent_join_begin(kit.agent, &kit.invite, none(), KIT_NOW, &e), ERR_ALREADY_JOINED);
    cr_assert_not_null(strstr(e.detail, "Testnet"), "%s", e.detail);
    cr_assert(key_equal(directory_network(agent_directory(kit.agent)), &kit.hub.pub));
}

Test(join, settings_can_point_elsewhere) {
    kit_joined(&kit, NULL);
    scratch_write(&kit.scratch, "agent/agent.conf", "hub = \"wss://hub.example:443\"\n");
    kit_reopen(&kit, NULL);
    cr_assert_str_eq(agent_hub_address(kit.agent), "wss://hub.example:443");
}

/* A stored feed that does not apply is a damaged database, not a shorter feed. */
Test(join, damaged_hub_feed_is_refused_at_open) {
    struct error e = {0};
    kit_joined(&kit, NULL);
    agent_close(kit.agent);
    kit.agent = NULL;
    kit.head.seq++; /* leaves a hole */
    struct buf content;
    buf_init(&content, 4096);
    struct public_key key = kit_pair(8).pub;
    KIT_OK(event_member(&key, "", &content, &e));
    kit_store_hub_entry(&kit, ENTRY_HUB_SUSPENDED, buf_bytes(&content));
    KIT_FAILS(agent_open(kit.dir, NULL, &kit.entropy, &kit.agent, &e), ERR_STORE);
    buf_done(&content);
}
