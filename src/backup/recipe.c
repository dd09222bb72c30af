// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * THE table: how one instant of a guest is frozen, and how every trace of that is taken away again.
 *
 * A guarded drive gets a copy-before-write filter that sends the old content of a cluster to us (export f<n>) before
 * the guest overwrites it; the background job reads the frozen image behind it and writes to export d<n>. Break the
 * filter and the guest never notices; that is why it, and not a plain backup job, stands between the guest and us.
 * Inserting it (qom-set) while the guest is stopped is the instant.
 */
#include <string.h>
#include "backup/filter.h"
#include "backup/lid.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

/* --- journal ------------------------------------------------------------------------------------ */

static void begin_journal(struct steps_op *op)
{
    g_autoptr(GError) error = NULL;

    run_journal_write(op->b, &error);
    steps_end(op, error);
}

/* --- the NBD targets ---------------------------------------------------------------------------- */

static bool is_guarded(const struct backup *b, const struct drive *d);

static bool is_filters(const struct steps_op *op)
{
    return op->step->applies == is_guarded;
}

static struct port *port_of(const struct steps_op *op)
{
    return is_filters(op) ? &op->d->filter : &op->d->target;
}

static const char *node_of(const struct steps_op *op)
{
    return is_filters(op) ? op->d->names.filter : op->d->names.target;
}

static void on_target_added(void *user, const GError *error);

static void on_door_shown(struct steps_op *op, const char *path, const GError *error)
{
    if (error)
        steps_end(op, error);
    else
        qmp_add_nbd(op->b->qmp, node_of(op), path, port_of(op)->export->name, on_target_added, op);
}

static void begin_add_target(struct steps_op *op)
{
    g_autoptr(GError) error = NULL;
    struct listening *socket = port_open(port_of(op), &error);

    if (socket)
        door_show(op, socket, on_door_shown);
    else
        steps_end(op, error);
}

/* A guest write behind the end of a filter's target that is too small aborts QEMU: look before inserting it. */
static void on_nodes(void *user, const struct qmp_node *nodes, unsigned n, const GError *error)
{
    struct steps_op *op = user;
    g_autoptr(GError) wrong = NULL;

    for (unsigned i = 0; !error && i < n; i++) {
        bool is_large = nodes[i].is_only_named || nodes[i].virtual_size >= op->d->size;
        if (g_strcmp0(nodes[i].node_name, op->d->names.filter) == 0 && is_large) {
            steps_end(op, NULL);
            return;
        }
    }
    if (!error)
        g_set_error(&wrong, VMB_ERROR, VMB_ERROR_FAILED, "the filter's target is not as large as the drive");
    steps_end(op, error ? error : wrong);
}

static void on_target_added(void *user, const GError *error)
{
    struct steps_op *op = user;
    g_autoptr(GError) why = error ? door_explain(op->b, error) : NULL;

    if (error || !is_filters(op))
        steps_end(op, why);
    else
        qmp_query_nodes(op->b->qmp, on_nodes, op);
}

/* While the node is in QEMU its connection is not ended: it would connect again and again. */
static void on_target_deleted(void *user, const GError *error)
{
    struct steps_op *op = user;
    bool is_gone = !error || g_error_matches(error, QMP_ERROR, QMP_ERROR_NO_DEVICE);

    if (is_gone)
        port_close(port_of(op));
    steps_end(op, is_gone ? NULL : error);
}

static void undo_add_target(struct steps_op *op)
{
    if (is_filters(op) && op->d->left) { /* its filter stays */
        filter_leave(op);
        return;
    }
    port_of(op)->is_expected_to_close = true;
    qmp_del_node(op->b->qmp, node_of(op), on_target_deleted, op);
}

/* --- the job ------------------------------------------------------------------------------------ */

/* QEMU says so of the job's name, or of a node that some job has. */
static bool may_be_taken(const GError *error)
{
    return qmp_error_is_refusal(error) &&
           (strstr(error->message, "already in use") || strstr(error->message, "in use by block job"));
}

