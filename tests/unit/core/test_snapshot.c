/* Tests snapshots: what an audience sees, one encoding for one picture, and reading a stranger's
 * bytes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "plek.pb-c.h"
#include "snapshot.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define T0 INT64_C(1763730000000)
#define A(v)                                                                                       \
    (struct amount) {                                                                              \
        true, v                                                                                    \
    }

static struct charter *charter;

static void setup(void) {
    static const char json[] =
        "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\",\"attributes\":["
        "{\"name\":\"security\",\"values\":[\"1\",\"2\",\"3\"]},"
        "{\"name\":\"title\",\"values\":[\"voluntary\",\"tbs\",\"wvggz\"]}]},"
        "{\"code\":\"hour\",\"unit\":\"hour\",\"decimals\":1}]}";
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    cr_assert_eq(charter_parse(bytes_str(json), "c", &charter, &e), ERR_OK, "%s", e.detail);
}

static void teardown(void) {
    charter_free(charter);
}

TestSuite(snapshot, .init = setup, .fini = teardown);

static struct policy_audience audience(const char *precision) {
    struct policy_audience a = {.name = "near", .all_services = true};
    struct error e = {0};
    cr_assert_eq(precision_parse(precision, &a.precision, &e), ERR_OK);
    return a;
}

static struct site site(uint32_t id, const char *name) {
    struct site s = {.id = id};
    snprintf(s.name, sizeof(s.name), "%s", name);
    snprintf(s.region, sizeof(s.region), "noord");
    snprintf(s.phone, sizeof(s.phone), "+31 50 123 45 %02u", id);
    snprintf(s.hours, sizeof(s.hours), "ma-vr 8-20");
    return s;
}

static struct line line(uint32_t site_id, const char *service, const char *ward, int64_t free) {
    struct line l = {.site = site_id,
                     .attribute_count = 2,
                     .attributes = {{"title", "tbs"}, {"security", "3"}},
                     .capacity = {.total = A(12),
                                  .free = A(free),
                                  .occupied = A(12 - free),
                                  .status = STATUS_ADMITTING,
                                  .observed_ms = T0 + 7 * MINUTE + 123,
                                  .valid_until_ms = T0 + 7 * MINUTE + 24 * HOUR + 123}};
    snprintf(l.service, sizeof(l.service), "%s", service);
    snprintf(l.ward, sizeof(l.ward), "%s", ward);
    return l;
}

static struct line rich_line(uint32_t site_id, const char *ward) {
    struct line l = line(site_id, "bed", ward, 3);
    l.capacity.total = A(10);
    l.capacity.occupied = A(4);
    l.capacity.held = A(1);
    l.capacity.blocked = A(2);
    l.capacity.need = A(5);
    l.capacity.status = STATUS_CONSULT;
    snprintf(l.capacity.blocked_reason, sizeof(l.capacity.blocked_reason), "personeel");
    snprintf(l.capacity.note, sizeof(l.capacity.note), "bel eerst");
    l.capacity.blocked_until_ms = T0 + 50 * HOUR;
    l.capacity.next_free_ms = T0 - 5 * HOUR;
    return l;
}

static struct snapshot *composed(const char *precision, const struct site *sites, size_t site_count,
                                 const struct line *lines, size_t line_count) {
    struct policy_audience a = audience(precision);
    struct snapshot *s = NULL;
    struct error e = {0};
    cr_assert_eq(snapshot_compose(&a, charter, 4, sites, site_count, lines, line_count, &s, &e),
                 ERR_OK, "%s", e.detail);
    return s;
}

static struct buf encoded(const struct snapshot *s) {
    struct buf b;
    struct error e = {0};
    buf_init(&b, VIEW_MAX_BYTES);
    cr_assert_eq(snapshot_encode(s, &b, &e), ERR_OK, "%s", e.detail);
    return b;
}

/* Field by field: padding bytes of structs mean nothing. */
static void same_amount(struct amount a, struct amount b, const char *what) {
    cr_assert_eq(a.known, b.known, "%s", what);
    cr_assert_eq(a.value, b.value, "%s", what);
}

