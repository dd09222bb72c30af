// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Before anything is taken out of QEMU: do all disks answer?
 *
 * Whatever changes QEMU's graph of nodes, the end of a job too, waits in its main loop for every request in flight,
 * from 8.0 on for those of all drives. While a disk of the host hangs it would wait for that disk, and the monitor and
 * the guest with it. A job that is paused has nothing in flight; so all are paused first, and one that does not come to
 * rest tells which disk hangs. Then nothing of the drives is touched: the jobs stay paused, filters that nobody listens
 * to let the guest's writes through, and a cleanup takes all away when the disk answers again.
 */
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

static bool is_restless(const struct drive *d)
{
    return d->is_pulled ? !pull_export_is_at_rest(d) : d->job.state == JOB_RUNNING && !d->job.is_at_rest;
}

static const struct steps_op *waiting_op(struct backup *b)
{
    const struct steps_op *op = steps_current(b->steps);

    return op && op->is_undo && recipe_table[op->row].undo == disk_watch_undo && op->sub ? op : NULL;
}

static void leave_all(struct backup *b)
{
    g_autofree char *hint = g_strdup_printf("when it answers again: vmabackup cleanup %s", b->options.monitor);

    for_each_drive (d, b) {
        d->is_left = true;
        if (is_restless(d))
            backup_log(
                b, MODEL_ERROR, hint,
                "drive %s: its disk (node %s) does not answer, so %s %s does not end; to spare the guest, the jobs "
                "and nodes of this backup are left in QEMU",
                d->name, d->node, d->is_pulled ? "export" : "job", d->is_pulled ? d->names.export : d->names.job);
    }
}

void disk_watch_on_tick(struct backup *b)
{
    const struct steps_op *op = waiting_op(b);
    bool are_at_rest = true, is_late = uv_now(b->loop) >= b->jobs.disk_wait_until_ms;
    g_autoptr(GError) error = NULL;

    if (!op || !monitor_is_up(b))
        return;
    for_each_drive (d, b)
        are_at_rest &= !is_restless(d);
    if (!are_at_rest && !is_late) {
        jobs_poll(b);
        return;
    }
    if (!are_at_rest)
        leave_all(b);
    steps_end((struct steps_op *)op, NULL);
}

static void on_paused(void *user, const GError *error)
{
    struct backup *b = user;
    const struct steps_op *op = waiting_op(b);

    if (op && g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        steps_end((struct steps_op *)op, error); /* once more when the monitor is back */
    else
        jobs_poll(b); /* "already paused", or ended by now: that tells */
}

void disk_watch_undo(struct steps_op *op)
{
    struct backup *b = op->b;
    unsigned n = 0;

    op->sub = 1;
    b->jobs.disk_wait_until_ms = uv_now(b->loop) + b->options.timeout_s * UINT64_C(1000);
    for_each_drive (d, b) {
        if (d->is_pulled)
            n += is_restless(d); /* nothing more is asked for */
        if (d->is_pulled || d->job.state != JOB_RUNNING)
            continue;
        d->job.is_at_rest = false;
        d->job.first_poll = b->jobs.n_polls + 1; /* what is asked from now on */
        d->job.is_new = false;                   /* whether it ever started may not have been heard */
        n++;
        qmp_job_pause(b->qmp, d->names.job, on_paused, b);
    }
    if (!n)
        steps_end(op, NULL);
}
