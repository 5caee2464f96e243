/* Who does not speak the protocol is closed with a reason, within the limits, and members do not
 * notice. */
#include <string.h>

#include "clock.h"
#include "network.h"
#include "peer.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "strangers");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A",
                   "{\"audiences\":[{\"name\":\"b\",\"members\":[\"B\"],"
                   "\"services\":[\"*\"],\"precision\":\"exact\"}]}");
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(strangers, .init = setup, .fini = teardown, .timeout = 240);

static int64_t available_at_b(void) {
    return number_at(json_array_get(AGENT(&net, "B", "find", "bed"), 0), "available");
}

/* The hub still relays between members, over the sessions it had. */
static void expect_members_served(int free) {
    AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", free));
    EVENTUALLY(available_at_b() == free);
    cr_assert(network_connected(&net, "A") && network_connected(&net, "B"));
}

/* A websocket under the protocol's name: the hub speaks first. */
static void open_websocket(struct peer *p) {
    uint8_t hello[4096];
    size_t len = 0;
    peer_open(p, net.address);
    cr_assert(peer_upgrade(p, "plek.v1"));
    cr_assert_eq(peer_read_frame(p, hello, sizeof hello, &len), PEER_BINARY);
    cr_assert_gt(len, 32);
}

/* Closed within a few seconds, with a status other than "normal" and this word in the reason. */
static void expect_closed(struct peer *p, const char *word) {
    char reason[128];
    int code = peer_wait_closed(p, 5, reason, sizeof reason);
    cr_assert(code == 1008 || code == 1009 || code == 1011, "closed with %d '%s'", code, reason);
    cr_assert(strstr(reason, word), "found reason '%s', expected '%s' in it", reason, word);
    peer_close(p);
}

Test(strangers, other_protocols_are_turned_away) {
    struct peer p;
    char head[4096];
    /* TLS on a ws port, a shell's login, and plain garbage: no HTTP answer of success, then the
     * end. */
    static const struct {
        const char *bytes;
        size_t len;
    } starts[] = {
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 23},
        {"\x00\x00\x00\x00\x00\x00\x00\x00\r\n\r\n", 12},
        {"GET\r\n\r\n", 7},
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        peer_open(&p, net.address);
        peer_send(&p, starts[i].bytes, starts[i].len);
        if (peer_read_head(&p, head, sizeof head))
            cr_assert_null(strstr(head, " 200 "), "%s", head);
        peer_close(&p);
    }
    expect_members_served(3);
    lab_pass(&lab);
}

