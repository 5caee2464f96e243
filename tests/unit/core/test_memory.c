/* Tests that running out of memory is an error like any other: each allocation fails in turn,
 * nothing is changed, nothing leaks. Linked with --wrap, so that the allocations of our own code
 * (not of the libraries) go through here. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "network.h"
#include "snapshot.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static long allocations_left = -1; /* -1: memory does not end */

static bool ends_now(void) {
    if (allocations_left < 0) {
        return false;
    }
    return allocations_left-- == 0;
}

void *__wrap_malloc(size_t size) {
    return ends_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return ends_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size) {
    return ends_now() ? NULL : __real_reallocarray(old, count, size);
}

static const char charter_json[] =
    "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\",\"attributes\":[{\"name\":"
    "\"level\",\"values\":[\"1\",{\"code\":\"2\",\"label\":{\"nl\":\"twee\"}}]}]}],"
    "\"suggested_policy\":{\"audiences\":[]}}";

/* One thing to do; ERR_OK when it was done. It frees what it made. */
typedef enum err deed(void *ctx, struct error *e);

/* Runs the deed with memory that ends at the first, second, ... allocation, until it succeeds. */
static size_t torture(deed *run, void *ctx) {
    for (long n = 0; n < 10000; n++) {
        struct error e = {0};
        allocations_left = n;
        enum err code = run(ctx, &e);
        bool ended = allocations_left < 0;
        allocations_left = -1;
        if (!ended) {
            cr_assert_eq(code, ERR_OK, "%s", e.detail);
            return (size_t)n;
        }
        cr_assert_eq(code, ERR_NO_MEMORY, "allocation %ld: %s %s", n, error_name(code), e.detail);
        cr_assert_eq(e.code, ERR_NO_MEMORY);
    }
    cr_assert_fail("does not end");
    return 0;
}

static enum err parse_charter(void *ctx, struct error *e) {
    struct charter *c = NULL;
    enum err code = charter_parse(bytes_str(charter_json), "c", &c, e);
    (void)ctx;
    cr_assert_eq(c != NULL, code == ERR_OK);
    charter_free(c);
    return code;
}

static enum err parse_policy(void *ctx, struct error *e) {
    static const char json[] =
        "{\"audiences\":[{\"name\":\"a\",\"members\":[\"lid-1\",\"@hub\"],\"services\":[\"bed\"],"
        "\"precision\":\"exact\"}]}";
    struct policy *p = NULL;
    enum err code = policy_parse(bytes_str(json), "p", (const struct directory *)ctx, &p, e);
    cr_assert_eq(p != NULL, code == ERR_OK);
    policy_free(p);
    return code;
}

Test(memory, documents) {
    struct network n;
    network_open(&n, charter_json, 1);
    cr_assert_gt(torture(parse_charter, NULL), 10u);
    cr_assert_gt(torture(parse_policy, n.directory), 3u);
    network_done(&n);
}

/* The next entry of the feed: a deed that fails must leave the directory as it was, so that the
 * same entry still fits afterwards. */
struct apply {
    struct network *net;
    struct entry *entry;
};

static enum err apply_entry(void *ctx, struct error *e) {
    struct apply *a = (struct apply *)ctx;
    struct head before = directory_head(a->net->directory);
    size_t members = directory_member_count(a->net->directory);
    size_t agents = directory_agent_count(a->net->directory);
    uint32_t version = directory_charter_version(a->net->directory);
    enum err code = directory_apply(a->net->directory, a->entry, e);
    if (code != ERR_OK) {
        struct head after = directory_head(a->net->directory);
        cr_assert_eq(after.seq, before.seq);
        cr_assert_eq(directory_member_count(a->net->directory), members);
        cr_assert_eq(directory_agent_count(a->net->directory), agents);
        cr_assert_eq(directory_charter_version(a->net->directory), version);
    }
    return code;
}

