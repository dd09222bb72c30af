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
 */
#include "backup/fate.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "qemu/job_verdict.h"

/* --- one drive ---------------------------------------------------------------------------------- */

static void on_torn_down(void *user, const GError *error)
{
    struct drive *d = user;

    if (error)
        backup_log(d->b, MODEL_WARNING, NULL, "%s", error->message);
    if (d->is_left && d->state == DRIVE_BROKEN_LEAVING) /* it cannot be taken again over what is left of it */
        drive_become(d, DRIVE_FAILED_LEAVING);
    drive_become(d, drive_state_left(d->state));
    run_check_over(d->b);
}

/* What a filter and a job send is of one instant, and what nobody writes to never changes: it may come twice. */
void fate_forget_clusters(struct drive *d)
{
    intake_reset(&d->intake, d->size, d->is_guarded || d->is_read_only);
}

/* Its nodes go, and its data where that can be undone. */
static void leave(struct drive *d)
{
    d->job.restart_at_ms = 0;
    if (target_can_drop(d->b))
        writer_drop_lane(d->intake.lane);
    fate_forget_clusters(d);
    steps_run(d->b->steps, recipe_undo_drive(d), false, on_torn_down, d);
}

void fate_stands_no_more(struct drive *d)
{
    backup_row(d)->hint[0] = '\0'; /* of a retry */
    drive_become(d, DRIVE_FAILED_LEAVING);
    leave(d);
}

static void saved(struct drive *d)
{
    d->progress.ended_ms = uv_now(d->b->loop);
    track_keep_rest(d);
    writer_flush_lane(d->intake.lane);
    drive_become(d, DRIVE_SAVED_LEAVING);
    steps_run(d->b->steps, recipe_undo_drive(d), false, on_torn_down, d);
}

static void note_failure(struct drive *d, int code, const char *why)
{
    struct model_drive *row = backup_row(d);

    g_clear_error(&d->failure);
    d->failure = g_error_new_literal(VMB_ERROR, code, why);
    d->progress.ended_ms = uv_now(d->b->loop);
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
        drive_become(d, DRIVE_FAILED_LEAVING);
        backup_fail_new(b, code, "drive %s: %s", d->name, why);
        return;
    }
    model_set(row->hint,
              does_image_stand     ? "retry %s goes on at the same instant, while other drives are busy"
              : target_can_drop(b) ? "retry %s takes it again at a new instant"
                                   : "drive %s cannot be retried: the target is a pipe",
              d->name);
    drive_become(d, does_image_stand ? DRIVE_STANDING : DRIVE_FAILED_LEAVING);
    backup_log(b, MODEL_ERROR, row->hint, "drive %s: %s; going on without it", d->name, why);
    if (does_image_stand)
        run_check_over(b);
    else
        leave(d);
}

/* Its frozen image is gone. */
static void take_again(struct drive *d, const char *why)
{
    struct backup *b = d->b;
    g_autofree char *reason = g_strdup(why);

    if (d->state == DRIVE_STANDING || b->options.strict || d->retries >= b->options.retries || !target_can_drop(b)) {
        fail(d, VMB_ERROR_FAILED, false, reason);
        return;
    }
    d->retries++;
    note_failure(d, VMB_ERROR_FAILED, reason);
    backup_log(b, MODEL_WARNING, NULL, "drive %s: %s; retry %u of %u at a new instant", d->name, reason, d->retries,
               b->options.retries);
    drive_become(d, DRIVE_BROKEN_LEAVING);
    retake_later(d);
    leave(d);
}

void fate_broken(struct drive *d, const char *why)
{
    if (!drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT) && !d->b->is_failing)
        take_again(d, why);
}

void fate_not_retaken(struct drive *d, const char *why)
{
    take_again(d, why);
}

void fate_refuse(struct drive *d, const char *why)
{
    if (!drive_is(d, DRIVE_IS_OUT) && !d->b->is_failing)
        fail(d, VMB_ERROR_FAILED, false, why);
}

void fate_no_room(struct drive *d)
{
    if (drive_is(d, DRIVE_IS_SAVED | DRIVE_IS_OUT) || d->b->is_failing)
        return;
    fail(d, VMB_ERROR_TARGET, false,
         "target is too slow and the spool is full: given up so that the guest's writes need not wait; "
         "give more room by --spool");
}

