// SPDX-License-Identifier: GPL-2.0-or-later
/* `vmabackup cleanup [--dry-run] [--untrack] MONITOR` */
#include <signal.h>
#include <stdio.h>
#include <uv.h>
#include "front/control.h"
#include "cli/cli.h"
#include "rescue/cleanup.h"

struct outcome {
    const char *monitor;
    bool is_dry_run, is_untrack;
    int status;
};

static void on_line(void *user, const char *line)
{
    puts(line);
    fflush(stdout); /* it may wait long behind this one */
}

static void on_done(void *user, unsigned n_actions, const GError *error)
{
    struct outcome *o = user;

    if (!o->is_dry_run)
        control_purge();
    o->status = error ? cli_fail(error) : 0;
    if (!error && n_actions == 0)
        printf("%s: nothing of ours is left in QEMU\n", o->monitor);
    else if (!error && !o->is_dry_run && o->is_untrack)
        printf("%s: QEMU counts no changes for us: the next backup reads everything\n", o->monitor);
    else if (!error && !o->is_dry_run)
        printf("%s: QEMU is as it was before\n", o->monitor);
}

int cli_cleanup(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean is_dry_run = FALSE, is_untrack = FALSE;
    int timeout_s = CLI_TIMEOUT_S;
    const GOptionEntry entries[] = {
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &is_dry_run, "Only say what would be done", NULL},
        {"untrack", 0, 0, G_OPTION_ARG_NONE, &is_untrack, "Remove all dirty bitmaps of ours, too", NULL},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout_s, "For each answer of the monitor (default 30)", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    struct outcome o = {0};
    uv_loop_t loop;

    if (!cli_parse_counted(&argc, &argv, entries, "MONITOR", "Takes away what a dead backup left in QEMU.", 1, 1,
                           &error) ||
        !cli_check_timeout(timeout_s, &error))
        return cli_fail(error);
    o.monitor = argv[1];
    o.is_dry_run = is_dry_run;
    o.is_untrack = is_untrack;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    cleanup_new(
        &loop, argv[1],
        &(struct cleanup_wish){.is_dry_run = is_dry_run, .is_untrack = is_untrack, .timeout_s = (unsigned)timeout_s},
        on_line, on_done, &o);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return o.status;
}
