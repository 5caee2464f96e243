/* Implements a synthetic member. Entries go through shared_core's own sealing, signing and
 * encoding; only the store is left out. */
#include "puppet.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history.h"
#include "random.h"

#define CERT_LIFE_MS INT64_C(63072000000)
#define VALIDITY_MS INT64_C(86400000)

/* ---- the network ---- */

enum err puppet_network_init(struct puppet_network *n, struct error *e) {
    memset(n, 0, sizeof *n);
    n->entropy = random_entropy();
    enum err err = sockets_new(&n->sockets, e);
    return err == ERR_OK
               ? charter_parse(bytes_str(charter_default_json()), "default charter", &n->charter, e)
               : err;
}

void puppet_network_done(struct puppet_network *n) {
    sockets_free(n->sockets);
    charter_free(n->charter);
    n->sockets = NULL;
    n->charter = NULL;
}

static void fail(struct puppet *p, enum err code, const char *why) {
    struct puppet_network *n = p->network;
    if (n->failed)
        return;
    n->failed = true;
    error_set(&n->why, code, "puppet %d: %s", p->number, why);
}

/* ---- what it publishes ---- */

static struct amount known(int64_t value) {
    return (struct amount){true, value};
}

static void fill_line(struct line *line, int number, int64_t now_ms) {
    *line = (struct line){.site = 1, .service = "bed"};
    snprintf(line->ward, sizeof line->ward, "Afdeling %c%d", 'A' + number % 3, number + 1);
    line->capacity =
        (struct capacity){.total = known(24),
                          .occupied = known(18 + number % 5),
                          .held = known(1),
                          .blocked = known(number % 3),
                          .status = STATUS_ADMITTING,
                          .observed_ms = now_ms - number * INT64_C(60000),
                          .valid_until_ms = now_ms + VALIDITY_MS - number * INT64_C(60000)};
}

static enum err make_snapshot(struct puppet *p, int64_t now_ms, struct error *e) {
    struct line lines[PUPPET_LINES];
    struct site site = {.id = 1,
                        .region = "NL-UT",
                        .phone = "+31301234567",
                        .hours = "24 uur",
                        .reports = "ma-zo 08:00-20:00",
                        .note = "Via de hoofdingang, balie B"};
    struct policy_audience audience = {
        .name = "all", .all_services = true, .precision = {.kind = PRECISION_EXACT}};
    snprintf(site.name, sizeof site.name, "Locatie %d", p->number);
    for (int i = 0; i < PUPPET_LINES; i++)
        fill_line(&lines[i], i, now_ms);
    return snapshot_compose(&audience, p->network->charter, 1, &site, 1, lines, PUPPET_LINES,
                            &p->snapshot, e);
}

/* ---- life ---- */

static void make_pair(const struct entropy *entropy, struct sign_pair *ret) {
    uint8_t seed[SEED_LEN];
    entropy_fill(entropy, seed, sizeof seed);
    sign_pair_from_seed(ret, seed);
}

static enum err make_request(struct puppet *p, const char *uri, int64_t now_ms, struct error *e) {
    struct invite invite;
    struct sign_pair pair;
    enum err err = invite_parse(uri, &invite, e);
    if (err != ERR_OK)
        return err;
    struct cert cert = {.network = invite.network,
                        .member = p->member.pub,
                        .agent = p->agent.pub,
                        .box = p->box.pub,
                        .serial = 1,
                        .not_after_ms = now_ms + CERT_LIFE_MS,
                        .label = "bench"};
    struct hash next = hash_blake2b(bytes_of(p->member.pub.b, KEY_LEN));
    p->network->key = invite.network;
    sign_pair_from_seed(&pair, invite.seed);
    err = cert_issue(&cert, &p->member, &p->agent, &p->cert, e);
    if (err == ERR_OK)
        err = join_build(&invite.network, &pair, &p->member, &next, &p->agent, buf_bytes(&p->cert),
                         &p->join, e);
    invite_wipe(&invite);
    sign_pair_wipe(&pair);
    return err;
}

