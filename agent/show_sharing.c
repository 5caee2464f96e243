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

static const char *services_text(const json_t *row, char *out) {
    return join_texts(json_object_get(row, "services"), out, TABLE_CELL_SIZE);
}

static const char *members_text(const json_t *row, char *out) {
    return join_texts(json_object_get(row, "members"), out, TABLE_CELL_SIZE);
}

/* ---- policy ---- */

static void print_audiences(const json_t *audiences, FILE *out) {
    static const struct table_column columns[] = {
        {"AUDIENCE", "name", NULL},        {"PRECISION", "precision", NULL},
        {"SERVICES", NULL, services_text}, {"HISTORY", "history", NULL},
        {"MEMBERS", NULL, members_text},   {0}};
    table_show(audiences, columns, out);
}

/* Audiences of the policy that nothing is sealed to now. */
static void print_halted(const json_t *answer, const char *key, const char *note, FILE *out) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(answer, key), i, row) {
        char audience[SHOW_TEXT_SIZE], since[SHOW_TEXT_SIZE];
        fprintf(out, "\n%s: %s, since %s (%s)\n", key, show_cell(row, "audience", audience),
                show_cell(row, "since", since), note);
    }
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
    print_halted(answer, "withdrawn", "plek-agent withdraw --undo shares again", out);
    print_halted(answer, "paused", "what they saw before stays until it expires", out);
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
    print_list(answer, "resumed", "shares again, after it was withdrawn,", out);
    json_array_foreach(json_object_get(answer, "warnings"), i, warning) {
        const char *text = json_string_value(warning);
        fprintf(out, "warning: %s\n", text ? text : "?");
    }
    fputc('\n', out);
    print_audiences(json_object_get(json_object_get(answer, "policy"), "audiences"), out);
    if (dry)
        fputs("\nDry run: nothing was changed.\n", out);
}

/* Each reason once: there are few, and mostly one. */
static void print_why(const json_t *rows, FILE *out) {
    static const struct {
        const char *basis, *text;
    } reasons[] = {{"hub", "it is the hub, which is approved by joining"},
                   {"own", "it is this organisation itself: its other agents"},
                   {"approved", "approved since"},
                   {"directory", "not approved; let in by trust = directory since"}};
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; k++) {
        char room[SHOW_TEXT_SIZE];
        size_t i;
        json_t *row, *found = NULL;
        json_array_foreach(rows, i, row) {
            json_t *why = json_object_get(row, "why");
            const char *basis = json_string_value(json_object_get(why, "basis"));
            if (!found && basis && strcmp(basis, reasons[k].basis) == 0)
                found = why;
        }
        bool dated = json_is_string(json_object_get(found, "since"));
        if (found)
            fprintf(out, "Why it may see this: %s%s%s\n", reasons[k].text, dated ? " " : "",
                    dated ? show_cell(found, "since", room) : "");
    }
}

void show_preview(const json_t *answer, FILE *out) {
    if (json_array_size(answer) == 0) {
        fputs("This partner sees nothing of us now. `plek-agent policy check` says why.\n", out);
        return;
    }
    print_why(answer, out);
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

/* ---- partners ---- */

void show_partners(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"NAME", "name", NULL},
                                                  {"ROLE", "role", NULL},
                                                  {"STATE", "state", NULL},
                                                  {"TRUST", "trust", NULL},
                                                  {"LAST SEEN", "last_seen", NULL},
                                                  {"FINGERPRINT", "fingerprint", NULL},
                                                  {0}};
    table_show(answer, columns, out);
}

void show_partner(const json_t *answer, FILE *out) {
    char room[3][SHOW_TEXT_SIZE];
    bool approved = json_is_true(json_object_get(answer, "approved"));
    bool refused = json_is_true(json_object_get(answer, "refused"));
    const char *mode = json_string_value(json_object_get(answer, "mode"));
    fprintf(out, "%s is %s. Fingerprint: %s\n", show_cell(answer, "name", room[0]),
            approved  ? "approved"
            : refused ? "refused"
                      : "not approved",
            show_cell(answer, "fingerprint", room[1]));
    if (approved)
        fputs("Compare the fingerprint by telephone if you have not done so.\n", out);
    else
        fputs("It receives nothing newer. What it saw, it has seen.\n", out);
    if (!approved && !refused && mode && strcmp(mode, "directory") == 0)
        fputs("By trust = directory it is shown bands and lights again after 24 hours in `status`, "
              "where the policy says so; plek-agent partner refuse stops that.\n",
              out);
}

/* ---- withdraw, pause ---- */

