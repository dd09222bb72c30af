// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every file of this folder may say of the run: an event, a line of the log, another phase, another state of a
 * drive, that it has failed. It calls none of them, but for the snapshot that goes with each event; what has to be done
 * then, outcome.c and monitor.c do (struct run_hooks).
 */
#include <string.h>
#include "backup/run.h"
#include "base/units.h"
#include "log/logfile.h"
#include "log/record.h"
#include "rescue/journal.h"

/* --- telling ------------------------------------------------------------------------------------ */

void backup_emit(struct backup *b, const struct model_event *event)
{
    picture_fill(b);
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

    picture_fill(b);
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

/* --- drives ------------------------------------------------------------------------------------- */

void drive_become(struct drive *d, enum drive_state state)
{
    if (!drive_state_moves(d->state, state))
        g_error("drive %s: from %s to %s", d->name, drive_state_name(d->state), drive_state_name(state));
    d->state = state;
    backup_row_state(d->b, d->row, drive_state_shown(state));
}

/* The run's instant is that of the first drive to be frozen: all are while the guest stands still. */
void drive_take_instant(struct drive *d)
{
    struct backup *b = d->b;
    int64_t *instant_us = drive_is(d, DRIVE_IS_RETAKEN) ? &b->retake.instant_us : &b->instant_us;

    if (!*instant_us)
        *instant_us = g_get_real_time();
    d->instant_us = *instant_us;
}

struct drive *drive_by_name(const struct backup *b, const char *name, GError **error)
{
    for_each_drive (d, b)
        if (strcmp(d->name, name) == 0)
            return d;
    return vmb_null(error, VMB_ERROR_USAGE, "no drive %s is being saved", name);
}

struct drive *drive_by_job(const struct backup *b, const char *id)
{
    for_each_drive (d, b)
        if (g_strcmp0(d->names.job, id) == 0)
            return d;
    return NULL;
}

struct drive *drive_by_device(const struct backup *b, const char *qdev)
{
    for_each_drive (d, b)
        if (qdev && g_strcmp0(d->qdev, qdev) == 0)
            return d;
    return NULL;
}

/* --- failing ------------------------------------------------------------------------------------ */

void backup_fail(struct backup *b, const GError *error)
{
    bool is_of_monitor = error->domain == QMP_ERROR && error->code >= QMP_ERROR_TIMEOUT;

    if (b->is_failing || b->end.is_reported)
        return;
    b->is_failing = true;
    b->end.outcome =
        is_of_monitor ? g_error_new_literal(VMB_ERROR, VMB_ERROR_MONITOR, error->message) : g_error_copy(error);
    backup_log(b, MODEL_ERROR, NULL, "%s", b->end.outcome->message);
    b->hooks->fail(b);
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

void run_check_over(struct backup *b)
{
    b->hooks->check_over(b);
}

void run_check_left(struct backup *b)
{
    b->hooks->check_left(b);
}

void run_give_up(struct backup *b, const char *why)
{
    b->hooks->give_up(b, why);
}

/* --- the journal: what it says, for whoever cleans up after we have died -------------------------- */

/* An absolute path: cleanup may run in another folder. */
static char *agent_path(const char *agent)
{
    return g_str_has_prefix(agent, "unix:") ? g_strdup(agent) : g_canonicalize_filename(agent, NULL);
}

bool run_journal_write(const struct backup *b, GError **error)
{
    g_autofree char *agent = b->agent.is_frozen ? agent_path(b->options.agent) : NULL;
    struct journal_record r = {
        .monitor = b->options.monitor,
        .run_id = (char *)b->run_id,
        .process = b->link.qemu_process,
        .sockets = b->link.sockets,
        .did_we_stop = b->guest.did_we_stop && !b->guest.is_stop_of_ram,
        .does_migrate = (b->ram.method == RAM_PLAIN || b->guest.is_ours_by_migration) && b->guest.was_running &&
                        !b->guest.has_resumed,
        .has_nbd_server = b->ram.did_start_nbd_server || b->holes.did_start_server,
        .is_saved = b->tracks.is_saved_told,
        .n_exports = b->pulls.memory ? b->drives->len : 0,
        .agent = agent,
        /* RAM that was left out has changed them, too. */
        .has_capabilities = b->ram.method != RAM_NONE || b->ram.is_lost,
        .capabilities = b->ram.capabilities,
        .has_params = b->ram.have_old_params && (b->ram.method == RAM_PLAIN || b->ram.is_lost),
        .max_bandwidth = b->ram.old_params.max_bandwidth,
        .downtime_limit_ms = b->ram.old_params.downtime_limit_ms,
    };

    return journal_write(b->journal, &r, error);
}
