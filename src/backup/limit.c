// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits: one budget for the whole backup, and bounds of single drives, kept by the speeds that QEMU's jobs are told;
 * and what an operator says of them, by option or command.
 *
 * Once a second the budget is shared out anew among the drives that can use it (pace.c), and those whose speed has
 * changed by more than 6 % are told so. Between that only what cannot wait: an operator's word, and a drive that goes
 * on after a pause. One whose holes have turned into data is paused for the rest of the second.
 */
#include <string.h>
#include "archive/vmstate.h"
#include "backup/run.h"
#include "base/units.h"

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

/* --- what an operator says ---------------------------------------------------------------------- */

static bool is_for_all(const char *target)
{
    return !target || !*target || strcmp(target, "all") == 0;
}

static bool is_ram(const struct backup *b, const char *name)
{
    return b->ram.row >= 0 && strcmp(name, b->model.drives[b->ram.row].name) == 0;
}

/* --- what is asked for -------------------------------------------------------------------------- */

/* A new limit as it was said, or so much more or less than `from`. */
static bool resolve(const struct command *c, uint64_t from, uint64_t *rate, GError **error)
{
    if (c->is_relative && !from)
        return vmb_fail(error, VMB_ERROR_USAGE, "limit: there is none, and no data moves: %+d%% of what?", c->percent);
    *rate = c->is_relative ? command_relative_rate(from, c->percent) : c->rate;
    return true;
}

static void tell(struct backup *b, const char *name, int row, uint64_t old, uint64_t rate)
{
    char was[UNITS_LEN], is[UNITS_LEN];

    backup_note(b, "%s limit %s > %s (operator)", name, old ? units_format_size(old, was) : "none",
                rate ? units_format_size(rate, is) : "none");
    backup_emit(b, &(struct model_event){
                       .type = MODEL_EV_LIMIT, .drive = row, .old_value = old, .new_value = rate, .text = "operator"});
}

static bool limit_all(struct backup *b, const struct command *c, GError **error)
{
    uint64_t old = b->limits.all, rate;

    if (!resolve(c, old ? old : picture_data_rate(b), &rate, error))
        return false;
    b->limits.all = rate;
    budget_share(b);
    tell(b, "all", -1, old, rate);
    return true;
}

static bool limit_drive(struct drive *d, const struct command *c, GError **error)
{
    uint64_t old = d->limit.pace.own,
             now = d->limit.pace.share ? d->limit.pace.share : (uint64_t)d->limit.pace.data_rate, rate;

    if (!resolve(c, now ? now : old, &rate, error))
        return false;
    d->limit.pace.own = rate;
    budget_share(d->b);
    tell(d->b, d->name, (int)d->row, old, rate);
    return true;
}

static bool limit_ram(struct backup *b, const struct command *c, GError **error)
{
    uint64_t old = b->ram.limit, rate;

    if (!resolve(c, old ? old : b->model.drives[b->ram.row].rate, &rate, error) || !ram_limit(b, rate, error))
        return false;
    tell(b, b->model.drives[b->ram.row].name, b->ram.row, old, rate);
    return true;
}

bool limit_command(struct backup *b, const struct command *c, GError **error)
{
    struct drive *d;

    if (is_for_all(c->target))
        return limit_all(b, c, error);
    if (is_ram(b, c->target))
        return limit_ram(b, c, error);
    d = drive_by_name(b, c->target, error);
    return d && limit_drive(d, c, error);
}

/* --- options ------------------------------------------------------------------------------------ */

static bool apply(struct backup *b, const struct backup_limit *limit, GError **error)
{
    struct drive *d = limit->drive ? drive_by_name(b, limit->drive, NULL) : NULL;

    if (is_for_all(limit->drive))
        b->limits.all = limit->rate;
    else if (is_ram(b, limit->drive) && b->ram.method != RAM_NONE)
        return ram_limit(b, limit->rate, error);
    else if (d)
        d->limit.pace.own = limit->rate;
    else if (!model_find_drive(&b->model, limit->drive)) /* one that is left out may have a limit */
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE, "limit: guest has no drive %s", limit->drive);
    return is_for_all(limit->drive) || model_find_drive(&b->model, limit->drive);
}

/* Those that were there before are taken away: a plan that is made anew may have fewer. */
bool limit_apply_options(struct backup *b, GError **error)
{
    b->limits.all = b->ram.limit = 0;
    for_each_drive (d, b)
        d->limit.pace.own = 0;
    for (unsigned i = 0; i < b->options.limits->len; i++)
        if (!apply(b, &g_array_index(b->options.limits, struct backup_limit, i), error))
            return false;
    return true;
}
