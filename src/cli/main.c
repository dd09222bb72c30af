// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup COMMAND …`: finds the command in the table and runs it. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/stdio.h"
#include "cli/cli.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
#define CLI_ROW(name, help) {#name, cli_##name, help},
    CLI_COMMANDS(CLI_ROW)};

static void print_help(void)
{
    puts("Usage: vmabackup COMMAND [OPTION…] …\n\n"
         "Backs up running QEMU guests into VMA archives, and does everything that is done with an "
         "archive.\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("\n`vmabackup COMMAND --help` says more; `vmabackup-tui` is the same with a screen.");
}

/* Letters to add, take away or change to make one word of the other. */
static unsigned distance(const char *a, const char *b)
{
    enum { MAX_WORD = 31 };
    unsigned row[MAX_WORD + 1];
    if (strlen(a) > MAX_WORD || strlen(b) > MAX_WORD)
        return MAX_WORD;
    for (unsigned j = 0; j <= strlen(b); j++)
        row[j] = j;
    for (unsigned i = 1; i <= strlen(a); i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= strlen(b); j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[strlen(b)];
}

static const struct command *nearest(const char *word)
{
    const struct command *best = NULL;
    unsigned best_distance = 3;
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        unsigned d = g_str_has_prefix(commands[i].name, word) ? 1 : distance(word, commands[i].name);
        if (d < best_distance) {
            best = &commands[i];
            best_distance = d;
        }
    }
    return best;
}

static int fail_unknown(const char *word)
{
    g_autoptr(GError) error = NULL;
    const struct command *guess = *word ? nearest(word) : NULL;
    g_set_error(&error, VMB_ERROR, VMB_ERROR_USAGE, "unknown command %s; %s%s%s", word,
                guess ? "did you mean `vmabackup " : "see `vmabackup --help", guess ? guess->name : "",
                guess ? "`?" : "`");
    return cli_fail(error);
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        print_help();
        return 0;
    }
    if (!strcmp(word, "--version")) {
        puts("vmabackup " VMB_VERSION);
        return 0;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(word, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1)
        return fail_unknown(word);
    fputs("vmabackup: no command given; see `vmabackup --help`\n", stderr);
    return VMB_ERROR_USAGE;
}

int main(int argc, char **argv)
{
    stdio_fill();
    setlocale(LC_ALL, "");
    /* One thread each for target, spool and file-system queries, the rest computes: a stuck disk must not
     * starve the others. libuv reads it at first use. */
    setenv("UV_THREADPOOL_SIZE", "8", 0);
    int status = run(argc, argv);
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    perror("vmabackup: standard output");
    return status ? status : VMB_ERROR_FAILED;
}
