/* Owns the main of a fuzz target where libFuzzer is not: every file of the given folders goes
 * through the target once, in the order of their names. Must not know what the target tries. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "fuzz.h"

#define PATH_SIZE 4096
#define REPLAY_MAX (4u << 20) /* bytes */

static _Noreturn void give_up(const char *path, const char *why) {
    fprintf(stderr, "replay: %s: %s\n", path, why);
    exit(EX_NOINPUT);
}

/* An allocation of exactly the input's size, so that reading past its end is found. */
static void replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0)
        give_up(path, "cannot be opened");
    if (info.st_size > REPLAY_MAX)
        give_up(path, "is larger than 4 MiB");
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size)
        give_up(path, "cannot be read");
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* What a target breaks aborts: the last name printed is the input's. */
static int replay_folder(const char *dir) {
    struct dirent **names = NULL;
    int count = scandir(dir, &names, is_visible, alphasort);
    if (count < 0)
        give_up(dir, "is no folder that can be read");
    if (count == 0)
        give_up(dir, "found no input, expected at least one");
    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        fprintf(stderr, "%s\n", path);
        replay_file(path);
        free(names[i]);
    }
    free(names);
    return count;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
        return EX_USAGE;
    }
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs\n", count);
    return EX_OK;
}