static const char *withdraw_verb(bool undo, bool dry, bool changed) {
    if (undo)
        return dry ? "would share again with" : "shares again with";
    if (!changed)
        return "was withdrawn already from";
    return dry ? "would withdraw from" : "withdraws from";
}

static const char *pause_verb(bool undo, bool dry, bool changed) {
    if (!changed)
        return undo ? "was not paused:" : "was paused already:";
    if (undo)
        return dry ? "would resume" : "resumes";
    return dry ? "would pause" : "pauses";
}

typedef const char *halt_verb(bool undo, bool dry, bool changed);

/* The audiences that are stopped or go on, and who can read them. */
static void print_halts(const json_t *answer, halt_verb *verb, FILE *out) {
    bool dry = json_is_true(json_object_get(answer, "dry_run"));
    bool undo = json_is_true(json_object_get(answer, "undo"));
    char room[SHOW_TEXT_SIZE];
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(answer, "audiences"), i, row) {
        char members[1024];
        bool changed = json_is_true(json_object_get(row, "changed"));
        fprintf(out, "%s audience %s\n", verb(undo, dry, changed),
                show_cell(row, "audience", room));
        if (join_texts(json_object_get(row, "members"), members, sizeof members))
            fprintf(out, "    who can read it now: %s\n", members);
    }
}

static bool no_audiences(const json_t *answer) {
    return json_array_size(json_object_get(answer, "audiences")) == 0;
}

static void print_dry(const json_t *answer, FILE *out) {
    if (json_is_true(json_object_get(answer, "dry_run")))
        fputs("\nDry run: nothing was changed.\n", out);
}

void show_withdraw(const json_t *answer, FILE *out) {
    bool undo = json_is_true(json_object_get(answer, "undo"));
    print_halts(answer, withdraw_verb, out);
    if (no_audiences(answer))
        fputs(undo ? "Nothing is withdrawn.\n" : "The policy has no audiences.\n", out);
    if (!undo)
        fprintf(out,
                "\n%s\nNothing is sealed to a withdrawn audience until plek-agent withdraw "
                "--undo, or until a policy is applied.\n",
                json_string_value(json_object_get(answer, "note")));
    print_dry(answer, out);
}

void show_pause(const json_t *answer, FILE *out) {
    bool undo = json_is_true(json_object_get(answer, "undo"));
    print_halts(answer, pause_verb, out);
    if (no_audiences(answer))
        fputs(undo ? "Nothing is paused.\n" : "The policy has no audiences.\n", out);
    if (!undo)
        fprintf(out, "\n%s\nplek-agent resume ends it.\n",
                json_string_value(json_object_get(answer, "note")));
    print_dry(answer, out);
}

/* ---- audit ---- */

static const char *event_text(const json_t *row, char *out) {
    const json_t *trust = json_object_get(json_object_get(row, "detail"), "trust");
    char room[SHOW_TEXT_SIZE];
    snprintf(out, TABLE_CELL_SIZE, "%s%s%s", show_cell(row, "event", room),
             json_is_string(trust) ? ", trust=" : "",
             json_is_string(trust) ? json_string_value(trust) : "");
    return out;
}

static const char *entry_text(const json_t *row, char *out) {
    return table_value(json_object_get(json_object_get(row, "entry"), "seq"), out);
}

void show_audit(const json_t *rows, FILE *out) {
    static const struct table_column columns[] = {{"AT", "at", NULL},
                                                  {"EVENT", NULL, event_text},
                                                  {"AUDIENCE", "audience", NULL},
                                                  {"PRECISION", "precision", NULL},
                                                  {"SERVICES", NULL, services_text},
                                                  {"POLICY", "policy_version", NULL},
                                                  {"ENTRY", NULL, entry_text},
                                                  {"ACTOR", "actor", NULL},
                                                  {"MEMBERS", NULL, members_text},
                                                  {0}};
    table_show(rows, columns, out);
    if (json_array_size(rows) == 0)
        fputs("Nothing: no policy was applied and nothing was sealed in that time.\n", out);
}

/* ---- status ---- */