static void job_begun(struct steps_op *op, const GError *error)
{
    if (!error)
        job_pause_job_started(op->d);
    else if (qmp_error_is_refusal(error))
        op->d->job.state = JOB_NONE; /* an answer that never came says nothing: it may run */
    steps_end(op, error);
}

/* The names are this run's own: a job of that name is the one whose answer was lost with the monitor. */
static void on_jobs_after_refusal(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct steps_op *op = user;
    g_autoptr(GError) refusal = g_steal_pointer(&op->d->refusal);
    bool is_there = false;

    for (unsigned i = 0; !error && i < n; i++)
        is_there |= g_strcmp0(jobs[i].id, op->d->names.job) == 0;
    job_begun(op, error ? error : is_there ? NULL : refusal);
}

static void on_job_started(void *user, const GError *error)
{
    struct steps_op *op = user;

    if (!error || !may_be_taken(error)) {
        job_begun(op, error);
        return;
    }
    g_clear_error(&op->d->refusal);
    op->d->refusal = g_error_copy(error);
    qmp_query_jobs(op->b->qmp, on_jobs_after_refusal, op);
}

static void begin_job(struct steps_op *op)
{
    struct drive *d = op->d;
    struct qmp_backup_job job = {
        .id = d->names.job,
        .device = d->is_guarded ? d->names.snap : d->node,
        .target = d->names.target,
        .workers = job_workers(op->b),
        .bitmap = d->track.is_incremental ? d->names.changed : NULL,
    };

    if (!d->is_guarded)
        drive_take_instant(d);
    d->job.state = JOB_RUNNING; /* its events come before the reply */
    job.speed = budget_first_speed(d);
    d->job.is_new = true;
    qmp_backup(op->b->qmp, &job, on_job_started, op);
}

/* --- which rows apply --------------------------------------------------------------------------- */

static bool is_guarded(const struct backup *b, const struct drive *d)
{
    (void)b;
    return d->is_guarded;
}

static bool is_pulled(const struct backup *b, const struct drive *d)
{
    (void)b;
    return d->is_pulled;
}

static bool is_pushed(const struct backup *b, const struct drive *d)
{
    (void)b;
    return !d->is_pulled;
}

static bool is_pushed_directly(const struct backup *b, const struct drive *d)
{
    (void)b;
    return !d->is_pulled && !d->is_guarded;
}

static bool is_pushed_guarded(const struct backup *b, const struct drive *d)
{
    (void)b;
    return !d->is_pulled && d->is_guarded;
}

static bool is_plain(const struct backup *b, const struct drive *d)
{
    (void)d;
    return b->ram.method == RAM_PLAIN;
}

static bool is_background(const struct backup *b, const struct drive *d)
{
    (void)d;
    return b->ram.method == RAM_BACKGROUND && !b->ram.is_lost;
}

static bool needs_stop(const struct backup *b, const struct drive *d)
{
    (void)d;
    if (b->retake.is_under_way)
        return !b->guest.is_stopped;
    return b->guest.was_running && b->ram.method != RAM_PLAIN; /* a plain migration ends stopped */
}

static bool needs_resume(const struct backup *b, const struct drive *d)
{
    (void)d;
    return b->retake.is_under_way ? b->guest.did_we_stop : b->guest.was_running && b->guest.is_stopped;
}

