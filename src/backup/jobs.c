// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watches the jobs in QEMU, judges how each ended, starts it again where the frozen image still stands.
 *
 * A drive is saved only if its job ended well, no request of its filter failed, and every cluster came.
 */
#include <string.h>
#include "backup/run.h"

#define POLL_MS    500
#define BACKOFF_MS 500 /* before the first retry, doubled for each further one */

static struct drive *drive_of_job(struct backup *b, const char *id)
{
    for (unsigned i = 0; i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        if (g_strcmp0(d->job_id, id) == 0)
            return d;
    }
    return NULL;
}

/* --- a drive that is saved ---------------------------------------------------------------------- */

static void on_all_undone(void *user, const GError *error)
{
    (void)error;
    backup_undone(user);
}

void jobs_check_all_done(struct backup *b)
{
    if (b->is_failing || b->model.phase != MODEL_COPY || (b->ram != RAM_NONE && !b->ram_state.is_done))
        return;
    for (unsigned i = 0; i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        if (!d->is_torn_down)
            return;
    }
    backup_set_phase(b, MODEL_FINISH);
    steps_run(b->steps, recipe_undo_all(b), false, on_all_undone, b);
}

static void on_torn_down(void *user, const GError *error)
{
    struct drive *d = user;

    if (error)
        backup_log(d->b, MODEL_WARNING, NULL, "%s", error->message);
    d->is_torn_down = true;
    jobs_check_all_done(d->b);
}

static void drive_saved(struct drive *d)
{
    d->is_done = true;
    d->ended_ms = uv_now(d->b->loop);
    writer_flush_lane(d->lane);
    backup_drive_state(d->b, d->row, MODEL_OK);
    steps_run(d->b->steps, recipe_undo_drive(d), false, on_torn_down, d);
}

/* --- a drive that failed ------------------------------------------------------------------------ */

static void drive_failed(struct drive *d, const char *why)
{
    model_set(backup_row(d)->note, "%s", why);
    backup_drive_state(d->b, d->row, MODEL_FAIL);
    backup_fail_new(d->b, VMB_ERROR_FAILED, "drive %s: %s", d->name, why);
}

static void on_restarted(void *user, const GError *error)
{
    struct drive *d = user;

    d->is_restarting = false;
    if (d->b->is_failing)
        return;
    if (error)
        drive_failed(d, error->message);
    else
        backup_drive_state(d->b, d->row, MODEL_RUN);
}

static void restart_now(struct drive *d)
{
    d->restart_at_ms = 0;
    d->is_restarting = true;
    steps_run(d->b->steps, recipe_restart_job(d), true, on_restarted, d);
}

static void restart_later(struct drive *d, const char *why)
{
    uint64_t wait_ms = d->is_shed ? POLL_MS : (uint64_t)BACKOFF_MS << MIN(d->retries, 6);

    if (!d->is_shed) {
        d->retries++;
        backup_row(d)->retries = d->retries;
        backup_log(d->b, MODEL_WARNING, NULL, "drive %s: %s; retry %u of %u at the same instant", d->name, why,
                   d->retries, d->b->options.retries);
        backup_drive_state(d->b, d->row, MODEL_RETRY);
    }
    d->is_shed = d->is_target_lost = false;
    d->restart_at_ms = uv_now(d->b->loop) + wait_ms;
}

static char *why_incomplete(struct drive *d)
{
    uint64_t missing = vma_assemble_clusters(d->clusters) - vma_assemble_held(d->clusters);

    return missing ? g_strdup_printf("QEMU says done, but %" G_GUINT64_FORMAT " clusters never came", missing) : NULL;
}

static void judge(struct drive *d)
{
    g_autofree char *incomplete = why_incomplete(d);
    bool is_snapshot_broken = d->job_error && strstr(d->job_error, "Permission denied");
    bool is_cancelled = d->job_error && strstr(d->job_error, "cancel") && !d->is_target_lost;

    if (d->doubt)
        drive_failed(d, d->doubt);
    else if (!d->job_error && !incomplete)
        drive_saved(d);
    else if (!d->job_error)
        drive_failed(d, incomplete);
    else if (is_cancelled)
        drive_failed(d, "its job was cancelled by somebody else");
    else if (is_snapshot_broken || (!d->is_guarded && !d->is_read_only))
        drive_failed(d, is_snapshot_broken ? "the frozen image broke (a write of the guest could not be kept for us in time)"
                                           : d->job_error);
    else if (d->is_shed || d->retries < d->b->options.retries)
        restart_later(d, d->is_target_lost ? "its connection was lost" : d->job_error);
    else
        drive_failed(d, d->job_error);
}

