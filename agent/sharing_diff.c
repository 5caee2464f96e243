/* Owns what changes between two policies (see sharing_diff.h). Must not know the store. */
#include "sharing_diff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A member's place: for one service, in one audience (policy_parse sees to it that there is one).
 */
struct seat {
    const struct public_key *member;
    const struct policy_audience *audience;
    size_t service; /* index in the charter */
};
struct seats {
    struct seat *list;
    size_t count;
};

static int compare_seats(const void *left, const void *right) {
    const struct seat *a = left, *b = right;
    int order = key_compare(a->member, b->member);
    if (order != 0)
        return order;
    return a->service < b->service ? -1 : a->service > b->service;
}

static size_t covered_count(const struct policy_audience *audience, const struct charter *charter) {
    size_t count = 0;
    for (size_t i = 0; i < charter->service_count; i++)
        count += policy_covers(audience, charter->services[i].code);
    return count;
}

static void add_seats(struct seats *seats, const struct policy_audience *audience,
                      const struct charter *charter) {
    for (size_t k = 0; k < charter->service_count; k++) {
        if (!policy_covers(audience, charter->services[k].code))
            continue;
        for (size_t i = 0; i < audience->member_count; i++)
            seats->list[seats->count++] = (struct seat){&audience->members[i], audience, k};
    }
}

static bool seats_of(const struct policy *p, const struct charter *charter, struct seats *ret) {
    size_t total = 0;
    for (size_t i = 0; p && i < p->audience_count; i++)
        total += p->audiences[i].member_count * covered_count(&p->audiences[i], charter);
    *ret = (struct seats){.list = calloc(total + 1, sizeof *ret->list)};
    if (!ret->list)
        return false;
    for (size_t i = 0; p && i < p->audience_count; i++)
        add_seats(ret, &p->audiences[i], charter);
    qsort(ret->list, ret->count, sizeof *ret->list, compare_seats);
    return true;
}

/* ---- writing ---- */

static bool same_precision(const struct precision *a, const struct precision *b) {
    return a->kind == b->kind && a->step == b->step && a->band_count == b->band_count &&
           memcmp(a->bands, b->bands, a->band_count * sizeof a->bands[0]) == 0;
}

static json_t *precision_json(const struct seat *seat) {
    char text[32];
    return seat ? json_string(precision_text(&seat->audience->precision, text)) : json_null();
}

static json_t *member_json(const struct public_key *key, const struct directory *directory) {
    char hex[2 * KEY_LEN + 1];
    if (key_equal(key, directory_network(directory)))
        return json_string("@hub");
    const struct member *member = directory_member(directory, key);
    hex_encode(hex, bytes_of(key->b, KEY_LEN));
    return json_string(member ? member->name : hex);
}

static bool add_change(json_t *list, const struct seat *from, const struct seat *to,
                       const struct directory *directory) {
    const struct seat *seat = from ? from : to;
    assert(seat);
    const struct charter *charter = directory_charter(directory);
    return json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o}", "member",
                                                 member_json(seat->member, directory), "service",
                                                 charter->services[seat->service].code, "from",
                                                 precision_json(from), "to", precision_json(to))) ==
           0;
}

/* Both in the same order: one walk finds what is only in one, or differs. */
static bool compare_all(const struct seats *before, const struct seats *after,
                        const struct directory *directory, json_t *list) {
    size_t i = 0, k = 0;
    bool ok = true;
    while (ok && (i < before->count || k < after->count)) {
        const struct seat *from = i < before->count ? &before->list[i] : NULL;
        const struct seat *to = k < after->count ? &after->list[k] : NULL;
        int order = !from ? 1 : !to ? -1 : compare_seats(from, to);
        if (order < 0)
            ok = add_change(list, from, NULL, directory);
        else if (order > 0)
            ok = add_change(list, NULL, to, directory);
        else if (!same_precision(&from->audience->precision, &to->audience->precision))
            ok = add_change(list, from, to, directory);
        i += order <= 0;
        k += order >= 0;
    }
    return ok;
}

static const struct policy_audience *named(const struct policy *p, const char *name) {
    for (size_t i = 0; p && i < p->audience_count; i++)
        if (strcmp(p->audiences[i].name, name) == 0)
            return &p->audiences[i];
    return NULL;
}

