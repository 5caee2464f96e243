/* Owns the charter: the network's rules as data. Source: docs/formats.md, "Charter"; design 2.
 * Pure: parses and validates JSON, answers questions. */
#ifndef PLEK_CHARTER_H
#define PLEK_CHARTER_H

#include "json.h"
#include "text.h"

#define CHARTER_MAX_BYTES (256 * 1024)
#define CHARTER_MAX_SERVICES 64
#define CHARTER_MAX_ATTRIBUTES 16 /* a service */
#define CHARTER_MAX_VALUES 64     /* an attribute */
#define CODE_MAX 40               /* bytes of a code, without NUL: [a-z0-9][a-z0-9_-]* */
#define LABEL_MAX 80
#define DEFINITION_MAX 1000

struct charter_text {
    char *nl, *en;
}; /* both always there: one language fills in for the other */

struct charter_value {
    char code[CODE_MAX + 1];
    struct charter_text label;
};
struct charter_attribute {
    char name[CODE_MAX + 1];
    struct charter_text label;
    struct charter_value *values;
    size_t value_count;
};
enum charter_unit { UNIT_BED, UNIT_PLACE, UNIT_HOME, UNIT_HOUR };
struct charter_service {
    char code[CODE_MAX + 1];
    struct charter_text label, definition;
    enum charter_unit unit;
    bool per_week;       /* of hours */
    int decimals;        /* 0..3; figures are int64 scaled by 10^decimals */
    int64_t validity_ms; /* of a figure that names none */
    struct charter_attribute *attributes;
    size_t attribute_count;
    bool has_light;
    int64_t light_green, light_orange; /* scaled: available >= green, >= orange, else red */
};
struct charter {
    char *name; /* optional title; "" when absent */
    struct charter_text purpose;
    char time_zone[64]; /* syntax checked here; zone_find says whether it exists */
    int64_t k;          /* minimum contributors */
    int64_t longest_validity_ms;
    int64_t keep_days;
    struct charter_service *services;
    size_t service_count;
    char *suggested_policy; /* JSON text, or NULL; its form is checked by policy_parse */
};

/* `name` is what errors call the document. ERR_DATA with line and column, or a path to the fault.
 */
enum err charter_parse(struct bytes json, const char *name, struct charter **ret, struct error *e)
    MUST_USE;
void charter_free(struct charter *c);
/* The charter of `plek-hub init` without --charter: one service `bed`, as JSON text. */
const char *charter_default_json(void);
const struct charter_service *charter_service(const struct charter *c, const char *code);
const struct charter_attribute *charter_attribute(const struct charter_service *s,
                                                  const char *name);
/* The form of every code, attribute name and value: [a-z0-9][a-z0-9_-]*, at most CODE_MAX. */
bool charter_code_valid(const char *text);
bool charter_value_allowed(const struct charter_attribute *a, const char *value);
/* As JSON for `charter show --json`: the document itself plus "version" (which charter_parse reads
 * over, so that what was shown can be edited and given back). Caller owns it; NULL when the bytes
 * are not a JSON object or memory is out. */
json_t *charter_to_json(struct bytes json, uint32_t version);

#endif
