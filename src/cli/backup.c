// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup backup`: a run without a screen, told in plain or JSON lines, steered by commands on standard input. */
#include "backup/backup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "front/headless.h"
#include "front/supervise.h"
#include "options/options.h"

#include <unistd.h>

static int run(const struct backup_options *options, bool is_json, unsigned interval_s)
{
    struct headless_options o = {.program = "vmabackup", .run = options, .is_json = is_json, .interval_s = interval_s};

    if (isatty(STDIN_FILENO)) /* somebody may type "detach" */
        supervise();
    return headless_run(&o);
}

static bool parse(int *argc, char ***argv, struct backup_options *o, gboolean *is_json, int *interval_s, GError **error)
{
    gboolean is_plain = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, is_json, "Tell progress as JSON lines", NULL},
        {"plain", 0, 0, G_OPTION_ARG_NONE, &is_plain, "Tell progress as plain lines (default)", NULL},
        {"interval", 0, 0, G_OPTION_ARG_INT, interval_s, "Progress at least this often (default 60)", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    if (!cli_parse_group(argc, argv, entries, backup_options_group(o), "MONITOR",
                         "Saves a running guest into a VMA archive.", error))
        return false;
    if (*argc != 2 || !o->target || *interval_s < 1)
        return vmb_fail(error, VMB_ERROR_USAGE, "%s; see `vmabackup backup --help`",
                        *argc != 2   ? "name one monitor"
                        : !o->target ? "name a target by -o"
                                     : "interval must be at least 1");
    o->monitor = g_strdup((*argv)[1]);
    return backup_options_check(o, error);
}

int cli_backup(int argc, char **argv)
{
    struct backup_options options;
    g_autoptr(GError) error = NULL;
    gboolean is_json = FALSE;
    int interval_s = 60, status;

    backup_options_init(&options);
    if (!parse(&argc, &argv, &options, &is_json, &interval_s, &error))
        status = cli_fail(error);
    else
        status = run(&options, is_json, (unsigned)interval_s);
    backup_options_clear(&options);
    return status;
}
