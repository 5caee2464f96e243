/* Owns the policy: reads what an administrator shares with whom and writes it back.
 * Must not know keys of audiences, approvals or the store. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1
#define HUB "@hub"
#define KEY_HEX_LEN (2 * (size_t)KEY_LEN)
#define MEMBER_TEXT_MAX 128
#define BAND_MAX INT64_C(1000000)
#define ALL_SERVICES "*"

static const int64_t default_bands[] = {1, 3, 6};
#define DEFAULT_BAND_COUNT (sizeof(default_bands) / sizeof(default_bands[0]))

/* What reading needs to know, beside the place in the document. */
struct reader {
    const struct directory *directory;
    bool stored; /* what was accepted once: a service that the charter dropped since is no fault */
};

static void *take_zeroed(const struct json_at *at, size_t count, size_t size) {
    void *made = calloc(count > 0 ? count : 1, size);
    if (!made && at->error->code == ERR_OK) {
        error_set(at->error, ERR_NO_MEMORY, "no memory for the policy");
    }
    return made;
}

/* ---- one audience ---- */

static void unknown_member(const struct json_at *at, const char *text) {
    if (at->error->code == ERR_OK) {
        error_at(at->error, ERR_UNKNOWN_MEMBER, at->path, 0, 0,
                 "found '%s', expected the name of a member of this network, its key, or \"@hub\"",
                 text);
    }
}

static void read_member(const struct reader *r, const struct json_at *at, struct public_key *ret) {
    const char *text = json_text(at, 1, MEMBER_TEXT_MAX);
    if (at->error->code != ERR_OK) {
        return;
    }
    if (strcmp(text, HUB) == 0) {
        *ret = *directory_network(r->directory);
        return;
    }
    struct public_key key = {{0}};
    const struct member *member = NULL;
    if (strlen(text) == KEY_HEX_LEN && hex_decode(key.b, KEY_LEN, text, NULL) == ERR_OK) {
        if (key_equal(&key, directory_network(r->directory))) {
            *ret = key;
            return;
        }
        member = directory_member(r->directory, &key);
    } else {
        member = directory_member_named(r->directory, text);
    }
    if (!member) {
        unknown_member(at, text);
        return;
    }
    *ret = member->key;
}

static void read_members(const struct reader *r, const struct json_at *at,
                         struct policy_audience *ret) {
    size_t count = json_len(at, POLICY_MAX_MEMBERS);
    ret->members = (struct public_key *)take_zeroed(at, count, sizeof(*ret->members));
    if (!ret->members) {
        return;
    }
    ret->member_count = count;
    for (size_t i = 0; i < count && at->error->code == ERR_OK; i++) {
        struct json_at item = json_item(at, i);
        read_member(r, &item, &ret->members[i]);
    }
}

static void read_service(const struct reader *r, const struct json_at *at,
                         struct policy_audience *audience, size_t i) {
    const char *text = json_text(at, 1, CODE_MAX);
    if (at->error->code != ERR_OK) {
        return;
    }
    const struct charter *charter = directory_charter(r->directory);
    if (!charter_code_valid(text) ||
        (!r->stored && (!charter || !charter_service(charter, text)))) {
        json_fault(at,
                   "found '%s', expected a service of the network's charter, or [\"*\"] for all",
                   text);
        return;
    }
    memcpy(audience->services[i], text, strlen(text) + 1);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(audience->services[k], text) == 0) {
            json_fault(at, "found service '%s' twice, expected each once", text);
        }
    }
}

static bool is_all(const struct json_at *at) {
    const char *only = json_string_value(json_array_get(at->value, 0));
    return json_array_size(at->value) == 1 && only && strcmp(only, ALL_SERVICES) == 0;
}

