/* Tests of the queue to one websocket peer: order and whole messages over a real connection, the
 * bound, and that what is queued is given back. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "outgoing.h"
#include "unit/db/scratch.h"

#define MESSAGES 400 /* 8 MB in all, under the bound */
#define MESSAGE_MAX 40000
#define QUEUE_MAX 65536

static struct {
    struct lws_context *context;
    struct lws *client;
    struct outgoing outgoing;
    unsigned char room[LWS_PRE + MESSAGE_MAX];
    uint32_t received;
    size_t piece_len;
    bool stuck, failed;
} world;

/* Message i: its number, then as many bytes as the number says, all alike. */
static size_t length_of(uint32_t i) {
    return 4 + (i * 7919u) % (MESSAGE_MAX - 4);
}

static struct blob *message(uint32_t i) {
    static unsigned char data[MESSAGE_MAX];
    memset(data, (int)(i & 255), sizeof data);
    memcpy(data, &i, 4);
    return blob_new(bytes_of(data, length_of(i)));
}

/* The server's side: numbers have to come in order, each message whole. */
static void take_piece(struct lws *wsi, const unsigned char *in, size_t len) {
    static unsigned char whole[MESSAGE_MAX];
    if (len > sizeof whole - world.piece_len) {
        world.failed = true;
        return;
    }
    memcpy(whole + world.piece_len, in, len);
    world.piece_len += len;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
        return;
    struct blob *expected = message(world.received);
    world.failed |= !bytes_equal(bytes_of(whole, world.piece_len), blob_bytes(expected));
    blob_unref(expected);
    world.piece_len = 0;
    world.received++;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    (void)user;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        world.client = wsi;
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return world.stuck ? 0 : outgoing_write(&world.outgoing, wsi, world.room);
    case LWS_CALLBACK_RECEIVE:
        take_piece(wsi, in, len);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "test", .callback = callback, .rx_buffer_size = 16 * 1024}, {0}};

static struct scratch scratch;

static void setup(void) {
    char path[PATH_MAX], address[PATH_MAX + 1];
    memset(&world, 0, sizeof world);
    scratch_init(&scratch);
    lws_set_log_level(0, NULL);
    outgoing_init(&world.outgoing);
    struct lws_context_creation_info info = {.port = 0,
                                             .iface = scratch_path(&scratch, "s", path),
                                             .protocols = protocols,
                                             .fd_limit_per_thread = 64,
                                             .options = LWS_SERVER_OPTION_UNIX_SOCK};
    world.context = lws_create_context(&info);
    cr_assert(world.context);
    snprintf(address, sizeof address, "+%s", path);
    struct lws_client_connect_info connect = {.context = world.context,
                                              .address = address,
                                              .host = "localhost",
                                              .origin = "localhost",
                                              .path = "/",
                                              .port = 0,
                                              .protocol = "test"};
    cr_assert(lws_client_connect_via_info(&connect));
    for (int i = 0; i < 2000 && !world.client; i++)
        lws_service(world.context, 0);
    cr_assert(world.client, "the connection was not made");
}

static void teardown(void) {
    outgoing_done(&world.outgoing);
    lws_context_destroy(world.context);
    scratch_done(&scratch);
}

TestSuite(outgoing, .init = setup, .fini = teardown, .timeout = 60);

Test(outgoing, sends_everything_in_order) {
    struct error e = {0};
    size_t bytes = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        bytes += length_of(i);
        cr_assert_eq(outgoing_push(&world.outgoing, world.client, message(i), &e), ERR_OK);
    }
    cr_assert_eq(world.outgoing.bytes, bytes);
    cr_assert_not(outgoing_empty(&world.outgoing));
    int64_t until_ms = clock_monotonic_ms() + 30000;
    while (world.received < MESSAGES && !world.failed && clock_monotonic_ms() < until_ms)
        lws_service(world.context, 0);
    cr_assert_not(world.failed, "message %u was not what was sent", world.received);
    cr_assert_eq(world.received, MESSAGES);
    cr_assert(outgoing_empty(&world.outgoing));
    cr_assert_eq(world.outgoing.bytes, 0);
}

/* A peer that never reads must not make us keep what it is owed without end. */
Test(outgoing, refuses_beyond_its_bytes_too) {
    enum { KIB = 1024, BIG = 1024 * KIB, FITS = 8 };
    static const uint8_t filler[BIG];
    struct error e = {0};
    struct blob *one = blob_new(bytes_of(filler, sizeof filler));
    world.stuck = true;
    for (int i = 0; i < FITS; i++)
        cr_assert_eq(outgoing_push(&world.outgoing, world.client, blob_ref(one), &e), ERR_OK);
    cr_assert_eq(outgoing_push(&world.outgoing, world.client, blob_ref(one), &e), ERR_CAP);
    cr_assert_eq(world.outgoing.bytes, FITS * sizeof filler);
    outgoing_done(&world.outgoing);
    cr_assert_eq(blob_bytes(one).len, BIG);
    blob_unref(one);
}

Test(outgoing, refuses_beyond_its_bound_and_keeps_what_it_has) {
    struct error e = {0};
    struct blob *one = blob_new(bytes_of("x", 1));
    world.stuck = true;
    for (int i = 0; i < QUEUE_MAX; i++)
        cr_assert_eq(outgoing_push(&world.outgoing, world.client, blob_ref(one), &e), ERR_OK);
    cr_assert_eq(outgoing_push(&world.outgoing, world.client, blob_ref(one), &e), ERR_CAP);
    cr_assert_eq(world.outgoing.bytes, QUEUE_MAX);
    outgoing_done(&world.outgoing);
    cr_assert(outgoing_empty(&world.outgoing));
    cr_assert_eq(blob_bytes(one).len, 1);
    blob_unref(one); /* the last share: all others were given back (AddressSanitizer sees if not) */
}