static struct entry *made_entry(struct network *n, uint32_t kind, struct bytes view) {
    struct header header = network_header(n, kind);
    struct view plain = {.target = target_plain(), .kind = VIEW_PLAIN, .data = view};
    struct buf bytes;
    struct entry *entry = NULL;
    struct error e = {0};
    buf_init(&bytes, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_build(&header, &plain, 1, &n->hub, &bytes, NULL, &e), ERR_OK);
    cr_assert_eq(entry_parse(buf_bytes(&bytes), &entry, &e), ERR_OK);
    buf_done(&bytes);
    return entry;
}

static size_t torture_event(struct network *n, uint32_t kind, const struct buf *view) {
    struct apply a = {.net = n, .entry = made_entry(n, kind, buf_bytes(view))};
    size_t count = torture(apply_entry, &a);
    entry_free(a.entry);
    return count;
}

Test(memory, events_of_the_hubs_feed) {
    struct network n;
    struct buf view, join, cert;
    struct error e = {0};
    struct invitation i = {.invite = network_invite(9).pub,
                           .role = ROLE_OBSERVER,
                           .name = "lid-9",
                           .expires_ms = NETWORK_T0 + 1};
    network_open(&n, charter_json, 8); /* 8: lists and tables are about to grow */
    buf_init(&view, ENTRY_MAX_BYTES);
    cr_assert_eq(event_charter(2, bytes_str(charter_json), &view, &e), ERR_OK);
    cr_assert_gt(torture_event(&n, ENTRY_HUB_CHARTER, &view), 10u);
    cr_assert_eq(directory_charter_version(n.directory), 2u);
    buf_done(&view);
    cr_assert_eq(event_invited(&i, &view, &e), ERR_OK);
    cr_assert_gt(torture_event(&n, ENTRY_HUB_INVITED, &view), 2u);
    cr_assert(directory_name_used(n.directory, "lid-9"));
    buf_done(&view);
    buf_init(&join, JOIN_MAX_BYTES);
    network_join(&n, 9, 9, 9, &join);
    cr_assert_eq(event_admitted(buf_bytes(&join), &view, &e), ERR_OK);
    cr_assert_gt(torture_event(&n, ENTRY_HUB_ADMITTED, &view), 2u);
    cr_assert_eq(directory_member_named(n.directory, "lid-9")->role, ROLE_OBSERVER);
    buf_done(&view);
    buf_init(&cert, CERT_MAX_BYTES);
    network_cert(&n, 9, 19, 4, &cert);
    cr_assert_eq(event_certified(buf_bytes(&cert), &view, &e), ERR_OK);
    cr_assert_gt(torture_event(&n, ENTRY_HUB_CERTIFIED, &view), 1u);
    cr_assert_eq(directory_agent_count(n.directory), 10u);
    buf_done(&view);
    buf_done(&join);
    buf_done(&cert);
    network_done(&n);
}

static enum err share(void *ctx, struct error *e) {
    const struct charter *charter = (const struct charter *)ctx;
    struct policy_audience a = {.name = "a", .all_services = true};
    struct site site = {.id = 1, .name = "Noord"};
    struct line line = {.site = 1,
                        .service = "bed",
                        .attributes = {{"level", "1"}},
                        .attribute_count = 1,
                        .capacity = {.free = {true, 1},
                                     .observed_ms = NETWORK_T0,
                                     .valid_until_ms = NETWORK_T0 + 1000}};
    struct snapshot *made = NULL, *read = NULL;
    struct buf bytes;
    buf_init(&bytes, VIEW_MAX_BYTES);
    a.precision.kind = PRECISION_EXACT;
    enum err code = snapshot_compose(&a, charter, 1, &site, 1, &line, 1, &made, e);
    code = code != ERR_OK ? code : snapshot_encode(made, &bytes, e);
    code = code != ERR_OK ? code : snapshot_decode(buf_bytes(&bytes), &read, e);
    cr_assert_eq(read != NULL, code == ERR_OK);
    snapshot_free(made);
    snapshot_free(read);
    buf_done(&bytes);
    return code;
}

Test(memory, snapshots) {
    struct network n;
    network_open(&n, charter_json, 0);
    cr_assert_gt(torture(share, (void *)(uintptr_t)directory_charter(n.directory)), 15u);
    network_done(&n);
}
