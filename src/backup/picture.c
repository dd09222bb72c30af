// SPDX-License-Identifier: GPL-2.0-or-later
/* Fills the model: the run as plain values. */
#include "archive/map.h"
#include "archive/readback.h"
#include "archive/vmstate.h"
#include "backup/run.h"

#define STALLED_MS      5000
#define MIN_AVERAGE_MS  500                  /* less is noise */
#define MIN_RATIO_BYTES (UINT64_C(64) << 20) /* from less nothing follows for the rest */

/* --- one drive ---------------------------------------------------------------------------------- */

static uint64_t held_bytes(struct drive *d)
{
    uint64_t unchanged = backup_row(d)->track.unchanged;

    return d->intake.clusters ? MIN(vma_assemble_held(d->intake.clusters) * VMA_CLUSTER_SIZE + unchanged, d->size) : 0;
}

/* What was read, or brought by the filter: unchanged data counts as done, but has no speed. */
static uint64_t moved_bytes(const struct model_drive *row)
{
    return row->done - MIN(row->track.unchanged, row->done);
}

static void note_movement(struct drive *d, uint64_t done, uint64_t now)
{
    if (done != d->progress.last_done || !d->progress.last_moved_ms || d->job.pause_reasons)
        d->progress.last_moved_ms = now;
    d->progress.last_done = done;
}

static enum model_state state_of(const struct drive *d, enum model_state now)
{
    if (now != MODEL_RUN && now != MODEL_PAUSE)
        return now;
    return d->job.pause_reasons & PAUSE_OPERATOR ? MODEL_PAUSE : MODEL_RUN;
}

/* In the plan too. */
static void fill_limit(struct drive *d)
{
    struct model_drive *row = backup_row(d);

    row->limit = d->job.state == JOB_RUNNING ? d->limit.confirmed : d->limit.pace.own;
    row->limit_wanted = d->limit.pace.own;
    row->is_limit_shared = d->job.state == JOB_RUNNING && d->limit.pace.is_shared;
}

/* Holes pass much faster than data: what is left is forecast by how much of each there is. What has not changed is
 * neither. */
static uint64_t eta_of(struct drive *d, uint64_t now)
{
    const struct model_drive *row = backup_row(d);
    uint64_t moved = moved_bytes(row), holes = MIN(row->zero, moved), data_left, holes_left;

    eta_add(&d->progress.eta, moved - holes, holes, now);
    eta_split(row->size - row->track.unchanged, row->used, moved - holes, holes, &data_left, &holes_left);
    return row->state == MODEL_RUN ? eta_left_ms(&d->progress.eta, data_left, holes_left, now) : MODEL_UNKNOWN;
}

static bool may_retry(const struct drive *d)
{
    return !d->b->is_failing && !d->is_left && drive_state_may(d->state, DRIVE_MAY_RETRY) &&
           (!drive_is(d, DRIVE_IS_OUT) || target_can_drop(d->b));
}

static void fill_drive(struct drive *d, uint64_t now)
{
    struct model_drive *row = backup_row(d);
    uint64_t done, moved;

    row->track.unchanged = d->track.is_incremental ? d->size - MIN(d->track.changed, d->size) : 0;
    row->done = done = held_bytes(d);
    moved = moved_bytes(row);
    if (row->state == MODEL_RUN && !d->progress.started_ms)
        d->progress.started_ms = now;
    rate_add(&d->progress.rate, moved, now);
    rate_add(&d->progress.data_rate, d->limit.pace.job_data + d->limit.pace.filter_data, now);
    note_movement(d, done, now);
    if (d->intake.lane)
        row->zero = MIN(writer_lane_zero_bytes(d->intake.lane), row->done);
    if (d->intake.lane)
        map_fill(writer_lane_map(d->intake.lane), row->map.held, row->map.zero);
    row->retry_in_ms = d->job.restart_at_ms > now ? d->job.restart_at_ms - now : 0;
    row->rate = row->state == MODEL_RUN ? rate_per_s(&d->progress.rate, now) : 0;
    row->data_rate = row->state == MODEL_RUN ? rate_per_s(&d->progress.data_rate, now) : 0;
    row->peak = rate_peak(&d->progress.rate);
    row->is_limit_binding = row->limit && row->state == MODEL_RUN && pace_is_bound(&d->limit.pace);
    row->filter.bytes = d->limit.pace.filter_data;
    row->filter.rate = (uint64_t)d->limit.pace.filter_rate;
    row->paused.by_operator = d->job.pause_reasons & PAUSE_OPERATOR;
    row->paused.by_target = d->job.pause_reasons & (PAUSE_CREDIT | PAUSE_FULL);
    row->state = state_of(d, row->state);
    row->instant_us = d->instant_us;
    row->is_instant_own = d->is_instant_own;
    row->keeps_instant = d->state == DRIVE_STANDING;
    row->may_retry = may_retry(d);
    row->elapsed_ms =
        d->progress.started_ms ? (d->progress.ended_ms ? d->progress.ended_ms : now) - d->progress.started_ms : 0;
    row->average = row->elapsed_ms >= MIN_AVERAGE_MS ? moved * 1000 / row->elapsed_ms : 0;
    row->eta_ms = eta_of(d, now);
    row->stalled_ms =
        row->state == MODEL_RUN && now - d->progress.last_moved_ms > STALLED_MS ? now - d->progress.last_moved_ms : 0;
}

