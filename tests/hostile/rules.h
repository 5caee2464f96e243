/* Owns what the rules' cases share: the stage (a real hub with members that are served, and a real
 * agent that meets a hub played by hand) and the form of a case. Must not break any rule itself. */
#ifndef PLEK_TEST_RULES_H
#define PLEK_TEST_RULES_H

#include "actor.h"
#include "false_hub.h"
#include "network.h"

/* Where a rule is broken: at a real hub, at a real agent, or where no socket can reach it, by
 * calling what decides. Slowly: it takes a minute, and is left to the long run. */
enum rule_place { AT_HUB, AT_HUB_SLOWLY, AT_AGENT, IN_CORE };

struct stage {
    struct lab lab;
    struct network net;
    struct actor author, reader; /* members of the real hub, which stay connected and served */
    struct actor guest;          /* admitted too: breaks rules */
    int64_t log;                 /* entries the hub should hold by now */
    uint64_t seed;
    struct peer silent; /* connected when the stage opened, and says nothing */
    struct false_hub false_hub;
};

struct rule_case {
    const char *rule; /* as docs/protocol.md marks it: "P4.3" */
    enum rule_place place;
    const char *what;
    void (*run)(struct stage *s, enum err code);
    enum err code; /* what the side that is sinned against has to say */
};
extern const struct rule_case rule_cases[];
extern const size_t rule_case_count;

/* A new guest with an invitation; not connected. The caller ends it with actor_done. */
void stage_invite(struct stage *s, struct actor *ret, const char *name);

/* A case as it is written, and all of them declared. */
#define CASE_FUNCTION(name) void name(struct stage *s, enum err code)
#define RULE(rule, place, what, function, code) void function(struct stage *s, enum err expected);
#include "rules.def"
#undef RULE

#endif
