// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How each drive of a run ends, on its own while the others go on.
 *
 *     running ── job ended well ────────────────▶ saved ──▶ torn down
 *      │  ▲ └─── failed, the frozen image stands ─▶ retry at the same instant (jobs.c)
 *      │  └───────── retry ──────────┐            └ used up ─▶ standing ── the others are over ─▶ leaves
 *      └─ image broken, cancelled ─▶ leaves: nodes gone, data out of the archive ─▶ taken again (retake.c), or out
 *
 * A standing drive has failed, but its frozen image is kept, and what the guest overwrites is still kept for it:
 * a retry goes on at the same instant, as long as other drives are busy.
 *
 * A job that ended well, with every cluster held, is enough to call a drive saved: of an image that broke nothing can
 * be read any more, so what the job has read is of the instant, and what the filter sent was read before the guest
 * overwrote it. (Asking QEMU by a second small job is no way: adding a node over a busy image hangs QEMU 10.0 for good
 * where the drive has an iothread.)
 */
#include <string.h>
#include "archive/vmstate.h"
#include "backup/run.h"

bool fate_may_drop(const struct backup *b)
{
    return b->writer && writer_can_drop(b->writer);
}

/* --- the end of all ----------------------------------------------------------------------------- */

static bool is_over(const struct drive *d)
{
    return d->is_standing || (d->is_torn_down && !d->is_retake_wanted);
}

static void on_all_undone(void *user, const GError *error)
{
    (void)error;
    backup_undone(user);
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
    b->cancel_status = VMB_ERROR_CANCELLED;
    backup_fail_new(b, VMB_ERROR_CANCELLED, "every drive was cancelled; the guest goes on as before");
}

static void leave(struct drive *d);

