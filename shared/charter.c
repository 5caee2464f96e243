/* Owns the charter: parses and validates the network's rules and answers questions about them.
 * Must not read files, nor ask whether a time zone exists (zone.h does). */
#include "charter.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1
#define NAME_BYTES_MAX 200
#define PURPOSE_MAX 2000
#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_DAY (INT64_C(24) * 3600 * MS_PER_SECOND)
#define VALIDITY_MAX_MS (3650 * MS_PER_DAY) /* ten years: figures of past years can be shown */
#define LIGHT_MAX INT64_C(1000000)
#define DEFAULT_ZONE "Europe/Amsterdam"
#define DEFAULT_K 3
#define DEFAULT_LONGEST_MS (7 * MS_PER_DAY)
#define DEFAULT_KEEP_DAYS 35

static const char default_json[] =
    "{\n"
    "  \"format\": 1,\n"
    "  \"name\": \"\",\n"
    "  \"purpose\": {\n"
    "    \"nl\": \"Elkaar laten weten waar nu plek is.\",\n"
    "    \"en\": \"Telling each other where there is room now.\"\n"
    "  },\n"
    "  \"time_zone\": \"Europe/Amsterdam\",\n"
    "  \"k\": 3,\n"
    "  \"longest_validity\": \"7d\",\n"
    "  \"keep_days\": 35,\n"
    "  \"services\": [\n"
    "    {\n"
    "      \"code\": \"bed\",\n"
    "      \"label\": {\"nl\": \"Bed\", \"en\": \"Bed\"},\n"
    "      \"definition\": {\n"
    "        \"nl\": \"Een bed met personeel, waar iemand vandaag terecht kan of ligt.\",\n"
    "        \"en\": \"A staffed bed that somebody can have today, or is in.\"\n"
    "      },\n"
    "      \"unit\": \"bed\",\n"
    "      \"decimals\": 0,\n"
    "      \"validity\": \"24h\",\n"
    "      \"attributes\": []\n"
    "    }\n"
    "  ]\n"
    "}\n";

const char *charter_default_json(void) {
    return default_json;
}

/* ---- small pieces ---- */

static bool is_code_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool charter_code_valid(const char *text) {
    if (!is_code_byte(text[0])) {
        return false;
    }
    size_t len = 1;
    while (is_code_byte(text[len]) || text[len] == '-' || text[len] == '_') {
        len++;
    }
    return text[len] == '\0' && len <= CODE_MAX;
}

/* Memory that fails makes the sticky error; the caller reads on with NULL and count 0. */
static void *take_zeroed(const struct json_at *at, size_t count, size_t size) {
    void *made = calloc(count > 0 ? count : 1, size);
    if (!made && at->error->code == ERR_OK) {
        error_set(at->error, ERR_NO_MEMORY, "no memory for the charter");
    }
    return made;
}

static char *copy_text(const struct json_at *at, const char *text) {
    size_t size = strlen(text) + 1;
    char *made = (char *)take_zeroed(at, size, 1);
    if (made) {
        memcpy(made, text, size);
    }
    return made;
}

static void read_code(const struct json_at *at, char out[static CODE_MAX + 1]) {
    const char *text = json_text(at, 1, CODE_MAX);
    if (at->error->code != ERR_OK) {
        return;
    }
    if (!charter_code_valid(text)) {
        json_fault(at,
                   "found '%s', expected a code of a-z, 0-9, '-' and '_' that begins with a letter "
                   "or digit",
                   text);
        return;
    }
    memcpy(out, text, strlen(text) + 1);
}

/* A plain text stands for both languages; of an object, one language fills in for the other. */
static void read_text(const struct json_at *at, size_t max_bytes, const char *fallback,
                      struct charter_text *ret) {
    static const char *const keys[] = {"nl", "en", NULL};
    const char *nl = fallback;
    const char *en = fallback;
    if (json_is_object(at->value)) {
        json_only(at, keys);
        struct json_at at_nl = json_optional(at, "nl");
        struct json_at at_en = json_optional(at, "en");
        if (!json_present(&at_nl) && !json_present(&at_en)) {
            json_fault(at, "found no text, expected \"nl\", \"en\" or both");
        }
        nl = json_present(&at_nl) ? json_text(&at_nl, 0, max_bytes) : NULL;
        en = json_present(&at_en) ? json_text(&at_en, 0, max_bytes) : nl;
        nl = nl ? nl : en;
    } else if (json_present(at)) {
        nl = en = json_text(at, 0, max_bytes);
    }
    ret->nl = copy_text(at, nl ? nl : "");
    ret->en = copy_text(at, en ? en : "");
}