static void read_services(const struct reader *r, const struct json_at *at,
                          struct policy_audience *ret) {
    size_t count = json_len(at, CHARTER_MAX_SERVICES);
    if (count == 0) {
        json_fault(at, "found an empty list, expected services, or [\"*\"] for all");
        return;
    }
    if (is_all(at)) {
        ret->all_services = true;
        return;
    }
    ret->services = (char(*)[CODE_MAX + 1]) take_zeroed(at, count, sizeof(*ret->services));
    if (!ret->services) {
        return;
    }
    ret->service_count = count;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        read_service(r, &item, ret, i);
    }
}

static void read_bands(const struct json_at *at, struct precision *ret) {
    if (ret->kind != PRECISION_BAND) {
        json_fault(at, "found bands, expected them only with precision \"band\"");
        return;
    }
    size_t count = json_len(at, BANDS_MAX);
    if (count == 0) {
        json_fault(at, "found an empty list, expected lower bounds such as [1, 3, 6]");
        return;
    }
    int64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        ret->bands[i] = json_int(&item, 1, BAND_MAX);
        if ((i == 0 && ret->bands[i] != 1) || ret->bands[i] <= before) {
            json_fault(&item, "found %lld, expected lower bounds that begin with 1 and go up",
                       (long long)ret->bands[i]);
        }
        before = ret->bands[i];
    }
    ret->band_count = count;
}

static void read_precision(const struct json_at *at, const struct json_at *bands,
                           struct precision *ret) {
    struct error why = {.code = ERR_OK};
    const char *text = json_text(at, 1, CODE_MAX);
    if (precision_parse(text, ret, &why) != ERR_OK) {
        json_fault(at, "%s", why.detail);
    }
    if (json_present(bands)) {
        read_bands(bands, ret);
    }
}

static void read_audience(const struct reader *r, const struct json_at *at,
                          struct policy_audience *ret) {
    static const char *const keys[] = {"name",  "members", "services", "precision",
                                       "bands", "history", NULL};
    json_only(at, keys);
    struct json_at name = json_member(at, "name");
    struct json_at members = json_member(at, "members");
    struct json_at services = json_member(at, "services");
    struct json_at precision = json_member(at, "precision");
    struct json_at bands = json_optional(at, "bands");
    struct json_at history = json_optional(at, "history");
    const char *text = json_text(&name, 1, CODE_MAX);
    if (!charter_code_valid(text)) {
        json_fault(&name,
                   "found '%s', expected a name of a-z, 0-9, '-' and '_' that begins with a letter "
                   "or digit",
                   text);
    } else {
        memcpy(ret->name, text, strlen(text) + 1);
    }
    read_members(r, &members, ret);
    read_services(r, &services, ret);
    read_precision(&precision, &bands, &ret->precision);
    ret->history = json_bool_or(&history, false);
}

/* ---- all audiences ---- */

/* A member's seat in an audience, for finding those who sit in two. */
struct seat {
    struct public_key key;
    size_t audience, index;
};

static int compare_seats(const void *left, const void *right) {
    const struct seat *a = (const struct seat *)left;
    const struct seat *b = (const struct seat *)right;
    int order = key_compare(&a->key, &b->key);
    if (order != 0) {
        return order;
    }
    if (a->audience != b->audience) {
        return a->audience < b->audience ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

/* A service that both audiences cover; NULL when there is none. */
static const char *shared_service(const struct policy_audience *a,
                                  const struct policy_audience *b) {
    if (a->all_services) {
        return b->all_services ? ALL_SERVICES : b->services[0];
    }
    for (size_t i = 0; i < a->service_count; i++) {
        if (policy_covers(b, a->services[i])) {
            return a->services[i];
        }
    }
    return NULL;
}

static void check_pair(const struct json_at *audiences, const struct policy *p,
                       const struct seat *a, const struct seat *b) {
    struct json_at audience = json_item(audiences, b->audience);
    struct json_at members = json_member(&audience, "members");
    struct json_at item = json_item(&members, b->index);
    const char *text = json_is_string(item.value) ? json_string_value(item.value) : "";
    if (a->audience == b->audience) {
        json_fault(&item, "found member '%s' twice, expected each once", text);
        return;
    }
    const char *service = shared_service(&p->audiences[a->audience], &p->audiences[b->audience]);
    if (service) {
        json_fault(&item,
                   "found '%s' here and in audience '%s', both for service '%s', expected a member "
                   "in at most one audience per service: precisions would combine",
                   text, p->audiences[a->audience].name, service);
    }
}

static void check_seats(const struct json_at *audiences, const struct policy *p) {
    size_t total = 0;
    for (size_t i = 0; i < p->audience_count; i++) {
        total += p->audiences[i].member_count;
    }
    struct seat *seats = (struct seat *)take_zeroed(audiences, total, sizeof(*seats));
    if (!seats) {
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < p->audience_count; i++) {
        for (size_t k = 0; k < p->audiences[i].member_count; k++) {
            seats[n++] = (struct seat){p->audiences[i].members[k], i, k};
        }
    }
    qsort(seats, n, sizeof(*seats), compare_seats);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n && key_equal(&seats[i].key, &seats[k].key); k++) {
            check_pair(audiences, p, &seats[i], &seats[k]);
            if (audiences->error->code != ERR_OK) {
                free(seats);
                return;
            }
        }
    }
    free(seats);
}

