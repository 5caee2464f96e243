/* Requests and certificates of further agents: what was written is read, what was changed is not,
 * and nothing of it reaches an agent that it is not for. */
#include "certify.h"

#include "unit/agent/agent_kit.h"
#include "vault.h"

static struct kit kit;
static struct agent *second;
static char second_dir[PATH_MAX + 16];

/* kit.agent has joined with a member key; `second` has none. */
static void setup(void) {
    struct error e = {0};
    kit_joined(&kit, NULL);
    snprintf(second_dir, sizeof second_dir, "%s/second", kit.scratch.dir);
    KIT_OK(agent_init_second(second_dir, &kit.entropy, KIT_NOW, &e));
    KIT_OK(agent_open(second_dir, NULL, &kit.entropy, &second, &e));
}

static void teardown(void) {
    agent_close(second);
    second = NULL;
    kit_done(&kit);
}
TestSuite(certify, .init = setup, .fini = teardown);

static void request_text(const char *label, struct buf *out) {
    struct error e = {0};
    json_t *answer = NULL;
    buf_init(out, CERTIFY_FILE_MAX);
    KIT_OK(certify_request(second, label, &answer, &e));
    buf_append_str(out, json_string_value(json_object_get(answer, "text")));
    json_decref(answer);
}

static void certificate_text(const char *label, struct buf *out) {
    struct error e = {0};
    struct agent_request request;
    struct buf text;
    json_t *terms = NULL;
    request_text(label, &text);
    KIT_OK(certify_read_request(buf_bytes(&text), "r", &request, &e));
    KIT_OK(certify_terms(kit.agent, &request.agent, &terms, &e));
    buf_init(out, CERTIFY_FILE_MAX);
    KIT_OK(certify_issue(kit.dir, bytes_of(NULL, 0), &request, terms, KIT_NOW, out, &e));
    json_decref(terms);
    buf_done(&text);
}

Test(certify, there_is_no_member_key_beside_a_second_agent) {
    struct error e = {0};
    cr_assert(scratch_exists(&kit.scratch, "second/agent.key"));
    cr_assert(scratch_exists(&kit.scratch, "second/box-1.key"));
    cr_assert_not(scratch_exists(&kit.scratch, "second/member.key"));
    cr_assert_not(scratch_exists(&kit.scratch, "second/member-next.key"));
    KIT_FAILS(agent_join_begin(second, &kit.invite, bytes_of(NULL, 0), KIT_NOW, &e), ERR_NO_INPUT);
    cr_assert_not_null(strstr(e.detail, "request"));
}

Test(certify, a_request_is_read_as_it_was_written) {
    struct error e = {0};
    struct agent_request request;
    struct buf text;
    request_text("Oost, 2e verdieping", &text);
    KIT_OK(certify_read_request(buf_bytes(&text), "r", &request, &e));
    cr_assert(key_equal(&request.agent, &agent_keys(second)->pub));
    cr_assert(key_equal(&request.box, &agent_box(second)->pub));
    cr_assert_str_eq(request.label, "Oost, 2e verdieping");
    buf_done(&text);
}

Test(certify, labels_that_are_none_are_refused) {
    static const char *const bad[] = {
        "", "two\nlines", "\x7f", "\xff",
        "12345678901234567890123456789012345678901234567890123456789012345"};
    struct error e = {0};
    json_t *answer = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        KIT_FAILS(certify_request(second, bad[i], &answer, &e), ERR_DATA);
}