/* Rows that hold everything are undone last; a background snapshot must be under way before the guest resumes. */
const struct step recipe_table[] = {
    {"keep the journal", STEP_RUN, NULL, begin_journal, NULL, 0},
    {"hand over our sockets", STEP_RUN, NULL, NULL, door_undo, 0},
    {"look at the last backup", STEP_RUN, track_has_base, track_begin_look_back, NULL, 0},
    {"look at the guest's state", STEP_RUN, NULL, state_begin_look, NULL, 0},
    {"set background-snapshot", STEP_RUN, is_background, ram_begin_capability, ram_undo_capability,
     STEP_STAYS | STEP_SETS_MIGRATION},
    {"see that the images can be opened again", STEP_RUN, is_plain, reopen_begin, reopen_undo, STEP_STAYS},
    {"set the migration's parameters", STEP_RUN, is_plain, ram_begin_params, ram_undo_params,
     STEP_STAYS | STEP_SETS_MIGRATION},
    {"save the RAM", STEP_RUN, is_plain, ram_begin_moving, ram_undo_moving, STEP_STAYS},
    {"look at the drives", STEP_RUN, is_plain, look_begin, NULL, STEP_REPEATS},
    {"activate the drives", STEP_RUN, is_plain, ram_begin_activate, ram_undo_activate, STEP_STAYS},
    {"add the filter's target", STEP_DRIVE, is_guarded, begin_add_target, undo_add_target,
     STEP_STAYS | STEP_MAKES_TARGET},
    {"add the job's target", STEP_DRIVE, is_pushed, begin_add_target, undo_add_target,
     STEP_STAYS | STEP_MAKES_TARGET | STEP_OF_JOBS_TARGET},
    {"look at the bitmaps", STEP_RUN, track_has_base, track_begin_look, NULL, STEP_REPEATS | STEP_IN_WINDOW},
    {"count what changes", STEP_DRIVE, track_counts, track_begin, track_undo, STEP_STAYS},
    {"freeze the file systems", STEP_RUN, agent_is_wanted, agent_begin_freeze, agent_undo_freeze,
     STEP_STAYS | STEP_IN_WINDOW},
    {"stop the guest", STEP_RUN, needs_stop, halt_begin_stop, halt_undo_stop, STEP_STAYS | STEP_IN_WINDOW},
    {"look at the guest's state again", STEP_RUN, NULL, state_begin_look, NULL, STEP_IN_WINDOW},
    {"look at the drives again", STEP_RUN, NULL, look_begin, NULL, STEP_REPEATS | STEP_IN_WINDOW},
    {"add the filter", STEP_DRIVE, is_guarded, filter_begin_add, filter_undo_add, 0},
    {"insert the filter", STEP_DRIVE, is_guarded, filter_begin_insert, filter_undo_insert, 0},
    {"add the frozen image", STEP_DRIVE, is_guarded, filter_begin_snapshot, filter_undo_snapshot, 0},
    {"freeze what has changed", STEP_DRIVE, track_freezes, track_begin_freeze, track_undo_freeze, STEP_STAYS},
    {"put the lid on", STEP_DRIVE, lid_is_wanted, lid_begin, lid_undo, 0},
    {"start saving the RAM", STEP_RUN, is_background, ram_begin_moving, ram_undo_moving, STEP_STAYS},
    {"start the job", STEP_DRIVE, is_pushed_directly, begin_job, jobs_undo, STEP_REPEATS | STEP_OF_JOB},
    {"resume the guest", STEP_RUN, needs_resume, halt_resume, NULL, STEP_REPEATS | STEP_IN_WINDOW},
    {"thaw the file systems", STEP_RUN, agent_is_frozen, agent_begin_thaw, NULL, STEP_IN_WINDOW},
    {"see how much has changed", STEP_RUN, track_has_base, track_begin_measure, NULL, STEP_REPEATS | STEP_IN_WINDOW},
    {"start the job", STEP_DRIVE, is_pushed_guarded, begin_job, jobs_undo, STEP_REPEATS | STEP_OF_JOB},
    {"look for what is zero", STEP_DRIVE, holes_are_wanted, holes_begin, holes_undo, STEP_STAYS | STEP_REPEATS},
    {"export the frozen image", STEP_DRIVE, is_pulled, pull_export_begin, pull_export_undo,
     STEP_STAYS | STEP_REPEATS | STEP_OF_JOB},
    {"see that all disks answer", STEP_RUN, NULL, NULL, disk_watch_undo, 0},
};

/* Each has a bit in `begun`. */
G_STATIC_ASSERT(G_N_ELEMENTS(recipe_table) <= 8 * sizeof(unsigned));

unsigned recipe_rows(void)
{
    return G_N_ELEMENTS(recipe_table);
}
