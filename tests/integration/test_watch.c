/* The watched folder of a running agent: taken, refused with the reason, and safe over restarts. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "network.h"

static struct lab lab;
static struct network net;

#define PROFILE                                                                                    \
    "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},\"columns\":{\"free\":\"f\"}}"

static void setup(void) {
    lab_open(&lab, "watch");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_join(&net, "A", NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 240);

static const char *in_watch(const char *name) {
    return lab_path(&lab, "agent-A/watch/%s", name);
}

static bool is_there(const char *name) {
    return access(in_watch(name), F_OK) == 0;
}

static int entries(const char *folder) {
    int count = 0;
    DIR *dir = opendir(in_watch(folder));
    cr_assert(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int64_t free_of(const char *ward) {
    return number_at(row_where(AGENT(&net, "A", "lines"), "ward", ward), "available");
}

Test(watch, a_table_is_taken_and_moved_to_done) {
    network_run_agent(&net, "A", NULL);
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\nB;-\n");
    EVENTUALLY(is_there("done/beds.csv"));
    cr_assert_not(is_there("beds.csv"));
    cr_assert_eq(free_of("A"), 3);
    json_t *row = row_where(AGENT(&net, "A", "lines"), "ward", "A");
    cr_assert_str_eq(json_string_value(json_object_get(row, "actor")), "watch");
    cr_assert_eq(entries("failed"), 0);
    /* Renamed into the folder, as careful programs do. */
    lab_write(in_watch("next.tmp"), "w;f\nA;4\n");
    cr_assert_eq(rename(in_watch("next.tmp"), in_watch("beds.csv")), 0);
    EVENTUALLY(entries("done") == 2);
    cr_assert_eq(free_of("A"), 4);
    lab_pass(&lab);
}

Test(watch, a_bad_table_goes_to_failed_with_the_reason_beside_it) {
    network_run_agent(&net, "A", NULL);
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\nB;many\n");
    EVENTUALLY(is_there("failed/beds.csv"));
    const char *reason = lab_read(&lab, in_watch("failed/beds.csv.txt"));
    cr_assert_eq(strncmp(reason, "beds.csv:3:2: column 'f': found 'many', expected", 48), 0, "%s",
                 reason);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "lines")), 0);
    cr_assert_eq(entries("done"), 0);
    /* A workbook is no table. */
    lab_write(in_watch("beds.xlsx"), "PK\x03\x04");
    EVENTUALLY(is_there("failed/beds.xlsx"));
    cr_assert(strstr(lab_read(&lab, in_watch("failed/beds.xlsx.txt")), "workbook"));
    lab_pass(&lab);
}

Test(watch, profiles_by_the_beginning_of_the_name) {
    network_run_agent(&net, "A", NULL);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\n");
    EVENTUALLY(is_there("failed/beds.csv"));
    cr_assert(strstr(lab_read(&lab, in_watch("failed/beds.csv.txt")), "profile.json"));
    lab_write(in_watch("profile.json"), "{}");
    lab_write(in_watch("beds.json"), PROFILE);
    lab_write(in_watch("beds-north.json"),
              "{\"format\":1,\"service\":\"bed\",\"ward\":\"N\",\"columns\":{\"free\":\"vrij\"}}");
    lab_write(in_watch("beds-monday.csv"), "w;f\nA;3\n");
    lab_write(in_watch("beds-north-monday.csv"), "vrij\n5\n");
    EVENTUALLY(entries("done") == 2);
    cr_assert_eq(free_of("A"), 3);
    cr_assert_eq(free_of("N"), 5);
    lab_write(in_watch("other.csv"), "w;f\nA;3\n");
    EVENTUALLY(is_there("failed/other.csv"));
    cr_assert(strstr(lab_read(&lab, in_watch("failed/other.csv.txt")), "profile.json: "));
    lab_pass(&lab);
}

/* Nobody has counted again: neither the time of the count nor anything else moves. */
Test(watch, the_same_file_twice_changes_nothing) {
    network_run_agent(&net, "A", NULL);
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\n");
    EVENTUALLY(entries("done") == 1);
    json_t *first = AGENT(&net, "A", "lines");
    lab_write(in_watch("beds.csv"), "w;f\nA;3\n");
    EVENTUALLY(entries("done") == 2);
    json_t *second = AGENT(&net, "A", "lines");
    json_object_del(json_array_get(first, 0), "age_s");
    json_object_del(json_array_get(second, 0), "age_s");
    cr_assert(json_equal(first, second), "%s", lab_dump(&lab, second));
    lab_pass(&lab);
}

/* Killed after the import and before the move: it is taken once more, and undoes nothing. */
Test(watch, a_kill_before_the_move_is_made_good) {
    struct process *agent = network_run_agent(&net, "A", "PLEK_FAILPOINT=watch-imported");
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\nB;1\n");
    cr_assert_eq(lab_wait_end(&lab, agent), 256 + SIGKILL);
    cr_assert(is_there("beds.csv"));
    cr_assert_eq(free_of("A"), 3);
    AGENT_DO(&net, "A", "set", "bed", "free=7", "--ward", "A");
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(is_there("done/beds.csv"));
    cr_assert_eq(free_of("A"), 7, "what was entered since is newer than the file");
    cr_assert_eq(free_of("B"), 1);
    lab_pass(&lab);
}

/* A file that waited is as old as it is, not as its reading. */
Test(watch, a_file_from_before_the_start_keeps_its_age) {
    network_run_agent(&net, "A", NULL);
    lab_stop(&lab, network_process(&net, "A"));
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(in_watch("beds.csv"), "w;f\nA;3\n");
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 7200}};
    cr_assert_eq(utimensat(AT_FDCWD, in_watch("beds.csv"), times, 0), 0);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(is_there("done/beds.csv"));
    json_t *row = row_where(AGENT(&net, "A", "lines"), "ward", "A");
    cr_assert_geq(number_at(row, "age_s"), 7200);
    lab_pass(&lab);
}

/* While somebody writes, nothing is taken; links and hidden files are never. */
Test(watch, a_file_is_taken_when_it_has_settled) {
    network_run_agent(&net, "A", NULL);
    lab_write(in_watch("profile.json"), PROFILE);
    lab_write(lab_path(&lab, "elsewhere.csv"), "w;f\nL;1\n");
    cr_assert_eq(symlink(lab_path(&lab, "elsewhere.csv"), in_watch("link.csv")), 0);
    lab_write(in_watch(".hidden.csv"), "w;f\nH;1\n");
    FILE *out = fopen(in_watch("slow.csv"), "we");
    cr_assert(out);
    fputs("w;f\n", out);
    int64_t until = lab_deadline(1) + 1500;
    for (int i = 0; !lab_passed_deadline(until); i++) {
        if (i % 20 == 0)
            fprintf(out, "S%d;1\n", i / 20);
        fflush(out);
        cr_assert(is_there("slow.csv"), "taken while it was written");
        lab_poll_pause();
    }
    fputs("last;9\n", out);
    fclose(out);
    EVENTUALLY(is_there("done/slow.csv"));
    cr_assert_eq(free_of("last"), 9);
    cr_assert(is_there("link.csv"));
    cr_assert(is_there(".hidden.csv"));
    cr_assert_null(row_where(AGENT(&net, "A", "lines"), "ward", "L"));
    lab_pass(&lab);
}