/* --- judging a job that has ended --------------------------------------------------------------- */

static struct evidence evidence_of(const struct drive *d)
{
    unsigned retries = d->b->options.retries;

    return (struct evidence){
        .job_error = d->job.error,
        .missing = track_missing(d),
        .doubt = d->doubt,
        .has_guard = d->is_guarded,
        .is_read_only = d->is_read_only,
        .is_target_lost = d->job.is_target_lost,
        .n_refused = d->job.n_refused,
        .retries_left = retries - MIN(d->retries, retries),
    };
}

void fate_judge(struct drive *d)
{
    struct evidence e = evidence_of(d);
    g_autofree char *why = NULL;
    enum verdict verdict = job_verdict_of(&e, &why);

    switch (verdict) {
    case VERDICT_SAVED:
        saved(d);
        break;
    case VERDICT_BROKEN:
        fate_broken(d, why);
        break;
    case VERDICT_STARVED:
    case VERDICT_RETRY:
        jobs_restart_later(d, why);
        break;
    case VERDICT_STANDING:
    case VERDICT_FAILED:
        fail(d, VMB_ERROR_FAILED, verdict == VERDICT_STANDING, why);
        break;
    }
}

void fate_not_restarted(struct drive *d, const GError *error)
{
    struct evidence e = evidence_of(d);

    fail(d, VMB_ERROR_FAILED, job_verdict_has_image(&e), error->message);
}

/* --- what the operator asks for ----------------------------------------------------------------- */

bool fate_cancel(struct drive *d, GError **error)
{
    struct backup *b = d->b;
    bool was_out = drive_is(d, DRIVE_IS_OUT);

    if (drive_is(d, DRIVE_IS_SAVED))
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is saved already; it stays in the archive", d->name);
    else if (drive_is(d, DRIVE_IS_RETAKEN))
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is being taken again; cancel it in a moment", d->name);
    else if (!drive_state_may(d->state, DRIVE_MAY_CANCEL))
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "drive %s is out of the archive already", d->name);
    else if (!target_can_drop(b))
        g_set_error(
            error, VMB_ERROR, VMB_ERROR_USAGE,
            "drive %s: the target is a pipe, what went down it cannot be taken back; cancel-all ends the backup",
            d->name);
    else {
        d->job.pause_reasons &=
            ~(unsigned)PAUSE_OPERATOR; /* a retry begins afresh: until then no resume can reach it */
        note_failure(d, VMB_ERROR_CANCELLED, "cancelled by operator");
        model_set(backup_row(d)->hint, "retry %s takes it again at a new instant", d->name);
        drive_become(d, d->state == DRIVE_BROKEN ? DRIVE_CANCELLED : DRIVE_CANCELLED_LEAVING);
        backup_log(b, MODEL_INFO, NULL, "drive %s cancelled by operator: it leaves the archive", d->name);
        if (!was_out)
            leave(d);
        else
            run_check_over(b);
        return true;
    }
    return false;
}

bool fate_retry(struct drive *d, GError **error)
{
    struct backup *b = d->b;
    bool does_stand = d->state == DRIVE_STANDING;

    if (!drive_state_may(d->state, DRIVE_MAY_RETRY))
        return vmb_fail(error, VMB_ERROR_USAGE, "drive %s has not failed", d->name);
    if (d->is_left) {
        g_set_error(
            error, VMB_ERROR, VMB_ERROR_USAGE,
            "drive %s: its disk did not answer, and its job is still in QEMU; run vmabackup cleanup when it does",
            d->name);
        return false;
    }
    if (drive_is(d, DRIVE_IS_OUT) && !target_can_drop(b))
        return vmb_fail(error, VMB_ERROR_USAGE, "drive %s: the target is a pipe, it cannot be begun again there",
                        d->name);
    d->retries = 0;
    backup_log(b, MODEL_INFO, NULL, "drive %s: retry at %s by operator", d->name,
               does_stand ? "the same instant" : "a new instant");
    if (does_stand) {
        jobs_restart_soon(d);
    } else {
        retake_later(d);
        drive_become(d, drive_is(d, DRIVE_IS_LEAVING) ? DRIVE_BROKEN_LEAVING : DRIVE_BROKEN);
    }
    return true;
}