static void check_names(const struct json_at *audiences, const struct policy *p) {
    for (size_t i = 0; i < p->audience_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p->audiences[i].name, p->audiences[k].name) == 0) {
                struct json_at item = json_item(audiences, i);
                struct json_at name = json_member(&item, "name");
                json_fault(&name, "found audience '%s' twice, expected each name once",
                           p->audiences[i].name);
            }
        }
    }
}

static void read_policy(const struct reader *r, const struct json_at *at, struct policy *ret) {
    /* what `policy show` adds is read over, so that what was shown can be edited and given back */
    static const char *const keys[] = {"format",    "version",   "applied", "actor",
                                       "audiences", "withdrawn", "paused",  NULL};
    json_only(at, keys);
    struct json_at format = json_optional(at, "format");
    struct json_at version = json_optional(at, "version");
    struct json_at audiences = json_member(at, "audiences");
    if (json_present(&format)) {
        json_int(&format, FORMAT, FORMAT);
    }
    if (json_present(&version)) {
        json_int(&version, 0, UINT32_MAX); /* shown with a policy; the store says which it is */
    }
    size_t count = json_len(&audiences, POLICY_MAX_AUDIENCES);
    ret->audiences = (struct policy_audience *)take_zeroed(at, count, sizeof(*ret->audiences));
    for (size_t i = 0; ret->audiences && i < count && at->error->code == ERR_OK; i++) {
        struct json_at item = json_item(&audiences, i);
        ret->audience_count = i + 1;
        read_audience(r, &item, &ret->audiences[i]);
    }
    if (at->error->code == ERR_OK) {
        check_names(&audiences, ret);
        check_seats(&audiences, ret);
    }
}

static enum err parse(struct bytes json, const char *name, const struct reader *r,
                      struct policy **ret, struct error *e) {
    json_t *document = NULL;
    enum err code = json_parse(json, POLICY_MAX_BYTES, name, &document, e);
    if (code != ERR_OK) {
        return code;
    }
    struct error sticky = {.code = ERR_OK};
    struct json_at root = json_root(document, &sticky);
    struct policy *made = (struct policy *)take_zeroed(&root, 1, sizeof(*made));
    if (made) {
        read_policy(r, &root, made);
    }
    json_decref(document);
    if (sticky.code != ERR_OK) {
        policy_free(made);
        if (e) {
            *e = sticky;
        }
        return sticky.code;
    }
    *ret = made;
    return ERR_OK;
}

enum err policy_parse(struct bytes json, const char *name, const struct directory *directory,
                      struct policy **ret, struct error *e) {
    struct reader r = {directory, false};
    return parse(json, name, &r, ret, e);
}

