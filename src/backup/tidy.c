// SPDX-License-Identifier: GPL-2.0-or-later
/* What a dead backup left in QEMU is taken away from within the plan, which is then made anew. */
#include "backup/plan.h"
#include "backup/run.h"
#include "rescue/cleanup.h"

static void on_line(void *user, const char *line)
{
    struct backup *b = user;

    backup_note(b, "clean up: %s", line);
}

/* Whatever is left then, the plan says so again. */
static void on_cleaned(void *user, unsigned n_actions, const GError *error)
{
    struct backup *b = user;
    g_autofree char *monitor = g_strdup(b->options.monitor);
    g_autoptr(GError) refusal = NULL;

    b->end.n_open[OPEN_CLEANUP]--;
    b->tidy.is_cleaning = false;
    if (b->end.is_ending || b->end.is_reported)
        return;
    if (error)
        backup_log(b, MODEL_ERROR, NULL, "cleaning up: %s", error->message);
    else
        backup_log(b, MODEL_INFO, NULL, "QEMU is as it was before the backup that died (%u things undone)", n_actions);
    if (!monitor_change(b, monitor, &refusal))
        backup_fail(b, refusal);
}

bool tidy_begin(struct backup *b, GError **error)
{
    if (!b->tidy.n_leftovers)
        return vmb_fail(error, VMB_ERROR_USAGE, "nothing of a dead backup is left in QEMU");
    backup_log(b, MODEL_INFO, NULL, "cleaning up what a backup that died has left: %s", b->tidy.leftovers);
    monitor_stop(b); /* it takes one client at a time */
    b->tidy.n_leftovers = 0;
    b->model.link.n_checks = 0;
    b->tidy.is_cleaning = true;
    b->end.n_open[OPEN_CLEANUP]++;
    backup_set_phase(b, MODEL_CONNECTING);
    cleanup_new(b->loop, b->options.monitor, false, b->options.timeout_s, on_line, on_cleaned, b);
    return true;
}

bool tidy_is_needed(const struct backup *b, GError **error)
{
    if (b->tidy.n_leftovers)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED,
                    "a backup that died has left in QEMU: %s; run: vmabackup cleanup %s", b->tidy.leftovers,
                    b->options.monitor);
    return b->tidy.n_leftovers;
}