static void job_ended(struct drive *d, const char *error)
{
    d->job = JOB_ENDED;
    g_free(d->job_error);
    d->job_error = g_strdup(error);
    recipe_job_ended(d);
    if (!d->b->is_failing && !d->is_restarting)
        judge(d);
}

/* --- watching ----------------------------------------------------------------------------------- */

static void see_job(struct drive *d, const struct qmp_job *job)
{
    if (!job) {
        job_ended(d, "its job is gone from QEMU");
        return;
    }
    d->limit_confirmed = MAX(job->speed, 0);
    d->is_job_at_rest = g_strcmp0(job->status, "paused") == 0;
    if (job->current != d->job_at) {
        d->job_at = job->current;
        d->job_moved_ms = uv_now(d->b->loop);
    }
    if (!d->is_tap_busy && d->is_tap_closed != job->is_paused) {
        d->is_tap_closed = job->is_paused; /* switched by somebody else: our reasons decide */
        tap_update(d);
    }
    if (g_strcmp0(job->status, "concluded") == 0)
        job_ended(d, job->error);
}

static void on_jobs(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct backup *b = user;

    b->is_poll_busy = false;
    for (unsigned i = 0; !error && i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        const struct qmp_job *found = NULL;
        if (d->doubt && !d->is_done && !b->is_failing)
            drive_failed(d, d->doubt);
        for (unsigned j = 0; j < n; j++)
            if (g_strcmp0(jobs[j].id, d->job_id) == 0)
                found = &jobs[j];
        if (d->job == JOB_RUNNING && !d->is_job_new && b->n_polls >= d->first_poll)
            see_job(d, found);
    }
    if (b->is_poll_wanted) {
        b->is_poll_wanted = false;
        jobs_poll(b);
    }
}

void jobs_poll(struct backup *b)
{
    if (!monitor_is_up(b) || b->is_freed_from_qemu)
        return;
    if (b->is_poll_busy) {
        b->is_poll_wanted = true; /* what has just happened may not be in the answer that is on its way */
        return;
    }
    b->is_poll_busy = true;
    b->n_polls++;
    b->next_poll_ms = uv_now(b->loop) + POLL_MS;
    qmp_query_jobs(b->qmp, on_jobs, b);
}

void jobs_on_event(struct backup *b, const struct qmp_event *event)
{
    struct drive *d = event->id ? drive_of_job(b, event->id) : NULL;

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

/* A job under a limit sleeps and would not notice for long that nobody listens any more. */
void jobs_connection_lost(struct port *p)
{
    struct drive *d = p->drive;

    if (p->is_filter) { /* on_jobs() fails the drive, if QEMU lives to answer; else it is QEMU that went */
        jobs_poll(d->b);
        return;
    }
    d->is_target_lost = true;
    if (d->job == JOB_RUNNING && monitor_is_up(d->b))
        qmp_job_cancel(d->b->qmp, d->job_id, on_cancel_sent, d);
}

void jobs_copy_begins(struct backup *b)
{
    if (b->model.pause_ms != MODEL_UNKNOWN)
        backup_note(b, "the instant is taken: guest stopped for %" G_GUINT64_FORMAT " ms", b->model.pause_ms);
    backup_set_phase(b, MODEL_COPY);
    for (unsigned i = 0; i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        if (d->job == JOB_RUNNING)
            backup_drive_state(b, d->row, MODEL_RUN);
    }
    jobs_poll(b);
    jobs_check_all_done(b);
}

void jobs_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (!b->has_begun || b->is_freed_from_qemu)
        return;
    for (unsigned i = 0; i < b->drives->len && !b->is_failing; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        if (d->restart_at_ms && now >= d->restart_at_ms && !b->is_credit_low && monitor_is_up(b))
            restart_now(d);
    }
    if (now >= b->next_poll_ms)
        jobs_poll(b);
}
