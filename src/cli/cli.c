// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/cli.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"

#define MAX_TIMEOUT_S 86400

static gboolean on_version(const char *option, const char *value, gpointer data, GError **error)
{
    puts("vmabackup " VMB_VERSION);
    exit(0);
}

static const GOptionEntry common[] = {
    {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)on_version, "Print the version", NULL},
    G_OPTION_ENTRY_NULL,
};

bool cli_parse_group(int *argc, char ***argv, const GOptionEntry *options, GOptionGroup *group, const char *arguments,
                     const char *summary, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(arguments);
    g_autofree char *command = g_strdup((*argv)[0]), *program = g_strdup_printf("vmabackup %s", command);
    g_set_prgname(program);
    g_option_context_set_summary(context, summary);
    if (group)
        g_option_context_set_main_group(context, group);
    if (options)
        g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    if (g_option_context_parse(context, argc, argv, &wrong)) {
        if (*argc > 1 && !strcmp((*argv)[1], "--")) { /* GOption leaves it standing */
            ++*argv;
            --*argc;
        }
        return true;
    }
    return vmb_fail(error, VMB_ERROR_USAGE, "%s: %s; see `vmabackup %s --help`", command, wrong->message, command);
}

bool cli_parse_counted(int *argc, char ***argv, const GOptionEntry *options, const char *arguments, const char *summary,
                       int min, int max, GError **error)
{
    g_autofree char *command = g_strdup((*argv)[0]);
    if (!cli_parse_group(argc, argv, options, NULL, arguments, summary, error))
        return false;
    if (*argc - 1 >= min && *argc - 1 <= max)
        return true;
    return vmb_fail(error, VMB_ERROR_USAGE,
                    *argc - 1 < min ? "%s: something is missing: `vmabackup %s %s`"
                                    : "%s: too many arguments: `vmabackup %s %s`",
                    command, command, arguments);
}

bool cli_check_timeout(int timeout_s, GError **error)
{
    if (timeout_s >= 1 && timeout_s <= MAX_TIMEOUT_S)
        return true;
    return vmb_fail(error, VMB_ERROR_USAGE, "timeout must be 1 to %d seconds", MAX_TIMEOUT_S);
}

int cli_fail(const GError *error)
{
    g_autofree char *line = text_make_safe(error->message);
    fflush(stdout);
    fprintf(stderr, "vmabackup: %s\n", line);
    return vmb_error_exit_status(error);
}

struct json_object *cli_json_text(const char *text)
{
    g_autofree char *safe = text_make_safe(text);
    return safe ? json_object_new_string(safe) : NULL;
}

void cli_json_print(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
