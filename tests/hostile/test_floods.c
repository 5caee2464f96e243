/* A real hub under floods of those who are not members, and of members that misbehave: meanwhile
 * /healthz answers and an update goes from one member to another, and memory stays under a stated
 * cap; afterwards connections and their descriptors are gone. Figures are printed, no duration is
 * asserted. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "gauge.h"

#define KIB_EACH 32 /* of memory a connection may take, whatever it does */
#define KIB_MORE (24 * 1024)

static struct lab lab;
static struct network net;
static struct actor author, reader, rogue;
static struct gauge gauge;
static struct process *hub;

static void setup(void) {
    lab_open(&lab, "floods");
    network_init(&net, &lab, NULL);
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir), "log.level = warn\n");
    hub = network_run_hub(&net, NULL);
    gauge_admit(&net, &reader, "Reader", 1);
    gauge_admit(&net, &author, "Author", 2);
    gauge_admit(&net, &rogue, "Rogue", 3);
    actor_disconnect(&rogue);
    gauge = (struct gauge){.lab = &lab, .author = &author, .reader = &reader};
    gauge.address = net.address;
    gauge_prove(&gauge); /* what the first of everything costs */
    gauge_open(&gauge, net.address, hub->pid);
}

static void teardown(void) {
    actor_done(&author);
    actor_done(&reader);
    actor_done(&rogue);
    lab_close(&lab);
}

TestSuite(floods, .init = setup, .fini = teardown, .timeout = 900);

/* ---- many connections ---- */

static const char *const upgrade =
    "GET / HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: plek.v1\r\n\r\n";

static int *fds;
static int fd_count;

