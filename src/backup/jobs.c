// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watches the jobs in QEMU, and starts them again from the same frozen image. What the end of one means for its drive
 * is judged in fate.c.
 */
#include <string.h>
#include "backup/fate.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

#define POLL_MS    500
#define BACKOFF_MS 500 /* before the first retry, doubled for each further one */

/* --- a job that is to go ------------------------------------------------------------------------ */

static void on_dismissed(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) /* else it is dismissed when the monitor is back */
        op->d->job.state = JOB_NONE;
    /* Gone by itself: what we wanted. */
    steps_end(op, g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE) ? NULL : error);
}

/* An undo may be waiting for its end. */
static void dismiss_ended(struct drive *d)
{
    const struct steps_op *op = steps_current(d->b->steps);

    if (d->job.state == JOB_ENDED && op && op->d == d && op->is_undo && op->sub == 1) {
        ((struct steps_op *)op)->sub = 2;
        qmp_job_dismiss(d->b->qmp, d->names.job, on_dismissed, (void *)op);
    }
}

static void on_undo_cancel_sent(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (qmp_error_is_refusal(error))
        op->d->job.state = JOB_ENDED; /* no such job, or it has ended by now: dismissing it tells */
    else if (error) {
        steps_end(op, error);
        return;
    }
    op->sub = 1;
    op->d->job.moved_ms = uv_now(op->b->loop);
    dismiss_ended(op->d);
}

/* A job ends when what it reads has come; of a disk that hangs it never does. Nothing of this drive is touched then:
 * see disk_watch.c. */
void jobs_leave_hanging(struct steps_op *op)
{
    struct drive *d = op->d;
    g_autofree char *hint = g_strdup_printf("when it answers again: vmabackup cleanup %s", op->b->options.monitor);
    g_autoptr(GError) error = g_error_new(VMB_ERROR, VMB_ERROR_FAILED, "its disk does not answer");

    d->is_left = true;
    backup_row(d)->stalled_ms = uv_now(d->b->loop) - d->job.moved_ms;
    backup_log(op->b, MODEL_ERROR, hint,
               "drive %s: its disk (node %s) does not answer, so %s %s cannot end; it, the filter and their nodes "
               "stay in QEMU",
               d->name, d->node, d->is_pulled ? "export" : "job", d->is_pulled ? d->names.export : d->names.job);
    steps_end(op, error);
}

void jobs_undo(struct steps_op *op)
{
    if (op->d->job.state == JOB_RUNNING) {
        if (op->d->job.is_new) { /* whether it ever started was not heard: the next poll tells */
            op->d->job.is_new = false;
            op->d->job.first_poll = op->b->jobs.n_polls + 1;
        }
        qmp_job_cancel(op->b->qmp, op->d->names.job, on_undo_cancel_sent, op);
    } else if (op->d->job.state == JOB_ENDED) {
        op->sub = 1;
        dismiss_ended(op->d);
    } else {
        steps_end(op, NULL);
    }
}

static void check_hanging(struct backup *b)
{
    const struct steps_op *op = steps_current(b->steps);

    if (op && op->is_undo && op->sub == 1 && op->step->undo == jobs_undo && monitor_is_up(b) &&
        uv_now(b->loop) - op->d->job.moved_ms > (uint64_t)b->options.timeout_s * 1000)
        jobs_leave_hanging((struct steps_op *)op);
}

/* --- a job that is started again ---------------------------------------------------------------- */

static void on_restarted(void *user, const GError *error)
{
    struct drive *d = user;

    if (d->b->is_failing || d->state != DRIVE_RESTARTING)
        return;
    if (error) {
        fate_not_restarted(d, error);
        return;
    }
    drive_become(d, DRIVE_COPYING);
    if (d->job.state == JOB_ENDED) /* before the last rows of the list were through */
        fate_judge(d);
}

static void restart_now(struct drive *d)
{
    d->job.restart_at_ms = 0;
    d->job.is_target_lost = false;
    drive_become(d, DRIVE_RESTARTING);
    steps_run(d->b->steps, recipe_restart_job(d), true, on_restarted, d);
}

void jobs_restart_later(struct drive *d, const char *why)
{
    uint64_t wait_ms = d->job.n_refused ? POLL_MS : (uint64_t)BACKOFF_MS << MIN(d->retries, 6);

    if (d->job.n_refused) {
        backup_note(d->b, "drive %s: no buffers were free for %u of its job's writes; it goes on when there are",
                    d->name, d->job.n_refused);
        drive_become(d, DRIVE_STARVED);
    } else {
        d->retries++;
        backup_row(d)->retries = d->retries;
        backup_log(d->b, MODEL_WARNING, NULL, "drive %s: %s; retry %u of %u at the same instant", d->name, why,
                   d->retries, d->b->options.retries);
        drive_become(d, DRIVE_RETRYING);
    }
    d->job.n_refused = 0;
    d->job.is_target_lost = false;
    d->job.restart_at_ms = uv_now(d->b->loop) + wait_ms;
}

void jobs_restart_soon(struct drive *d)
{
    struct model_drive *row = backup_row(d);

    row->error[0] = row->hint[0] = row->note[0] = '\0'; /* of the failure */
    row->retries = d->retries;
    d->progress.ended_ms = 0;
    d->job.n_refused = 0;
    d->job.restart_at_ms = uv_now(d->b->loop);
    drive_become(d, DRIVE_RETRYING);
}