void fate_check_all_over(struct backup *b)
{
    bool is_ram_moving = b->ram != RAM_NONE && !b->ram_state.is_done && !b->is_ram_lost;
    unsigned n_standing = 0, n_saved = 0;

    if (b->is_failing || b->model.phase != MODEL_COPY || is_ram_moving)
        return;
    for_each_drive (d, b)
        if (!is_over(d))
            return;
    for_each_drive (d, b) {
        n_saved += d->is_done;
        if (d->is_standing) {
            n_standing++;
            leave(d); /* nobody asked for a retry: comes back here */
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

/* --- one drive ---------------------------------------------------------------------------------- */

static void on_torn_down(void *user, const GError *error)
{
    struct drive *d = user;

    if (error)
        backup_log(d->b, MODEL_WARNING, NULL, "%s", error->message);
    d->is_torn_down = true;
    fate_check_all_over(d->b);
}

static void give_back(void *user, uint8_t *buffer)
{
    pool_give(user, buffer);
}

/* What a filter and a job send is of one instant, and what nobody writes to never changes: it may come twice. */
void fate_forget_clusters(struct drive *d)
{
    vma_assemble_free(d->clusters, give_back, d->b->pool);
    d->clusters = vma_assemble_new(d->size, d->is_guarded || d->is_read_only);
}

/* Its nodes go, and its data where that can be undone. */
static void leave(struct drive *d)
{
    d->is_out = true;
    d->is_standing = false;
    d->restart_at_ms = 0;
    if (fate_may_drop(d->b))
        writer_drop_lane(d->lane);
    fate_forget_clusters(d);
    steps_run(d->b->steps, recipe_undo_drive(d), false, on_torn_down, d);
}

static void saved(struct drive *d)
{
    d->is_done = true;
    d->ended_ms = uv_now(d->b->loop);
    writer_flush_lane(d->lane);
    backup_drive_state(d->b, d->row, MODEL_OK);
    steps_run(d->b->steps, recipe_undo_drive(d), false, on_torn_down, d);
}

static void note_failure(struct drive *d, int code, const char *why)
{
    struct model_drive *row = backup_row(d);

    g_clear_error(&d->failure);
    d->failure = g_error_new_literal(VMB_ERROR, code, why);
    d->ended_ms = uv_now(d->b->loop);
    model_set(row->note, "%s", why);
    model_set(row->error, "%s", why);
}

/* For good, unless the operator asks for a retry. */
static void fail(struct drive *d, int code, bool does_image_stand, const char *why)
{
    struct backup *b = d->b;
    struct model_drive *row = backup_row(d);

    note_failure(d, code, why);
    if (b->options.strict || b->drives->len == 1) {
        backup_drive_state(b, d->row, MODEL_FAIL);
        backup_fail_new(b, code, "drive %s: %s", d->name, why);
        return;
    }
    d->is_standing = does_image_stand;
    model_set(row->hint,
              does_image_stand   ? "retry %s goes on at the same instant, while other drives are busy"
              : fate_may_drop(b) ? "retry %s takes it again at a new instant"
                                 : "drive %s cannot be retried: the target is a pipe",
              d->name);
    backup_drive_state(b, d->row, MODEL_FAIL);
    backup_log(b, MODEL_ERROR, row->hint, "drive %s: %s; going on without it", d->name, why);
    if (does_image_stand)
        fate_check_all_over(b);
    else
        leave(d);
}

void fate_broken(struct drive *d, const char *why)
{
    struct backup *b = d->b;
    g_autofree char *reason = g_strdup(why);

    if (d->is_done || d->is_out || b->is_failing)
        return;
    if (d->is_standing || b->options.strict || d->retries >= b->options.retries || !fate_may_drop(b)) {
        fail(d, VMB_ERROR_FAILED, false, reason);
        return;
    }
    d->retries++;
    note_failure(d, VMB_ERROR_FAILED, reason);
    backup_log(b, MODEL_WARNING, NULL, "drive %s: %s; retry %u of %u at a new instant", d->name, reason, d->retries,
               b->options.retries);
    backup_drive_state(b, d->row, MODEL_RETRY);
    retake_later(d);
    leave(d);
}

void fate_refuse(struct drive *d, const char *why)
{
    if (!d->is_out && !d->b->is_failing)
        fail(d, VMB_ERROR_FAILED, false, why);
}

void fate_no_room(struct drive *d)
{
    if (d->is_done || d->is_out || d->b->is_failing)
        return;
    fail(d, VMB_ERROR_TARGET, false,
         "target is too slow and the spool is full: given up so that the guest's writes need not wait; "
         "give more room by --spool");
}

/* --- judging a job that has ended --------------------------------------------------------------- */

static char *why_incomplete(struct drive *d)
{
    uint64_t missing = vma_assemble_clusters(d->clusters) - vma_assemble_held(d->clusters);

    return missing ? g_strdup_printf("QEMU says done, but %" G_GUINT64_FORMAT " clusters never came", missing) : NULL;
}

/* What its job reads stays what it was at the instant. */
static bool has_image(const struct drive *d)
{
    return d->is_guarded || d->is_read_only;
}

void fate_judge(struct drive *d)
{
    g_autofree char *incomplete = why_incomplete(d);
    bool is_snapshot_broken = d->job_error && strstr(d->job_error, "Permission denied");
    bool is_image_gone = d->is_guarded && d->job_error && strstr(d->job_error, "Operation not supported");
    bool is_cancelled = d->job_error && strstr(d->job_error, "cancel") && !d->is_target_lost;

    if (d->doubt)
        fate_broken(d, d->doubt);
    else if (!d->job_error && !incomplete)
        saved(d);
    else if (!d->job_error)
        fail(d, VMB_ERROR_FAILED, false, incomplete);
    else if (is_cancelled)
        fail(d, VMB_ERROR_FAILED, has_image(d), "its job was cancelled by somebody else");
    else if (is_snapshot_broken)
        fate_broken(d, "the frozen image broke (a write of the guest could not be kept for us in time)");
    else if (is_image_gone) /* the frozen image reads from what was put there, which has none */
        fate_broken(d, "a snapshot of it, or another node that somebody put over it, has cut off its frozen image");
    else if (!has_image(d))
        fate_broken(d, d->job_error);
    else if (d->n_refused || d->retries < d->b->options.retries)
        jobs_restart_later(d, d->is_target_lost ? "its connection was lost" : d->job_error);
    else
        fail(d, VMB_ERROR_FAILED, true, d->is_target_lost ? "its connection was lost" : d->job_error);
}

void fate_not_restarted(struct drive *d, const GError *error)
{
    fail(d, VMB_ERROR_FAILED, has_image(d), error->message);
}

/* --- what the operator asks for ----------------------------------------------------------------- */

bool fate_cancel(struct drive *d, GError **error)
{
    struct backup *b = d->b;

    if (d->is_done)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is saved already; it stays in the archive", d->name);
    else if (d->is_out && !d->is_retake_wanted)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is out of the archive already", d->name);
    else if (!fate_may_drop(b))
        g_set_error(
            error, VMB_ERROR, VMB_ERROR_USAGE,
            "drive %s: the target is a pipe, what went down it cannot be taken back; cancel-all ends the backup",
            d->name);
    else if (d->is_retaking)
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is being taken again; cancel it in a moment", d->name);
    else {
        d->is_retake_wanted = false;
        d->pause_reasons &= ~(unsigned)PAUSE_OPERATOR; /* a retry begins afresh: until then no resume can reach it */
        note_failure(d, VMB_ERROR_CANCELLED, "cancelled by operator");
        model_set(backup_row(d)->hint, "retry %s takes it again at a new instant", d->name);
        backup_drive_state(b, d->row, MODEL_CANCELLED);
        backup_log(b, MODEL_INFO, NULL, "drive %s cancelled by operator: it leaves the archive", d->name);
        if (!d->is_out)
            leave(d);
        else
            fate_check_all_over(b);
        return true;
    }
    return false;
}

bool fate_retry(struct drive *d, GError **error)
{
    struct backup *b = d->b;

    if (!d->is_standing && (!d->is_out || d->is_retake_wanted)) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s has not failed", d->name);
        return false;
    }
    if (d->is_out && !fate_may_drop(b)) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s: the target is a pipe, it cannot be begun again there",
                    d->name);
        return false;
    }
    d->retries = 0;
    backup_log(b, MODEL_INFO, NULL, "drive %s: retry at %s by operator", d->name,
               d->is_standing ? "the same instant" : "a new instant");
    if (d->is_standing)
        jobs_restart_soon(d);
    else
        retake_later(d);
    backup_drive_state(b, d->row, MODEL_RETRY);
    return true;
}

