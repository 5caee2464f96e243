/* Replays the committed golden vectors: from their inputs come their very outputs, and each of
 * these opens or verifies as a client would do it. The working directory is the top of the sources.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <string.h>

#include "audience.h"
#include "channel.h"
#include "codec.h"
#include "feed.h"
#include "plek.pb-c.h"
#include "tree.h"
#include "vectors/vectors.h"

#define DIR "tests/vectors/"
#define BIG (4 * ENTRY_MAX_BYTES)

static void init(void) {
    cr_assert_eq(keys_init(NULL), ERR_OK);
}
TestSuite(vectors, .init = init, .timeout = 30);

struct vector {
    json_t *file;
    const json_t *in, *out;
};

static struct vector load(const char *name) {
    char path[256];
    json_error_t why;
    snprintf(path, sizeof path, DIR "%s.json", name);
    struct vector v = {.file = json_load_file(path, JSON_REJECT_DUPLICATES, &why)};
    cr_assert_not_null(v.file, "%s:%d: %s", path, why.line, why.text);
    v.in = json_object_get(v.file, "inputs");
    v.out = json_object_get(v.file, "outputs");
    cr_assert(json_is_object(v.in) && json_is_object(v.out), "%s", path);
    return v;
}

static void expect_same(const char *name, const json_t *committed, json_t *made) {
    const char *key;
    json_t *value;
    cr_assert_gt(json_object_size(committed), 0);
    json_object_foreach(made, key, value) {
        const json_t *there = json_object_get(committed, key);
        cr_assert(json_equal(there, value), "%s: outputs.%s differs from what the code makes", name,
                  key);
    }
    cr_assert_eq(json_object_size(committed), json_object_size(made), "%s: more outputs than made",
                 name);
}

Test(vectors, inputs_give_the_committed_outputs) {
    for (size_t i = 0; i < VECTOR_FILES; i++) {
        struct vector v = load(vector_files[i].name);
        json_t *made = vector_files[i].outputs(v.in);
        expect_same(vector_files[i].name, v.out, made);
        json_decref(made);
        json_decref(v.file);
    }
}

/* A file that nothing replays would be believed for nothing. */
Test(vectors, every_committed_file_is_replayed) {
    glob_t found;
    cr_assert_eq(glob(DIR "*.json", 0, NULL, &found), 0);
    cr_assert_eq(found.gl_pathc, VECTOR_FILES);
    globfree(&found);
}

Test(vectors, another_input_gives_another_output) {
    struct vector v = load("audience");
    json_t *in = json_deep_copy(v.in);
    json_object_set_new(in, "seq", json_integer(301));
    json_t *made = vector_audience(in);
    cr_assert_not(json_equal(json_object_get(made, "view"), json_object_get(v.out, "view")));
    cr_assert(json_equal(json_object_get(made, "key_id"), json_object_get(v.out, "key_id")));
    json_decref(made);
    json_decref(in);
    json_decref(v.file);
}

Test(vectors, the_certificate_verifies) {
    struct vector v = load("certificate");
    struct buf bytes = vector_get_buf(v.out, "signed_certificate");
    struct cert cert;
    struct public_key member;
    cr_assert_eq(cert_verify(buf_bytes(&bytes), &cert, NULL), ERR_OK);
    vector_get(v.out, "member", member.b, KEY_LEN);
    cr_assert(key_equal(&cert.member, &member));
    cr_assert_eq(cert.serial, (uint64_t)vector_get_int(v.in, "serial"));
    cr_assert_str_eq(cert.label, vector_get_text(v.in, "label"));
    cr_assert(fingerprint_matches(&member, vector_get_text(v.out, "member_fingerprint")));
    bytes.data[bytes.len - 1] ^= 1;
    cr_assert_neq(cert_verify(buf_bytes(&bytes), &cert, NULL), ERR_OK);
    buf_done(&bytes);
    json_decref(v.file);
}

Test(vectors, the_join_request_verifies) {
    struct vector v = load("join");
    struct buf bytes = vector_get_buf(v.out, "signed_join");
    struct sign_pair invite;
    struct invite invitation;
    struct public_key network;
    struct join join;
    cr_assert_eq(invite_parse(vector_get_text(v.out, "invitation"), &invitation, NULL), ERR_OK);
    cr_assert_str_eq(invitation.address, vector_get_text(v.in, "address"));
    cr_assert_eq(invitation.expires_ms, vector_get_int(v.in, "expires_ms"));
    sign_pair_from_seed(&invite, invitation.seed);
    vector_get(v.out, "network", network.b, KEY_LEN);
    cr_assert(key_equal(&invitation.network, &network));
    cr_assert_eq(join_verify(buf_bytes(&bytes), &network, &join, NULL), ERR_OK);
    cr_assert(key_equal(&join.invite, &invite.pub));
    buf_done(&bytes);
    json_decref(v.file);
}

