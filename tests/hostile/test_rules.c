/* Each rule of docs/protocol.md that a peer can break is broken once over a real connection, in the
 * document's order: the typed answer comes, nothing else changed, and members are served on. The
 * document and the table (rules.def) name the same rules, or this fails. */
#include <stdio.h>
#include <string.h>

#include "rules.h"

static struct stage stage;

const struct rule_case rule_cases[] = {
#define RULE(rule, place, what, function, code) {rule, place, what, function, code},
#include "rules.def"
#undef RULE
};
const size_t rule_case_count = sizeof rule_cases / sizeof rule_cases[0];

/* ---- document and table ---- */

/* Where "[P4.3]" stands in the text; NULL: nowhere. */
static const char *find_mark(const char *text, const char *rule) {
    char mark[16];
    snprintf(mark, sizeof mark, "[%s]", rule);
    return strstr(text, mark);
}

static bool has_case(const char *mark) {
    for (size_t i = 0; i < rule_case_count; i++) {
        size_t len = strlen(rule_cases[i].rule);
        if (strncmp(mark + 1, rule_cases[i].rule, len) == 0 && mark[1 + len] == ']')
            return true;
    }
    return false;
}

static bool is_mark(const char *at) {
    size_t section = strspn(at + 2, "0123456789");
    return at[1] == 'P' && section > 0 && at[2 + section] == '.' &&
           at[3 + section + strspn(at + 3 + section, "0123456789")] == ']';
}

/* The head of the document shows what a mark looks like, before its first section. */
static const char *read_rules(struct lab *lab) {
    const char *text = lab_read(lab, PLEK_SOURCE_DIR "/docs/protocol.md");
    const char *from = strstr(text, "\n## ");
    cr_assert_not_null(from, "docs/protocol.md has no sections");
    return from;
}

Test(rules_listed, every_rule_has_a_case_and_every_case_a_rule) {
    lab_open(&stage.lab, "rules-listed");
    const char *text = read_rules(&stage.lab), *last = text;
    size_t rules = 0;
    for (const char *at = text; (at = strchr(at, '[')); at++) {
        if (!is_mark(at))
            continue;
        cr_expect(has_case(at), "no case breaks rule %.8s", at);
        rules++;
    }
    for (size_t i = 0; i < rule_case_count; i++) {
        const char *at = find_mark(text, rule_cases[i].rule);
        cr_assert_not_null(at, "docs/protocol.md has no rule %s", rule_cases[i].rule);
        cr_expect_null(find_mark(at + 1, rule_cases[i].rule), "%s stands twice",
                       rule_cases[i].rule);
        cr_expect_geq(at, last, "%s is not in the document's order", rule_cases[i].rule);
        last = at;
    }
    cr_expect_geq(rules, (size_t)100, "found %zu rules", rules);
    printf("%zu rules, %zu cases\n", rules, rule_case_count);
    lab_pass(&stage.lab);
    lab_close(&stage.lab);
}

/* ---- the stage ---- */

void stage_invite(struct stage *s, struct actor *ret, const char *name) {
    s->seed++;
    actor_init(ret, network_invite(&s->net, lab_text(&s->lab, "%s %d", name, (int)s->seed), NULL),
               s->seed);
    s->log++; /* invited */
}

static void admit(struct stage *s, struct actor *a, const char *name) {
    stage_invite(s, a, name);
    actor_connect(a);
    s->log++;
}

static void publish(struct stage *s, struct actor *a, struct actor *const *readers, size_t count) {
    s->log += a->head.seq == 0 ? 2 : 1;
    actor_publish(a, readers, count);
}

static void open_hub(struct stage *s) {
    uint8_t hello[4096];
    size_t len = 0;
    network_init(&s->net, &s->lab, NULL);
    network_run_hub(&s->net, NULL);
    peer_open(&s->silent, s->net.address);
    cr_assert(peer_upgrade(&s->silent, "plek.v1"));
    cr_assert_eq(peer_read_frame(&s->silent, hello, sizeof hello, &len), PEER_BINARY);
    s->log = number_at(HUB(&s->net, "status"), "log");
    admit(s, &s->reader, "Reader");
    admit(s, &s->author, "Author");
    admit(s, &s->guest, "Guest");
    struct actor *readers[] = {&s->reader};
    publish(s, &s->author, readers, 1);
    publish(s, &s->guest, NULL, 0);
}

static void setup(void) {
    lab_open(&stage.lab, "rules");
    stage.net.lab = &stage.lab;
    open_hub(&stage);
    false_hub_open(&stage.false_hub, &stage.lab);
}

static void teardown(void) {
    actor_done(&stage.author);
    actor_done(&stage.reader);
    actor_done(&stage.guest);
    peer_close(&stage.silent);
    false_hub_close(&stage.false_hub);
    lab_close(&stage.lab);
}

TestSuite(rules, .init = setup, .fini = teardown, .timeout = 600);

/* ---- after each case ---- */

/* Nothing is there but what members said; and another state comes across. */
static void prove_hub(struct stage *s) {
    publish(s, &s->author, NULL, 0);
    actor_expect_state(&s->reader, &s->author);
    int64_t log = number_at(HUB(&s->net, "status"), "log");
    cr_assert_eq(log, s->log, "the hub holds %d entries, expected %d", (int)log, (int)s->log);
}

static void run(struct stage *s, const struct rule_case *c) {
    printf("%-6s %s: %s\n", c->rule, c->what, error_name(c->code));
    fflush(stdout);
    if (c->place == AT_AGENT)
        false_hub_meet(&s->false_hub);
    c->run(s, c->code);
    if (c->place == AT_AGENT)
        false_hub_prove(&s->false_hub);
    if (c->place != AT_HUB_SLOWLY)
        prove_hub(s);
}

/* PLEK_RULE names one rule alone, PLEK_HOSTILE_LONG=1 runs those that take a minute and no others.
 */
Test(rules, each_is_broken_once_and_members_are_served_on) {
    const char *only = getenv("PLEK_RULE"), *slowly = getenv("PLEK_HOSTILE_LONG");
    for (size_t i = 0; i < rule_case_count; i++)
        if ((rule_cases[i].place == AT_HUB_SLOWLY) == (slowly != NULL) &&
            (!only || strcmp(only, rule_cases[i].rule) == 0))
            run(&stage, &rule_cases[i]);
    lab_pass(&stage.lab);
}