static void fill_ram(struct backup *b, uint64_t now)
{
    struct model_drive *row = &b->model.drives[b->ram.row];
    uint64_t bytes;

    if (b->ram.method == RAM_NONE)
        return;
    row->takes_no_limit = b->ram.method == RAM_BACKGROUND;
    row->limit_wanted = row->limit = b->ram.limit;
    row->is_limit_binding = row->limit && b->ram.is_moving && row->rate > row->limit / 10 * 8;
    if (b->ram.vmstate)
        b->ram.bytes = vmstate_bytes(b->ram.vmstate);
    bytes = b->ram.bytes;
    rate_add(&b->ram.rate, bytes, now);
    row->rate = row->data_rate = b->ram.is_moving ? rate_per_s(&b->ram.rate, now) : 0;
    row->done = bytes;
    if (b->ram.is_moving && b->ram.total) /* a plain migration sends changed pages again */
        row->size = bytes + b->ram.remaining;
    if (b->ram.is_done)
        row->size = bytes;
    row->eta_ms = b->ram.is_moving ? rate_eta_ms(&b->ram.rate, row->size, now) : MODEL_UNKNOWN;
    if (b->ram.started_ms)
        row->elapsed_ms = (b->ram.ended_ms ? b->ram.ended_ms : now) - b->ram.started_ms;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void fill_totals(struct model *m)
{
    m->total = m->done = m->zero = 0;
    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *row = &m->drives[i];
        if (!row->is_included || row->state == MODEL_CANCELLED) /* nothing of it is wanted any more */
            continue;
        m->total += row->size;
        m->done += row->done;
        m->zero += row->zero;
    }
}

static enum model_bottleneck bottleneck_of(const struct backup *b)
{
    bool is_limited = false, does_any_run = false, is_any_paused = false;

    for_each_drive (d, b) {
        const struct model_drive *row = backup_row(d);
        is_limited |= row->state == MODEL_RUN && row->is_limit_binding;
        does_any_run |= row->state == MODEL_RUN;
        is_any_paused |= row->state == MODEL_PAUSE;
    }
    if (b->jobs.is_credit_low || puller_is_starved(b->pulls.readers) || b->archive.is_full)
        return b->archive.writer && writer_is_cpu_bound(b->archive.writer) ? MODEL_BY_CPU : MODEL_BY_SINK;
    if (is_limited)
        return MODEL_BY_LIMIT;
    return is_any_paused && !does_any_run ? MODEL_BY_OPERATOR : MODEL_BY_SOURCE;
}

/* The longest of what moves side by side, not their sum. */
static uint64_t longest_eta(const struct model *m)
{
    uint64_t longest = 0;

    for (unsigned i = 0; i < m->n_drives; i++) {
        const struct model_drive *row = &m->drives[i];
        if (!row->is_included || (row->state != MODEL_RUN && row->state != MODEL_PAUSE && row->state != MODEL_WAIT &&
                                  row->state != MODEL_RETRY))
            continue;
        if (row->eta_ms == MODEL_UNKNOWN)
            return MODEL_UNKNOWN;
        longest = MAX(longest, row->eta_ms);
    }
    return longest;
}

/* What is still to come shrinks as what came. */
static uint64_t still_needed(const struct backup *b)
{
    const struct model *m = &b->model;
    uint64_t plain = b->archive.forecast_bytes > m->sink.packed ? b->archive.forecast_bytes - m->sink.packed : 0;

    if (m->phase >= MODEL_FINISH)
        return 0;
    return (uint64_t)((double)plain * (m->sink.packed > MIN_RATIO_BYTES
                                           ? (double)m->sink.written / (double)m->sink.packed
                                           : b->archive.packs_to));
}

