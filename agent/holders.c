/* Owns who holds an audience's key (see holders.h). Must not decide anything. */
#include "holders.h"

#include <stdlib.h>

#include "store.h"

struct db_query holders_query(struct agent *a, int statement, const char *audience) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_text(&q, ":name", audience);
    return q;
}

/* As many as there are members at most, and the hub. */
enum err holders_load(struct agent *a, const char *audience, struct holders *ret, struct error *e) {
    size_t room = directory_member_count(agent_directory(a)) + 1;
    struct holders made = {.list = calloc(room, sizeof *made.list)};
    enum err code = ERR_OK;
    if (!made.list)
        return error_set(e, ERR_NO_MEMORY, "no memory for an audience's members");
    struct db_query q = holders_query(a, SQL_AUDIENCE_HOLDERS, audience);
    while (code == ERR_OK && made.count < room && db_step(&q))
        code = store_read_key(&q, 0, &made.list[made.count++], e);
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        free(made.list);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

void holders_done(struct holders *h) {
    free(h->list);
    *h = (struct holders){.count = 0};
}

enum err holders_json(struct agent *a, const struct holders *h, json_t **ret, struct error *e) {
    json_t *names = json_array();
    int failed = names ? 0 : -1;
    for (size_t i = 0; !failed && i < h->count; i++) {
        const struct member *m = directory_member(agent_directory(a), &h->list[i]);
        failed = json_array_append_new(names, json_string(m ? m->name : "@hub"));
    }
    if (failed) {
        json_decref(names);
        return error_set(e, ERR_NO_MEMORY, "no memory for an audience's members");
    }
    *ret = names;
    return ERR_OK;
}

enum err holders_journal(struct agent *a, const char *event, const char *audience,
                         const struct head *head, const char *actor, int64_t now_ms,
                         struct error *e) {
    struct holders holders = {.count = 0};
    enum err code = holders_load(a, audience, &holders, e);
    if (code != ERR_OK)
        return code;
    struct journal_row row = {.event = event,
                              .at_ms = now_ms,
                              .members = holders.list,
                              .member_count = holders.count,
                              .audience = audience,
                              .actor = actor ? actor : ""};
    if (head)
        row.entry = *head;
    code = journal_add(a, &row, e);
    holders_done(&holders);
    return code;
}