static void same_figure(const struct disclosed *a, const struct disclosed *b) {
    same_amount(a->available, b->available, "available");
    same_amount(a->total, b->total, "total");
    same_amount(a->occupied, b->occupied, "occupied");
    same_amount(a->held, b->held, "held");
    same_amount(a->blocked, b->blocked, "blocked");
    same_amount(a->need, b->need, "need");
    same_amount(a->high, b->high, "high");
    cr_assert_eq(a->has_band, b->has_band);
    cr_assert_eq(a->low, b->low);
    cr_assert_eq(a->light, b->light);
    cr_assert_eq(a->status, b->status);
    cr_assert_eq(a->observed_ms, b->observed_ms);
    cr_assert_eq(a->valid_until_ms, b->valid_until_ms);
    cr_assert_eq(a->blocked_until_ms, b->blocked_until_ms);
    cr_assert_eq(a->next_free_ms, b->next_free_ms);
    cr_assert_str_eq(a->blocked_reason, b->blocked_reason);
    cr_assert_str_eq(a->note, b->note);
}

static void same_line(const struct seen_line *a, const struct seen_line *b) {
    cr_assert_eq(a->site, b->site);
    cr_assert_str_eq(a->service, b->service);
    cr_assert_str_eq(a->ward, b->ward);
    cr_assert_eq(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++) {
        cr_assert_str_eq(a->attributes[i].name, b->attributes[i].name);
        cr_assert_str_eq(a->attributes[i].value, b->attributes[i].value);
    }
    same_figure(&a->figure, &b->figure);
}

static void same_snapshot(const struct snapshot *a, const struct snapshot *b) {
    cr_assert_eq(a->counter, b->counter);
    cr_assert_eq(a->charter_version, b->charter_version);
    cr_assert_eq(a->precision, b->precision);
    cr_assert_eq(a->step, b->step);
    cr_assert_eq(a->site_count, b->site_count);
    cr_assert_eq(a->line_count, b->line_count);
    for (size_t i = 0; i < a->site_count; i++) {
        cr_assert_eq(a->sites[i].id, b->sites[i].id);
        cr_assert_str_eq(a->sites[i].name, b->sites[i].name);
        cr_assert_str_eq(a->sites[i].region, b->sites[i].region);
        cr_assert_str_eq(a->sites[i].phone, b->sites[i].phone);
        cr_assert_str_eq(a->sites[i].hours, b->sites[i].hours);
        cr_assert_str_eq(a->sites[i].reports, b->sites[i].reports);
        cr_assert_str_eq(a->sites[i].note, b->sites[i].note);
    }
    for (size_t i = 0; i < a->line_count; i++) {
        same_line(&a->lines[i], &b->lines[i]);
    }
}

static struct snapshot *decoded(struct bytes plain) {
    struct snapshot *s = NULL;
    struct error e = {0};
    cr_assert_eq(snapshot_decode(plain, &s, &e), ERR_OK, "%s", e.detail);
    return s;
}

/* ---- composing ---- */

Test(snapshot, what_was_composed_is_what_is_read) {
    static const char *const precisions[] = {"exact", "rounded:5", "band", "light"};
    struct site sites[2] = {site(2, "Huis Zuid"), site(1, "Huis Noord")};
    snprintf(sites[0].reports, sizeof(sites[0].reports), "ma-vr 16:00");
    snprintf(sites[0].note, sizeof(sites[0].note), "achter om\nbellen");
    struct line lines[5] = {rich_line(2, "B"), line(1, "bed", "", -2), line(2, "bed", "A", 0),
                            line(1, "hour", "team", 5), line(2, "bed", "C", 9)};
    lines[3].capacity.valid_until_ms += HOUR;
    lines[4].capacity = (struct capacity){.observed_ms = 0};
    for (size_t i = 0; i < 4; i++) {
        struct snapshot *made = composed(precisions[i], sites, 2, lines, 5);
        made->counter = UINT64_MAX;
        struct buf bytes = encoded(made);
        struct snapshot *read = decoded(buf_bytes(&bytes));
        same_snapshot(made, read);
        cr_assert_eq(read->line_count, 5u);
        cr_assert_eq(read->sites[0].id, 1u);
        cr_assert_eq(read->lines[4].figure.observed_ms, 0, "never reported stays so");
        snapshot_free(read);
        snapshot_free(made);
        buf_done(&bytes);
    }
    snapshot_free(NULL);
}

