// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives taken once more, at a new instant: their frozen images are gone, their data is out of the archive. For their
 * rows alone the guest is stopped again, as in the first place; the others go on. Drives that broke together are taken
 * together, of one instant; and never while the RAM moves: a background snapshot takes no second stop.
 */
#include <string.h>
#include "backup/run.h"

#define BACKOFF_MS  1000 /* before the first, doubled for each further one */
#define TOGETHER_MS 1000 /* whoever is due within this is waited for */

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
    d->is_target_lost = d->is_restarting = false;
    d->n_refused = 0;
    g_clear_pointer(&d->doubt, g_free);
    g_clear_pointer(&d->job_error, g_free);
    d->pause_reasons &= ~(unsigned)PAUSE_LIMIT;
    d->is_pause_sent = false;
    d->job = JOB_NONE;
    d->started_ms = d->ended_ms = d->last_moved_ms = d->last_done = 0;
    memset(&d->rate, 0, sizeof d->rate);
    d->is_retaking = d->is_instant_own = true;
}

static void for_each(struct backup *b, void (*act)(struct drive *d, const char *why), const char *why)
{
    b->is_retaking = false;
    for_each_drive (d, b) {
        if (!d->is_retaking)
            continue;
        d->is_retaking = false;
        if (!b->is_failing)
            act(d, why);
    }
}

/* Nothing of it is in QEMU any more: it leaves by the usual way, or is tried once more. */
static void take_failure(struct drive *d, const char *why)
{
    d->is_out = false;
    fate_broken(d, why);
}

static void take_success(struct drive *d, const char *why)
{
    (void)why;
    backup_row(d)->error[0] = backup_row(d)->hint[0] = '\0';
    model_set(backup_row(d)->note, "new instant");
    backup_drive_state(d->b, d->row, MODEL_RUN);
    backup_log(d->b, MODEL_INFO, NULL, "drive %s is taken again at a new instant", d->name);
}

static void on_undone(void *user, const GError *error)
{
    struct backup *b = user;
    g_autofree char *why = g_steal_pointer(&b->retake_error);

    (void)error;
    for_each(b, take_failure, why);
}

/* Those that were refused on the way have left already. */
static void forget_refused(struct backup *b)
{
    for_each_drive (d, b) {
        d->is_retaking &= !d->is_out;
    }
}

static void on_retaken(void *user, const GError *error)
{
    struct backup *b = user;

    forget_refused(b);
    if (b->is_failing || !error) {
        for_each(b, take_success, NULL);
        jobs_poll(b);
        return;
    }
    for_each_drive (d, b) {
        d->is_out |= d->is_retaking; /* what still comes is nobody's */
    }
    b->retake_error = g_strdup(error->message);
    steps_run(b->steps, recipe_retake(b, true), false, on_undone, b);
}

static bool is_possible_now(const struct backup *b)
{
    bool is_ram_moving = b->ram != RAM_NONE && !b->ram_state.is_done && !b->is_ram_lost;

    return b->model.phase == MODEL_COPY && !b->is_failing && !b->is_retaking && !is_ram_moving && !b->is_credit_low &&
           monitor_is_up(b);
}

void retake_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);
    unsigned n_due = 0, n_soon = 0;

    if (!is_possible_now(b))
        return;
    for_each_drive (d, b) {
        bool is_due = d->is_retake_wanted && d->is_torn_down && now >= d->retake_at_ms;
        n_due += is_due;
        n_soon += d->is_retake_wanted && !is_due && d->retake_at_ms < now + TOGETHER_MS;
    }
    if (!n_due || n_soon)
        return;
    b->is_retaking = true;
    b->retake_us = 0;
    for_each_drive (d, b) {
        if (d->is_retake_wanted && d->is_torn_down && now >= d->retake_at_ms)
            reset(d);
    }
    steps_run(b->steps, recipe_retake(b, false), true, on_retaken, b);
}
