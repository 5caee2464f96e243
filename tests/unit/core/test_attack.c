/* What a hub that lies may try with its own signature against those who follow it: one entry that
 * says one thing to one member and another to the next. */
#include "feed.h"
#include "network.h"

TestSuite(attack, .timeout = 60);

/* One header, signed once, over two events: either excerpt shows a single view that leads to the
 * root, and both have the same header hash, so that comparing heads would never tell. */
static void make_split(struct network *n, struct entry *ret[static 2]) {
    struct error e = {0};
    struct buf suspended, removed, bytes;
    struct public_key member = network_member(1).pub;
    struct header header = network_header(n, ENTRY_HUB_SUSPENDED);
    struct entry *whole = NULL;
    buf_init(&suspended, ENTRY_MAX_BYTES);
    buf_init(&removed, ENTRY_MAX_BYTES);
    buf_init(&bytes, ENTRY_MAX_BYTES);
    cr_assert_eq(event_member(&member, "to one", &suspended, &e), ERR_OK);
    member = network_member(2).pub;
    cr_assert_eq(event_member(&member, "to another", &removed, &e), ERR_OK);
    struct view views[] = {
        {.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&suspended)},
        {.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&removed)},
    };
    cr_assert_eq(entry_build(&header, views, 2, &n->hub, &bytes, NULL, &e), ERR_OK);
    cr_assert_eq(entry_parse(buf_bytes(&bytes), &whole, &e), ERR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct buf excerpt;
        buf_init(&excerpt, ENTRY_MAX_BYTES);
        cr_assert_eq(entry_excerpt(whole, &i, 1, &excerpt, &e), ERR_OK);
        cr_assert_eq(excerpt_parse(buf_bytes(&excerpt), &ret[i], &e), ERR_OK, "%s", e.detail);
        cr_assert_eq(entry_verify(ret[i], &n->hub.pub, &e), ERR_OK);
        buf_done(&excerpt);
    }
    entry_free(whole);
    buf_done(&suspended);
    buf_done(&removed);
    buf_done(&bytes);
}

Test(attack, an_entry_of_the_hub_cannot_show_each_reader_another_event) {
    struct network n;
    struct entry *split[2] = {NULL, NULL};
    struct error e = {0};
    network_open(&n, charter_default_json(), 2);
    struct head before = directory_head(n.directory);
    make_split(&n, split);
    cr_assert(hash_equal(&split[0]->hash, &split[1]->hash), "one head for both");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(feed_check_views(split[i], true, &e), ERR_KIND);
        cr_assert_eq(directory_apply(n.directory, split[i], &e), ERR_MALFORMED);
    }
    cr_assert_eq(directory_head(n.directory).seq, before.seq, "nothing was applied");
    for (uint32_t i = 1; i <= 2; i++) {
        struct public_key key = network_member(i).pub;
        cr_assert_eq(directory_member(n.directory, &key)->state, MEMBER_ADMITTED);
    }
    entry_free(split[0]);
    entry_free(split[1]);
    network_done(&n);
}

/* The same with a key renewal: two X25519 keys under one header. */
Test(attack, a_key_renewal_cannot_show_each_reader_another_key) {
    struct view view = {.target = target_plain(), .kind = VIEW_PLAIN, .data = bytes_str("a key")};
    struct entry entry = {.views = &view, .view_count = 1};
    entry.header.kind = ENTRY_BOX_RENEWAL;
    entry.header.view_count = 1;
    cr_assert_eq(feed_check_views(&entry, false, NULL), ERR_OK);
    entry.header.view_count = 2;
    cr_assert_eq(feed_check_views(&entry, false, NULL), ERR_KIND);
}