/* Names of audiences of `p` that the other lacks. */
static json_t *only_in(const struct policy *p, const struct policy *other) {
    json_t *names = json_array();
    for (size_t i = 0; p && i < p->audience_count; i++)
        if (!named(other, p->audiences[i].name))
            json_array_append_new(names, json_string(p->audiences[i].name));
    return names;
}

/* Members of one that the other lacks, by name. */
static json_t *members_only_in(const struct policy_audience *a, const struct policy_audience *b,
                               const struct directory *directory) {
    json_t *names = json_array();
    for (size_t i = 0; i < a->member_count; i++)
        if (!(i < b->member_count && key_equal(&a->members[i], &b->members[i])) &&
            !policy_has_member(b, &a->members[i]))
            json_array_append_new(names, member_json(&a->members[i], directory));
    return names;
}

/* "*" stands for itself: it also covers what a later charter adds. */
static json_t *services_only_in(const struct policy_audience *a, const struct policy_audience *b) {
    json_t *codes = json_array();
    if (a->all_services && !b->all_services)
        json_array_append_new(codes, json_string("*"));
    for (size_t i = 0; i < a->service_count; i++)
        if (b->all_services || !policy_covers(b, a->services[i]))
            json_array_append_new(codes, json_string(a->services[i]));
    return codes;
}

static json_t *text_of(const struct precision *p) {
    char text[48];
    json_t *list = json_array();
    for (size_t i = 0; p->kind == PRECISION_BAND && i < p->band_count; i++)
        json_array_append_new(list, json_integer(p->bands[i]));
    char *bands = json_dumps(list, JSON_COMPACT);
    precision_text(p, text);
    json_t *made =
        p->kind == PRECISION_BAND && bands ? json_sprintf("%s %s", text, bands) : json_string(text);
    free(bands);
    json_decref(list);
    return made;
}

/* NULL in *ret when nothing differs; false: no memory. */
static bool audience_change(const struct policy_audience *was, const struct policy_audience *now,
                            const struct directory *directory, json_t **ret) {
    bool precision = !same_precision(&was->precision, &now->precision);
    json_t *made =
        json_pack("{s:s, s:o, s:o, s:o, s:o}", "audience", now->name, "members_added",
                  members_only_in(now, was, directory), "members_removed",
                  members_only_in(was, now, directory), "services_added",
                  services_only_in(now, was), "services_removed", services_only_in(was, now));
    bool ok = made != NULL;
    bool any = precision || was->history != now->history;
    static const char *const lists[] = {"members_added", "members_removed", "services_added",
                                        "services_removed"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        any |= json_array_size(json_object_get(made, lists[i])) > 0;
    if (ok && precision)
        ok = json_object_set_new(made, "precision",
                                 json_pack("{s:o, s:o}", "from", text_of(&was->precision), "to",
                                           text_of(&now->precision))) == 0;
    if (ok && was->history != now->history)
        ok = json_object_set_new(made, "history", json_boolean(now->history)) == 0;
    if (!ok || !any) {
        json_decref(made);
        made = NULL;
    }
    *ret = made;
    return ok;
}

/* NULL: no memory. */
static json_t *differing(const struct policy *before, const struct policy *after,
                         const struct directory *directory) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < after->audience_count; i++) {
        const struct policy_audience *now = &after->audiences[i], *was = named(before, now->name);
        json_t *change = NULL;
        if (was)
            ok = audience_change(was, now, directory, &change);
        if (ok && change)
            ok = json_array_append_new(list, change) == 0;
    }
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

json_t *sharing_diff(const struct policy *before, const struct policy *after,
                     const struct directory *directory, bool *ret_any) {
    const struct charter *charter = directory_charter(directory);
    struct seats old = {0}, now = {0};
    json_t *members = json_array();
    json_t *added = only_in(after, before), *removed = only_in(before, after);
    json_t *changed = differing(before, after, directory);
    bool ok = members && added && removed && changed && seats_of(before, charter, &old) &&
              seats_of(after, charter, &now) && compare_all(&old, &now, directory, members);
    free(old.list);
    free(now.list);
    *ret_any = json_array_size(added) + json_array_size(removed) + json_array_size(changed) > 0;
    json_t *made = ok ? json_pack("{s:O, s:O, s:O, s:O}", "added", added, "removed", removed,
                                  "changed", changed, "members", members)
                      : NULL;
    json_decref(members);
    json_decref(added);
    json_decref(removed);
    json_decref(changed);
    return made;
}