/* Who is let in without an approval, and who will be: with what to do about it. */
static void print_trust(const json_t *trust, FILE *out) {
    char room[3][SHOW_TEXT_SIZE], audiences[512];
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(trust, "waiting"), i, row) {
        const char *list =
            join_texts(json_object_get(row, "audiences"), audiences, sizeof audiences);
        fprintf(out,
                "WAITING   %s (%s) is not approved: audience %s is sealed to it from %s, or when "
                "this agent has run so long; to stop it: plek-agent partner refuse\n",
                show_cell(row, "member", room[0]), show_cell(row, "fingerprint", room[1]),
                list ? list : "?", show_cell(row, "not_before", room[2]));
    }
    json_array_foreach(json_object_get(trust, "trusted"), i, row) {
        const char *list =
            join_texts(json_object_get(row, "audiences"), audiences, sizeof audiences);
        fprintf(out,
                "trusted   %s (%s) is not approved and sees audience %s since %s, by trust = "
                "directory\n",
                show_cell(row, "member", room[0]), show_cell(row, "fingerprint", room[1]),
                list ? list : "?", show_cell(row, "since", room[2]));
    }
}

void show_key(const json_t *key, FILE *out) {
    char room[3][SHOW_TEXT_SIZE];
    fprintf(out, "key       made %s, next one due %s%s", show_cell(key, "since", room[0]),
            show_cell(key, "next_renewal", room[1]),
            json_is_true(json_object_get(key, "waiting")) ? "; a new one waits to be announced"
                                                          : "");
    if (json_integer_value(json_object_get(key, "older")) > 0)
        fprintf(out, "; %s older kept for what is under way", show_cell(key, "older", room[2]));
    fputc('\n', out);
}

void show_status(const json_t *answer, FILE *out) {
    char room[4][SHOW_TEXT_SIZE];
    const json_t *hub = json_object_get(answer, "hub");
    const json_t *feed = json_object_get(answer, "feed");
    const json_t *outbox = json_object_get(answer, "outbox");
    const json_t *partners = json_object_get(answer, "partners");
    const json_t *alarms = json_object_get(answer, "alarms");
    size_t i;
    json_t *alarm, *hole;
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
    print_trust(json_object_get(answer, "trust"), out);
    show_key(json_object_get(answer, "key"), out);
    const json_t *cert = json_object_get(answer, "certificate");
    if (json_is_object(cert))
        fprintf(out, "certified until %s%s\n", show_cell(cert, "expires", room[0]),
                json_is_true(json_object_get(cert, "expired"))
                    ? ", which has passed: renew it (plek-agent renew-certificate)"
                    : "");
    const json_t *dropped = json_object_get(answer, "dropped");
    if (json_integer_value(json_object_get(dropped, "pictures")) > 0 ||
        json_integer_value(json_object_get(dropped, "keys")) > 0)
        fprintf(out, "dropped   %s pictures and %s keys of partners who sent more than fits\n",
                show_cell(dropped, "pictures", room[0]), show_cell(dropped, "keys", room[1]));
    json_array_foreach(json_object_get(answer, "withdrawn"), i, alarm) {
        bool sent = json_is_true(json_object_get(alarm, "sent"));
        fprintf(out, "withdrawn %s, since %s, by %s%s\n", show_cell(alarm, "audience", room[0]),
                show_cell(alarm, "since", room[1]), show_cell(alarm, "actor", room[2]),
                sent ? "" : "; not sent yet");
    }
    json_array_foreach(alarms, i, alarm) {
        const char *subject = json_string_value(json_object_get(alarm, "subject"));
        fprintf(out, "ALARM     %s%s%s: %s (since %s)\n", show_cell(alarm, "code", room[0]),
                subject && subject[0] ? " " : "", show_cell(alarm, "subject", room[1]),
                show_cell(alarm, "detail", room[2]), show_cell(alarm, "since", room[3]));
    }
    if (json_array_size(alarms) == 0)
        fputs("alarms    none\n", out);
    json_array_foreach(json_object_get(answer, "history_holes"), i, hole) {
        fprintf(out, "history   %s views of %s are missing since %s%s\n",
                show_cell(hole, "missing", room[0]), show_cell(hole, "member", room[1]),
                show_cell(hole, "since", room[2]),
                json_is_true(json_object_get(hole, "asked")) ? "; the hub does not have them for us"
                                                             : "; they are asked for again");
    }
}

/* ---- history ---- */

void show_history(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {
        {"OBSERVED", "observed_at", NULL},
        {"MEMBER", "member", NULL},
        {"SITE", "site", NULL},
        {"SERVICE", "service", NULL},
        {"WARD", "ward", NULL},
        {"AVAILABLE", NULL, show_available},
        {"STATUS", "status", NULL},
        {"TOTAL", "total", NULL},
        {"OCCUPIED", "occupied", NULL},
        {"NEED", "need", NULL},
        {"PRECISION", "precision", NULL},
        {0},
    };
    if (json_array_size(answer) == 0) {
        fputs("No figures of that time are known here.\n", out);
        return;
    }
    table_show(answer, columns, out);
}
