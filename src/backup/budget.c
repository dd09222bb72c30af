// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits: one budget for the whole backup, and bounds of single drives, kept by the speeds that QEMU's jobs are told.
 *
 * Once a second the budget is shared out anew among the drives that can use it (pace.c), and those whose speed has
 * changed by more than 6 % are told so. Between that only what cannot wait: an operator's word, and a drive that goes
 * on after a pause. One whose holes have turned into data is paused for the rest of the second.
 */
#include "archive/vmstate.h"
#include "backup/run.h"

#define SHARE_MS 1000

/* --- telling QEMU ------------------------------------------------------------------------------- */

static void send_speed(struct drive *d);

static void on_speed_set(void *user, const GError *error)
{
    struct drive *d = user;

    d->limit.is_busy = false;
    d->limit.is_unknown = error != NULL; /* then it is sent again within a second */
    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_GONE))
        return;
    if (error && d->job.state == JOB_RUNNING && !d->limit.is_refused) {
        d->limit.is_refused = true;
        backup_log(d->b, MODEL_WARNING, NULL, "drive %s: QEMU refuses the limit: %s", d->name, error->message);
    }
    if (!error)
        d->limit.confirmed = d->limit.share_sent;
    if (!error)
        send_speed(d); /* it may have changed meanwhile */
}

static void send_speed(struct drive *d)
{
    uint64_t speed = pace_speed(&d->limit.pace);

    if (d->is_pulled) {
        d->limit.confirmed = d->limit.pace.share;
        return;
    }
    if (d->job.state != JOB_RUNNING || d->job.is_new || d->limit.is_busy || d->b->is_failing || !monitor_is_up(d->b))
        return;
    if (!d->limit.is_unknown && !pace_matters(d->limit.speed_sent, speed)) {
        d->limit.confirmed = d->limit.pace.share; /* as near as makes no difference */
        return;
    }
    d->limit.is_busy = true;
    d->limit.speed_sent = speed;
    d->limit.share_sent = d->limit.pace.share;
    qmp_job_set_speed(d->b->qmp, d->names.job, (int64_t)speed, on_speed_set, d);
}

/* What a poll has found: ours, or what somebody else has set, which stays until ours changes. */
void budget_see_speed(struct drive *d, uint64_t speed)
{
    if (d->limit.is_busy || speed == d->limit.speed_sent)
        return;
    d->limit.confirmed = d->limit.pace.holes > 1 ? (uint64_t)((double)speed / d->limit.pace.holes) : speed;
}

/* --- sharing ------------------------------------------------------------------------------------ */

/* Before the copy begins all are taken for running: each job starts with its share. */
static bool is_sharing(const struct drive *d)
{
    if (drive_is(d, DRIVE_IS_SAVED) || d->job.pause_reasons & PAUSE_OPERATOR)
        return false;
    return d->b->phase < MODEL_COPY || d->job.state == JOB_RUNNING;
}

static void share(struct backup *b)
{
    g_autofree struct pace **paces = g_new(struct pace *, b->drives->len);
    uint64_t ceiling = b->limits.impact.ceiling;
    unsigned n = 0;

    b->limits.pot.budget = ceiling && (!b->limits.all || ceiling < b->limits.all) ? ceiling : b->limits.all;
    for_each_drive (d, b) {
        if (is_sharing(d))
            paces[n++] = &d->limit.pace;
    }
    if (n)
        pace_share(&b->limits.pot, paces, n, uv_now(b->loop));
}

/* What the budget leaves when QEMU's own jobs have their shares. */
static uint64_t rate_of_pulled(const struct backup *b)
{
    uint64_t jobs = 0;

    for_each_drive (d, b) {
        if (!d->is_pulled && d->job.state == JOB_RUNNING)
            jobs += d->limit.pace.share;
    }
    return b->limits.pot.budget ? MAX(b->limits.pot.budget - MIN(b->limits.pot.budget, jobs), 1) : 0;
}

static void set_pull_rates(struct backup *b)
{
    puller_set_rate(b->pulls.readers, rate_of_pulled(b));
    for_each_drive (d, b) {
        if (d->pull.reader)
            pull_set_rate(d->pull.reader, d->limit.pace.own);
    }
    puller_pump(b->pulls.readers);
}

void budget_share(struct backup *b)
{
    share(b);
    for_each_drive (d, b)
        send_speed(d);
    set_pull_rates(b);
}

/* For the command that starts its job. */
int64_t budget_first_speed(struct drive *d)
{
    share(d->b);
    d->limit.is_busy = d->limit.is_unknown = d->limit.is_refused = false;
    d->limit.share_sent = d->limit.confirmed = d->limit.pace.share;
    d->limit.speed_sent = pace_speed(&d->limit.pace);
    return (int64_t)d->limit.speed_sent;
}

/* --- counting ----------------------------------------------------------------------------------- */

/* `bytes` came on this port. is_news: data that was not held yet; else zeros, or what the other export has brought. */
void budget_count(struct port *p, uint32_t bytes, bool is_news)
{
    struct drive *d = p->drive;

    if (is_news) {
        d->b->limits.pot.taken += bytes;
        *(p->is_filter ? &d->limit.pace.filter_data : &d->limit.pace.job_data) += bytes;
    } else if (!p->is_filter) {
        d->limit.pace.job_holes += bytes;
    }
    if (d->is_pulled) {
        if (p->is_filter && is_news)
            pull_count(d->pull.reader, bytes);
    } else if (pace_is_ahead(&d->b->limits.pot, &d->limit.pace)) {
        pace_brake(&d->limit.pace, uv_now(d->b->loop));
        job_pause_set(d, PAUSE_LIMIT, true);
    }
}

/* RAM that comes beside the drives cannot be slowed: the drives make room for it. */
static void count_ram(struct backup *b)
{
    uint64_t bytes = b->ram.vmstate && b->ram.method == RAM_BACKGROUND ? vmstate_bytes(b->ram.vmstate) : 0;

    if (bytes > b->ram.counted)
        b->limits.pot.taken += bytes - b->ram.counted;
    b->ram.counted = bytes;
}

void budget_on_tick(struct backup *b)
{
    uint64_t now = uv_now(b->loop);

    if (b->phase != MODEL_COPY || b->is_failing || now < b->limits.next_share_ms)
        return;
    b->limits.next_share_ms =
        MAX(b->limits.next_share_ms, now - SHARE_MS) + SHARE_MS; /* seconds, as exactly as ticks come */
    count_ram(b);
    for_each_drive (d, b) {
        pace_look(&d->limit.pace, now, d->job.state == JOB_RUNNING && !(d->job.pause_reasons & ~(unsigned)PAUSE_LIMIT));
    }
    budget_share(b);
    for_each_drive (d, b) {
        if (!d->limit.pace.is_braked)
            job_pause_set(d, PAUSE_LIMIT, false);
    }
}
