// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A drive taken once more, at a new instant: its frozen image is gone, its data is out of the archive. For its rows
 * alone the guest is stopped again, as in the first place; the others go on. One drive at a time, and never while the
 * RAM moves: a background snapshot takes no second stop.
 */
#include <string.h>
#include "backup/run.h"

#define BACKOFF_MS 1000 /* before the first, doubled for each further one */

void retake_later(struct drive *d)
{
    d->is_retake_wanted = true;
    d->restart_at_ms = 0;
    d->retake_at_ms = uv_now(d->b->loop) + (d->retries ? (uint64_t)BACKOFF_MS << MIN(d->retries - 1, 6) : 0);
    backup_row(d)->retries = d->retries;
}

/* As a drive that was never begun. */
static void reset(struct drive *d)
{
    d->is_retake_wanted = d->is_out = d->is_torn_down = false;
    d->is_target_lost = d->is_shed = d->is_restarting = false;
    g_clear_pointer(&d->doubt, g_free);
    g_clear_pointer(&d->job_error, g_free);
    d->tap_reasons &= TAP_OPERATOR | TAP_FULL | (d->b->is_credit_low ? TAP_CREDIT : 0);
    d->is_tap_closed = d->is_tap_busy = false;
    d->job = JOB_NONE;
    d->started_ms = d->ended_ms = d->last_moved_ms = d->last_done = 0;
    memset(&d->rate, 0, sizeof d->rate);
}

static void failed(struct drive *d, const char *why)
{
    d->is_out = false; /* fate_broken() leaves by the usual way: nothing of it is in QEMU any more */
    fate_broken(d, why);
}

static void on_undone(void *user, const GError *error)
{
    struct drive *d = user;
    struct backup *b = d->b;
    g_autofree char *why = g_steal_pointer(&b->retake_error);

    (void)error;
    b->retaking = NULL;
    if (!b->is_failing)
        failed(d, why);
}

static void on_retaken(void *user, const GError *error)
{
    struct drive *d = user;
    struct backup *b = d->b;

    if (b->is_failing) {
        b->retaking = NULL;
        return;
    }
    if (error) {
        d->is_out = true; /* what still comes is nobody's */
        b->retake_error = g_strdup(error->message);
        steps_run(b->steps, recipe_undo_retake(d), false, on_undone, d);
        return;
    }
    b->retaking = NULL;
    backup_row(d)->error[0] = backup_row(d)->hint[0] = '\0';
    model_set(backup_row(d)->note, "new instant");
    backup_drive_state(b, d->row, MODEL_RUN);
    backup_log(b, MODEL_INFO, NULL, "drive %s taken again at a new instant", d->name);
    jobs_poll(b);
}

static void retake(struct drive *d)
{
    reset(d);
    d->b->retaking = d;
    d->is_instant_own = true;
    steps_run(d->b->steps, recipe_retake(d), true, on_retaken, d);
}

static bool is_possible_now(const struct backup *b)
{
    bool is_ram_moving = b->ram != RAM_NONE && !b->ram_state.is_done && !b->is_ram_lost;

    return b->model.phase == MODEL_COPY && !b->is_failing && !b->retaking && !is_ram_moving && !b->is_credit_low &&
           monitor_is_up(b);
}

void retake_on_tick(struct backup *b)
{
    for (unsigned i = 0; i < b->drives->len && is_possible_now(b); i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        if (d->is_retake_wanted && d->is_torn_down && uv_now(b->loop) >= d->retake_at_ms)
            retake(d);
    }
}