void jobs_ended(struct drive *d, const char *error)
{
    d->job.state = JOB_ENDED;
    job_end_look(d->b);
    g_free(d->job.error);
    d->job.error = g_strdup(error);
    dismiss_ended(d);
    if (!d->b->is_failing && (d->state == DRIVE_WAITING || d->state == DRIVE_COPYING))
        fate_judge(d);
}

/* --- watching ----------------------------------------------------------------------------------- */

static void see_job(struct drive *d, const struct qmp_job *job)
{
    if (!job) {
        jobs_ended(d, "its job is gone from QEMU");
        return;
    }
    budget_see_speed(d, (uint64_t)MAX(job->speed, 0));
    d->job.is_at_rest = g_strcmp0(job->status, "paused") == 0;
    if (job->current != d->job.at) {
        d->job.at = job->current;
        d->job.moved_ms = uv_now(d->b->loop);
    }
    if (!d->job.n_pauses_unanswered && d->job.is_pause_sent != job->is_paused) {
        d->job.is_pause_sent = job->is_paused; /* switched by somebody else: our reasons decide */
        job_pause_update(d);
    }
    if (g_strcmp0(job->status, "concluded") == 0)
        jobs_ended(d, job->error);
}

/* QEMU lives to answer: so its connection has ended by itself. */
static void see_pulled(struct drive *d)
{
    if (d->pull.broken && d->job.state == JOB_RUNNING)
        jobs_ended(d, d->pull.broken);
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct backup *b = user;

    b->jobs.is_poll_busy = false;
    for (unsigned i = 0; !error && i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        const struct qmp_job *found = NULL;
        if (d->doubt)
            fate_broken(d, d->doubt);
        for (unsigned j = 0; j < n; j++)
            if (g_strcmp0(jobs[j].id, d->names.job) == 0)
                found = &jobs[j];
        if (d->is_pulled)
            see_pulled(d);
        else if (d->job.state == JOB_RUNNING && !d->job.is_new && b->jobs.n_polls >= d->job.first_poll)
            see_job(d, found);
    }
    if (b->jobs.is_poll_wanted) {
        b->jobs.is_poll_wanted = false;
        jobs_poll(b);
    }
}

void jobs_poll(struct backup *b)
{
    if (!monitor_is_up(b) || b->end.is_freed_from_qemu)
        return;
    if (b->jobs.is_poll_busy) {
        b->jobs.is_poll_wanted = true; /* what has just happened may not be in the answer that is on its way */
        return;
    }
    b->jobs.is_poll_busy = true;
    b->jobs.n_polls++;
    b->jobs.next_poll_ms = uv_now(b->loop) + POLL_MS;
    qmp_query_jobs(b->qmp, on_jobs, b);
}

void jobs_on_event(struct backup *b, const struct qmp_event *event)
{
    struct drive *d = event->id ? drive_by_job(b, event->id) : NULL;

    if (!d)
        return;
    if (event->type == QMP_EVENT_JOB_STATUS_CHANGE && g_strcmp0(event->status, "concluded") == 0)
        jobs_poll(b);
    else if (event->type == QMP_EVENT_BLOCK_JOB_ERROR)
        backup_log(b, MODEL_WARNING, NULL, "drive %s: %s error", d->name, event->operation ? event->operation : "I/O");
}

static void on_cancel_sent(void *user, const GError *error)
{
    struct drive *d = user;

    (void)error; /* it may have ended already */
    jobs_poll(d->b);
}

static void cancel_if_lost(struct drive *d)
{
    if (d->job.is_target_lost && d->job.state == JOB_RUNNING && !d->b->is_failing && monitor_is_up(d->b))
        qmp_job_cancel(d->b->qmp, d->names.job, on_cancel_sent, d);
}

/* A job under a limit sleeps and would not notice for long that nobody listens any more. */
void jobs_connection_lost(struct port *p)
{
    struct drive *d = p->drive;

    if (p->is_filter) { /* on_jobs() fails the drive, if QEMU lives to answer; else it is QEMU that went */
        jobs_poll(d->b);
        return;
    }
    d->job.is_target_lost = true;
    cancel_if_lost(d);
}

void jobs_monitor_back(struct backup *b)
{
    jobs_poll(b);
    for_each_drive (d, b)
        cancel_if_lost(d);
}

void jobs_copy_begins(struct backup *b)
{
    if (b->guest.pause_ms != MODEL_UNKNOWN)
        backup_note(b, "the instant is taken: guest stopped for %" G_GUINT64_FORMAT " ms", b->guest.pause_ms);
    backup_set_phase(b, MODEL_COPY);
    for_each_drive (d, b) {
        if (d->state == DRIVE_WAITING)
            drive_become(d, DRIVE_COPYING);
    }
    jobs_poll(b);
    ram_put_settings_back(b);
    run_check_over(b);
}

void jobs_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (!b->has_begun || b->end.is_freed_from_qemu)
        return;
    for (unsigned i = 0; i < b->drives->len && !b->is_failing; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        bool is_waiting = d->state == DRIVE_STARVED || d->state == DRIVE_RETRYING;
        if (is_waiting && now >= d->job.restart_at_ms && !b->jobs.is_credit_low && monitor_is_up(b))
            restart_now(d);
    }
    check_hanging(b);
    if (now >= b->jobs.next_poll_ms)
        jobs_poll(b);
}
