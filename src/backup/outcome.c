// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a run ends: all drives are over, or it has failed; what it had in QEMU is undone, and looked for; the archive is
 * finished; everything of our own is closed, and the outcome is told.
 */
#include "backup/outcome.h"
#include "backup/fate.h"
#include "backup/plan.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "base/units.h"
#include "log/logfile.h"
#include "log/record.h"
#include "rescue/journal.h"

#define CLOSING_TICK_MS 2    /* what is closing is through in a few milliseconds: the command ends with it */
#define STUCK_MS        5000 /* how long the end waits for a disk that does not answer */

/* --- the outcome -------------------------------------------------------------------------------- */

/* Something that was asked for is missing, or was had only at a risk. */
static bool is_incomplete(const struct backup *b)
{
    for_each_drive (d, b) {
        if (drive_is(d, DRIVE_IS_OUT) || d->is_instant_own || (!d->is_guarded && !d->is_read_only))
            return true;
    }
    for (unsigned i = 0; i < b->model.n_drives; i++)
        if (b->model.drives[i].is_refused)
            return true;
    return b->ram.is_lost || b->agent.has_failed || (!b->end.is_freed_from_qemu && !b->link.is_qemu_gone);
}

static bool may_come_another_time(const struct model_drive *row)
{
    return (row->is_included || row->is_refused) && model_is_missing(row);
}

static bool is_of_another_instant(const struct model_drive *row)
{
    return row->is_instant_own && row->state == MODEL_OK;
}

/* "scsi1, scsi4" */
static char *rows_that(const struct model *m, bool (*is)(const struct model_drive *row))
{
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; i < m->n_drives; i++)
        if (is(&m->drives[i]))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", m->drives[i].name);
    return g_string_free(names, FALSE);
}

/* "141G", "new 12.3M of 4.0G" */
static const char *size_text(const struct model *m, char *text, size_t len)
{
    char all[UNITS_LEN], fresh[UNITS_LEN];

    units_format_size(m->end.archive_bytes, all);
    if (*m->sink.guest)
        g_snprintf(text, len, "new %s of %s", units_format_size(m->end.new_bytes, fresh), all);
    else
        g_strlcpy(text, all, len);
    return text;
}

void outcome_set(struct backup *b)
{
    struct model *m = &b->model;
    g_autofree char *missing = NULL, *retaken = NULL, *again = NULL;
    char size[2 * UNITS_LEN + 8], time[UNITS_LEN];

    if (b->end.outcome) {
        m->end.exit_status = b->end.cancel_status ? b->end.cancel_status : vmb_error_exit_status(b->end.outcome);
        model_set(m->end.outcome, "%s", b->end.outcome->message);
        return;
    }
    if (!b->has_begun) {
        m->end.exit_status = 0;
        return;
    }
    m->end.exit_status = is_incomplete(b) ? VMB_ERROR_INCOMPLETE : 0;
    missing = rows_that(m, model_is_missing);
    retaken = rows_that(m, is_of_another_instant);
    model_set(m->end.outcome, "%s%s: %s in %s%s%s%s%s%s%s%s", m->end.exit_status ? "saved INCOMPLETE to " : "saved to ",
              m->target, size_text(m, size, sizeof size), units_format_ms(m->elapsed_ms, time),
              b->archive.is_verified ? ", verified" : "", *missing ? "; missing: " : "", missing,
              *retaken ? "; of a later instant: " : "", retaken, b->agent.has_failed ? "; file systems " : "",
              b->agent.has_failed ? m->agent : "");
    again = rows_that(m, may_come_another_time);
    if (*again && !*m->end.next) /* what is left in QEMU comes first */
        model_set(m->end.next, "back up again to have %s", again);
}

/* --- what hangs --------------------------------------------------------------------------------- */

static bool is_something_open(const struct backup *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < OPEN_KINDS; i++)
        n += b->end.n_open[i];
    return n;
}

/* Its target's, its spool's, or a worker's. */
static const char *writer_is_doing(const struct backup *b)
{
    const char *doing = b->archive.sink ? sink_doing(b->archive.sink) : NULL;

    return doing                                                 ? doing
           : b->archive.spool && spool_is_busy(b->archive.spool) ? "a request to the spool of"
                                                                 : "a worker that packs";
}