static size_t path_of(const json_t *hashes, struct hash ret[static TREE_MAX_PATH]) {
    size_t len = json_array_size(hashes);
    cr_assert_leq(len, TREE_MAX_PATH);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(
            hex_decode(ret[i].b, HASH_LEN, json_string_value(json_array_get(hashes, i)), NULL),
            ERR_OK);
    return len;
}

Test(vectors, tree_paths_lead_to_the_root) {
    struct vector v = load("tree");
    const json_t *leaves = json_object_get(v.out, "leaf_hashes");
    const json_t *roots = json_object_get(v.out, "roots_of_the_first_n");
    const json_t *paths = json_object_get(v.out, "paths_in_all");
    size_t count = json_array_size(leaves);
    struct hash root, leaf, path[TREE_MAX_PATH];
    cr_assert_gt(count, 4);
    cr_assert_eq(json_array_size(roots), count + 1);
    cr_assert_eq(
        hex_decode(root.b, HASH_LEN, json_string_value(json_array_get(roots, count)), NULL),
        ERR_OK);
    for (size_t i = 0; i < count; i++) {
        size_t len = path_of(json_array_get(paths, i), path);
        cr_assert_eq(
            hex_decode(leaf.b, HASH_LEN, json_string_value(json_array_get(leaves, i)), NULL),
            ERR_OK);
        cr_assert_eq(tree_verify(&leaf, i, count, path, len, &root, NULL), ERR_OK);
        cr_assert_neq(tree_verify(&leaf, (i + 1) % count, count, path, len, &root, NULL), ERR_OK);
    }
    json_decref(v.file);
}

static struct entry *parsed(const struct vector *v, const char *key,
                            enum err (*parse)(struct bytes, struct entry **, struct error *)) {
    struct buf bytes = vector_get_buf(v->out, key);
    struct sign_pair agent = vector_get_sign_pair(v->in, "agent_seed");
    struct entry *entry = NULL;
    struct hash hash;
    cr_assert_eq(parse(buf_bytes(&bytes), &entry, NULL), ERR_OK, "%s", key);
    cr_assert_eq(entry_verify(entry, &agent.pub, NULL), ERR_OK, "%s", key);
    vector_get(v->out, "header_hash", hash.b, HASH_LEN);
    cr_assert(hash_equal(&entry->hash, &hash), "%s", key);
    buf_done(&bytes);
    return entry;
}

Test(vectors, the_entry_and_its_excerpt_verify) {
    struct vector v = load("entry");
    struct entry *entry = parsed(&v, "entry", entry_parse);
    cr_assert_eq(feed_check_views(entry, false, NULL), ERR_OK);
    struct entry *pruned = parsed(&v, "pruned_entry", entry_parse);
    cr_assert_eq(pruned->view_count, entry->view_count);
    struct entry *excerpt = parsed(&v, "excerpt", excerpt_parse);
    const json_t *choice = json_object_get(v.in, "excerpt");
    cr_assert_eq(excerpt->view_count, json_array_size(choice));
    for (size_t i = 0; i < excerpt->view_count; i++) {
        const struct view *whole = &entry->views[excerpt->indices[i]];
        cr_assert_eq(excerpt->indices[i], json_integer_value(json_array_get(choice, i)));
        cr_assert(bytes_equal(excerpt->views[i].data, whole->data));
    }
    entry_free(entry);
    entry_free(pruned);
    entry_free(excerpt);
    json_decref(v.file);
}

static void expect_state(struct bytes plain) {
    ProtobufCMessage *message = NULL;
    cr_assert_eq(codec_decode_view(&plek__snapshot__descriptor, plain, VIEW_MAX_BYTES, "snapshot",
                                   &message, NULL),
                 ERR_OK);
    const Plek__Snapshot *s = (const Plek__Snapshot *)message;
    cr_assert_eq(s->n_lines, 1);
    cr_assert_eq(s->lines[0]->available, 2);
    cr_assert_str_eq(s->words[s->lines[0]->service], "crisis_bed");
    codec_free(message);
}

/* As a reader would: open the grant under the header it came with, then the view with what it gave.
 */
Test(vectors, the_grant_opens_and_its_key_opens_the_view) {
    struct vector v = load("audience");
    struct header h = {
        .network = vector_get_sign_pair(v.in, "hub_seed").pub,
        .member = vector_get_sign_pair(v.in, "member_seed").pub,
        .agent = vector_get_sign_pair(v.in, "agent_seed").pub,
        .incarnation = (uint64_t)vector_get_int(v.in, "incarnation"),
        .seq = (uint64_t)vector_get_int(v.in, "seq"),
    };
    struct box_pair recipient = vector_get_box_pair(v.in, "recipient_box_seed");
    struct buf grant = vector_get_buf(v.out, "grant"), view = vector_get_buf(v.out, "view");
    struct buf expected = vector_get_buf(v.in, "view_plaintext"), plain;
    struct hash key_id;
    struct audience_ctx ctx;
    struct audience_key key;
    vector_get(v.out, "key_id", key_id.b, HASH_LEN);
    cr_assert_eq(grant_open(&h, &key_id, buf_bytes(&grant), &recipient, &ctx, &key, NULL), ERR_OK);
    buf_init(&plain, BIG);
    cr_assert_eq(view_open(&ctx, &key, h.incarnation, h.seq,
                           (uint32_t)vector_get_int(v.in, "view_kind"), buf_bytes(&view), &plain,
                           NULL),
                 ERR_OK);
    cr_assert(bytes_equal(buf_bytes(&plain), buf_bytes(&expected)));
    expect_state(buf_bytes(&plain));
    buf_done(&grant);
    buf_done(&view);
    buf_done(&expected);
    buf_done(&plain);
    json_decref(v.file);
}

