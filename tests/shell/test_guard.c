/* Tests of what a browser's headers are judged by. */
#include <criterion/criterion.h>

#include "guard.h"

Test(guard, only_loopback_and_named_hosts_are_answered) {
    static const char *const good[] = {
        "localhost", "localhost:7536", "LOCALHOST",  "127.0.0.1",       "127.8.9.1:80",
        "[::1]",     "[::1]:7536",     "plek.local", "PLEK.local:8443", "ward"};
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "127.0.0.1.evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.",
                                      "127.0.0.1:80:80",
                                      "[::1",
                                      "[::2]",
                                      "10.0.0.1",
                                      "plek.local.",
                                      "plek",
                                      "local",
                                      ":80",
                                      "wardx",
                                      "127.evil",
                                      "localhost:80a",
                                      "[::1]evil",
                                      "plek.local,ward",
                                      "xplek.local"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(guard_host_ok(good[i], "plek.local, ward"), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(guard_host_ok(bad[i], "plek.local, ward"), "%s", bad[i]);
    cr_expect_not(guard_host_ok("plek.local", NULL));
    cr_expect(guard_host_local("127.0.0.1:1"));
    cr_expect_not(guard_host_local("plek.local"));
}

Test(guard, other_sites_are_told_from_this_one) {
    cr_expect(guard_same_site("", "", "plek.local"));
    cr_expect(guard_same_site("https://plek.local", "same-origin", "plek.local"));
    cr_expect(guard_same_site("http://127.0.0.1:7536", "", "127.0.0.1:7536"));
    cr_expect(guard_same_site("", "none", "plek.local"));
    cr_expect_not(guard_same_site("https://evil.example", "", "plek.local"));
    cr_expect_not(guard_same_site("https://plek.local", "cross-site", "plek.local"));
    cr_expect_not(guard_same_site("https://plek.local", "same-site", "plek.local"));
    cr_expect_not(guard_same_site("http://127.0.0.1:1", "", "127.0.0.1:7536"));
    cr_expect_not(guard_same_site("null", "", "plek.local"));
    cr_expect_not(guard_same_site("https://", "", ""));
    cr_expect_not(guard_same_site("ftp://plek.local", "", "plek.local"));
}

Test(guard, entity_tags_and_encodings) {
    cr_expect(guard_etag_match("\"a\"", "\"a\""));
    cr_expect(guard_etag_match("\"b\", W/\"a\"", "\"a\""));
    cr_expect(guard_etag_match("*", "\"a\""));
    cr_expect_not(guard_etag_match("\"a-gz\"", "\"a\""));
    cr_expect_not(guard_etag_match("\"a\"x", "\"a\""));
    cr_expect_not(guard_etag_match("", "\"a\""));
    cr_expect(guard_gzip_ok("gzip, deflate, br"));
    cr_expect(guard_gzip_ok("br;q=1.0, gzip;q=0.8"));
    cr_expect(guard_gzip_ok("*"));
    cr_expect_not(guard_gzip_ok("gzip;q=0"));
    cr_expect_not(guard_gzip_ok("gzip;q=0.0, br"));
    cr_expect_not(guard_gzip_ok("identity"));
    cr_expect_not(guard_gzip_ok(""));
    cr_expect_not(guard_gzip_ok("xgzip"));
}

Test(guard, cookies_are_found_by_their_whole_name) {
    char value[8];
    cr_expect(guard_cookie("a=1; plek=abc; b=2", "plek", value, sizeof value));
    cr_expect_str_eq(value, "abc");
    cr_expect(guard_cookie("plek=", "plek", value, sizeof value));
    cr_expect_str_eq(value, "");
    cr_expect_not(guard_cookie("xplek=1; plekx=2", "plek", value, sizeof value));
    cr_expect_not(guard_cookie("plek=12345678", "plek", value, sizeof value), "longer than room");
    cr_expect_not(guard_cookie("", "plek", value, sizeof value));
}

Test(guard, paths_stay_where_they_belong) {
    cr_expect(guard_path_ok("/index.html"));
    cr_expect(guard_path_ok("/shared/api.js"));
    static const char *const bad[] = {
        "",    "/",     "index.html", "/../etc/passwd", "/a/../b",  "/.git", "/a//b",
        "/a/", "/a\\b", "/a%2e",      "/a b",           "//evil/x", "/a/.b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(guard_path_ok(bad[i]), "%s", bad[i]);
}
