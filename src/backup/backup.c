// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/backup.h"
#include "backup/plan.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

#include <stdarg.h>
#include <string.h>
#include "archive/vmstate.h"
#include "base/units.h"
#include "log/logfile.h"
#include "log/record.h"
#include "rescue/journal.h"

#define POOL_BUFFERS 768 /* 48 MiB */
#define TICK_MS      100
#define PROGRESS_MS  1000
#define STUCK_MS     5000 /* how long the end waits for a disk that does not answer */

/* --- telling ------------------------------------------------------------------------------------ */

void backup_emit(struct backup *b, const struct model_event *event)
{
    snapshot_fill(b);
    if (b->logfile)
        logfile_event(b->logfile, &b->model, event);
    if (b->record)
        record_event(b->record, &b->model, event);
    b->listener.on_event(b->user, event);
}

void backup_log(struct backup *b, enum model_level level, const char *hint, const char *format, ...)
{
    int64_t now_s = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    model_log(&b->model, level, now_s, "%s", text);
    if (hint)
        model_log(&b->model, MODEL_HINT, now_s, "%s", hint);
    backup_emit(b,
                &(struct model_event){.type = MODEL_EV_LOG, .drive = -1, .level = level, .text = text, .hint = hint});
}

void backup_note(struct backup *b, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    model_log(&b->model, MODEL_INFO, g_get_real_time() / G_USEC_PER_SEC, "%s", text);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_NOTE, .drive = -1, .text = text});
}

void backup_set_phase(struct backup *b, enum model_phase phase)
{
    if (b->phase == phase)
        return;
    b->phase = phase;
    backup_emit(b, &(struct model_event){.type = MODEL_EV_PHASE, .drive = -1});
}

static void note_saved(struct backup *b, const struct model_drive *d)
{
    char size[UNITS_LEN], time[UNITS_LEN];

    snapshot_fill(b);
    backup_note(b, "%s saved, %s in %s", d->name, units_format_size(d->size, size),
                units_format_ms(d->elapsed_ms, time));
}

void backup_row_state(struct backup *b, unsigned row, enum model_state state)
{
    struct model_drive *d = &b->model.drives[row];

    if (d->state == state)
        return;
    d->state = state;
    if (state == MODEL_OK)
        note_saved(b, d);
    backup_emit(b, &(struct model_event){.type = MODEL_EV_DRIVE, .drive = (int)row});
}

struct model_drive *backup_row(struct drive *d)
{
    return &d->b->model.drives[d->row];
}

/* --- the end ------------------------------------------------------------------------------------ */

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
    snapshot_fill(b);
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
    b->listener.on_done(b->user);
}

static void close_connections(struct backup *b)
{
    for_each_drive (d, b) {
        port_close(&d->filter);
        port_close(&d->target);
    }
}

/* QEMU is free or lost; now everything of our own is closed. On the way out of a good run too. */
void backup_end(struct backup *b)
{
    if (b->end.is_ending)
        return;
    b->end.is_ending = true;
    b->end.since_ms = uv_now(b->loop);
    monitor_stop(b);
    agent_close(b);
    close_connections(b);
    target_close(b, b->options.keep_partial);
    door_close(b);
    journal_close(g_steal_pointer(&b->journal), b->end.is_freed_from_qemu || b->link.is_qemu_gone);
}

static void end_on_tick(struct backup *b)
{
    bool is_late = uv_now(b->loop) - b->end.since_ms > STUCK_MS;

    if (b->end.n_open_handles && !is_late)
        return;
    if (b->end.n_open_handles) {
        b->end.is_stuck = true;
        backup_log(b, MODEL_WARNING, "look at the disk of the target", "a write to %s does not return; leaving it",
                   b->model.target);
    }
    report_done(b);
}

/* --- undoing ------------------------------------------------------------------------------------ */

static void freed(struct backup *b, bool is_clean)
{
    b->end.is_freed_from_qemu = is_clean;
    if (b->link.is_qemu_gone && b->is_failing)
        model_set(b->model.next, "start the guest again, then back it up");
    else if (!is_clean && !b->link.is_qemu_gone)
        model_set(b->model.next, "run: vmabackup cleanup %s", b->options.monitor);
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
        backup_undone(b);
        return;
    }
    for (unsigned i = 0; !error && i < n; i++)
        b->tidy.n_left += is_ours(b, nodes[i].node_name);
    if (b->tidy.n_left)
        backup_log(b, MODEL_ERROR, "run vmabackup cleanup on this monitor",
                   "%u jobs and nodes of this backup are left in QEMU", b->tidy.n_left);
    freed(b, !error && !b->tidy.n_left && !b->end.has_undo_failed);
}

static void on_jobs_after(void *user, const struct qmp_job *jobs, unsigned n, const GError *error)
{
    struct backup *b = user;

    b->tidy.n_left = 0;
    for (unsigned i = 0; !error && i < n; i++)
        b->tidy.n_left += is_ours(b, jobs[i].id);
    if (monitor_is_up(b))
        qmp_query_nodes(b->qmp, on_nodes_after, b);
    else
        backup_undone(b);
}

/* Does QEMU hold anything of this run still? Whatever the answers of the undos were, this is the truth. */
void backup_undone(struct backup *b)
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
    backup_undone(b);
}