static void tell_open(struct backup *b)
{
    static const char *const what[OPEN_KINDS] = {
        [OPEN_FSYNC] = "the fsync of",
        [OPEN_READBACK] = "a read of",
        [OPEN_FOLDER] = "a look at the folder of",
        [OPEN_CLEANUP] = "the clean-up of",
        [OPEN_BITMAPS] = "the dirty bitmaps of",
        [OPEN_PORT] = "a connection of QEMU's for",
        [OPEN_RAM] = "the connection of the RAM for",
    };

    for (unsigned i = 0; i < OPEN_KINDS; i++) {
        bool is_of_qemu = i >= OPEN_CLEANUP;
        if (b->end.n_open[i])
            backup_log(b, MODEL_WARNING, is_of_qemu ? "look at QEMU" : "look at the disk of the target",
                       "%s %s does not %s; leaving it", i == OPEN_WRITER ? writer_is_doing(b) : what[i],
                       i == OPEN_CLEANUP || i == OPEN_BITMAPS ? b->model.monitor : b->model.target,
                       is_of_qemu ? "end" : "return");
    }
}

/* Of a run that failed nothing goes on. */
static void end_rows(struct backup *b)
{
    for (unsigned i = 0; b->end.outcome && i < b->model.n_drives; i++) {
        struct model_drive *row = &b->model.drives[i];
        if (row->state == MODEL_RUN || row->state == MODEL_PAUSE || row->state == MODEL_RETRY ||
            row->state == MODEL_WAIT)
            row->state = MODEL_CANCELLED;
    }
}

static void report_done(struct backup *b)
{
    picture_fill(b);
    end_rows(b);
    outcome_set(b);
    if (b->archive.is_saved)
        plan_remember(b);
    backup_set_phase(b, MODEL_DONE);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_RESULT, .drive = -1});
    b->end.is_reported = true;
    logfile_close(g_steal_pointer(&b->logfile));
    record_close(g_steal_pointer(&b->record));
    uv_close((uv_handle_t *)&b->tick, NULL);
    pulse_close(&b->pulse);
    job_throttle_close(b);
    job_end_close(b);
    puller_close(b->pulls.readers);
    b->listener.on_done(b->user);
}

/* --- closing ------------------------------------------------------------------------------------ */

static void close_connections(struct backup *b)
{
    for_each_drive (d, b) {
        port_close(&d->filter);
        port_close(&d->target);
        pull_export_disconnect(d);
    }
    holes_disconnect(b);
}

static void close_all(struct backup *b)
{
    b->end.n_open[OPEN_BITMAPS] = 0;
    monitor_stop(b);
    agent_close(b);
    close_connections(b);
    target_close(b, b->options.keep_partial);
    door_close(b);
    journal_close(g_steal_pointer(&b->journal), b->end.is_freed_from_qemu || b->link.is_qemu_gone);
}

/* QEMU is free or lost; now everything of our own is closed. On the way out of a good run too. */
void backup_end(struct backup *b)
{
    if (b->end.is_ending)
        return;
    b->end.is_ending = true;
    b->end.since_ms = uv_now(b->loop);
    uv_timer_set_repeat(&b->tick, CLOSING_TICK_MS);
    uv_timer_again(&b->tick);
    b->end.n_open[OPEN_BITMAPS] = 1;
    track_settle(b, close_all);
}

void outcome_on_tick(struct backup *b)
{
    bool is_late = uv_now(b->loop) - b->end.since_ms > STUCK_MS;

    b->end.is_stuck = is_something_open(b);
    if (b->end.is_stuck && !is_late)
        return;
    if (b->end.is_stuck)
        tell_open(b);
    if (b->end.n_open[OPEN_BITMAPS]) { /* it will not answer any more: the rest is still to be closed */
        b->end.since_ms = uv_now(b->loop);
        close_all(b);
        return;
    }
    report_done(b);
}

/* --- undoing ------------------------------------------------------------------------------------ */

static void freed(struct backup *b, bool is_clean)
{
    b->end.is_freed_from_qemu = is_clean;
    if (b->link.is_qemu_gone && b->is_failing)
        model_set(b->model.end.next, "start the guest again, then back it up");
    else if (!is_clean && !b->link.is_qemu_gone && !b->link.is_stuck)
        model_set(b->model.end.next, "run: vmabackup cleanup %s", b->options.monitor);
    if (b->is_failing)
        backup_end(b);
    else
        finish_archive(b);
}

static bool is_ours(const struct backup *b, const char *name)
{
    g_autofree char *prefix = g_strdup_printf("vmb-%s-", b->run_id);

    return name && g_str_has_prefix(name, prefix);
}

static void on_nodes_after(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    struct backup *b = user;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE)) {
        outcome_check_left(b);
        return;
    }
    for (unsigned i = 0; !error && i < n; i++)
        b->tidy.n_left += is_ours(b, nodes[i].node_name);
    if (b->tidy.n_left)
        backup_log(b, MODEL_ERROR, "run vmabackup cleanup on this monitor",
                   "%u jobs, exports and nodes of this backup are left in QEMU", b->tidy.n_left);
    freed(b, !error && !b->tidy.n_left && !b->end.has_undo_failed);
}