/* Every cut, and every bit, but for the break after the last line. */
Test(certify, a_request_that_was_touched_is_refused) {
    struct agent_request request;
    struct buf text;
    request_text(NULL, &text);
    for (size_t len = 0; len + 1 < text.len; len++)
        cr_assert_neq(certify_read_request(bytes_of(text.data, len), "r", &request, NULL), ERR_OK,
                      "cut at %zu", len);
    for (size_t bit = 0; bit < 8 * (text.len - 1); bit++) {
        text.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(certify_read_request(buf_bytes(&text), "r", &request, NULL), ERR_OK,
                      "bit %zu", bit);
        text.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_done(&text);
}

Test(certify, the_certificate_begins_a_join_and_names_the_first_site) {
    struct error e = {0};
    struct agent_session_config config;
    struct cert cert;
    struct buf text;
    certificate_text("Oost", &text);
    KIT_OK(certify_take(second, buf_bytes(&text), "c", KIT_NOW, &e));
    cr_assert_not(agent_joined(second));
    cr_assert(key_equal(agent_member(second), agent_member(kit.agent)));
    cr_assert_str_eq(agent_hub_address(second), kit.invite.address);
    KIT_OK(agent_session_fill(second, &config, &e));
    cr_assert_eq(config.join.len, 0);
    KIT_OK(cert_verify(config.cert, &cert, &e));
    cr_assert_eq(cert.serial, 1u);
    cr_assert_str_eq(cert.label, "Oost");
    KIT_FAILS(agent_join_finish(second, KIT_NOW, &e), ERR_NOT_JOINED);
    /* Again, after an answer that was lost. */
    KIT_OK(certify_take(second, buf_bytes(&text), "c", KIT_NOW, &e));
    buf_done(&text);
}

Test(certify, a_certificate_that_was_touched_or_is_anothers_is_refused) {
    struct error e = {0};
    struct buf text;
    certificate_text(NULL, &text);
    KIT_FAILS(certify_take(kit.agent, buf_bytes(&text), "c", KIT_NOW, &e), ERR_CERTIFICATE);
    for (size_t len = 0; len + 1 < text.len; len++)
        cr_assert_neq(certify_take(second, bytes_of(text.data, len), "c", KIT_NOW, &e), ERR_OK,
                      "cut at %zu", len);
    /* The address is not signed: it only says where to ask. */
    char *from = strstr((char *)text.data, "certificate ");
    for (char *at = from + 40; at < (char *)text.data + text.len - 1; at += 7) {
        char was = *at;
        *at = was == 'A' ? 'B' : 'A';
        cr_assert_neq(certify_take(second, buf_bytes(&text), "c", KIT_NOW, &e), ERR_OK, "at %zu",
                      (size_t)(at - (char *)text.data));
        *at = was;
    }
    cr_assert_eq(agent_network(second), 0);
    buf_done(&text);
}

Test(certify, own_certificates_get_higher_serials) {
    struct error e = {0};
    struct agent_session_config config;
    struct cert cert;
    KIT_OK(certify_own(kit.agent, bytes_of(NULL, 0), KIT_NOW + KIT_DAY, &e));
    KIT_OK(agent_session_fill(kit.agent, &config, &e));
    KIT_OK(cert_verify(config.cert, &cert, &e));
    cr_assert_eq(cert.serial, 2u);
    cr_assert(agent_joined(kit.agent));
    json_t *shown = certify_json(kit.agent, cert.not_after_ms - 1);
    cr_assert(json_is_false(json_object_get(shown, "expired")));
    json_decref(shown);
    shown = certify_json(kit.agent, cert.not_after_ms);
    cr_assert(json_is_true(json_object_get(shown, "expired")));
    json_decref(shown);
    /* The hub's word of it has not come: the same number again is no news. */
    KIT_FAILS(certify_own(kit.agent, bytes_of(NULL, 0), KIT_NOW + KIT_DAY, &e), ERR_CONFLICT);
}

/* A certificate for kit.agent by the member key in `dir`, with one of the terms changed. */
static enum err issue_with(const char *dir, const char *key, const char *value, struct buf *out,
                           struct error *e) {
    struct agent_request request = {
        .agent = agent_keys(kit.agent)->pub, .box = agent_box(kit.agent)->pub, .label = "Oost"};
    json_t *terms = NULL;
    cr_assert_eq(certify_terms(kit.agent, &request.agent, &terms, e), ERR_OK, "%s", e->detail);
    json_object_set_new(terms, key, json_string(value));
    buf_init(out, CERTIFY_FILE_MAX);
    enum err code = certify_issue(dir, bytes_of(NULL, 0), &request, terms, KIT_NOW, out, e);
    json_decref(terms);
    return code;
}

Test(certify, a_certificate_for_other_terms_is_neither_issued_nor_taken) {
    struct error e = {0};
    struct buf text;
    struct public_key member;
    bool sealed = false;
    char other[PATH_MAX + 16], hex[2 * KEY_LEN + 1];
    snprintf(other, sizeof other, "%s/other", kit.scratch.dir);
    KIT_OK(agent_init(other, bytes_of(NULL, 0), &kit.entropy, KIT_NOW, &e));
    KIT_OK(vault_member_public(other, &member, &sealed, &e));
    hex_encode(hex, bytes_of(member.b, KEY_LEN));
    KIT_FAILS(issue_with(kit.dir, "network", "x", &text, &e), ERR_INTERNAL);
    buf_done(&text);
    KIT_FAILS(issue_with(kit.dir, "member", hex, &text, &e), ERR_DATA);
    cr_assert(strstr(e.detail, "of another organisation than this agent's"), "%s", e.detail);
    buf_done(&text);
    KIT_OK(issue_with(kit.dir, "network", hex, &text, &e));
    KIT_FAILS(certify_take(kit.agent, buf_bytes(&text), "c", KIT_NOW, &e), ERR_NETWORK);
    buf_done(&text);
    KIT_OK(issue_with(other, "member", hex, &text, &e));
    KIT_FAILS(certify_take(kit.agent, buf_bytes(&text), "c", KIT_NOW, &e), ERR_CERTIFICATE);
    cr_assert(strstr(e.detail, "of another organisation than this agent's"), "%s", e.detail);
    buf_done(&text);
}

Test(certify, who_is_suspended_or_removed_certifies_nobody) {
    static const struct {
        uint32_t kind;
        enum err code;
    } cases[] = {{ENTRY_HUB_SUSPENDED, ERR_SUSPENDED}, {ENTRY_HUB_REMOVED, ERR_REMOVED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e = {0};
        json_t *terms = NULL;
        struct public_key member = *agent_member(kit.agent);
        agent_close(kit.agent);
        kit.agent = NULL;
        KIT_EVENT(&kit, cases[i].kind, event_member(&member, "by a test", out, &e));
        kit_reopen(&kit, NULL);
        KIT_FAILS(certify_terms(kit.agent, &agent_keys(second)->pub, &terms, &e), cases[i].code);
        cr_assert_null(terms);
        cr_assert(strstr(e.detail, KIT_MEMBER), "%s", e.detail);
    }
}

Test(certify, a_file_that_is_too_large_is_refused_unread) {
    struct error e = {0};
    struct agent_request request;
    char *text = calloc(1, CERTIFY_FILE_MAX + 1);
    KIT_FAILS(certify_read_request(bytes_of(text, CERTIFY_FILE_MAX + 1), "r", &request, &e),
              ERR_DATA);
    cr_assert(strstr(e.detail, "at most"), "%s", e.detail);
    free(text);
}
