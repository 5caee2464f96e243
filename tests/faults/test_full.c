/* A file system that is really full: a small tmpfs of this test's own, for the hub's directory or
 * an agent's, filled to the last byte and emptied again.
 * The rule: what needs space is refused clearly (exit status 74, "free some space", HTTP 507; the
 * hub leaves with `disk-full`, which the agent's status shows), reading goes on, and when there is
 * space again all goes on by itself, with nothing lost that was promised. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define SMALL "size=6M,mode=0700"
#define SKIPPED                                                                                    \
    "SKIPPED: a small file system cannot be mounted here (neither root nor a user namespace)"
#define TRIES 200 /* what is free inside the database is used first */

static struct lab lab;
static struct network net;
static unsigned refused;
static int64_t done;
static bool own_mounts;
static const char *small; /* mounted */

static void setup(void) {
    lab_open(&lab, "full");
}

static void teardown(void) {
    if (small)
        umount2(small, MNT_DETACH);
    lab_close(&lab);
}

TestSuite(full, .init = setup, .fini = teardown, .timeout = 900);

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool whole = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return whole;
}

static bool own_namespace(void) {
    char map[64];
    unsigned uid = getuid(), gid = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        snprintf(map, sizeof map, "0 %u 1", uid);
        if (!write_file("/proc/self/uid_map", map) || !write_file("/proc/self/setgroups", "deny"))
            return false;
        snprintf(map, sizeof map, "0 %u 1", gid);
        if (!write_file("/proc/self/gid_map", map))
            return false;
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A mount namespace of this process's own, as root or as any user, who is root inside; it goes with
 * the process. Before main, because a process with threads gets none as a user. */
__attribute__((constructor)) static void leave_mounts(void) {
    own_mounts = own_namespace();
}

/* The directory `dir` on a small file system. False, having said so, where that is not possible. */
static bool make_small(const char *dir) {
    if (own_mounts && mkdir(dir, 0700) == 0 &&
        mount("plek", dir, "tmpfs", MS_NOSUID | MS_NODEV, SMALL) == 0) {
        small = dir;
        return true;
    }
    printf("%s: %s\n", SKIPPED, strerror(errno));
    lab_pass(&lab);
    return false;
}

static const char *filler(const char *dir) {
    return lab_text(&lab, "%s/filler", dir);
}

/* Until not one byte more fits. */
static void fill(const char *dir) {
    static char piece[4096];
    int fd = open(filler(dir), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    while (write(fd, piece, sizeof piece) > 0)
        continue;
    while (write(fd, piece, 1) > 0)
        continue;
    cr_assert_eq(errno, ENOSPC);
    close(fd);
}

static void make_room(const char *dir) {
    cr_assert_eq(unlink(filler(dir)), 0);
}

static void share(void) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
}

static const struct result *try_set(int64_t free) {
    const struct result *r =
        LAB_RUN(&lab, "plek-agent", "set", "bed", lab_text(&lab, "free=%lld", (long long)free),
                "--dir", network_dir(&net, "A"));
    if (r->status == 0)
        done = free;
    return r;
}

static int64_t available(const char *name, const char *path) {
    json_t *rows = faults_ask(&lab, network_dir(&net, name), path, 5000);
    return json_array_size(rows) > 0 ? number_at(json_array_get(rows, 0), "available") : INT64_MIN;
}

static bool b_shows_it(void) {
    return available("B", "/v1/find?service=bed") == done;
}

static void share_first(void) {
    share();
    cr_assert_eq(try_set(1)->status, 0);
    EVENTUALLY(b_shows_it() && network_drained(&net, "A"));
}

static void expect_whole(void) {
    static const char *const agents[] = {"A", "B", NULL};
    faults_expect_calm(&net, "A");
    faults_expect_calm(&net, "B");
    faults_expect_once(&net, agents);
}

Test(full, an_agent_refuses_until_there_is_space_again) {
    network_init(&net, &lab, NULL);
    const char *dir = network_dir(&net, "A");
    if (!make_small(dir))
        return;
    network_run_hub(&net, NULL);
    share_first();
    fill(dir);
    for (int64_t free = 2; refused < 3 && free < TRIES; free++) {
        const struct result *r = try_set(free);
        if (r->status == 0)
            continue;
        cr_assert_eq(r->status, 74, "%s", r->err);
        cr_assert(strstr(r->err, "free some space"), "%s", r->err);
        refused++;
    }
    cr_assert_eq(refused, 3u);
    cr_assert_eq(available("A", "/v1/lines"), done, "what was promised is read all the same");
    cr_assert(lab_running(network_process(&net, "A")));
    make_room(dir);
    cr_assert_eq(try_set(TRIES)->status, 0);
    EVENTUALLY(b_shows_it() && network_drained(&net, "A"));
    expect_whole();
    faults_say("a full agent: %u times refused, then all went on by itself", refused);
    lab_pass(&lab);
}

static const char *reason_at_a(void) {
    return json_string_value(
        json_object_get(json_object_get(AGENT(&net, "A", "status"), "hub"), "reason"));
}

Test(full, a_hub_says_so_and_takes_what_waited_when_there_is_space) {
    net.lab = &lab;
    if (!make_small(lab_path(&lab, "hub")))
        return;
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    share_first();
    fill(net.hub_dir);
    const char *reason = NULL;
    for (int64_t free = 2; !reason && free < TRIES; free++) {
        cr_assert_eq(try_set(free)->status, 0, "an agent works on without its hub");
        EVENTUALLY(network_drained(&net, "A") || (reason = reason_at_a()) != NULL);
    }
    cr_assert_str_eq(reason, "disk-full");
    const struct result *r = NULL;
    for (int i = 0; (!r || r->status == 0) && i < TRIES; i++)
        r = LAB_RUN(&lab, "plek-hub", "invite", "--name", lab_text(&lab, "C%d", i), "--dir",
                    net.hub_dir);
    cr_assert_eq(r->status, 74, "%s", r->err);
    cr_assert(strstr(r->err, "free some space"), "%s", r->err);
    cr_assert_geq(ask_health_ms(net.address, 5000), 0, "/healthz did not answer");
    cr_assert_neq(number_at(HUB(&net, "status"), "log"), INT64_MIN);
    make_room(net.hub_dir);
    EVENTUALLY(b_shows_it() && network_drained(&net, "A"));
    expect_whole();
    faults_say("a full hub: left its agent with disk-full, refused to invite, took what waited "
               "when there was space");
    lab_pass(&lab);
}
