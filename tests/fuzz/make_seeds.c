/* Owns the first inputs of the fuzz targets that read bytes rather than text: make_seeds DIR writes
 * DIR/NAME/seed-N, real messages of a fixed cast. Run it when the wire's form changed; what fuzzing
 * found later stands beside them. Must not search for anything itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audience.h"
#include "codec.h"
#include "frame.h"
#include "fuzz.h"
#include "history.h"
#include "plek.pb-c.h"
#include "renewal.h"
#include "unit/core/entry_fixture.h"
#include "unit/core/handshake.h"
#include "withdrawal.h"

#define T0 INT64_C(1763730000000)
#define HOUR INT64_C(3600000)

static const char *root;

/* One seed: `prefix_len` bytes that choose, then the message. */
static void seed(const char *name, const char *prefix, size_t prefix_len, struct bytes message) {
    static int number; /* of all seeds */
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FUZZ_CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%s/seed-%02d", root, name, ++number);
    FILE *out = fopen(path, "wb");
    FUZZ_CHECK(out != NULL);
    FUZZ_CHECK(fwrite(prefix, 1, prefix_len, out) == prefix_len);
    FUZZ_CHECK(fwrite(message.data, 1, message.len, out) == message.len);
    FUZZ_CHECK(fclose(out) == 0);
}
#define SEED(name, prefix, message) seed(name, prefix, sizeof(prefix) - 1, message)

/* ---- entries ---- */

static void entries(void) {
    struct error e = {0};
    struct view views[FIXTURE_VIEWS];
    struct sign_pair key = fixture_sign_pair(3);
    static const bool keep[FIXTURE_VIEWS] = {true};
    static const uint32_t which[] = {0, 2};
    fixture_views(views);
    for (int full = 0; full < 2; full++) {
        struct header header = fixture_header(full == 1);
        struct buf whole, other;
        struct entry *entry = NULL;
        buf_init(&whole, ENTRY_MAX_BYTES);
        buf_init(&other, ENTRY_MAX_BYTES);
        FUZZ_CHECK(entry_build(&header, views, FIXTURE_VIEWS, &key, &whole, NULL, &e) == ERR_OK);
        SEED("entry", "\x02", buf_bytes(&whole));
        FUZZ_CHECK(entry_parse(buf_bytes(&whole), &entry, &e) == ERR_OK);
        FUZZ_CHECK(entry_encode(entry, keep, &other, &e) == ERR_OK);
        SEED("entry", "\x00", buf_bytes(&other));
        other.len = 0;
        FUZZ_CHECK(entry_excerpt(entry, which, 2, &other, &e) == ERR_OK);
        SEED("entry", "\x01", buf_bytes(&other));
        SEED("wire", "\x00\x10\x00\x02\x01\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02",
             buf_bytes(&whole));
        entry_free(entry);
        buf_done(&whole);
        buf_done(&other);
    }
}

/* ---- identity and handshake ---- */

static void handshakes(void) {
    struct handshake h;
    handshake_init(&h);
    struct bytes cert = buf_bytes(&h.party.cert), join = buf_bytes(&h.party.join);
    struct bytes agent_hello = buf_bytes(&h.agent_hello), answer = buf_bytes(&h.answer);
    SEED("identity", "\x00", cert);
    SEED("identity", "\x01", codec_borrow(cert, 1));
    SEED("identity", "\x02", join);
    SEED("identity", "\x03", codec_borrow(join, 1));
    SEED("hello", "\x00", buf_bytes(&h.hub_hello));
    SEED("hello", "\x01", agent_hello);
    SEED("hello", "\x02", codec_borrow(agent_hello, 1));
    SEED("hello", "\x03", answer);
    SEED("hello", "\x04", codec_borrow(answer, 1));
    struct error e = {0};
    struct refused refused = {.code = ERR_INVITE_USED,
                              .hub_time_ms = T0,
                              .detail = "used already",
                              .retry_after_ms = 5000,
                              .used_ms = T0,
                              .used_by = h.party.member.pub};
    struct buf refusal;
    buf_init(&refusal, HELLO_MAX_BYTES);
    FUZZ_CHECK(refused_build(&refused, buf_bytes(&h.hub_hello), agent_hello, &h.party.hub, &refusal,
                             &e) == ERR_OK);
    SEED("hello", "\x05", codec_borrow(buf_bytes(&refusal), 2));
    SEED("frame", "", buf_bytes(&refusal));
    struct frame leave;
    struct buf out;
    buf_init(&out, FRAME_MAX_BYTES);
    FUZZ_CHECK(frame_leave_from_answer(buf_bytes(&refusal), &leave, &e) == ERR_OK);
    FUZZ_CHECK(frame_encode(&leave, &out, &e) == ERR_OK);
    SEED("frame", "", buf_bytes(&out));
    buf_done(&out);
    buf_done(&refusal);
    handshake_done(&h);
}

