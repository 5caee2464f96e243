/* Tests of what a good password is, and of hashing one. */
#include <criterion/criterion.h>
#include <string.h>

#include "keys.h"
#include "password.h"

Test(password, easy_ones_are_refused) {
    static const char *const bad[] = {"",
                                      "kort",
                                      "123456789",
                                      "1234567890",
                                      "aaaaaaaaaaaa",
                                      "0987654321",
                                      "abcdefghijklm",
                                      "Wachtwoord1!",
                                      "welkom20252026",
                                      "PASSWORD!!!",
                                      "balie2026!!!",
                                      "qwertyuiop",
                                      "1111111111",
                                      "        zorg  "};
    static const char *const good[] = {"een zin van woorden", "paard accu nietje",
                                       "\xC3\xA9\xC3\xA9n twee drie", "balieman zonder vrees",
                                       "m4k1ng-n0ise"};
    struct error e = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(password_check(bad[i], "balie", &e), ERR_PASSWORD, "%s", bad[i]);
    cr_expect_str_eq(e.file, "password");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect_eq(password_check(good[i], "balie", &e), ERR_OK, "%s: %s", good[i], e.detail);
}

Test(password, characters_count_not_bytes_and_there_is_a_most) {
    char text[PASSWORD_MAX_BYTES + 2];
    cr_expect_eq(password_check("\xC3\xA9\xC3\xA8\xC3\xAA\xC3\xAB\xC3\xA0", "", NULL),
                 ERR_PASSWORD);
    cr_expect_eq(password_check("een zin \xFF\xFE bytes", "", NULL), ERR_DATA);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = (char)('a' + (i * 7) % 26);
    text[sizeof text - 1] = '\0';
    cr_expect_eq(password_check(text, "", NULL), ERR_TOO_LARGE);
    text[PASSWORD_MAX_BYTES] = '\0';
    cr_expect_eq(password_check(text, "", NULL), ERR_OK);
}

Test(password, work_makes_and_verifies) {
    struct password_work made = {.make = "een zin van woorden"};
    cr_assert_eq(keys_init(NULL), ERR_OK);
    password_work(&made);
    cr_assert(made.done && !made.verified);
    cr_assert_eq(strncmp(made.made, "$argon2id$", 10), 0, "%s", made.made);
    struct password_work right = {.verify = "een zin van woorden"}, wrong = {.verify = "een zin"};
    memcpy(right.stored, made.made, sizeof right.stored);
    memcpy(wrong.stored, made.made, sizeof wrong.stored);
    password_work(&right);
    password_work(&wrong);
    cr_assert(right.verified);
    cr_assert_not(wrong.verified);
}

/* Nobody's hash is one that can be verified, with the cost of a new one: it takes as long. */
Test(password, nobody_is_verified_as_slowly_as_anybody_and_never) {
    struct password_work nobody = {.verify = ""}, made = {.make = "een zin van woorden"};
    cr_assert_eq(keys_init(NULL), ERR_OK);
    password_work(&nobody);
    password_work(&made);
    cr_assert(nobody.done && !nobody.verified);
    cr_assert_eq(crypto_pwhash_str_needs_rehash(made.made, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                                crypto_pwhash_MEMLIMIT_INTERACTIVE),
                 0);
}