static void fill_target(struct backup *b, uint64_t now)
{
    struct model *m = &b->model;

    if (!b->archive.sink)
        return;
    m->sink.is_pipe = !sink_can_rewrite(b->archive.sink);
    m->sink.written = sink_written(b->archive.sink);
    m->sink.stuck_ms = sink_stuck_ms(b->archive.sink);
    m->sink.free_bytes = sink_free_bytes(b->archive.sink);
    m->sink.packed = b->archive.writer ? writer_plain_bytes(b->archive.writer) : m->sink.packed;
    m->sink.need_bytes = still_needed(b);
    m->sink.will_fit = m->sink.free_bytes == MODEL_UNKNOWN || m->sink.free_bytes > m->sink.need_bytes;
    m->sink.spool_used = b->archive.writer ? writer_spool_used(b->archive.writer) : 0;
    m->sink.buffers_total = pool_total(b->archive.pool);
    m->sink.buffers_used = m->sink.buffers_total - pool_free_count(b->archive.pool);
    b->picture.no_buffers_since_ms = m->sink.buffers_used < m->sink.buffers_total ? 0
                                     : b->picture.no_buffers_since_ms             ? b->picture.no_buffers_since_ms
                                                                                  : now;
    m->sink.no_buffers_ms = b->picture.no_buffers_since_ms ? now - b->picture.no_buffers_since_ms : 0;
    rate_add(&b->picture.out_rate, m->sink.written, now);
    m->out_rate = rate_per_s(&b->picture.out_rate, now);
}

/* For how long each was what held the rest back. */
static void count_bottleneck(struct backup *b, uint64_t now)
{
    struct model *m = &b->model;

    if (b->picture.counted_at_ms && m->phase >= MODEL_RAM && m->phase <= MODEL_COPY)
        m->slowest.ms[m->slowest.by] += now - b->picture.counted_at_ms;
    b->picture.counted_at_ms = now;
}

static void fill_reading(struct backup *b)
{
    struct model *m = &b->model;
    struct readback_progress progress;

    if (!b->archive.readback)
        return;
    readback_look(b->archive.readback, &progress);
    m->end.read_done = progress.done;
    m->end.read_total = progress.total;
    m->end.read_rate = progress.rate;
    m->eta_ms = progress.eta_ms;
}

static void name_recipe(struct backup *b)
{
    model_set(b->model.recipe, "%s, %s", b->options.guard == BACKUP_GUARD_DIRECT ? "direct" : "guard",
              b->ram.is_lost                    ? "RAM left out"
              : b->ram.method == RAM_NONE       ? "without RAM"
              : b->ram.method == RAM_BACKGROUND ? "background snapshot"
                                                : "plain migration");
}

static void fill_state(struct backup *b)
{
    struct model *m = &b->model;

    m->phase = b->phase;
    if (m->phase >= MODEL_PLAN)
        name_recipe(b);
    m->link.is_lost = b->has_begun && b->link.lost_at_ms;
    m->link.attempt = b->link.attempt;
    model_set(m->guest_state, "%s", b->guest.status);
    m->pause_ms = b->guest.pause_ms;
    m->global_limit = b->limits.all;
    m->impact = b->limits.impact;
    m->sink.is_full = b->archive.is_full;
    m->end.is_verified = b->archive.is_verified;
    m->end.reading = b->archive.reading;
    m->left.n = b->tidy.n_leftovers;
    model_set(m->left.what, "%s", b->tidy.leftovers);
    m->left.is_cleaning = b->tidy.is_cleaning;
}

uint64_t picture_data_rate(const struct backup *b)
{
    return rate_per_s(&b->picture.data_rate, uv_now(b->loop));
}

void picture_fill(struct backup *b)
{
    struct model *m = &b->model;
    uint64_t now = uv_now(b->loop);

    fill_state(b);
    fill_reading(b);
    if (b->end.is_reported)
        return;
    if (b->ram.row >= 0)
        fill_ram(b, now);
    for_each_drive (d, b)
        fill_limit(d);
    for_each_drive (d, b)
        if (b->has_begun)
            fill_drive(d, now);
    fill_totals(m);
    rate_add(&b->picture.in_rate, model_read_bytes(m), now);
    m->in_rate = rate_per_s(&b->picture.in_rate, now);
    rate_add(&b->picture.data_rate, b->limits.pot.taken, now);
    m->data_rate = picture_data_rate(b);
    m->elapsed_ms = b->started_ms ? now - b->started_ms : 0;
    if (!b->archive.readback)
        m->eta_ms = m->phase == MODEL_COPY || m->phase == MODEL_RAM ? longest_eta(m) : MODEL_UNKNOWN;
    m->slowest.by = bottleneck_of(b);
    count_bottleneck(b, now);
    m->link.data_age_ms = b->qmp ? now - qmp_last_heard_ms(b->qmp) : b->link.lost_at_ms ? now - b->link.lost_at_ms : 0;
    m->link.retry_in_ms = b->link.next_try_ms > now ? b->link.next_try_ms - now : 0;
    m->loop.p99_us = pulse_p99_us(&b->pulse);
    m->loop.max_us = b->pulse.n ? b->pulse.max_us : MODEL_UNKNOWN;
    fill_target(b, now);
}
