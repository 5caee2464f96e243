/* Owns places: the optional records below a line, from which its counts follow. A place never
 * leaves the agent. Must not know who sees a line's counts. Source: design 2, docs/formats.md. */
#ifndef PLEK_AGENT_PLACE_H
#define PLEK_AGENT_PLACE_H

#include "records.h"

#define PLACE_CODE_MAX 40 /* bytes */
#define PLACE_MAX 20000   /* of an agent */

enum place_state { PLACE_FREE, PLACE_OCCUPIED, PLACE_HELD, PLACE_BLOCKED };
const char *place_state_name(enum place_state state);
enum err place_state_parse(const char *text, enum place_state *ret, struct error *e) MUST_USE;

/* reason and note are private too. until_ms 0: not said; nothing happens by itself when it passes.
 */
struct place {
    char code[PLACE_CODE_MAX + 1];
    enum place_state state;
    char reason[REASON_MAX + 1];
    int64_t until_ms;
    char note[NOTE_MAX + 1];
    int64_t changed_ms;
    char actor[API_ACTOR_MAX];
};
/* state, reason, until (TIME), note; "" means not said. ERR_DATA with the key as path. */
enum err place_set_value(struct place *p, const struct zone *zone, const char *key,
                         const char *value, struct error *e) MUST_USE;
enum err place_check_code(const char *code, struct error *e) MUST_USE;

/* ---- below one line, inside a caller's transaction; the counts follow with records_store ---- */
enum err places_find(struct agent *a, int64_t line, const char *code, struct place *ret,
                     bool *ret_found, struct error *e) MUST_USE;
/* Adds or replaces. ERR_TOO_LARGE beyond PLACE_MAX. */
enum err places_put(struct agent *a, int64_t line, const struct place *p, struct error *e) MUST_USE;
enum err places_remove(struct agent *a, int64_t line, const char *code, struct error *e) MUST_USE;
/* Ordered by code. The caller frees *ret. */
enum err places_of(struct agent *a, int64_t line, struct place **ret, size_t *ret_count,
                   struct error *e) MUST_USE;
/* A service whose unit has places (not hours); ERR_DATA. */
enum err places_allowed(const struct charter_service *service, struct error *e) MUST_USE;
/* The record's line has places: its counts become what follows from them. */
enum err places_derive(struct agent *a, struct record *record, struct error *e) MUST_USE;
/* ERR_DATA with the key as path when `key` is a count and the line has places. */
enum err places_refuse_count(struct agent *a, int64_t line, const char *key, struct error *e)
    MUST_USE;
/* The line's figure anew after its places changed: as of now_ms, keeping what is no count. */
enum err places_restate(struct agent *a, struct record *record, int64_t now_ms, const char *actor,
                        struct error *e) MUST_USE;

/* ---- what people do: each one transaction ---- */
enum place_act { PLACE_ADD, PLACE_CHANGE, PLACE_DROP };
struct place_change {
    enum place_act act;
    const char *site, *service, *ward; /* site, ward may be NULL */
    const char *code;
    const struct record_pair *pairs;
    size_t pair_count;
    const char *actor;
};
/* A change of state drops reason and until unless they are named. PLACE_ADD makes the line when it
 * is not there. Gives the line as stored. ERR_CONFLICT (added twice), ERR_NOT_FOUND, ERR_DATA. */
enum err place_apply(struct agent *a, const struct place_change *change, int64_t now_ms,
                     struct record *ret, struct error *e) MUST_USE;
/* Rows {site, service, ward, code, state, reason, until, note, changed_at, actor}; NULL: any. */
enum err places_json(struct agent *a, const char *service, const char *site, const char *ward,
                     json_t **ret, struct error *e) MUST_USE;

#endif
