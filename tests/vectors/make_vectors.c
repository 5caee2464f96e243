/* Writes the golden vectors: make_vectors DIR. The inputs stand here, fixed; the outputs come from
 * vectors.c. Same program, same bytes. Commit what it writes only when the protocol changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audience.h"
#include "codec.h"
#include "plek.pb-c.h"
#include "vectors.h"

#define NOW_MS 1795000000000
#define WRITE_FLAGS (JSON_INDENT(2))

static void put_repeated(json_t *object, const char *key, uint8_t byte, size_t len) {
    uint8_t bytes[64];
    memset(bytes, byte, len);
    vector_put(object, key, bytes_of(bytes, len));
}

static void put_int(json_t *object, const char *key, int64_t value) {
    json_object_set_new(object, key, json_integer(value));
}

static void put_keys(json_t *in) {
    put_repeated(in, "hub_seed", 1, SEED_LEN);
    put_repeated(in, "member_seed", 2, SEED_LEN);
    put_repeated(in, "agent_seed", 4, SEED_LEN);
}

static void put_certificate(json_t *in) {
    put_keys(in);
    put_repeated(in, "agent_box_seed", 5, SEED_LEN);
    put_int(in, "serial", 7);
    vector_put_text(in, "label", "Balie \xc3\xa9\xc3\xa9n");
    put_int(in, "not_after_ms", NOW_MS + 365LL * 86400000);
}

static void put_head(json_t *in, const char *key, int64_t incarnation, int64_t seq, uint8_t byte) {
    json_t *head = json_object();
    put_int(head, "incarnation", incarnation);
    put_int(head, "seq", seq);
    put_repeated(head, "hash", byte, HASH_LEN);
    json_object_set_new(in, key, head);
}

static void put_join(json_t *in) {
    put_certificate(in);
    put_repeated(in, "next_member_seed", 3, SEED_LEN);
    put_repeated(in, "invite_seed", 6, SEED_LEN);
    vector_put_text(in, "address", "wss://hub.example.org:4470");
    put_int(in, "expires_ms", NOW_MS + 7LL * 86400000);
}

static void put_tree(json_t *in) {
    json_t *leaves = json_array();
    for (uint8_t i = 0; i < 9; i++) {
        uint8_t leaf[8];
        memset(leaf, 0x10 + i, sizeof leaf);
        json_array_append_new(leaves, vector_hex(bytes_of(leaf, i)));
    }
    json_object_set_new(in, "leaves", leaves);
}

static void add_view(json_t *views, uint32_t kind, size_t target_len, uint8_t byte, size_t len) {
    json_t *view = json_object();
    put_repeated(view, "target", byte, target_len);
    put_int(view, "kind", kind);
    put_repeated(view, "key_id", (uint8_t)(byte + 0x40), HASH_LEN);
    put_repeated(view, "data", (uint8_t)(byte + 0x80), len);
    json_array_append_new(views, view);
}

static void put_entry(json_t *in) {
    json_t *views = json_array();
    put_keys(in);
    put_int(in, "incarnation", 2);
    put_int(in, "seq", 300);
    put_repeated(in, "prev", 0x0a, HASH_LEN);
    put_int(in, "claimed_ms", NOW_MS);
    put_int(in, "kind", ENTRY_UPDATE);
    put_head(in, "hub_head", 1, 42, 0x0b);
    vector_put(in, "checkpoint",
               bytes_str("example.org/plek\n12\nAAAA\n\n\xe2\x80\x94 example.org/plek BBBB\n"));
    add_view(views, VIEW_GRANT, 32, 0x21, 40);
    add_view(views, VIEW_STATE, 16, 0x22, 60);
    add_view(views, VIEW_HISTORY, 16, 0x22, 50);
    add_view(views, VIEW_SELF, 16, 0x23, 30);
    add_view(views, 1000, 16, 0x24, 1);
    json_object_set_new(in, "views", views);
    json_object_set_new(in, "kept", json_pack("[iii]", 0, 1, 4));
    json_object_set_new(in, "excerpt", json_pack("[iii]", 0, 2, 4));
}

/* A state of one site with one line, exact: what the audience's members would read. */
static struct buf state_plaintext(void) {
    char *words[] = {"crisis_bed", "gender", "any"};
    uint32_t attributes[] = {1, 2};
    Plek__SiteCard site = PLEK__SITE_CARD__INIT, *sites[] = {&site};
    Plek__Line line = PLEK__LINE__INIT, *lines[] = {&line};
    Plek__Snapshot s = PLEK__SNAPSHOT__INIT;
    struct buf out;
    site.id = 1;
    site.name = "De Haven";
    site.phone = "+31 20 555 01 00";
    line.site = 1;
    line.n_attributes = 2;
    line.attributes = attributes;
    line.has_status = line.has_observed_s = line.has_valid_s = true;
    line.status = 1;
    line.observed_s = -600;
    line.valid_s = 28800;
    line.has_available = line.has_total = line.has_occupied = true;
    line.available = 2;
    line.total = 12;
    line.occupied = 10;
    s.counter = 5;
    s.charter = 1;
    s.base_s = NOW_MS / 1000;
    s.precision = 1;
    s.n_words = 3;
    s.words = words;
    s.n_sites = s.n_lines = 1;
    s.sites = sites;
    s.lines = lines;
    buf_init(&out, 4096);
    codec_encode(&s, &out);
    return out;
}