static void on_exports_after(void *user, const struct qmp_export *exports, unsigned n, const GError *error)
{
    struct backup *b = user;

    for (unsigned i = 0; !error && i < n; i++)
        b->tidy.n_left += is_ours(b, exports[i].id) && !exports[i].is_shutting_down;
    if (monitor_is_up(b))
        qmp_query_nodes(b->qmp, on_nodes_after, b);
    else
        outcome_check_left(b);
}

static void on_jobs_after(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct backup *b = user;

    b->tidy.n_left = 0;
    for (unsigned i = 0; !error && i < n; i++)
        b->tidy.n_left += is_ours(b, jobs[i].id);
    if (monitor_is_up(b))
        qmp_query_exports(b->qmp, on_exports_after, b);
    else
        outcome_check_left(b);
}

/* Does QEMU hold anything of this run still? Whatever the answers of the undos were, this is the truth. */
void outcome_check_left(struct backup *b)
{
    b->tidy.is_check_wanted = !monitor_is_up(b) && !b->link.is_given_up; /* monitor.c comes back here */
    if (monitor_is_up(b))
        qmp_query_jobs(b->qmp, on_jobs_after, b);
    else if (!b->tidy.is_check_wanted)
        freed(b, false);
}

static void on_failure_undone(void *user, const GError *error)
{
    struct backup *b = user;

    if (error)
        g_debug("undo: %s", error->message);
    outcome_check_left(b);
}

void outcome_fail(struct backup *b)
{
    finish_interrupt(b);
    if (b->end.is_freed_from_qemu || b->link.is_given_up || !b->has_begun || !b->journal) {
        backup_end(b);
        return;
    }
    job_throttle_check(b);
    if (b->archive.writer)
        writer_discard(b->archive.writer); /* what still comes is answered and dropped */
    ram_interrupt(b);
    holes_interrupt(b);
    agent_interrupt(b);
    steps_run(b->steps, recipe_undo_all(b), false, on_failure_undone, b);
    steps_abort(b->steps, b->end.outcome);
}

void backup_cancel(struct backup *b, int exit_status, const char *by_whom)
{
    if (b->is_failing || b->end.is_ending || b->end.is_reported)
        return;
    if (!b->has_begun && !exit_status) { /* only asked: nothing was to be done */
        backup_end(b);
        return;
    }
    b->end.cancel_status = exit_status;
    backup_fail_new(b, VMB_ERROR_CANCELLED, "backup cancelled%s%s; %s", by_whom ? " by " : "", by_whom ? by_whom : "",
                    b->archive.is_saved ? "the archive is complete, but was not read back to its end"
                                        : "the guest goes on as before");
}

/* --- the end of all ----------------------------------------------------------------------------- */

static void on_all_undone(void *user, const GError *error)
{
    outcome_check_left(user);
}

/* Why nothing was saved: the first drive that failed, else that all were cancelled. */
static void fail_run(struct backup *b)
{
    for_each_drive (d, b) {
        if (d->failure && d->failure->code != VMB_ERROR_CANCELLED) {
            backup_fail_new(b, d->failure->code, "drive %s: %s", d->name, d->failure->message);
            return;
        }
    }
    b->end.cancel_status = VMB_ERROR_CANCELLED;
    backup_fail_new(b, VMB_ERROR_CANCELLED, "every drive was cancelled; the guest goes on as before");
}

void outcome_check_over(struct backup *b)
{
    unsigned n_standing = 0, n_saved = 0;

    if (b->is_failing || b->phase != MODEL_COPY || ram_is_awaited(b))
        return;
    for_each_drive (d, b)
        if (!drive_is(d, DRIVE_IS_OVER))
            return;
    for_each_drive (d, b) {
        n_saved += drive_is(d, DRIVE_IS_SAVED);
        if (d->state == DRIVE_STANDING) {
            n_standing++;
            fate_stands_no_more(d); /* nobody asked for a retry: comes back here */
        }
    }
    if (n_standing)
        return;
    if (!n_saved) {
        fail_run(b);
        return;
    }
    if (!b->guest.is_here_at_end) { /* of one that has left, what was copied is of no instant */
        state_look_at_end(b);
        return;
    }
    backup_set_phase(b, MODEL_FINISH);
    steps_run(b->steps, recipe_undo_all(b), false, on_all_undone, b);
}