static void say(int fd, const char *text, size_t len) {
    (void)!send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* So many attackers, each of which says the first `len` bytes at once; members are served all the
 * while they come. */
static void attack(int count, const char *text, size_t len) {
    fds = calloc((size_t)count, sizeof *fds);
    cr_assert_not_null(fds);
    for (fd_count = 0; fd_count < count; fd_count++) {
        fds[fd_count] = gauge_connect(net.address, fd_count);
        if (fd_count % 250 == 249)
            gauge_prove(&gauge);
    }
    struct pollfd last = {.fd = fds[count - 1], .events = POLLOUT};
    (void)poll(&last, 1, 1000);
    for (int i = 0; i < count && len > 0; i++)
        say(fds[i], text, len);
    gauge_prove(&gauge);
}

static void withdraw(void) {
    for (int i = 0; i < fd_count; i++)
        close(fds[i]);
    free(fds);
    fds = NULL;
}

static void flood(const char *what, const char *text, size_t len) {
    int count = gauge_scale(1500, 9000);
    if (gauge_room(count)) {
        attack(count, text, len);
        for (int i = 0; i < 5; i++)
            gauge_prove(&gauge);
        withdraw();
        gauge_close(&gauge, lab_text(&lab, "%d %s", count, what),
                    KIB_MORE + (int64_t)KIB_EACH * count);
    }
    lab_pass(&lab);
}

Test(floods, connections_that_say_nothing) {
    flood("connections that say nothing", "", 0);
}
Test(floods, upgrades_that_are_never_finished) {
    flood("upgrades half done", upgrade, 60);
}
Test(floods, hellos_that_never_come) {
    flood("websockets without a hello", upgrade, strlen(upgrade));
}

/* One byte at a time, a little request that never ends. */
Test(floods, one_byte_after_the_other) {
    int count = gauge_scale(300, 2000);
    attack(count, upgrade, 1);
    for (size_t at = 1; at < (size_t)gauge_scale(8, 40); at++) {
        for (int i = 0; i < count; i++)
            say(fds[i], upgrade + at, 1);
        usleep(100 * 1000);
        gauge_prove(&gauge);
    }
    withdraw();
    gauge_close(&gauge, lab_text(&lab, "%d requests byte by byte", count),
                KIB_MORE + (int64_t)KIB_EACH * count);
    lab_pass(&lab);
}

/* All that one address may have is taken; who comes from another is served. */
Test(floods, one_address_does_not_keep_others_out) {
    int count = 600;
    fds = calloc((size_t)count, sizeof *fds);
    for (fd_count = 0; fd_count < count; fd_count++)
        fds[fd_count] = gauge_connect(net.address, 0);
    usleep(200 * 1000);
    for (int i = 0; i < count; i++)
        say(fds[i], upgrade, strlen(upgrade));
    usleep(200 * 1000);
    actor_disconnect(&reader);
    actor_connect(&reader);
    gauge_prove(&gauge);
    withdraw();
    gauge_close(&gauge, "600 connections of one address", KIB_MORE + KIB_EACH * 600);
    lab_pass(&lab);
}

/* ---- join requests ---- */

Test(floods, join_requests_by_no_invitation) {
    struct actor stranger;
    struct welcome welcome;
    struct refused refused;
    int count = gauge_scale(150, 2000);
    uint8_t seed[SEED_LEN] = {7};
    actor_init(&stranger, network_invite(&net, "Stranger", NULL), 9);
    sign_pair_from_seed(&stranger.invite, seed);
    struct buf join;
    struct error e = {0};
    struct hash next = hash_blake2b(bytes_of("x", 1));
    buf_init(&join, JOIN_MAX_BYTES);
    cr_assert_eq(join_build(&stranger.kit.hub.pub, &stranger.invite, &stranger.kit.member, &next,
                            &stranger.kit.agent, buf_bytes(&stranger.kit.cert_bytes), &join, &e),
                 ERR_OK);
    buf_done(&stranger.join);
    stranger.join = join;
    for (int i = 0; i < count; i++) {
        actor_open(&stranger);
        actor_make_hello(&stranger, NULL, NULL);
        actor_send(&stranger, buf_bytes(&stranger.puppet.agent_hello));
        cr_assert_eq(actor_answer(&stranger, &welcome, &refused), ERR_INVITE_UNKNOWN);
        if (i % 25 == 0)
            gauge_prove(&gauge);
    }
    actor_done(&stranger);
    gauge_close(&gauge, lab_text(&lab, "%d join requests by no invitation", count), KIB_MORE);
    lab_pass(&lab);
}

/* ---- members that misbehave ---- */

Test(floods, garbage_after_the_welcome) {
    uint8_t garbage[2048];
    char reason[128];
    int count = gauge_scale(60, 600);
    memset(garbage, 0x5a, sizeof garbage);
    for (int i = 0; i < count; i++) {
        actor_connect(&rogue);
        actor_send(&rogue, bytes_of(garbage, sizeof garbage));
        peer_wait_closed(&rogue.peer, 10, reason, sizeof reason);
        cr_assert_str_eq(reason, "decrypt");
        actor_disconnect(&rogue);
        if (i % 20 == 0)
            gauge_prove(&gauge);
    }
    gauge_close(&gauge, lab_text(&lab, "%d sessions that turn to garbage", count), KIB_MORE);
    lab_pass(&lab);
}

static int log_lines(const char *what) {
    int count = 0;
    for (const char *at = lab_log(&lab, hub); (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

/* Each is answered and counted; in the log stand the first of them and how many more. */
Test(floods, entries_that_are_refused) {
    struct craft c;
    struct buf entry;
    enum err code = ERR_OK;
    int count = gauge_scale(200, 5000), first = 10;
    actor_connect(&rogue);
    actor_craft(&rogue, &c);
    c.header.seq += 5;
    craft_build(&c, &entry, NULL);
    for (int i = 0; i < count; i++) {
        enum err answer = actor_push(&rogue, buf_bytes(&entry));
        cr_assert(answer != ERR_OK && (i == 0 || answer == code), "%s", error_name(answer));
        code = answer;
        if (i % 50 == 0)
            gauge_prove(&gauge);
    }
    buf_done(&entry);
    craft_done(&c);
    actor_disconnect(&rogue);
    gauge_close(&gauge, lab_text(&lab, "%d entries that are refused", count), KIB_MORE);
    cr_expect_leq(log_lines(" warn refused "), 2 * first, "%s", lab_log(&lab, hub));
    cr_expect_not_null(strstr(HUB_DO(&net, "status")->out,
                              lab_text(&lab, "rejected: %s, %d times", error_name(code), count)));
    lab_stop(&lab, hub);
    cr_expect_geq(log_lines(" more="), 1, "how many more is said in the end at the latest");
    lab_pass(&lab);
}

/* Pieces of one message without an end, 32 KiB each: cut off at the cap. */
Test(floods, a_message_without_an_end) {
    static uint8_t piece[4 + 4 + 32768] = {0x02, 0xfe, 0x80, 0x00};
    actor_connect(&rogue);
    int sent = 0;
    while (sent < 4000 && peer_send(&rogue.peer, piece, sizeof piece)) {
        piece[0] = 0x00; /* the first said it is binary, the others go on */
        sent++;
        if (sent % 16 == 0) {
            struct pollfd closed = {.fd = rogue.peer.fd, .events = POLLIN};
            if (poll(&closed, 1, 0) > 0)
                break;
        }
    }
    cr_assert_lt(sent, 4000, "the hub reads on after 125 MiB of one message");
    actor_disconnect(&rogue);
    gauge_close(&gauge, lab_text(&lab, "a message without an end, cut after %d KiB", sent * 32),
                KIB_MORE);
    lab_pass(&lab);
}

Test(floods, pings_that_nobody_reads_the_answers_of) {
    static uint8_t pings[4096 * 131];
    struct peer like = {.server = false};
    size_t len = 0;
    actor_connect(&rogue);
    for (int i = 0; i < 4096; i++)
        len += peer_put_frame(&like, PEER_PING, "pingpingpingpingpingpingpingpingping", 36,
                              pings + len);
    for (int i = 0; i < gauge_scale(20, 400); i++) {
        for (size_t at = 0; at < len;) {
            ssize_t n = send(rogue.peer.fd, pings + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
        gauge_prove(&gauge);
    }
    actor_disconnect(&rogue);
    gauge_close(&gauge, "pings without end, answers unread", KIB_MORE);
    lab_pass(&lab);
}

/* A partner that pulled and reads no more, while much is said to it. */
Test(floods, a_reader_that_does_not_read) {
    struct actor talker;
    struct craft c;
    struct buf entry;
    struct actor *readers[] = {&rogue, &reader};
    actor_connect(&rogue);
    gauge_admit(&net, &talker, "Talker", 4);
    actor_publish(&talker, readers, 2);
    actor_expect_state(&reader, &talker);
    for (int i = 0; i < gauge_scale(40, 55); i++) {
        struct head head = {1, talker.head.seq + 1, {{0}}};
        struct frame frame;
        actor_craft(&talker, &c);
        c.views[0].kind = VIEW_HISTORY; /* kept, each of them, until it was delivered */
        struct view large = actor_view(VIEW_HISTORY, 16, 1, 240u * 1024);
        c.views[0].data = large.data;
        craft_build(&c, &entry, &head.hash);
        enum err answer = actor_push(&talker, buf_bytes(&entry));
        cr_assert_eq(answer, ERR_OK, "%s", error_name(answer));
        talker.head = head;
        buf_done(&entry);
        craft_done(&c);
        do {
            cr_assert_neq(actor_next(&reader, &frame), 0);
        } while (frame.kind != FRAME_DELIVER || frame.deliver.class_ != 4);
        gauge_prove(&gauge);
    }
    actor_done(&talker);
    actor_disconnect(&rogue);
    gauge_close(&gauge, "10 MiB for a reader that does not read", KIB_MORE);
    lab_pass(&lab);
}