static void frames(void) {
    struct error e = {0};
    struct header header = fixture_header(true);
    struct view views[FIXTURE_VIEWS];
    struct sign_pair key = fixture_sign_pair(3);
    struct entry *entry = NULL;
    struct buf whole, excerpt;
    buf_init(&whole, ENTRY_MAX_BYTES);
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    fixture_views(views);
    FUZZ_CHECK(entry_build(&header, views, FIXTURE_VIEWS, &key, &whole, NULL, &e) == ERR_OK);
    FUZZ_CHECK(entry_parse(buf_bytes(&whole), &entry, &e) == ERR_OK);
    FUZZ_CHECK(entry_excerpt(entry, (const uint32_t[]){1}, 1, &excerpt, &e) == ERR_OK);
    const struct frame all[] = {
        {.kind = FRAME_PUSH, .push = {.entry = buf_bytes(&whole)}},
        {.kind = FRAME_ACK, .ack = {1, 300, 1 << 21}},
        {.kind = FRAME_REJECT,
         .reject = {.head = {1, 4, entry->hash}, .code = ERR_RATE, .detail = "later"}},
        {.kind = FRAME_PULL, .pull = {.after = {0, 7, 300, 0, UINT64_MAX}}},
        {.kind = FRAME_DELIVER,
         .deliver =
             {.class_ = 2, .position = 9, .received_ms = T0, .excerpt = buf_bytes(&excerpt)}},
        {.kind = FRAME_REACHED, .reached = {.class_ = 3, .upto = 70, .tip = true}},
        {.kind = FRAME_TAKEN, .taken = {.bytes = 70000}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct buf out;
        buf_init(&out, FRAME_MAX_BYTES);
        FUZZ_CHECK(frame_encode(&all[i], &out, &e) == ERR_OK);
        SEED("frame", "", buf_bytes(&out));
        buf_done(&out);
    }
    entry_free(entry);
    buf_done(&whole);
    buf_done(&excerpt);
}

/* ---- plaintexts ---- */

static const char charter_json[] =
    "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\",\"attributes\":[{\"name\":"
    "\"security\",\"values\":[\"low\",\"high\"]}],\"light\":{\"green\":3,\"orange\":1}}]}";

static struct amount amount(int64_t value) {
    return (struct amount){true, value};
}

static void snapshots(void) {
    static const char *const precisions[] = {"exact", "rounded:5", "band", "light"};
    struct error e = {0};
    struct charter *charter = NULL;
    struct site site = {.id = 3,
                        .name = "Noord",
                        .region = "nh",
                        .phone = "+31 20 555 01 00",
                        .hours = "24/7",
                        .reports = "Mo-Fr 08:00-17:00",
                        .note = "bel eerst"};
    struct line lines[2] = {{.site = 3,
                             .service = "bed",
                             .ward = "A",
                             .attributes = {{"security", "high"}},
                             .attribute_count = 1,
                             .capacity = {.total = amount(12),
                                          .occupied = amount(9),
                                          .held = amount(1),
                                          .blocked = amount(1),
                                          .need = amount(2),
                                          .blocked_reason = "personeel",
                                          .blocked_until_ms = T0 + HOUR,
                                          .status = STATUS_CONSULT,
                                          .next_free_ms = T0 + 2 * HOUR,
                                          .note = "tot vrijdag",
                                          .observed_ms = T0,
                                          .valid_until_ms = T0 + 24 * HOUR}},
                            {.site = 3, .service = "bed", .ward = "B"}};
    FUZZ_CHECK(charter_parse(bytes_str(charter_json), "seed", &charter, &e) == ERR_OK);
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        struct policy_audience audience = {.name = "a", .all_services = true};
        struct snapshot *s = NULL;
        struct buf out;
        buf_init(&out, VIEW_MAX_BYTES);
        FUZZ_CHECK(precision_parse(precisions[i], &audience.precision, &e) == ERR_OK);
        FUZZ_CHECK(snapshot_compose(&audience, charter, 2, &site, 1, lines, 2, &s, &e) == ERR_OK);
        s->counter = 5;
        FUZZ_CHECK(snapshot_encode(s, &out, &e) == ERR_OK);
        SEED("snapshot", "\0\0\0\x07\0\x09\0\0", buf_bytes(&out));
        snapshot_free(s);
        buf_done(&out);
    }
    charter_free(charter);
}