static int64_t read_duration(const struct json_at *at, int64_t fallback_ms, int64_t max_ms) {
    if (!json_present(at)) {
        return fallback_ms;
    }
    const char *text = json_text(at, 1, TEXT_TIME_SIZE);
    if (at->error->code != ERR_OK) {
        return fallback_ms;
    }
    struct error why = {0};
    int64_t ms = 0;
    char longest[TEXT_TIME_SIZE];
    if (text_parse_duration(text, &ms, &why) != ERR_OK) {
        json_fault(at, "%s", why.detail);
        return fallback_ms;
    }
    /* Views count in seconds. */
    if (ms < MS_PER_SECOND || ms % MS_PER_SECOND != 0 || ms > max_ms) {
        json_fault(at, "found %s, expected whole seconds, from 1s to %s", text,
                   text_duration(max_ms, longest));
        return fallback_ms;
    }
    return ms;
}

static int64_t read_int_or(const struct json_at *at, int64_t fallback, int64_t min, int64_t max) {
    return json_present(at) ? json_int(at, min, max) : fallback;
}

/* A list of at least one item, at most max; 0 after any fault. */
static size_t read_list(const struct json_at *at, size_t max, const char *item) {
    size_t count = json_len(at, max);
    if (count == 0) {
        json_fault(at, "found an empty list, expected at least one %s", item);
    }
    return at->error->code == ERR_OK ? count : 0;
}

/* ---- attributes ---- */

static void read_value(const struct json_at *at, struct charter_value *ret) {
    static const char *const keys[] = {"code", "label", NULL};
    struct json_at none = {.error = at->error};
    if (!json_is_object(at->value)) {
        read_code(at, ret->code);
        read_text(&none, LABEL_MAX, ret->code, &ret->label);
        return;
    }
    json_only(at, keys);
    struct json_at code = json_member(at, "code");
    struct json_at label = json_optional(at, "label");
    read_code(&code, ret->code);
    read_text(&label, LABEL_MAX, ret->code, &ret->label);
}

static void read_attribute(const struct json_at *at, struct charter_attribute *ret) {
    static const char *const keys[] = {"name", "label", "values", NULL};
    json_only(at, keys);
    struct json_at name = json_member(at, "name");
    struct json_at label = json_optional(at, "label");
    struct json_at values = json_member(at, "values");
    read_code(&name, ret->name);
    read_text(&label, LABEL_MAX, ret->name, &ret->label);
    size_t count = read_list(&values, CHARTER_MAX_VALUES, "value");
    ret->values = (struct charter_value *)take_zeroed(at, count, sizeof(*ret->values));
    for (size_t i = 0; ret->values && i < count; i++) {
        struct json_at item = json_item(&values, i);
        ret->value_count = i + 1;
        read_value(&item, &ret->values[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(ret->values[k].code, ret->values[i].code) == 0) {
                json_fault(&item, "found value '%s' twice, expected each once",
                           ret->values[i].code);
            }
        }
    }
}

static void read_attributes(const struct json_at *at, struct charter_service *ret) {
    size_t count = json_present(at) ? json_len(at, CHARTER_MAX_ATTRIBUTES) : 0;
    ret->attributes = (struct charter_attribute *)take_zeroed(at, count, sizeof(*ret->attributes));
    for (size_t i = 0; ret->attributes && i < count; i++) {
        struct json_at item = json_item(at, i);
        ret->attribute_count = i + 1;
        read_attribute(&item, &ret->attributes[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(ret->attributes[k].name, ret->attributes[i].name) == 0) {
                json_fault(&item, "found attribute '%s' twice, expected each once",
                           ret->attributes[i].name);
            }
        }
    }
}

/* ---- services ---- */

static enum charter_unit read_unit(const struct json_at *at) {
    static const char *const names[] = {"bed", "place", "home", "hour"};
    const char *text = json_text(at, 1, CODE_MAX);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum charter_unit)i;
        }
    }
    json_fault(at, "found '%s', expected bed, place, home or hour", text);
    return UNIT_BED;
}