Test(snapshot, a_picture_has_one_order_whatever_the_records) {
    struct site a[2] = {site(1, "Noord"), site(2, "Zuid")};
    struct site b[2] = {a[1], a[0]};
    struct line x[3] = {line(1, "bed", "B", 1), line(1, "bed", "A", 2), line(2, "hour", "", 3)};
    struct line y[3] = {x[2], x[0], x[1]};
    struct attribute swap = y[1].attributes[0];
    y[1].attributes[0] = y[1].attributes[1];
    y[1].attributes[1] = swap;
    struct snapshot *one = composed("exact", a, 2, x, 3);
    struct snapshot *two = composed("exact", b, 2, y, 3);
    struct buf first = encoded(one);
    struct buf second = encoded(two);
    cr_assert(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    cr_assert_str_eq(one->lines[0].ward, "A");
    cr_assert_str_eq(one->lines[0].attributes[0].name, "security");
    buf_done(&first);
    buf_done(&second);
    snapshot_free(one);
    snapshot_free(two);
}

Test(snapshot, only_covered_lines_and_their_sites_are_there) {
    struct site sites[3] = {site(1, "Noord"), site(2, "Zuid"), site(3, "Leeg")};
    struct line lines[3] = {line(1, "bed", "", 1), line(2, "hour", "", 1), line(2, "gone", "", 1)};
    char services[1][CODE_MAX + 1] = {"bed"};
    struct policy_audience a = audience("exact");
    a.all_services = false;
    a.services = services;
    a.service_count = 1;
    struct snapshot *s = NULL;
    struct error e = {0};
    cr_assert_eq(snapshot_compose(&a, charter, 4, sites, 3, lines, 3, &s, &e), ERR_OK);
    cr_assert_eq(s->line_count, 1u);
    cr_assert_eq(s->site_count, 1u);
    cr_assert_not_null(snapshot_site(s, 1));
    cr_assert_null(snapshot_site(s, 2));
    cr_assert_eq(s->counter, 0u);
    cr_assert_eq(s->charter_version, 4u);
    snapshot_free(s);
    s = composed("exact", sites, 3, lines, 3);
    cr_assert_eq(s->line_count, 2u, "a service the charter does not have says nothing");
    snapshot_free(s);
    s = composed("exact", NULL, 0, NULL, 0);
    struct buf empty = encoded(s);
    struct snapshot *read = decoded(buf_bytes(&empty));
    cr_assert(read->line_count == 0 && read->site_count == 0);
    snapshot_free(read);
    buf_done(&empty);
    snapshot_free(s);
}

/* Looks for the very bytes: what is below exact must not carry them in any field. */
static bool holds(struct bytes in, const char *text) {
    return memmem(in.data, in.len, text, strlen(text)) != NULL;
}

Test(snapshot, below_exact_notes_and_components_are_not_in_the_bytes) {
    struct site sites[1] = {site(1, "Noord")};
    struct line lines[1] = {rich_line(1, "A")};
    static const char *const precisions[] = {"exact", "rounded:5", "band", "light"};
    for (size_t i = 0; i < 4; i++) {
        struct snapshot *s = composed(precisions[i], sites, 1, lines, 1);
        struct buf b = encoded(s);
        cr_assert_eq(holds(buf_bytes(&b), "bel eerst"), i == 0);
        cr_assert_eq(holds(buf_bytes(&b), "personeel"), i == 0);
        buf_done(&b);
        /* Other components, same sum: the coarse bytes must be the same ones. */
        struct line other = lines[0];
        other.capacity.held = A(0);
        other.capacity.occupied = A(5);
        other.capacity.need = A(50);
        other.capacity.observed_ms += MINUTE;
        other.capacity.valid_until_ms += MINUTE;
        struct snapshot *t = composed(precisions[i], sites, 1, &other, 1);
        struct buf c = encoded(t);
        b = encoded(s);
        cr_assert_eq(bytes_equal(buf_bytes(&b), buf_bytes(&c)), i != 0, "%s", precisions[i]);
        buf_done(&b);
        buf_done(&c);
        snapshot_free(s);
        snapshot_free(t);
    }
}

Test(snapshot, records_that_cannot_be_shown_are_refused) {
    struct site sites[1] = {site(1, "Noord")};
    struct line twice[2] = {line(1, "bed", "A", 1), line(1, "bed", "A", 2)};
    struct line astray[1] = {line(9, "bed", "A", 1)};
    struct policy_audience a = audience("exact");
    struct snapshot *untouched = (struct snapshot *)&a;
    struct error e = {0};
    cr_assert_eq(snapshot_compose(&a, charter, 1, sites, 1, twice, 2, &untouched, &e),
                 ERR_CONFLICT);
    cr_assert_not_null(strstr(e.detail, "ward 'A'"), "%s", e.detail);
    cr_assert_eq(snapshot_compose(&a, charter, 1, sites, 1, astray, 1, &untouched, &e),
                 ERR_INTERNAL);
    cr_assert_eq(untouched, (struct snapshot *)&a);
    size_t many = SNAPSHOT_MAX_LINES + 1;
    struct line *lines = calloc(many, sizeof(*lines));
    for (size_t i = 0; i < many; i++) {
        char ward[16];
        snprintf(ward, sizeof(ward), "w%zu", i);
        lines[i] = line(1, "bed", ward, 1);
    }
    cr_assert_eq(snapshot_compose(&a, charter, 1, sites, 1, lines, many, &untouched, &e), ERR_CAP);
    struct snapshot *s = composed("light", sites, 1, lines, many - 1);
    struct buf b = encoded(s);
    struct snapshot *read = decoded(buf_bytes(&b));
    same_snapshot(s, read);
    buf_done(&b);
    snapshot_free(read);
    snapshot_free(s);
    free(lines);
}

Test(snapshot, an_encoding_over_its_cap_is_refused_and_appends_nothing) {
    struct site sites[1] = {site(1, "Noord")};
    struct line *lines = calloc(SNAPSHOT_MAX_LINES, sizeof(*lines));
    for (size_t i = 0; i < SNAPSHOT_MAX_LINES; i++) {
        char ward[16];
        snprintf(ward, sizeof(ward), "w%zu", i);
        lines[i] = line(1, "bed", ward, 1);
        memset(lines[i].capacity.note, 'n', NOTE_MAX);
    }
    struct snapshot *s = composed("exact", sites, 1, lines, SNAPSHOT_MAX_LINES);
    struct buf b;
    struct hash h;
    struct error e = {0};
    buf_init(&b, 16 * 1024 * 1024);
    cr_assert_eq(snapshot_encode(s, &b, &e), ERR_CAP);
    cr_assert_eq(b.len, 0u);
    cr_assert_eq(snapshot_digest(s, &h, &e), ERR_CAP);
    buf_done(&b);
    snapshot_free(s);
    free(lines);
}

/* ---- digest and clock ---- */

static struct hash digest(const struct snapshot *s) {
    struct hash h;
    struct error e = {0};
    cr_assert_eq(snapshot_digest(s, &h, &e), ERR_OK);
    return h;
}

Test(snapshot, the_digest_is_over_all_but_the_counter) {
    struct site sites[1] = {site(1, "Noord")};
    struct line lines[1] = {rich_line(1, "A")};
    struct snapshot *s = composed("exact", sites, 1, lines, 1);
    struct hash before = digest(s);
    s->counter = 77;
    struct hash counted = digest(s);
    cr_assert(hash_equal(&before, &counted));
    cr_assert_eq(s->counter, 77u);
    s->lines[0].figure.available.value++;
    struct hash figure = digest(s);
    cr_assert(!hash_equal(&before, &figure));
    s->lines[0].figure.available.value--;
    s->sites[0].phone[0] = '-';
    struct hash card = digest(s);
    cr_assert(!hash_equal(&before, &card));
    snapshot_free(s);
}

Test(snapshot, a_fast_clock_is_taken_back) {
    struct site sites[1] = {site(1, "Noord")};
    struct line lines[2] = {rich_line(1, "A"), line(1, "bed", "B", 1)};
    lines[1].capacity = (struct capacity){.observed_ms = 0};
    struct snapshot *s = composed("exact", sites, 1, lines, 2);
    int64_t observed = s->lines[0].figure.observed_ms;
    int64_t valid = s->lines[0].figure.valid_until_ms;
    struct error e = {0};
    cr_assert_eq(snapshot_apply_clock(s, -HOUR, 24 * HOUR, &e), ERR_OK);
    cr_assert_eq(s->lines[0].figure.observed_ms, observed - HOUR);
    cr_assert_eq(s->lines[0].figure.valid_until_ms, valid - HOUR);
    cr_assert_eq(s->lines[0].figure.next_free_ms, T0 - 5 * HOUR, "only these two");
    cr_assert_eq(s->lines[1].figure.observed_ms, 0);
    cr_assert_eq(snapshot_apply_clock(s, -(observed - HOUR), 24 * HOUR, &e), ERR_VALIDITY);
    cr_assert_eq(s->lines[0].figure.observed_ms, observed - HOUR, "all or nothing");
    snapshot_free(s);
}

Test(snapshot, a_validity_beyond_the_charters_is_refused) {
    struct site sites[1] = {site(1, "Noord")};
    struct line lines[2] = {rich_line(1, "A"), rich_line(1, "B")};
    lines[1].capacity.valid_until_ms = lines[1].capacity.observed_ms + 24 * HOUR + 1000;
    struct error e = {0};
    struct snapshot *s = composed("exact", sites, 1, lines, 2);
    int64_t observed = s->lines[0].figure.observed_ms;
    cr_assert_eq(snapshot_apply_clock(s, -HOUR, 24 * HOUR, &e), ERR_VALIDITY);
    cr_assert_not_null(strstr(e.detail, "at most 24h") ? e.detail : strstr(e.detail, "at most 1d"),
                       "%s", e.detail);
    cr_assert_eq(s->lines[0].figure.observed_ms, observed, "all or nothing");
    cr_assert_eq(snapshot_apply_clock(s, 0, 24 * HOUR + 1000, &e), ERR_OK);
    snapshot_free(s);
}

/* The sender may coarsen times by a quarter of an hour each: the longest validity it may enter must
 * pass at any minute, and half an hour more must not. */
Test(snapshot, coarse_times_of_an_allowed_validity_pass) {
    static const int64_t longest[] = {24 * HOUR, 20 * MINUTE, 15 * MINUTE, 1000};
    struct site sites[1] = {site(1, "Noord")};
    for (size_t k = 0; k < 4; k++) {
        for (int64_t at = 0; at < 30; at++) {
            struct line l = line(1, "bed", "", 1);
            struct error e = {0};
            l.capacity.observed_ms = T0 + at * MINUTE / 2;
            l.capacity.valid_until_ms = l.capacity.observed_ms + longest[k];
            struct snapshot *s = composed("light", sites, 1, &l, 1);
            cr_assert_eq(snapshot_apply_clock(s, 0, longest[k], &e), ERR_OK, "%s", e.detail);
            snapshot_free(s);
            l.capacity.valid_until_ms += 31 * MINUTE;
            s = composed("light", sites, 1, &l, 1);
            cr_assert_eq(snapshot_apply_clock(s, 0, longest[k], &e), ERR_VALIDITY);
            snapshot_free(s);
        }
    }
}

/* ---- a stranger's bytes ---- */

static struct buf rich_bytes(void) {
    struct site sites[2] = {site(1, "Noord"), site(2, "Zuid")};
    struct line lines[3] = {rich_line(1, "A"), rich_line(2, "B"), line(2, "hour", "", 12)};
    struct snapshot *s = composed("exact", sites, 2, lines, 3);
    struct buf b = encoded(s);
    snapshot_free(s);
    return b;
}

struct tally {
    size_t refused, accepted;
};

static void decode_damaged(struct bytes damaged, size_t at, void *ctx) {
    struct tally *t = (struct tally *)ctx;
    struct snapshot *s = NULL;
    struct error e = {0};
    enum err code = snapshot_decode(damaged, &s, &e);
    (void)at;
    if (code != ERR_OK) {
        cr_assert(code == ERR_MALFORMED || code == ERR_CAP, "%s", error_name(code));
        cr_assert_null(s);
        t->refused++;
        return;
    }
    /* What was let in is within all bounds: it encodes, and reads the same again. */
    struct buf again = encoded(s);
    struct snapshot *same = decoded(buf_bytes(&again));
    same_snapshot(s, same);
    snapshot_free(same);
    buf_done(&again);
    snapshot_free(s);
    t->accepted++;
}

Test(snapshot, damaged_bytes_are_refused_or_within_bounds) {
    struct buf b = rich_bytes();
    struct tally t = {0, 0};
    size_t bits = flip_each_bit(buf_bytes(&b), decode_damaged, &t);
    cr_assert_eq(t.refused + t.accepted, bits);
    cr_assert_gt(t.refused, bits / 4);
    t = (struct tally){0, 0};
    size_t cuts = truncate_each(buf_bytes(&b), decode_damaged, &t);
    cr_assert_eq(t.refused + t.accepted, cuts);
    cr_assert_gt(t.refused, cuts / 2);
    struct snapshot *untouched = (struct snapshot *)&t;
    struct error e = {0};
    cr_assert_eq(snapshot_decode(bytes_of("\xFF", 1), &untouched, &e), ERR_MALFORMED);
    cr_assert_eq(untouched, (struct snapshot *)&t);
    buf_done(&b);
}

Test(snapshot, fields_of_a_later_version_are_read_over) {
    struct buf b = rich_bytes();
    struct snapshot *before = decoded(buf_bytes(&b));
    static const uint8_t field_200[] = {0xC2, 0x0C, 0x02, 'h', 'i'};
    buf_append(&b, field_200, sizeof(field_200));
    struct snapshot *after = decoded(buf_bytes(&b));
    same_snapshot(before, after);
    snapshot_free(before);
    snapshot_free(after);
    buf_done(&b);
}

/* ---- size ---- */

/* The budget's update: ten lines and a site card. Together with header, signature and leaf it has
 * to stay under 1,000 bytes on the wire, hence within a view padded to 512. */
Test(snapshot, ten_exact_lines_with_a_site_card_fit_half_a_kibibyte) {
    struct site sites[1] = {site(1, "Kliniek Noord")};
    struct line lines[10];
    for (int i = 0; i < 10; i++) {
        char ward[24];
        snprintf(ward, sizeof(ward), "Afdeling %d", i + 1);
        lines[i] = line(1, "bed", ward, i % 4);
        lines[i].capacity.free = (struct amount){.known = false};
        lines[i].capacity.occupied = A(12 - i % 4 - 1);
        lines[i].capacity.held = A(1);
        lines[i].capacity.blocked = A(0);
        lines[i].capacity.observed_ms -= i * 97 * MINUTE;
        lines[i].capacity.valid_until_ms -= i * 97 * MINUTE;
    }
    struct snapshot *s = composed("exact", sites, 1, lines, 10);
    s->counter = 100000;
    struct buf b = encoded(s);
    fprintf(stderr, "ten exact lines: %zu bytes\n", b.len);
    cr_assert_lt(b.len, 512u, "%zu bytes", b.len);
    buf_done(&b);
    snapshot_free(s);
}