enum err policy_parse_stored(struct bytes json, const char *name, const struct directory *directory,
                             struct policy **ret, struct error *e) {
    struct reader r = {directory, true};
    return parse(json, name, &r, ret, e);
}

void policy_free(struct policy *p) {
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->audience_count; i++) {
        free(p->audiences[i].members);
        free(p->audiences[i].services);
    }
    free(p->audiences);
    free(p);
}

/* ---- writing ---- */

/* json_*_new functions take the value they are given, also when they fail. */
static bool set(json_t *object, const char *key, json_t *take_value) {
    return json_object_set_new(object, key, take_value) == 0;
}

static json_t *member_json(const struct public_key *key, const struct directory *directory,
                           bool named) {
    if (key_equal(key, directory_network(directory))) {
        return json_string(HUB);
    }
    const struct member *member = named ? directory_member(directory, key) : NULL;
    if (member) {
        return json_string(member->name);
    }
    char hex[KEY_HEX_LEN + 1];
    hex_encode(hex, bytes_of(key->b, KEY_LEN));
    return json_string(hex);
}

static json_t *services_json(const struct policy_audience *a) {
    json_t *list = json_array();
    if (a->all_services) {
        json_array_append_new(list, json_string(ALL_SERVICES));
    }
    for (size_t i = 0; i < a->service_count; i++) {
        json_array_append_new(list, json_string(a->services[i]));
    }
    return list;
}

static bool default_band(const struct precision *p) {
    return p->band_count == DEFAULT_BAND_COUNT &&
           memcmp(p->bands, default_bands, sizeof(default_bands)) == 0;
}

static bool set_precision(json_t *object, const struct precision *p) {
    char text[32];
    if (!set(object, "precision", json_string(precision_text(p, text)))) {
        return false;
    }
    if (p->kind != PRECISION_BAND || default_band(p)) {
        return true;
    }
    json_t *bands = json_array();
    for (size_t i = 0; i < p->band_count; i++) {
        json_array_append_new(bands, json_integer(p->bands[i]));
    }
    return set(object, "bands", bands);
}

static json_t *audience_json(const struct policy_audience *a, const struct directory *directory,
                             bool named) {
    json_t *object = json_object();
    json_t *members = json_array();
    for (size_t i = 0; i < a->member_count; i++) {
        json_array_append_new(members, member_json(&a->members[i], directory, named));
    }
    bool ok = set(object, "name", json_string(a->name));
    ok = set(object, "members", members) && ok;
    ok = set(object, "services", services_json(a)) && ok;
    ok = set_precision(object, &a->precision) && ok;
    ok = set(object, "history", json_boolean(a->history)) && ok;
    if (ok && json_array_size(json_object_get(object, "members")) == a->member_count) {
        return object;
    }
    json_decref(object);
    return NULL;
}

static json_t *policy_json(const struct policy *p, const struct directory *directory, bool named) {
    json_t *audiences = json_array();
    for (size_t i = 0; i < p->audience_count; i++) {
        if (json_array_append_new(audiences, audience_json(&p->audiences[i], directory, named)) !=
            0) {
            json_decref(audiences);
            return NULL;
        }
    }
    json_t *object = json_object();
    if (set(object, "audiences", audiences)) {
        return object;
    }
    json_decref(object);
    return NULL;
}

json_t *policy_to_json(const struct policy *p, const struct directory *directory) {
    return policy_json(p, directory, false);
}

json_t *policy_to_json_named(const struct policy *p, const struct directory *directory) {
    return policy_json(p, directory, true);
}

bool policy_covers(const struct policy_audience *a, const char *service) {
    if (a->all_services) {
        return true;
    }
    for (size_t i = 0; i < a->service_count; i++) {
        if (strcmp(a->services[i], service) == 0) {
            return true;
        }
    }
    return false;
}

bool policy_has_member(const struct policy_audience *a, const struct public_key *member) {
    for (size_t i = 0; i < a->member_count; i++) {
        if (key_compare(&a->members[i], member) == 0) {
            return true;
        }
    }
    return false;
}
