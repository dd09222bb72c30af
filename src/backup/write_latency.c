// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watches how the guest's writes fare, by QEMU's own counters, and has the copy give way when they suffer (stall.h).
 *
 * The counters belong to the guest's device, whatever node stands behind it, and count since QEMU's start: their
 * average up to the beginning of the backup is what the guest was used to; while a plan is looked at, what is seen
 * meanwhile counts.
 */
#include <string.h>
#include "backup/run.h"
#include "base/units.h"
#include "pacing/latency.h"

#define LOOK_MS   1000
#define WEIGHT_OF 4 /* of a new figure before the start: a quarter */

static void say_us(uint64_t us, char text[UNITS_LEN])
{
    if (us == MODEL_UNKNOWN)
        g_strlcpy(text, "unknown", UNITS_LEN);
    else if (us < 10000)
        g_snprintf(text, UNITS_LEN, "%.1fms", (double)us / 1000);
    else
        units_format_ms(us / 1000, text);
}

static void tell_impact(struct backup *b, enum stall_change change)
{
    struct model_impact *impact = &b->limits.impact;
    char now[UNITS_LEN], before[UNITS_LEN], rate[UNITS_LEN];

    say_us(impact->write_us, now);
    say_us(impact->base_us, before);
    units_format_size(b->limits.stall.ceiling, rate);
    if (change == STALL_BEGINS) {
        impact->stalls++;
        backup_log(b, MODEL_WARNING, NULL, "guest's writes wait %s (before: %s): copy slowed to %s/s", now, before,
                   rate);
    } else if (change == STALL_OVER) {
        backup_log(b, MODEL_INFO, NULL, "guest's writes are well again: copy at full speed");
    } else if (change == STALL_IN_VAIN) {
        backup_log(b, MODEL_WARNING, "look at the guest's own disks",
                   "guest's writes wait %s, slow or not: it is not the copy; it goes on at full speed", now);
    }
}

static void take_action(struct backup *b, uint64_t passed_ms)
{
    struct model_impact *impact = &b->limits.impact;
    enum stall_change change = stall_look(&b->limits.stall, impact->write_us, impact->base_us, picture_data_rate(b));

    impact->ceiling = b->limits.stall.ceiling;
    impact->is_slowing = b->limits.stall.ceiling != 0;
    impact->held_back_ms += impact->is_slowing ? passed_ms : 0;
    tell_impact(b, change);
    for_each_drive (d, b) {
        backup_row(d)->is_slowed = impact->is_slowing && d->job.state == JOB_RUNNING;
    }
    backup_emit(b, &(struct model_event){.type = MODEL_EV_IMPACT, .drive = -1});
}

static void note_base(struct backup *b, uint64_t us)
{
    uint64_t *base = &b->limits.impact.base_us;

    *base = *base == MODEL_UNKNOWN ? us : *base - *base / WEIGHT_OF + us / WEIGHT_OF;
}

/* The worst drive's. */
static void look_at_histogram(struct drive *d, const struct qmp_histogram *now)
{
    struct model_impact *impact = &d->b->limits.impact;

    if (d->b->phase != MODEL_COPY || d->writes_before.n_bins != now->n_bins)
        d->writes_before = *now;
    uint64_t us = latency_p99_us(&d->writes_before, now);
    if (us != UINT64_MAX && (impact->p99_us == MODEL_UNKNOWN || us > impact->p99_us))
        impact->p99_us = us;
}

static void on_stats(void *user, const struct qmp_blockstat *stats, unsigned n, const GError *error)
{
    struct backup *b = user;
    uint64_t now = uv_now(b->loop), ns = 0, writes = 0;
    uint64_t passed_ms = now - b->limits.watch.looked_ms;
    bool is_first = !b->limits.watch.looked_ms;

    b->limits.watch.is_busy = false;
    if (error || b->is_failing)
        return;
    b->limits.impact.p99_us = MODEL_UNKNOWN;
    for (unsigned i = 0; i < n; i++) {
        struct drive *d = drive_by_device(b, stats[i].qdev);
        if (!d)
            continue;
        look_at_histogram(d, &stats[i].wr_latency);
        ns += stats[i].wr_total_time_ns;
        writes += stats[i].wr_operations;
    }
    bool has_grown = writes > b->limits.watch.writes && ns >= b->limits.watch.ns; /* not after an unplug */
    uint64_t us = has_grown ? (ns - b->limits.watch.ns) / (writes - b->limits.watch.writes) / 1000 : MODEL_UNKNOWN;
    b->limits.watch.writes = writes;
    b->limits.watch.ns = ns;
    b->limits.watch.looked_ms = now;
    if (us != MODEL_UNKNOWN && (is_first || !b->has_begun))
        note_base(b, us);
    b->limits.impact.write_us = us;
    if (b->phase == MODEL_COPY)
        take_action(b, passed_ms);
}

static void look(struct backup *b)
{
    if (b->limits.watch.is_busy || !monitor_is_up(b))
        return;
    b->limits.watch.is_busy = true;
    b->limits.watch.next_ms = uv_now(b->loop) + LOOK_MS;
    qmp_query_blockstats(b->qmp, on_stats, b);
}

/* What was seen of another guest, or by a connection that is gone with its answers. */
void write_latency_begin(struct backup *b)
{
    memset(&b->limits.watch, 0, sizeof b->limits.watch);
    b->limits.impact.write_us = b->limits.impact.base_us = b->limits.impact.p99_us = MODEL_UNKNOWN;
    look(b);
}

void write_latency_on_tick(struct backup *b)
{
    bool is_wanted = b->phase == MODEL_PLAN || b->phase == MODEL_COPY;

    if (is_wanted && !b->is_failing && uv_now(b->loop) >= b->limits.watch.next_ms)
        look(b);
}
