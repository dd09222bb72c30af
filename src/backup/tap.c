// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The job is the tap: when buffers run low it is paused by QMP, and resumed when they are back.
 *
 * No reply to QEMU is held back for that: whatever drains in QEMU (a guest's reboot too) would hang on it. What a
 * paused job still has in flight is taken, in buffers or in the spool, but slowly where they are nearly full: see
 * trickle.c.
 */
#include "backup/run.h"

#define IN_FLIGHT_BUFFERS  256 /* over all drives, see tap_workers() */
#define SPOOL_BEGINS_AT    192 /* free buffers, as in writer.c */
#define HYSTERESIS         160
#define SPOOL_NEARLY_EMPTY (16u << 20)
#define MAX_QUEUED         2048 /* extents in memory, about 4 MiB of them */

/* How many requests of 64 KiB each job may have in flight: fewer when there are more drives. */
unsigned tap_workers(const struct backup *b)
{
    return CLAMP(IN_FLIGHT_BUFFERS / b->drives->len, 8, 64);
}

static unsigned pause_below(const struct backup *b)
{
    return SPOOL_BEGINS_AT + tap_workers(b) * MIN(b->drives->len, IN_FLIGHT_BUFFERS / 8);
}

static void on_switched(void *user, const GError *error)
{
    struct drive *d = user;

    (void)error; /* "already paused" and the like: the next poll says what is true */
    d->n_tap_busy--;
    job_end_look(d->b);
}

/* Without waiting for the answer to the last switch: QEMU obeys in order, and what comes next may have to find it
 * closed. */
void tap_update(struct drive *d)
{
    bool should_close = d->tap_reasons != 0;

    if (d->job != JOB_RUNNING || d->is_job_new || d->b->is_failing || !monitor_is_up(d->b) ||
        should_close == d->is_tap_closed)
        return;
    d->n_tap_busy++;
    d->is_tap_closed = should_close;
    if (should_close)
        qmp_job_pause(d->b->qmp, d->job_id, on_switched, d);
    else
        qmp_job_resume(d->b->qmp, d->job_id, on_switched, d);
}

void tap_set(struct drive *d, enum tap_reason reason, bool on)
{
    unsigned old = d->tap_reasons;

    d->tap_reasons = on ? old | reason : old & ~(unsigned)reason;
    if (d->tap_reasons == old)
        return;
    if (reason == TAP_OPERATOR) {
        pace_look(&d->pace, uv_now(d->b->loop), false); /* a second that it stood in tells nothing of it */
        budget_share(d->b);                             /* before it goes on: the others had its part */
    }
    tap_update(d);
}

void tap_job_started(struct drive *d)
{
    d->is_job_new = false;
    job_end_started(d);
    d->first_poll = d->b->n_polls + 1; /* an answer that is on its way may not know it yet */
    d->is_tap_closed = false;
    jobs_poll(d->b); /* a small one may have ended already */
    tap_update(d);
}

/* What was asked for while nobody listened. */
void tap_monitor_back(struct backup *b)
{
    for_each_drive (d, b)
        tap_update(d);
}

static void set_all(struct backup *b, enum tap_reason reason, bool on)
{
    for_each_drive (d, b)
        tap_set(d, reason, on);
}

static bool is_low(const struct backup *b)
{
    return pool_free_count(b->pool) < pause_below(b) || writer_queued(b->writer) > MAX_QUEUED;
}

static bool is_plenty(const struct backup *b)
{
    return pool_free_count(b->pool) > pause_below(b) + HYSTERESIS && writer_queued(b->writer) < MAX_QUEUED / 2 &&
           writer_spool_used(b->writer) < SPOOL_NEARLY_EMPTY;
}

/* While jobs and nodes come and go, QEMU waits each time for what is in flight, and its monitor with it: nothing can be
 * paused then, and what runs on goes far beyond our buffers. So the others rest meanwhile. */
void tap_change_graph(struct backup *b, bool is_under_way)
{
    if (b->drives->len > 1)
        set_all(b, TAP_GRAPH, is_under_way);
}

/* Called for every cluster that lands: two comparisons where nothing changes. */
void tap_check_credit(struct backup *b)
{
    if (!b->writer)
        return;
    trickle_check(b);
    if (!b->is_credit_low && is_low(b)) {
        b->is_credit_low = true;
        set_all(b, TAP_CREDIT, true);
        writer_flush(b->writer);
    } else if (b->is_credit_low && is_plenty(b)) {
        b->is_credit_low = false;
        set_all(b, TAP_CREDIT, false);
    }
}