static bool read_period(const struct json_at *at, enum charter_unit unit) {
    if (!json_present(at)) {
        return false;
    }
    const char *text = json_text(at, 1, CODE_MAX);
    if (strcmp(text, "week") != 0) {
        json_fault(at, "found '%s', expected \"week\"", text);
    }
    if (unit != UNIT_HOUR) {
        json_fault(at, "found a period, expected one only with unit \"hour\"");
    }
    return true;
}

static void read_light(const struct json_at *at, struct charter_service *ret) {
    static const char *const keys[] = {"green", "orange", NULL};
    if (!json_present(at)) {
        return;
    }
    json_only(at, keys);
    struct json_at green = json_member(at, "green");
    struct json_at orange = json_member(at, "orange");
    int64_t from_green = json_int(&green, 1, LIGHT_MAX);
    int64_t from_orange = json_int(&orange, 1, LIGHT_MAX);
    if (from_green < from_orange) {
        json_fault(&green, "found green from %lld, expected at least orange's %lld",
                   (long long)from_green, (long long)from_orange);
    }
    int64_t scale = 1;
    for (int i = 0; i < ret->decimals; i++) {
        scale *= 10;
    }
    ret->has_light = true;
    ret->light_green = from_green * scale;
    ret->light_orange = from_orange * scale;
}

static void read_service(const struct json_at *at, int64_t longest_ms,
                         struct charter_service *ret) {
    static const char *const keys[] = {"code",     "label",    "definition", "unit",  "period",
                                       "decimals", "validity", "attributes", "light", NULL};
    json_only(at, keys);
    struct json_at code = json_member(at, "code");
    struct json_at label = json_optional(at, "label");
    struct json_at definition = json_optional(at, "definition");
    struct json_at unit = json_member(at, "unit");
    struct json_at period = json_optional(at, "period");
    struct json_at decimals = json_optional(at, "decimals");
    struct json_at validity = json_optional(at, "validity");
    struct json_at attributes = json_optional(at, "attributes");
    struct json_at light = json_optional(at, "light");
    read_code(&code, ret->code);
    read_text(&label, LABEL_MAX, ret->code, &ret->label);
    read_text(&definition, DEFINITION_MAX, "", &ret->definition);
    ret->unit = read_unit(&unit);
    ret->per_week = read_period(&period, ret->unit);
    ret->decimals = (int)read_int_or(&decimals, 0, 0, 3);
    int64_t usual_ms = longest_ms < MS_PER_DAY ? longest_ms : MS_PER_DAY;
    ret->validity_ms = read_duration(&validity, usual_ms, longest_ms);
    read_attributes(&attributes, ret);
    read_light(&light, ret);
}

static void read_services(const struct json_at *at, struct charter *ret) {
    size_t count = read_list(at, CHARTER_MAX_SERVICES, "service");
    ret->services = (struct charter_service *)take_zeroed(at, count, sizeof(*ret->services));
    for (size_t i = 0; ret->services && i < count; i++) {
        struct json_at item = json_item(at, i);
        ret->service_count = i + 1;
        read_service(&item, ret->longest_validity_ms, &ret->services[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(ret->services[k].code, ret->services[i].code) == 0) {
                json_fault(&item, "found service '%s' twice, expected each once",
                           ret->services[i].code);
            }
        }
    }
}

/* ---- the whole ---- */

static void read_zone(const struct json_at *at, char out[static 64]) {
    const char *text = json_present(at) ? json_text(at, 1, 63) : DEFAULT_ZONE;
    for (const char *s = text; *s; s++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        if (!letter && !(*s >= '0' && *s <= '9') && !strchr("/_-+", *s)) {
            json_fault(at, "found '%s', expected a time zone such as %s", text, DEFAULT_ZONE);
            return;
        }
    }
    memcpy(out, text, strlen(text) + 1);
}

static void read_suggested(const struct json_at *at, struct charter *ret) {
    if (!json_present(at)) {
        return;
    }
    if (!json_is_object(at->value)) {
        json_fault(at, "found something else, expected a policy: an object with \"audiences\"");
        return;
    }
    ret->suggested_policy = json_dumps(at->value, JSON_COMPACT);
    if (!ret->suggested_policy && at->error->code == ERR_OK) {
        error_set(at->error, ERR_NO_MEMORY, "no memory for the suggested policy");
    }
}