static int64_t wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum err puppet_init(struct puppet *p, struct puppet_network *n, int number, const char *uri,
                     struct error *e) {
    uint8_t seed[SEED_LEN];
    memset(p, 0, sizeof *p);
    p->network = n;
    p->number = number;
    p->window = UINT64_MAX;
    buf_init(&p->cert, CERT_MAX_BYTES);
    buf_init(&p->join, JOIN_MAX_BYTES);
    make_pair(&n->entropy, &p->member);
    make_pair(&n->entropy, &p->agent);
    entropy_fill(&n->entropy, seed, sizeof seed);
    box_pair_from_seed(&p->box, seed);
    enum err err = make_request(p, uri, wall_ms(), e);
    if (err != ERR_OK)
        return err;
    p->ctx =
        (struct audience_ctx){.network = n->key, .member = p->member.pub, .agent = p->agent.pub};
    entropy_fill(&n->entropy, p->ctx.audience, AUDIENCE_ID_LEN);
    entropy_fill(&n->entropy, p->key.b, AUDIENCE_KEY_LEN);
    p->key_id = audience_key_id(&p->ctx, &p->key);
    return ERR_OK;
}

void puppet_done(struct puppet *p) {
    puppet_disconnect(p);
    for (size_t i = 0; i < p->entry_count; i++)
        blob_unref(p->entries[i].blob);
    free(p->entries);
    snapshot_free(p->snapshot);
    buf_done(&p->cert);
    buf_done(&p->join);
    sign_pair_wipe(&p->member);
    sign_pair_wipe(&p->agent);
    box_pair_wipe(&p->box);
    audience_key_wipe(&p->key);
}

/* ---- the store it does not have ---- */

static void take_welcome(struct puppet *p, const struct welcome *w) {
    uint64_t held = w->has_own_head ? w->own_head.seq : 0;
    p->welcomed = true;
    if (held < p->acked_seq && !p->keeps)
        fail(p, ERR_STORE, "the hub lost what it had acknowledged");
    if (w->hub_head.seq > p->network->hub_head.seq)
        p->network->hub_head = w->hub_head;
    p->acked_seq = p->sent_seq = held;
}

static void give_next(struct puppet *p, struct peer_step *step) {
    uint64_t seq = step->effect.head.seq + 1;
    if (seq > p->entry_count || seq - 1 - p->acked_seq >= p->window)
        return;
    struct puppet_entry *entry = &p->entries[seq - 1];
    step->head = entry->head;
    step->entry = blob_ref(entry->blob);
    p->sent_seq = seq;
}

static void take_ack(struct puppet *p, const struct head *head) {
    /* What is acknowledged is not sent again: its bytes can go. */
    for (uint64_t seq = p->acked_seq + 1; !p->keeps && seq <= head->seq && seq <= p->entry_count;
         seq++) {
        blob_unref(p->entries[seq - 1].blob);
        p->entries[seq - 1].blob = NULL;
    }
    p->acked_seq = head->seq;
    peer_outbox(p->peer);
    if (p->acked != NULL)
        p->acked(p->take_ctx, p);
}

static enum err take_excerpt(struct puppet *p, const struct agent_effect *effect) {
    if (effect->class_ == 0)
        return ERR_OK;
    p->taken++;
    return p->take != NULL ? p->take(p->take_ctx, effect) : ERR_OK;
}

static void run_step(struct puppet *p, struct peer_step *step) {
    const struct agent_effect *effect = &step->effect;
    switch (effect->kind) {
    case AGENT_EFFECT_WELCOMED:
        take_welcome(p, &effect->welcome);
        return;
    case AGENT_EFFECT_TAKE:
        step->code = take_excerpt(p, effect);
        if (step->code != ERR_OK)
            fail(p, step->code, "an excerpt could not be read");
        return;
    case AGENT_EFFECT_REACHED:
        p->after[effect->class_] = effect->position;
        return;
    case AGENT_EFFECT_NEXT:
        give_next(p, step);
        return;
    case AGENT_EFFECT_ACKED:
        take_ack(p, &effect->head);
        return;
    case AGENT_EFFECT_REJECTED:
        fail(p, effect->code, effect->reason);
        return;
    case AGENT_EFFECT_REFUSED:
        if (p->lost != NULL)
            p->lost(p->take_ctx, p, effect->refused.code, effect->refused.retry_after_ms);
        else
            fail(p, effect->code, effect->refused.detail);
        return;
    case AGENT_EFFECT_SEND:
    case AGENT_EFFECT_CLOSE:
    case AGENT_EFFECT_WAKE:
        return;
    }
}

static void run_steps(void *ctx, struct peer_step *steps, size_t count) {
    for (size_t i = 0; i < count; i++)
        run_step(ctx, &steps[i]);
}

static void on_ended(void *ctx, const char *why) {
    struct puppet *p = ctx;
    if (p->lost != NULL)
        p->lost(p->take_ctx, p, ERR_UNAVAILABLE, 0);
    else
        fail(p, ERR_UNAVAILABLE, why);
}

