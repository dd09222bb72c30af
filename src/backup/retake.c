// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives taken once more, at a new instant (from the same one: job_verdict.c, jobs.c): their frozen images are gone,
 * their data is out of the archive. For their rows alone the guest is stopped again, as in the first place; the others
 * go on. Drives that broke together are taken together, of one instant; and never while the RAM moves: a background
 * snapshot takes no second stop.
 */
#include <string.h>
#include "backup/fate.h"
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"

#define BACKOFF_MS  1000 /* before the first, doubled for each further one */
#define TOGETHER_MS 1000 /* whoever is due within this is waited for */

void retake_later(struct drive *d)
{
    d->job.restart_at_ms = 0;
    d->retake_at_ms = uv_now(d->b->loop) + (d->retries ? (uint64_t)BACKOFF_MS << MIN(d->retries - 1, 6) : 0);
    backup_row(d)->retries = d->retries;
}

/* As a drive that was never begun. */
static void reset(struct drive *d)
{
    d->job.is_target_lost = false;
    d->job.n_refused = 0;
    g_clear_pointer(&d->doubt, g_free);
    g_clear_pointer(&d->job.error, g_free);
    d->job.pause_reasons &= ~(unsigned)PAUSE_LIMIT;
    d->job.is_pause_sent = false;
    d->job.state = JOB_NONE;
    d->progress.started_ms = d->progress.ended_ms = d->progress.last_moved_ms = d->progress.last_done = 0;
    memset(&d->progress.rate, 0, sizeof d->progress.rate);
    d->is_instant_own = true;
    drive_become(d, DRIVE_RETAKING);
}

static void take_failure(void *user, const GError *error)
{
    struct backup *b = user;
    g_autofree char *why = g_steal_pointer(&b->retake.error);

    b->retake.is_under_way = false;
    for_each_drive (d, b) {
        if (d->state == DRIVE_RETAKE_LEAVING && !b->is_failing)
            fate_not_retaken(d, why);
    }
}

static void take_success(struct drive *d)
{
    drive_become(d, DRIVE_COPYING);
    backup_row(d)->error[0] = backup_row(d)->hint[0] = '\0';
    model_set(backup_row(d)->note, "new instant");
    backup_log(d->b, MODEL_INFO, NULL, "drive %s is taken again at a new instant", d->name);
    if (d->job.state == JOB_ENDED) /* before the last rows of the list were through */
        fate_judge(d);
}

/* Those that were refused on the way have left already. */
static void on_retaken(void *user, const GError *error)
{
    struct backup *b = user;

    for_each_drive (d, b) {
        if (d->state != DRIVE_RETAKING)
            continue;
        if (error)
            drive_become(d, DRIVE_RETAKE_LEAVING); /* what still comes is nobody's */
        else if (!b->is_failing)
            take_success(d);
    }
    if (b->is_failing || !error) {
        b->retake.is_under_way = false;
        jobs_poll(b);
        return;
    }
    b->retake.error = g_strdup(error->message);
    steps_run(b->steps, recipe_retake(b, true), false, take_failure, b);
}

static bool is_possible_now(const struct backup *b)
{
    return b->phase == MODEL_COPY && !b->is_failing && !b->retake.is_under_way && !ram_is_awaited(b) &&
           !b->jobs.is_credit_low && monitor_is_up(b);
}

static bool is_due(const struct drive *d, uint64_t now)
{
    return d->state == DRIVE_BROKEN && now >= d->retake_at_ms;
}

void retake_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);
    unsigned n_due = 0, n_soon = 0;

    if (!is_possible_now(b))
        return;
    for_each_drive (d, b) {
        bool is_wanted = d->state == DRIVE_BROKEN || d->state == DRIVE_BROKEN_LEAVING;
        n_due += is_due(d, now);
        n_soon += is_wanted && !is_due(d, now) && d->retake_at_ms < now + TOGETHER_MS;
    }
    if (!n_due || n_soon)
        return;
    b->retake.is_under_way = true;
    b->retake.instant_us = 0;
    for_each_drive (d, b) {
        if (is_due(d, now))
            reset(d);
    }
    steps_run(b->steps, recipe_retake(b, false), true, on_retaken, b);
}