/* --- the RAM ------------------------------------------------------------------------------------ */

void fate_drop_ram(struct backup *b, enum model_state state, const char *note)
{
    b->is_ram_lost = true;
    if (fate_may_drop(b))
        writer_drop_lane(b->vmstate_lane);
    else
        writer_flush_lane(b->vmstate_lane);
    vmstate_close(g_steal_pointer(&b->vmstate));
    model_set(b->model.drives[b->vmstate_row].note, "%s", note);
    backup_drive_state(b, b->vmstate_row, state);
}

void fate_ram_lost(struct backup *b, bool is_wanted, const char *why)
{
    fate_drop_ram(b, is_wanted ? MODEL_CANCELLED : MODEL_FAIL, why);
    backup_log(b, is_wanted ? MODEL_INFO : MODEL_ERROR, NULL, "RAM: %s; it leaves the archive", why);
    ram_put_settings_back(b);
    fate_check_all_over(b);
}

bool fate_cancel_ram(struct backup *b, GError **error)
{
    if (b->ram == RAM_NONE || b->is_ram_lost || !b->ram_state.is_moving) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "RAM is not being saved now");
        return false;
    }
    if (!fate_may_drop(b)) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "RAM: the target is a pipe, what went down it cannot be taken back; cancel-all ends the backup");
        return false;
    }
    ram_leave_out(b);
    return true;
}