Test(strangers, http_gets_health_and_no_api_without_log_in) {
    static const struct {
        const char *host, *status;
    } refused[] = {{"hub", " 421 "}, {"localhost", " 401 "}};
    struct peer p;
    char head[4096];
    peer_open(&p, net.address);
    cr_assert(peer_send_text(&p, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"));
    cr_assert(peer_read_head(&p, head, sizeof head) && strstr(head, " 200 "), "%s", head);
    peer_close(&p);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        peer_open(&p, net.address);
        cr_assert(peer_send_text(&p, lab_text(&lab,
                                              "POST /v1/members/A/remove HTTP/1.1\r\nHost: %s\r\n"
                                              "Content-Type: application/json\r\n"
                                              "Content-Length: 2\r\n\r\n{}",
                                              refused[i].host)));
        cr_assert(peer_read_head(&p, head, sizeof head) && strstr(head, refused[i].status), "%s",
                  head);
        peer_close(&p);
    }
    cr_assert_str_eq(json_string_value(json_object_get(
                         row_where(HUB(&net, "member", "list"), "name", "A"), "state")),
                     "admitted");
    expect_members_served(4);
    lab_pass(&lab);
}

Test(strangers, wrong_subprotocols_are_refused) {
    struct peer p;
    char reason[128];
    peer_open(&p, net.address);
    cr_assert_not(peer_upgrade(&p, "plek.v9"), "an unknown version was accepted");
    peer_close(&p);
    peer_open(&p, net.address);
    if (peer_upgrade(&p, NULL)) {
        cr_assert_eq(peer_wait_closed(&p, 5, reason, sizeof reason), 1008);
        cr_assert(strstr(reason, "subprotocol"), "%s", reason);
    }
    peer_close(&p);
    expect_members_served(5);
    lab_pass(&lab);
}

Test(strangers, websockets_that_do_not_speak_it_are_closed_with_a_reason) {
    struct peer p;
    static uint8_t bytes[100 * 1024];
    /* Text, a hello of garbage, an empty one, one beyond the cap of a hello, one in many pieces. */
    open_websocket(&p);
    peer_send_frame(&p, PEER_TEXT, "hello", 5);
    expect_closed(&p, "protocol");
    memset(bytes, 0xa5, sizeof bytes);
    open_websocket(&p);
    peer_send_frame(&p, PEER_BINARY, bytes, 300);
    expect_closed(&p, "malformed");
    open_websocket(&p);
    peer_send_frame(&p, PEER_BINARY, bytes, 0);
    expect_closed(&p, "malformed");
    open_websocket(&p);
    peer_send_frame(&p, PEER_BINARY, bytes, sizeof bytes);
    expect_closed(&p, "cap");
    expect_members_served(6);
    /* Counted nowhere as anybody's: the log of the hub names the peer and why. */
    cr_assert(strstr(lab_log(&lab, network_process(&net, "hub")), "code=malformed"));
    cr_assert(strstr(lab_log(&lab, network_process(&net, "hub")), "code=cap"));
    lab_pass(&lab);
}

/* The hub's own hello sent back, and what it says to somebody else: no secret, no use. */
Test(strangers, replayed_hub_hello_is_refused) {
    struct peer p;
    uint8_t hello[4096];
    size_t len = 0;
    peer_open(&p, net.address);
    cr_assert(peer_upgrade(&p, "plek.v1"));
    cr_assert_eq(peer_read_frame(&p, hello, sizeof hello, &len), PEER_BINARY);
    peer_send_frame(&p, PEER_BINARY, hello, len);
    expect_closed(&p, "malformed");
    expect_members_served(2);
    lab_pass(&lab);
}

/* Frames that libwebsockets itself must not choke on. */
Test(strangers, broken_frames_end_the_connection_only) {
    struct peer p;
    char reason[128];
    static const uint8_t huge[14] = {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t reserved[] = {0xf3, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    open_websocket(&p);
    peer_send(&p, huge, sizeof huge);
    static uint8_t filler[200 * 1024];
    peer_send(&p, filler, sizeof filler);
    peer_wait_closed(&p, 5, reason, sizeof reason);
    peer_close(&p);
    open_websocket(&p);
    peer_send(&p, reserved, sizeof reserved);
    peer_wait_closed(&p, 5, reason, sizeof reason);
    peer_close(&p);
    open_websocket(&p);
    peer_send(&p, "\x82\xfe", 2); /* half a head, then gone */
    peer_close(&p);
    expect_members_served(7);
    lab_pass(&lab);
}

/* No hello at all: given up on after ten seconds. */
Test(strangers, silent_websocket_is_closed_after_the_handshake_time) {
    struct peer p;
    char reason[128];
    open_websocket(&p);
    int64_t from_ms = clock_monotonic_ms();
    int code = peer_wait_closed(&p, 15, reason, sizeof reason);
    cr_assert_neq(code, 0, "closed without a reason");
    cr_assert(strstr(reason, "timeout"), "%s", reason);
    cr_assert_geq(clock_monotonic_ms() - from_ms, 8000);
    peer_close(&p);
    expect_members_served(8);
    lab_pass(&lab);
}

/* One address takes what hub.conf allows, and no more; the members' places are theirs already. */
Test(strangers, one_address_gets_its_share_of_connections) {
    struct peer peers[8];
    char reason[128];
    lab_stop(&lab, network_process(&net, "hub"));
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir), "limit.connections_per_address = 6\n");
    network_run_hub(&net, NULL);
    EVENTUALLY(network_connected(&net, "A") && network_connected(&net, "B"));
    for (int i = 0; i < 4; i++)
        open_websocket(&peers[i]);
    for (int i = 4; i < 8; i++) {
        peer_open(&peers[i], net.address);
        cr_assert(peer_upgrade(&peers[i], "plek.v1"));
        cr_assert_eq(peer_wait_closed(&peers[i], 5, reason, sizeof reason), 1008);
        cr_assert_str_eq(reason, "limit.connections_per_address");
        peer_close(&peers[i]);
    }
    expect_members_served(9);
    for (int i = 0; i < 4; i++)
        peer_close(&peers[i]);
    open_websocket(&peers[0]);
    peer_close(&peers[0]);
    lab_pass(&lab);
}
