// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows that stop the guest and let it go. Only what we have stopped is resumed: a guest that has
 * panicked, met a full disk or was paused by its user meanwhile is in a state of its own by then, and `cont`
 * would take it out of that.
 */
#include "backup/run.h"
#include "backup/steps.h"
#include "qemu/access.h"

void halt_begin_stop(struct steps_op *op)
{
    struct backup *b = op->b;
    g_autoptr(GError) error = NULL;

    if (!b->retake.is_under_way)
        backup_set_phase(b, MODEL_FREEZE);
    b->guest.did_we_stop = true;
    if (!run_journal_write(b, &error)) {
        steps_end(op, error);
        return;
    }
    b->guest.stopped_at_us = g_get_monotonic_time();
    qmp_stop(b->qmp, steps_reply, op);
}

/* Images that QEMU may no longer open for writing, as a rule. */
static void fail_to_resume(struct steps_op *op, const GError *error)
{
    struct backup *b = op->b;
    g_autofree char *who = access_describe(error->message, qmp_peer_pid(b->qmp));
    g_autoptr(GError) why = g_error_copy(error);

    if (who) {
        g_prefix_error(&why, "guest stands still, as %s: ", who);
        backup_log(b, MODEL_ERROR, "give that user write access", "guest stands still: %s", who);
    }
    steps_end(op, why);
}

static void on_resumed(void *user, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (error && error->domain == QMP_ERROR && error->code == QMP_ERROR_COMMAND) {
        fail_to_resume(op, error);
        return;
    }
    if (!error) {
        b->guest.did_we_stop = false;
        b->guest.has_resumed = true;
        if (!b->retake.is_under_way)
            b->guest.pause_ms = (g_get_monotonic_time() - b->guest.stopped_at_us) / 1000;
        run_journal_write(b, NULL);
    }
    steps_end(op, error);
}

/* Not ours any more: it is left as it is. */
static void leave_stopped(struct steps_op *op)
{
    struct backup *b = op->b;

    if (b->guest.is_stopped)
        backup_log(b, MODEL_WARNING, NULL, "guest is left stopped: it %s (%s) since we stopped it", state_says(b),
                   b->guest.status);
    b->guest.did_we_stop = b->guest.was_running = false;
    run_journal_write(b, NULL);
    steps_end(op, NULL);
}

/* Our own migration still has it: nobody else has stopped it, and cleanup can let it go later. */
static bool is_still_moving(const struct backup *b)
{
    return b->ram.is_plain && !b->guest.has_resumed && b->guest.now->place == RUNSTATE_LEAVING;
}

static void on_status(void *user, const struct qmp_status *s, const GError *error)
{
    struct steps_op *op = user;
    struct backup *b = op->b;

    if (error) {
        steps_end(op, error);
        return;
    }
    if (runstate_is_ours(s->status, !b->guest.is_stop_of_ram, b->ram.is_plain || b->guest.is_ours_by_migration)) {
        b->guest.is_resuming = !op->is_undo;
        qmp_cont(b->qmp, on_resumed, op);
    } else if (is_still_moving(b)) {
        g_autoptr(GError) stuck =
            g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                        "guest stands still: QEMU does not end the migration of its RAM (%s)", b->guest.status);
        steps_end(op, stuck);
    } else {
        leave_stopped(op);
    }
}

void halt_resume(struct steps_op *op)
{
    state_ask(op->b, on_status, op);
}

/* Whatever stopped it for us: a guest that ran when we came runs when we go. */
void halt_undo_stop(struct steps_op *op)
{
    if (op->b->guest.did_we_stop)
        halt_resume(op);
    else
        steps_end(op, NULL);
}
