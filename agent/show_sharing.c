/* Owns tables of policy, partners and status for people (see show.h).
 * Must not decide anything: it prints what the API said. */
#include <stdbool.h>
#include <string.h>

#include "show.h"
#include "table.h"

/* The items of a list of texts, "a, b, c". */
static const char *join_texts(const json_t *list, char *out, size_t size) {
    size_t len = 0, i;
    json_t *item;
    out[0] = '\0';
    json_array_foreach(list, i, item) {
        const char *text = json_string_value(item);
        if (len < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "",
                                    text ? text : "?");
    }
    return out[0] != '\0' ? out : NULL;
}

static void print_table(struct table *t, FILE *out) {
    if (t)
        table_print(t, out);
    else
        fputs("(out of memory)\n", out);
    table_free(t);
}

/* ---- policy ---------------------------------------------------------------------------------- */

static void print_audiences(const json_t *audiences, FILE *out) {
    static const char *const headings[] = {"AUDIENCE", "PRECISION", "SERVICES", "HISTORY",
                                           "MEMBERS"};
    struct table *t = table_new(headings, 5);
    size_t i;
    json_t *audience;
    json_array_foreach(audiences, i, audience) {
        char room[3][SHOW_TEXT_SIZE], services[512], members[1024];
        const char *cells[] = {
            show_cell(audience, "name", room[0]), show_cell(audience, "precision", room[1]),
            join_texts(json_object_get(audience, "services"), services, sizeof services),
            show_cell(audience, "history", room[2]),
            join_texts(json_object_get(audience, "members"), members, sizeof members)};
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

void show_policy(const json_t *answer, FILE *out) {
    char version[SHOW_TEXT_SIZE], applied[SHOW_TEXT_SIZE];
    if (json_integer_value(json_object_get(answer, "version")) == 0) {
        fputs("No policy is applied: nothing is shared. See plek-agent policy apply --help.\n",
              out);
        return;
    }
    fprintf(out, "Policy version %s, applied %s\n\n", show_cell(answer, "version", version),
            show_cell(answer, "applied", applied));
    print_audiences(json_object_get(answer, "audiences"), out);
}

static void print_list(const json_t *object, const char *key, const char *text, FILE *out) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(object, key), i, item) {
        const char *name = json_is_string(item)
                               ? json_string_value(item)
                               : json_string_value(json_object_get(item, "audience"));
        fprintf(out, "  %s %s\n", text, name ? name : "?");
    }
}

static void print_texts(const json_t *object, const char *key, const char *text, FILE *out) {
    char list[1024];
    if (join_texts(json_object_get(object, key), list, sizeof list))
        fprintf(out, "    %s: %s\n", text, list);
}

static void print_changed(const json_t *changes, FILE *out) {
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(changes, "changed"), i, change) {
        char room[3][SHOW_TEXT_SIZE];
        const json_t *precision = json_object_get(change, "precision");
        fprintf(out, "  changes %s\n", show_cell(change, "audience", room[0]));
        print_texts(change, "members_added", "sees it from now on", out);
        print_texts(change, "members_removed", "sees nothing newer", out);
        print_texts(change, "services_added", "services added", out);
        print_texts(change, "services_removed", "services removed", out);
        if (json_is_object(precision))
            fprintf(out, "    precision: %s -> %s\n", show_cell(precision, "from", room[1]),
                    show_cell(precision, "to", room[2]));
    }
}

void show_applied(const json_t *answer, FILE *out) {
    char version[SHOW_TEXT_SIZE];
    size_t i;
    json_t *warning;
    bool dry = json_is_true(json_object_get(answer, "dry_run"));
    const json_t *changes = json_object_get(answer, "changes");
    show_cell(answer, "version", version);
    if (json_is_true(json_object_get(answer, "unchanged")))
        fprintf(out, "This policy is in force already.\n");
    else
        fprintf(out, dry ? "This would change:\n" : "Applied. What changed:\n");
    print_list(changes, "added", "adds audience", out);
    print_list(changes, "removed", "removes audience", out);
    print_changed(changes, out);
    json_array_foreach(json_object_get(answer, "warnings"), i, warning) {
        const char *text = json_string_value(warning);
        fprintf(out, "warning: %s\n", text ? text : "?");
    }
    fputc('\n', out);
    print_audiences(json_object_get(json_object_get(answer, "policy"), "audiences"), out);
    if (dry)
        fputs("\nDry run: nothing was changed.\n", out);
}

