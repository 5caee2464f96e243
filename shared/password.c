/* Owns passwords (see password.h). Must not know users or keep anything. */
#include "password.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"

#define OPS crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEMORY crypto_pwhash_MEMLIMIT_INTERACTIVE

/* Of a password that nobody has: an unknown user takes as long as a known one. */
static const char nobody[] =
    "$argon2id$v=19$m=65536,t=2,p=1$BnDbsTYL5AB8cjSlp3Jgdg$h182oBByr717o/zpDUjXI8tSF+ueL+"
    "fSTYqxN73JuX4";

static size_t count_chars(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* Steps of 0, 1 or -1 all the way: "aaaaaaaaaa", "1234567890", "zyxwvutsrq". */
static bool is_sequence(const char *text) {
    size_t same = 0, up = 0, down = 0, len = strlen(text);
    for (size_t i = 1; i < len; i++) {
        int step = text[i] - text[i - 1];
        same += step == 0;
        up += step == 1 || (text[i - 1] == '9' && text[i] == '0');
        down += step == -1 || (text[i - 1] == '0' && text[i] == '9');
    }
    return same + 2 >= len || up + 2 >= len || down + 2 >= len;
}

/* What is left of a well-known word when digits and signs around it are taken off. */
static bool is_known(const char *text) {
    static const char *const words[] = {"password",   "wachtwoord", "welkom",   "welcome", "qwerty",
                                        "qwertyuiop", "azerty",     "geheim",   "admin",   "plek",
                                        "zorg",       "letmein",    "iloveyou", ""};
    while (*text && !isalpha((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && !isalpha((unsigned char)text[len - 1]) && (unsigned char)text[len - 1] < 0x80)
        len--;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (len == strlen(words[i]) && strncasecmp(text, words[i], len) == 0)
            return true;
    return false;
}

enum err password_check(const char *password, const char *user, struct error *e) {
    size_t len = strlen(password), chars = count_chars(password);
    if (!utf8_valid(bytes_of(password, len)))
        return error_at(e, ERR_DATA, "password", 0, 0, "found a password that is not UTF-8");
    if (len > PASSWORD_MAX_BYTES)
        return error_at(e, ERR_TOO_LARGE, "password", 0, 0,
                        "found a password of %zu bytes, expected at most %d", len,
                        PASSWORD_MAX_BYTES);
    if (chars < PASSWORD_MIN_CHARS)
        return error_at(e, ERR_PASSWORD, "password", 0, 0,
                        "found a password of %zu characters, expected at least %d", chars,
                        PASSWORD_MIN_CHARS);
    if (is_sequence(password) || is_known(password))
        return error_at(e, ERR_PASSWORD, "password", 0, 0,
                        "found a well-known password, expected a sentence of a few words");
    if (user[0] && strcasestr(password, user) && len < strlen(user) + PASSWORD_MIN_CHARS)
        return error_at(e, ERR_PASSWORD, "password", 0, 0,
                        "found a password made of the user name, expected a sentence of a few "
                        "words");
    return ERR_OK;
}

void password_work(struct password_work *work) {
    if (work->verify) {
        const char *stored = work->stored[0] ? work->stored : nobody;
        bool same = crypto_pwhash_str_verify(stored, work->verify, strlen(work->verify)) == 0;
        work->verified = same && work->stored[0];
    }
    if (work->make &&
        crypto_pwhash_str(work->made, work->make, strlen(work->make), OPS, MEMORY) != 0)
        work->code = ERR_NO_MEMORY;
    work->done = true;
}