static void histories(void) {
    struct error e = {0};
    struct site site = {.id = 3, .name = "Noord"};
    struct history_series series[2] = {
        {.site = 3, .service = "bed", .precision = PRECISION_EXACT, .count = 2},
        {.site = 3,
         .service = "bed",
         .ward = "A",
         .precision = PRECISION_BAND,
         .first = 2,
         .count = 1}};
    struct history_point points[3] = {
        {.available = amount(-2),
         .total = amount(10),
         .occupied = amount(12),
         .status = STATUS_FULL,
         .observed_ms = T0,
         .valid_until_ms = T0 + HOUR},
        {.available = amount(0), .observed_ms = T0 + 1000, .valid_until_ms = T0 + HOUR},
        {.has_band = true,
         .low = 3,
         .high = amount(5),
         .observed_ms = T0 - T0 % (HOUR / 4),
         .valid_until_ms = T0 - T0 % (HOUR / 4) + HOUR}};
    struct history h = {.counter = 7,
                        .sites = &site,
                        .site_count = 1,
                        .series = series,
                        .series_count = 2,
                        .points = points,
                        .point_count = 3};
    struct buf out;
    buf_init(&out, VIEW_MAX_BYTES);
    FUZZ_CHECK(history_encode(&h, &out, &e) == ERR_OK);
    SEED("history", "\0\0\0\x07\0\x09\0\0", buf_bytes(&out));
    buf_done(&out);
}

static void small_views(void) {
    struct error e = {0};
    struct public_key box = fixture_box_pair(5).pub;
    struct buf out;
    buf_init(&out, 4096);
    buf_append(&out, "\x0a\x10", 2);
    buf_append(&out, "\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    buf_append(&out, "\x12\x20\x05", 3);
    for (int i = 1; i < 32; i++)
        buf_append_u8(&out, 0);
    SEED("views", "\x01", buf_bytes(&out));
    SEED("views", "\x02", buf_bytes(&out));
    out.len = 0;
    FUZZ_CHECK(withdrawal_encode(300, &out, &e) == ERR_OK);
    SEED("views", "\x03", buf_bytes(&out));
    out.len = 0;
    FUZZ_CHECK(renewal_encode(&box, T0, &out, &e) == ERR_OK);
    SEED("views", "\x04", buf_bytes(&out));
    SEED("views", "\x00", bytes_of("0123456789", 10));
    buf_done(&out);
}

/* ---- texts that are awkward to write by hand ---- */

static void invitations(void) {
    struct error e = {0};
    struct invite invite = {.address = "wss://hub.example.org:7535", .expires_ms = T0};
    char uri[INVITE_URI_MAX];
    memset(invite.seed, 6, SEED_LEN);
    invite.network = fixture_sign_pair(1).pub;
    FUZZ_CHECK(invite_format(&invite, uri, &e) == ERR_OK);
    SEED("invite", "", bytes_str(uri));
    SEED("invite", "", bytes_str("wss://[2001:db8::1]:7535"));
    SEED("invite", "", bytes_str("hub.example.org:7535"));
}

/* Good events, as the target's first byte of each chooses them; then any bytes. */
static void directories(void) {
    SEED("directory", "\0\0\0\0\0\1\0\0\2\0\0\3\0\1\2\0\1\3\0\1\4\0\0\1\4\1\0\2\4\2",
         bytes_of(NULL, 0));
    SEED("directory", "\0\0\0\0\0\1\0\0\2\0\0\3\0\1\2\0\2\2\1\4\0\x22\x0a\x20", bytes_of(NULL, 0));
    SEED("tree", "\0\x09\0\3\5\6\2", bytes_str(""));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds DIR (tests/fuzz/corpus)\n");
        return 64;
    }
    root = argv[1];
    fuzz_init();
    entries();
    handshakes();
    frames();
    snapshots();
    histories();
    small_views();
    invitations();
    directories();
    return 0;
}