void backup_fail(struct backup *b, const GError *error)
{
    g_autoptr(GError) copy = NULL;

    if (b->is_failing || b->end.is_reported)
        return;
    copy = error->domain == QMP_ERROR && error->code >= QMP_ERROR_TIMEOUT
               ? g_error_new_literal(VMB_ERROR, VMB_ERROR_MONITOR, error->message)
               : g_error_copy(error);
    b->is_failing = true;
    b->end.outcome = g_error_copy(copy);
    backup_log(b, MODEL_ERROR, NULL, "%s", copy->message);
    finish_interrupt(b);
    if (b->end.is_freed_from_qemu || b->link.is_given_up || !b->has_begun || !b->journal) {
        backup_end(b);
        return;
    }
    job_throttle_check(b);
    if (b->archive.writer)
        writer_discard(b->archive.writer); /* what still comes is answered and dropped */
    ram_interrupt(b);
    agent_interrupt(b);
    steps_run(b->steps, recipe_undo_all(b), false, on_failure_undone, b);
    steps_abort(b->steps, copy);
}

void backup_fail_new(struct backup *b, int code, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list args;

    va_start(args, format);
    error = g_error_new_valist(VMB_ERROR, code, format, args);
    va_end(args);
    backup_fail(b, error);
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

/* --- the clock ---------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct backup *b = timer->data;
    uint64_t now = uv_now(b->loop);

    if (b->end.is_ending) {
        end_on_tick(b);
        return;
    }
    monitor_on_tick(b);
    ram_on_tick(b);
    state_on_tick(b);
    agent_on_tick(b);
    recipe_on_tick(b);
    disk_watch_on_tick(b);
    write_latency_on_tick(b);
    jobs_on_tick(b);
    budget_on_tick(b);
    target_watch_on_tick(b);
    if (b->jobs.is_credit_low && b->archive.writer)
        writer_flush(b->archive.writer);
    if (now >= b->picture.next_progress_ms && b->has_begun) {
        b->picture.next_progress_ms = now + PROGRESS_MS;
        backup_emit(b, &(struct model_event){.type = MODEL_EV_PROGRESS, .drive = -1});
    }
}

/* --- life --------------------------------------------------------------------------------------- */

struct backup *backup_new(uv_loop_t *loop, const struct backup_options *options, const struct backup_listener *listener,
                          void *user)
{
    struct backup *b = g_new0(struct backup, 1);

    b->loop = loop;
    b->listener = *listener;
    b->user = user;
    backup_options_copy(&b->options, options);
    b->archive.is_target_chosen = options->target != NULL;
    model_init(&b->model);
    model_set(b->model.monitor, "%s", options->monitor);
    b->guest.pause_ms = MODEL_UNKNOWN;
    b->limits.impact.write_us = b->limits.impact.base_us = b->limits.impact.p99_us = MODEL_UNKNOWN;
    b->ram.row = -1;
    b->guest.now = runstate_of(NULL);
    b->ram.capabilities = g_ptr_array_new_with_free_func(g_free);
    b->facts.unsavable = g_ptr_array_new_with_free_func(g_free);
    b->archive.pool = pool_new(POOL_BUFFERS);
    b->steps = steps_new(b);
    plan_init(b);
    uv_timer_init(loop, &b->tick);
    b->tick.data = b;
    pulse_init(&b->pulse, loop);
    job_throttle_init(b);
    job_end_init(b);
    return b;
}

const char *backup_run_id(const struct backup *b)
{
    return b->run_id;
}

static bool open_record(struct backup *b, GError **error)
{
    if (b->options.record_path)
        b->record = record_open(b->loop, b->options.record_path, b->run_id, error);
    return b->record || !b->options.record_path;
}

void backup_connect(struct backup *b)
{
    g_autoptr(GError) error = NULL;
    bool is_recorded = open_record(b, &error);

    backup_emit(b, &(struct model_event){.type = MODEL_EV_HELLO, .drive = -1});
    uv_timer_start(&b->tick, on_tick, TICK_MS, TICK_MS);
    if (!is_recorded) {
        backup_fail(b, error);
        return;
    }
    monitor_start(b);
}

void backup_free(struct backup *b)
{
    if (!b || b->end.is_stuck) /* a thread of the pool still uses our buffers: they stay */
        return;
    steps_free(b->steps);
    survey_clear(&b->survey);
    takeout_clear(&b->takeout);
    g_ptr_array_unref(b->drives);
    g_clear_pointer(&b->archive.header, vma_header_free);
    g_clear_pointer(&b->facts.drives, g_ptr_array_unref);
    g_ptr_array_unref(b->ram.capabilities);
    g_ptr_array_unref(b->facts.unsavable);
    g_clear_pointer(&b->link.sockets, g_ptr_array_unref);
    g_free(b->link.held);
    g_clear_error(&b->end.outcome);
    g_free(b->facts.machine);
    g_free(b->guest.ram_obstacle);
    g_free(b->ram.failure);
    g_free(b->ram.abandoned);
    g_clear_pointer(&b->ram.images, g_array_unref);
    g_strfreev(b->facts.argv);
    g_free(b->retake.error);
    g_free(b->archive.trash);
    g_free(b->link.qemu_process);
    g_free(b->archive.space_of);
    g_free(b->archive.path);
    pool_free(b->archive.pool);
    model_clear(&b->model);
    backup_options_clear(&b->options);
    g_free(b);
}

const struct model *backup_model(struct backup *b)
{
    snapshot_fill(b);
    return &b->model;
}