static void put_audience(json_t *in) {
    struct buf plain = state_plaintext();
    put_keys(in);
    put_repeated(in, "audience", 0x31, AUDIENCE_ID_LEN);
    put_repeated(in, "key", 0x32, AUDIENCE_KEY_LEN);
    put_repeated(in, "recipient_box_seed", 0x33, SEED_LEN);
    put_repeated(in, "grant_ephemeral_seed", 0x34, SEED_LEN);
    put_int(in, "incarnation", 2);
    put_int(in, "seq", 300);
    put_int(in, "view_kind", VIEW_STATE);
    put_repeated(in, "view_nonce", 0x35, VIEW_NONCE_LEN);
    vector_put(in, "view_plaintext", buf_bytes(&plain));
    buf_done(&plain);
}

static void put_frame(json_t *in, const char *key, const Plek__Frame *frame) {
    struct buf bytes;
    buf_init(&bytes, 4096);
    codec_encode(frame, &bytes);
    vector_put(in, key, buf_bytes(&bytes));
    buf_done(&bytes);
}

static void put_handshake(json_t *in) {
    Plek__Pull pull = PLEK__PULL__INIT;
    Plek__Reached reached = PLEK__REACHED__INIT;
    Plek__Frame frame = PLEK__FRAME__INIT;
    put_certificate(in);
    put_repeated(in, "hub_nonce", 0x41, 32);
    put_repeated(in, "hub_kx_seed", 0x42, SEED_LEN);
    put_repeated(in, "agent_nonce", 0x43, 32);
    put_repeated(in, "agent_kx_seed", 0x44, SEED_LEN);
    put_head(in, "agent_knows_hub_head", 1, 41, 0x45);
    put_int(in, "hub_time_ms", NOW_MS);
    put_head(in, "hub_head", 1, 42, 0x46);
    put_head(in, "own_head", 2, 299, 0x47);
    put_int(in, "credit_bytes", 1 << 20);
    put_int(in, "retry_after_ms", 1500);
    vector_put_text(in, "refused_detail", "too many connections");
    pull.grants_after = 7;
    pull.states_after = 300;
    frame.body_case = PLEK__FRAME__BODY_PULL;
    frame.pull = &pull;
    put_frame(in, "agent_frame", &frame);
    reached.class_ = 2;
    reached.upto = 300;
    reached.tip = true;
    frame.body_case = PLEK__FRAME__BODY_REACHED;
    frame.reached = &reached;
    put_frame(in, "hub_frame", &frame);
}

static const struct {
    const char *name, *about;
    void (*put_inputs)(json_t *in);
} makers[] = {
    {"certificate",
     "Member and agent keys from Ed25519 and X25519 seeds; the certificate that binds "
     "them, its two signatures, and the member's fingerprint.",
     put_certificate},
    {"join", "An invitation and the join request made with it.", put_join},
    {"tree",
     "RFC 6962 leaf hashes, the root of the first n leaves for n = 0, 1, ..., and the path of "
     "each leaf in the tree of all of them, nearest sibling first.",
     put_tree},
    {"entry",
     "An agent's entry with five views (their data is filler), the same entry when only the "
     "views `kept` still have data, and the excerpt a reader of the views `excerpt` gets.",
     put_entry},
    {"audience",
     "An audience key's id, a grant of it to one agent, and a state view sealed under it. "
     "The random values that went in: key, grant_ephemeral_seed, view_nonce.",
     put_audience},
    {"handshake",
     "The three messages of a handshake (and a refusal instead of the third), T, and the "
     "first frame each way. The random values that went in: both nonces and kx seeds.",
     put_handshake},
};
_Static_assert(sizeof makers / sizeof *makers == VECTOR_FILES, "one maker a file");

static int write_file(const char *dir, size_t i) {
    char path[4096];
    json_t *in = json_object(), *file = json_object();
    makers[i].put_inputs(in);
    vector_put_text(file, "about", makers[i].about);
    json_object_set(file, "inputs", in);
    json_object_set_new(file, "outputs", vector_files[i].outputs(in));
    json_decref(in);
    snprintf(path, sizeof path, "%s/%s.json", dir, vector_files[i].name);
    FILE *out = fopen(path, "w");
    bool written = out != NULL && json_dumpf(file, out, WRITE_FLAGS) == 0 && fputc('\n', out) >= 0;
    written = out != NULL && fclose(out) == 0 && written;
    if (!written)
        fprintf(stderr, "make_vectors: cannot write %s\n", path);
    json_decref(file);
    return written ? 0 : 1;
}

int main(int argc, char **argv) {
    struct error e = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: make_vectors DIR (tests/vectors)\n");
        return 64;
    }
    vector_check(keys_init(&e), &e, "keys");
    int failed = 0;
    for (size_t i = 0; i < VECTOR_FILES; i++) {
        if (strcmp(makers[i].name, vector_files[i].name) != 0)
            abort();
        failed |= write_file(argv[1], i);
    }
    return failed != 0 ? 73 : 0;
}