void show_preview(const json_t *answer, FILE *out) {
    if (json_array_size(answer) == 0)
        fputs("This partner sees nothing of us now. `plek-agent policy check` says why.\n", out);
    else
        show_find(answer, out);
}

void show_findings(const json_t *answer, FILE *out) {
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(answer, "findings"), i, finding) {
        char room[3][SHOW_TEXT_SIZE];
        const char *subject = json_string_value(json_object_get(finding, "subject"));
        fprintf(out, "%s: %s%s%s\n", show_cell(finding, "level", room[0]),
                show_cell(finding, "subject", room[1]), subject && subject[0] ? ": " : "",
                show_cell(finding, "detail", room[2]));
    }
    if (json_is_true(json_object_get(answer, "ok")))
        fputs("The policy can be carried out as it stands.\n", out);
}

/* ---- partners -------------------------------------------------------------------------------- */

void show_partners(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"NAME",     "ROLE",      "STATE",
                                           "APPROVED", "LAST SEEN", "FINGERPRINT"};
    static const char *const keys[] = {"name",     "role",      "state",
                                       "approved", "last_seen", "fingerprint"};
    struct table *t = table_new(headings, 6);
    size_t i;
    json_t *row;
    json_array_foreach(answer, i, row) {
        char room[6][SHOW_TEXT_SIZE];
        const char *cells[6];
        for (size_t k = 0; k < 6; k++)
            cells[k] = show_cell(row, keys[k], room[k]);
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

void show_partner(const json_t *answer, FILE *out) {
    char room[3][SHOW_TEXT_SIZE];
    bool approved = json_is_true(json_object_get(answer, "approved"));
    fprintf(out, "%s is %sapproved. Fingerprint: %s\n", show_cell(answer, "name", room[0]),
            approved ? "" : "not ", show_cell(answer, "fingerprint", room[1]));
    if (approved)
        fputs("Compare the fingerprint by telephone if you have not done so.\n", out);
    else
        fputs("It receives nothing newer. What it saw, it has seen.\n", out);
}

/* ---- status ---------------------------------------------------------------------------------- */

void show_status(const json_t *answer, FILE *out) {
    char room[4][SHOW_TEXT_SIZE];
    const json_t *hub = json_object_get(answer, "hub");
    const json_t *feed = json_object_get(answer, "feed");
    const json_t *outbox = json_object_get(answer, "outbox");
    const json_t *partners = json_object_get(answer, "partners");
    const json_t *alarms = json_object_get(answer, "alarms");
    size_t i;
    json_t *alarm;
    fprintf(out, "member    %s\n", show_cell(answer, "member", room[0]));
    fprintf(out, "agent     %s\n", show_cell(answer, "agent", room[0]));
    fprintf(out, "network   %s\n", show_cell(answer, "network", room[0]));
    fprintf(out, "hub       %s, connected: %s\n", show_cell(hub, "address", room[0]),
            show_cell(hub, "connected", room[1]));
    if (json_is_integer(json_object_get(hub, "clock_offset_ms")))
        fprintf(out, "clock     the hub's minus ours: %s ms\n",
                show_cell(hub, "clock_offset_ms", room[0]));
    fprintf(out, "feed      incarnation %s, entry %s, acknowledged up to %s\n",
            show_cell(feed, "incarnation", room[0]), show_cell(feed, "seq", room[1]),
            show_cell(feed, "acked_seq", room[2]));
    fprintf(out, "outbox    %s entries, %s audiences to seal\n",
            show_cell(outbox, "entries", room[0]), show_cell(outbox, "dirty_audiences", room[1]));
    fprintf(out, "partners  %s known, %s approved\n", show_cell(partners, "known", room[0]),
            show_cell(partners, "approved", room[1]));
    json_array_foreach(alarms, i, alarm) {
        const char *subject = json_string_value(json_object_get(alarm, "subject"));
        fprintf(out, "ALARM     %s%s%s: %s (since %s)\n", show_cell(alarm, "code", room[0]),
                subject && subject[0] ? " " : "", show_cell(alarm, "subject", room[1]),
                show_cell(alarm, "detail", room[2]), show_cell(alarm, "since", room[3]));
    }
    if (json_array_size(alarms) == 0)
        fputs("alarms    none\n", out);
}
