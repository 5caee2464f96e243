/* Owns command lines: parsing against a table, help and version, the one-line failure.
 * Must not know what a command does. */
#include "args.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct value {
    const struct args_option *option;
    const char *text; /* NULL for a flag */
};

struct args {
    const char *command;
    struct value *values;
    int value_count;
    const char **operands;
    int operand_count;
};

static void print_usage(FILE *out, const struct args_program *p, const struct args_command *c) {
    fprintf(out, "Usage: %s %s%s%s%s\n\n%s\n", p->name, c->name,
            c->options[0].name ? " [options]" : "", c->operands[0] ? " " : "", c->operands,
            c->help);
    if (c->options[0].name)
        fputs("\nOptions:\n", out);
    for (const struct args_option *o = c->options; o->name; o++) {
        char head[80];
        snprintf(head, sizeof head, "--%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        fprintf(out, "  %-26s %s%s\n", head, o->help, o->repeated ? " (may be repeated)" : "");
    }
}

static void print_help(FILE *out, const struct args_program *p) {
    fprintf(out, "%s\n\nUsage: %s COMMAND [options]\n\nCommands:\n", p->help, p->name);
    for (const struct args_command *c = p->commands; c->name; c++)
        fprintf(out, "  %-18s %s\n", c->name, c->help);
    fprintf(out, "\n`%s COMMAND --help` explains one command. `%s --version` prints the version.\n",
            p->name, p->name);
}

/* Whether `word` is the first of the command's two. */
static bool begins(const struct args_command *c, const char *word) {
    size_t len = strlen(word);
    return strncmp(c->name, word, len) == 0 && c->name[len] == ' ';
}

static bool is_group(const struct args_program *p, const char *word) {
    const struct args_command *c = p->commands;
    while (c->name && !begins(c, word))
        c++;
    return c->name != NULL;
}

static void print_group(FILE *out, const struct args_program *p, const char *word) {
    fprintf(out, "Usage: %s %s COMMAND [options]\n\nCommands:\n", p->name, word);
    for (const struct args_command *c = p->commands; c->name; c++) {
        if (begins(c, word))
            fprintf(out, "  %-18s %s\n", c->name, c->help);
    }
}

/* A command of two words wins over one of one word. Sets *ret_words to how many it took. */
static const struct args_command *find_command(const struct args_program *p, int argc, char **argv,
                                               int *ret_words) {
    const struct args_command *one = NULL;
    for (const struct args_command *c = p->commands; c->name; c++) {
        if (strcmp(c->name, argv[1]) == 0)
            one = c;
        if (argc > 2 && begins(c, argv[1]) && strcmp(c->name + strlen(argv[1]) + 1, argv[2]) == 0) {
            *ret_words = 2;
            return c;
        }
    }
    *ret_words = 1;
    return one;
}

static const struct args_option *find_option(const struct args_command *c, const char *name,
                                             size_t len) {
    for (const struct args_option *o = c->options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static enum err take_option(struct args *a, const struct args_command *c, char **argv, int argc,
                            int *i, struct error *e) {
    const char *word = argv[*i] + 2;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct args_option *o = find_option(c, word, len);
    if (!o)
        return error_set(e, ERR_USAGE, "found option --%.*s, which '%s' does not have; see --help",
                         (int)len, word, c->name);
    if (!o->value && equals)
        return error_set(e, ERR_USAGE, "--%s takes no value", o->name);
    const char *text = equals ? equals + 1 : NULL;
    if (o->value && !text) {
        if (*i + 1 >= argc)
            return error_set(e, ERR_USAGE, "--%s needs a value: %s", o->name, o->value);
        text = argv[++*i];
    }
    if (!o->repeated)
        for (int k = 0; k < a->value_count; k++)
            if (a->values[k].option == o)
                return error_set(e, ERR_USAGE, "--%s is given twice", o->name);
    a->values[a->value_count++] = (struct value){o, text};
    return ERR_OK;
}

static enum err parse(struct args *a, const struct args_command *c, int argc, char **argv,
                      int first, struct error *e) {
    bool options_end = false;
    for (int i = first; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            enum err err = take_option(a, c, argv, argc, &i, e);
            if (err)
                return err;
        } else {
            a->operands[a->operand_count++] = argv[i];
        }
    }
    if (a->operand_count < c->min_operands)
        return error_set(e, ERR_USAGE, "'%s' needs %s; see --help", c->name, c->operands);
    if (c->max_operands >= 0 && a->operand_count > c->max_operands)
        return error_set(e, ERR_USAGE, "found '%s', which '%s' does not expect; see --help",
                         a->operands[c->max_operands], c->name);
    return ERR_OK;
}

static bool wants_help(int argc, char **argv, int first) {
    for (int i = first; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

static int run_command(const struct args_program *p, const struct args_command *c, int argc,
                       char **argv, int first) {
    struct args a = {.command = c->name,
                     .values = calloc((size_t)argc, sizeof(struct value)),
                     .operands = calloc((size_t)argc, sizeof(char *))};
    struct error e = {0};
    enum err err = ERR_NO_MEMORY;
    if (a.values && a.operands)
        err = parse(&a, c, argc, argv, first, &e);
    else
        error_set(&e, err, "not enough memory for the command line");
    if (!err)
        err = c->run(&a, &e);
    free(a.values);
    free(a.operands);
    if (!err)
        return EX_OK;
    char line[ERROR_DETAIL_MAX + ERROR_FILE_MAX + 64];
    e.code = err;
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", p->name, error_format(&e, line, sizeof line));
    return error_exit_status(err);
}

/* The help of a first word, or a first word alone, lists what may follow it. */
static int no_command(const struct args_program *p, int argc, char **argv) {
    bool group = is_group(p, argv[1]);
    if (group && wants_help(argc, argv, 2)) {
        print_group(stdout, p, argv[1]);
        return EX_OK;
    }
    const char *second = group && argc > 2 ? argv[2] : "";
    fprintf(stderr, "%s: found '%s%s%s', expected a command; '%s%s%s --help' lists them\n", p->name,
            argv[1], second[0] ? " " : "", second, p->name, group ? " " : "", group ? argv[1] : "");
    return EX_USAGE;
}

int args_main(const struct args_program *p, int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        print_help(stdout, p);
        return EX_OK;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", p->name, PLEK_VERSION);
        return EX_OK;
    }
    if (argc < 2) {
        print_help(stderr, p);
        return EX_USAGE;
    }
    int words = 0;
    const struct args_command *c = find_command(p, argc, argv, &words);
    if (!c)
        return no_command(p, argc, argv);
    if (wants_help(argc, argv, 1 + words)) {
        print_usage(stdout, p, c);
        return EX_OK;
    }
    return run_command(p, c, argc, argv, 1 + words);
}

const char *args_command_name(const struct args *a) {
    return a->command;
}

bool args_flag(const struct args *a, const char *name) {
    return args_option_count(a, name) > 0;
}

const char *args_option(const struct args *a, const char *name) {
    return args_option_at(a, name, 0);
}

int args_option_count(const struct args *a, const char *name) {
    int count = 0;
    for (int i = 0; i < a->value_count; i++)
        count += strcmp(a->values[i].option->name, name) == 0;
    return count;
}

const char *args_option_at(const struct args *a, const char *name, int index) {
    for (int i = 0; i < a->value_count; i++)
        if (strcmp(a->values[i].option->name, name) == 0 && index-- == 0)
            return a->values[i].text ? a->values[i].text : "";
    return NULL;
}

int args_count(const struct args *a) {
    return a->operand_count;
}

const char *args_at(const struct args *a, int index) {
    return index < a->operand_count ? a->operands[index] : NULL;
}