static void read_charter(const struct json_at *at, struct charter *ret) {
    static const char *const keys[] = {
        "format",   "version",          "name",      "purpose",          "time_zone", "k",
        "services", "longest_validity", "keep_days", "suggested_policy", NULL};
    json_only(at, keys);
    struct json_at format = json_member(at, "format");
    struct json_at version = json_optional(at, "version");
    struct json_at name = json_optional(at, "name");
    struct json_at purpose = json_optional(at, "purpose");
    struct json_at zone = json_optional(at, "time_zone");
    struct json_at k = json_optional(at, "k");
    struct json_at longest = json_optional(at, "longest_validity");
    struct json_at keep = json_optional(at, "keep_days");
    struct json_at services = json_member(at, "services");
    struct json_at suggested = json_optional(at, "suggested_policy");
    int64_t found_format = json_int(&format, 0, INT32_MAX);
    if (found_format != FORMAT) {
        json_fault(&format, "found format %lld, expected %d, the one this version reads",
                   (long long)found_format, FORMAT);
    }
    /* Shown by `charter show`; the hub's feed says which version it is. */
    read_int_or(&version, 0, 0, UINT32_MAX);
    ret->name = copy_text(at, json_present(&name) ? json_text(&name, 0, NAME_BYTES_MAX) : "");
    read_text(&purpose, PURPOSE_MAX, "", &ret->purpose);
    read_zone(&zone, ret->time_zone);
    ret->k = read_int_or(&k, DEFAULT_K, 1, 1000);
    ret->longest_validity_ms = read_duration(&longest, DEFAULT_LONGEST_MS, VALIDITY_MAX_MS);
    ret->keep_days = read_int_or(&keep, DEFAULT_KEEP_DAYS, 1, 3650);
    read_services(&services, ret);
    read_suggested(&suggested, ret);
}

enum err charter_parse(struct bytes json, const char *name, struct charter **ret, struct error *e) {
    json_t *document = NULL;
    enum err code = json_parse(json, CHARTER_MAX_BYTES, name, &document, e);
    if (code != ERR_OK) {
        return code;
    }
    struct error sticky = {.code = ERR_OK};
    struct json_at root = json_root(document, &sticky);
    struct charter *made = (struct charter *)take_zeroed(&root, 1, sizeof(*made));
    if (made) {
        read_charter(&root, made);
    }
    json_decref(document);
    if (sticky.code != ERR_OK) {
        charter_free(made);
        if (e) {
            *e = sticky;
        }
        return sticky.code;
    }
    *ret = made;
    return ERR_OK;
}

static void text_done(struct charter_text *t) {
    free(t->nl);
    free(t->en);
}

static void service_done(struct charter_service *s) {
    text_done(&s->label);
    text_done(&s->definition);
    for (size_t i = 0; i < s->attribute_count; i++) {
        struct charter_attribute *a = &s->attributes[i];
        text_done(&a->label);
        for (size_t k = 0; k < a->value_count; k++) {
            text_done(&a->values[k].label);
        }
        free(a->values);
    }
    free(s->attributes);
}

void charter_free(struct charter *c) {
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->service_count; i++) {
        service_done(&c->services[i]);
    }
    free(c->services);
    free(c->name);
    text_done(&c->purpose);
    free(c->suggested_policy);
    free(c);
}

const struct charter_service *charter_service(const struct charter *c, const char *code) {
    for (size_t i = 0; i < c->service_count; i++) {
        if (strcmp(c->services[i].code, code) == 0) {
            return &c->services[i];
        }
    }
    return NULL;
}

const struct charter_attribute *charter_attribute(const struct charter_service *s,
                                                  const char *name) {
    for (size_t i = 0; i < s->attribute_count; i++) {
        if (strcmp(s->attributes[i].name, name) == 0) {
            return &s->attributes[i];
        }
    }
    return NULL;
}

bool charter_value_allowed(const struct charter_attribute *a, const char *value) {
    for (size_t i = 0; i < a->value_count; i++) {
        if (strcmp(a->values[i].code, value) == 0) {
            return true;
        }
    }
    return false;
}

json_t *charter_to_json(struct bytes json, uint32_t version) {
    struct error ignored = {0};
    json_t *document = NULL;
    if (json_parse(json, CHARTER_MAX_BYTES, "charter", &document, &ignored) != ERR_OK) {
        return NULL;
    }
    if (json_object_set_new(document, "version", json_integer(version)) != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}