struct messages {
    struct buf hub_hello, agent_hello, welcome, refused;
};

static struct messages messages_of(const struct vector *v) {
    return (struct messages){
        vector_get_buf(v->out, "hub_hello"),
        vector_get_buf(v->out, "signed_agent_hello"),
        vector_get_buf(v->out, "welcome_answer"),
        vector_get_buf(v->out, "refused_answer"),
    };
}

static void messages_done(struct messages *m) {
    buf_done(&m->hub_hello);
    buf_done(&m->agent_hello);
    buf_done(&m->welcome);
    buf_done(&m->refused);
}

Test(vectors, the_handshake_verifies_on_both_sides) {
    struct vector v = load("handshake");
    struct messages m = messages_of(&v);
    struct bytes hub_hello = buf_bytes(&m.hub_hello), agent_hello = buf_bytes(&m.agent_hello);
    struct public_key hub = vector_get_sign_pair(v.in, "hub_seed").pub;
    struct hub_hello first;
    struct agent_hello second;
    struct welcome welcome;
    struct refused refused;
    bool welcomed = false;
    cr_assert_eq(hub_hello_parse(hub_hello, &hub, &first, NULL), ERR_OK);
    cr_assert_eq(agent_hello_verify(agent_hello, &hub, hub_hello, &second, NULL), ERR_OK);
    cr_assert_eq(second.hub_head.seq, 41);
    cr_assert_eq(answer_verify(buf_bytes(&m.welcome), &hub, hub_hello, agent_hello, &welcomed,
                               &welcome, &refused, NULL),
                 ERR_OK);
    cr_assert(welcomed);
    cr_assert_eq(welcome.own_head.seq, 299);
    cr_assert_eq(answer_verify(buf_bytes(&m.refused), &hub, hub_hello, agent_hello, &welcomed,
                               &welcome, &refused, NULL),
                 ERR_OK);
    cr_assert_not(welcomed);
    cr_assert_eq(refused.code, ERR_BUSY);
    cr_assert_str_eq(refused.detail, vector_get_text(v.in, "refused_detail"));
    messages_done(&m);
    json_decref(v.file);
}

/* The receiving side of one direction opens the committed first message. */
static void expect_first_message(const struct vector *v, const struct messages *m, bool to_agent) {
    const char *names[2][5] = {
        {"hub_nonce", "hub_kx_seed", "agent_kx", "agent_to_hub", "agent_frame"},
        {"agent_nonce", "agent_kx_seed", "hub_kx", "hub_to_agent", "hub_frame"},
    };
    const char *const *name = names[to_agent];
    const json_t *direction = vector_get_member(v->out, name[3]);
    struct buf sealed = vector_get_buf(direction, "first_message");
    struct buf expected = vector_get_buf(v->in, name[4]), frame;
    struct hello_secret mine = {.kx = vector_get_box_pair(v->in, name[1])};
    struct public_key peer;
    struct channel channel;
    vector_get(v->in, name[0], mine.nonce, sizeof mine.nonce);
    vector_get(v->out, name[2], peer.b, KEY_LEN);
    cr_assert_eq(channel_init(&channel, to_agent, &mine, &peer, buf_bytes(&m->hub_hello),
                              buf_bytes(&m->agent_hello), buf_bytes(&m->welcome), NULL),
                 ERR_OK);
    buf_init(&frame, FRAME_MAX_BYTES);
    cr_assert_eq(channel_open(&channel, buf_bytes(&sealed), &frame, NULL), ERR_OK, "%s", name[3]);
    cr_assert(bytes_equal(buf_bytes(&frame), buf_bytes(&expected)));
    ProtobufCMessage *message = NULL;
    cr_assert_eq(codec_decode(&plek__frame__descriptor, buf_bytes(&frame), FRAME_MAX_BYTES, "frame",
                              &message, NULL),
                 ERR_OK);
    codec_free(message);
    buf_done(&frame);
    buf_done(&sealed);
    buf_done(&expected);
}

Test(vectors, the_first_frames_open_at_the_other_end) {
    struct vector v = load("handshake");
    struct messages m = messages_of(&v);
    expect_first_message(&v, &m, false);
    expect_first_message(&v, &m, true);
    messages_done(&m);
    json_decref(v.file);
}