enum err puppet_connect(struct puppet *p, struct error *e) {
    static const struct peer_owner owner = {run_steps, on_ended};
    struct puppet_network *n = p->network;
    struct agent_session_config config = {.network = n->key,
                                          .keys = &p->agent,
                                          .cert = buf_bytes(&p->cert),
                                          .join =
                                              p->welcomed ? bytes_of(NULL, 0) : buf_bytes(&p->join),
                                          .hub_head = n->hub_head,
                                          .own = p->signed_head,
                                          .entropy = &n->entropy};
    if (p->acked_seq > 0)
        config.sent = p->entries[p->acked_seq - 1].head;
    memcpy(config.after, p->after, sizeof config.after);
    return peer_open(n->sockets, n->address, &config, &owner, p, &p->peer, e);
}

void puppet_disconnect(struct puppet *p) {
    peer_free(p->peer);
    p->peer = NULL;
}

/* ---- publishing ---- */

static enum err reserve(struct puppet *p, struct error *e) {
    if (p->entry_count < p->entry_cap)
        return ERR_OK;
    size_t wanted = p->entry_cap > 0 ? p->entry_cap * 2 : 16;
    struct puppet_entry *grown = reallocarray(p->entries, wanted, sizeof *grown);
    if (grown == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu entries", wanted);
    p->entries = grown;
    p->entry_cap = wanted;
    return ERR_OK;
}

static struct header next_header(const struct puppet *p, uint32_t kind, int64_t now_ms) {
    return (struct header){.network = p->network->key,
                           .member = p->member.pub,
                           .agent = p->agent.pub,
                           .incarnation = 1,
                           .seq = p->signed_head.seq + 1,
                           .prev = p->signed_head.hash,
                           .claimed_ms = now_ms,
                           .kind = kind,
                           .has_hub_head = true,
                           .hub_head = p->network->hub_head};
}

static enum err append(struct puppet *p, const struct header *header, const struct view *views,
                       size_t count, struct error *e) {
    struct buf out;
    struct hash hash;
    size_t len = 0;
    buf_init(&out, ENTRY_MAX_BYTES);
    enum err err = reserve(p, e);
    if (err == ERR_OK)
        err = entry_build(header, views, count, &p->agent, &out, &hash, e);
    if (err != ERR_OK) {
        buf_done(&out);
        return err;
    }
    uint8_t *data = buf_take(&out, &len);
    struct blob *blob = blob_take(data, len);
    if (blob == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for an entry");
    p->signed_head = (struct head){header->incarnation, header->seq, hash};
    p->entries[p->entry_count++] = (struct puppet_entry){blob, p->signed_head};
    return ERR_OK;
}

/* An entry with at most ENTRY_MAX_GRANTS grants. */
static enum err append_grants(struct puppet *p, uint32_t kind, const struct puppet_reader *readers,
                              size_t count, int64_t now_ms, struct error *e) {
    struct header header = next_header(p, kind, now_ms);
    struct view views[ENTRY_MAX_GRANTS] = {{.kind = 0}};
    struct buf grants[ENTRY_MAX_GRANTS];
    uint8_t seed[SEED_LEN];
    size_t made = 0;
    enum err err = ERR_OK;
    for (; made < count && err == ERR_OK; made++) {
        buf_init(&grants[made], GRANT_MAX_BYTES);
        entropy_fill(&p->network->entropy, seed, sizeof seed);
        err = grant_seal(&p->ctx, &p->key, &readers[made].box, seed, &grants[made], e);
        views[made] = (struct view){.target = target_key(&readers[made].agent),
                                    .kind = VIEW_GRANT,
                                    .key_id = p->key_id,
                                    .data = buf_bytes(&grants[made])};
    }
    if (err == ERR_OK)
        err = append(p, &header, views, made, e);
    for (size_t i = 0; i < made; i++)
        buf_done(&grants[i]);
    return err;
}

enum err puppet_open_feed_to(struct puppet *p, const struct puppet_reader *readers, size_t count,
                             int64_t now_ms, struct error *e) {
    size_t from = 0;
    enum err err = ERR_OK;
    do {
        size_t share = count - from < ENTRY_MAX_GRANTS ? count - from : ENTRY_MAX_GRANTS;
        err = append_grants(p, from == 0 ? ENTRY_OPEN : ENTRY_UPDATE, readers + from, share, now_ms,
                            e);
        from += share;
    } while (from < count && err == ERR_OK);
    return err;
}

enum err puppet_open_feed(struct puppet *p, const struct puppet *const *readers, size_t count,
                          int64_t now_ms, struct error *e) {
    struct puppet_reader keys[ENTRY_MAX_GRANTS];
    if (count > ENTRY_MAX_GRANTS)
        return error_set(e, ERR_CAP, "%zu readers are more than one entry can grant to", count);
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct puppet_reader){readers[i]->agent.pub, readers[i]->box.pub};
    return puppet_open_feed_to(p, keys, count, now_ms, e);
}

/* One line moves, as when somebody is admitted or leaves. */
static void change_figures(struct puppet *p, int64_t now_ms) {
    struct snapshot *s = p->snapshot;
    struct disclosed *figure = &s->lines[s->counter % s->line_count].figure;
    s->counter++;
    figure->occupied.value = 15 + (int64_t)(s->counter % 9);
    figure->available.value =
        figure->total.value - figure->occupied.value - figure->held.value - figure->blocked.value;
    figure->observed_ms = now_ms;
    figure->valid_until_ms = now_ms + VALIDITY_MS;
}

/* An entry with one view for the audience. */
static enum err append_view(struct puppet *p, uint32_t kind, struct bytes plain, int64_t now_ms,
                            struct error *e) {
    struct header header = next_header(p, ENTRY_UPDATE, now_ms);
    uint8_t nonce[VIEW_NONCE_LEN];
    struct buf sealed;
    buf_init(&sealed, VIEW_MAX_BYTES);
    entropy_fill(&p->network->entropy, nonce, sizeof nonce);
    enum err err =
        view_seal(&p->ctx, &p->key, header.incarnation, header.seq, kind, plain, nonce, &sealed, e);
    struct view view = {.target = target_audience(p->ctx.audience),
                        .kind = kind,
                        .key_id = p->key_id,
                        .data = buf_bytes(&sealed)};
    if (err == ERR_OK)
        err = append(p, &header, &view, 1, e);
    buf_done(&sealed);
    return err;
}

enum err puppet_seal_state(struct puppet *p, int64_t now_ms, struct error *e) {
    struct buf plain;
    enum err err = p->snapshot == NULL ? make_snapshot(p, now_ms, e) : ERR_OK;
    if (err != ERR_OK)
        return err;
    change_figures(p, now_ms);
    buf_init(&plain, VIEW_MAX_BYTES);
    err = snapshot_encode(p->snapshot, &plain, e);
    if (err == ERR_OK)
        err = append_view(p, VIEW_STATE, buf_bytes(&plain), now_ms, e);
    buf_done(&plain);
    return err;
}

/* ---- the past ---- */

static void fill_series(const struct seen_line *line, enum precision_kind precision,
                        struct history *h, size_t each, int64_t newest_ms) {
    struct history_series *s = &h->series[h->series_count++];
    *s = (struct history_series){
        .site = line->site, .precision = precision, .first = h->point_count, .count = each};
    memcpy(s->service, line->service, sizeof s->service);
    memcpy(s->ward, line->ward, sizeof s->ward);
    for (size_t i = 0; i < each; i++) {
        struct history_point *point = &h->points[h->point_count++];
        *point = history_point_of(&line->figure);
        point->occupied.value = 15 + (int64_t)((h->counter + h->point_count) % 9);
        point->available.value =
            point->total.value - point->occupied.value - point->held.value - point->blocked.value;
        point->observed_ms = newest_ms - newest_ms % 1000 -
                             (int64_t)(each - 1 - i) * PUPPET_PAST_STEP_MS -
                             (int64_t)h->series_count * 60000;
        point->valid_until_ms = point->observed_ms + VALIDITY_MS;
    }
}

enum err puppet_seal_history(struct puppet *p, size_t each, int64_t newest_ms, int64_t now_ms,
                             struct error *e) {
    struct history_series series[PUPPET_LINES];
    struct history_point points[PUPPET_LINES * PUPPET_PAST_MAX];
    struct history h = {.counter = ++p->histories,
                        .sites = p->snapshot->sites,
                        .site_count = p->snapshot->site_count,
                        .series = series,
                        .points = points};
    struct buf plain;
    for (size_t i = 0; i < p->snapshot->line_count; i++)
        fill_series(&p->snapshot->lines[i], p->snapshot->precision, &h, each, newest_ms);
    buf_init(&plain, VIEW_MAX_BYTES);
    enum err err = history_encode(&h, &plain, e);
    if (err == ERR_OK)
        err = append_view(p, VIEW_HISTORY, buf_bytes(&plain), now_ms, e);
    buf_done(&plain);
    return err;
}
