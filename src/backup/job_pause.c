// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credit: when buffers run low the jobs are paused by QMP, and resumed when these are back.
 *
 * No reply to QEMU is held back for that: whatever drains in QEMU (a guest's reboot too) would hang on it. What a
 * paused job still has in flight is taken, in buffers or in the spool, but slowly where they are nearly full: the last
 * buffers are made to last until QEMU has obeyed.
 *
 * Its monitor may take some 100 ms to, and a job pushes hundreds of MiB meanwhile. Writes without a buffer must be
 * refused, and a job that is started again passes its whole drive once more. So while buffers are scarce the jobs'
 * connections are read one write at a time, in turn, a few every TICK_MS, and fewer the fewer buffers there are. That
 * delays replies, but within a bound: whatever in QEMU waits for all that is in flight waits half a second at most. The
 * connections of filters, and of jobs that stand between a guest and its drive, are always read at once.
 */
#include "backup/run.h"

#define IN_FLIGHT_BUFFERS  256 /* over all drives, see job_workers() */
#define HYSTERESIS         160
#define SPOOL_NEARLY_EMPTY (16u << 20)
#define MAX_QUEUED         2048 /* extents in memory, about 4 MiB of them */

#define BELOW_FREE   384 /* all that may be in flight, the filters' reserve, and some */
#define TICK_MS      4
#define FEWEST       2  /* writes a tick: 256 in flight are through in 0.5 s */
#define LAST_BUFFERS 64 /* the filters' reserve: see pool.c */
#define SHARE        80 /* each tick takes this fraction of what is free beyond the reserve: it halves in 0.2 s */

/* --- the last buffers --------------------------------------------------------------------------- */

static bool may_be_held(const struct port *p)
{
    return p->conn && p->source.purpose == POOL_FOR_JOB;
}

void job_throttle_took(struct port *p)
{
    if (p->drive->b->jobs.throttle.is_on && may_be_held(p))
        nbd_conn_hold(p->conn, true);
}

static void release(struct backup *b, unsigned n_writes)
{
    for (unsigned i = 0; i < b->drives->len && n_writes; i++) {
        struct drive *d = g_ptr_array_index(b->drives, b->jobs.throttle.next++ % b->drives->len);
        if (!may_be_held(&d->target))
            continue;
        nbd_conn_hold(d->target.conn, false);
        n_writes--;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct backup *b = timer->data;
    unsigned n_free = pool_free_count(b->archive.pool);

    release(b, MAX(FEWEST, n_free > LAST_BUFFERS ? (n_free - LAST_BUFFERS) / SHARE : 0));
}

void job_throttle_check(struct backup *b)
{
    bool should_be_on = b->jobs.n && pool_free_count(b->archive.pool) < BELOW_FREE && !b->is_failing;

    if (should_be_on == b->jobs.throttle.is_on)
        return;
    b->jobs.throttle.is_on = should_be_on;
    if (should_be_on) {
        uv_timer_start(&b->jobs.throttle.timer, on_tick, TICK_MS, TICK_MS);
    } else {
        uv_timer_stop(&b->jobs.throttle.timer);
        release(b, b->drives->len);
    }
}

void job_throttle_init(struct backup *b)
{
    uv_timer_init(b->loop, &b->jobs.throttle.timer);
    b->jobs.throttle.timer.data = b;
}

void job_throttle_close(struct backup *b)
{
    uv_close((uv_handle_t *)&b->jobs.throttle.timer, NULL);
}

/* --- pauses ------------------------------------------------------------------------------------- */

/* How many requests of 64 KiB each job may have in flight: fewer when there are more drives. */
unsigned job_workers(const struct backup *b)
{
    return CLAMP(IN_FLIGHT_BUFFERS / b->drives->len, 8, 64);
}

static unsigned pause_below(const struct backup *b)
{
    return WRITER_SPOOLS_BELOW + job_workers(b) * MIN(b->jobs.n, IN_FLIGHT_BUFFERS / 8);
}

static void on_switched(void *user, const GError *error)
{
    struct drive *d = user;

    (void)error; /* "already paused" and the like: the next poll says what is true */
    d->job.n_pauses_unanswered--;
    job_end_look(d->b);
}

/* Without waiting for the answer to the last one: QEMU obeys in order, and the command that comes next may need the job
 * paused. */
void job_pause_update(struct drive *d)
{
    bool should_pause = d->job.pause_reasons != 0;

    if (d->is_pulled) {
        if (d->pull.reader)
            pull_pause(d->pull.reader, d->job.pause_reasons & (PAUSE_OPERATOR | PAUSE_FULL));
        puller_pump(d->b->pulls.readers);
        return;
    }
    if (d->job.state != JOB_RUNNING || d->job.is_new || d->b->is_failing || !monitor_is_up(d->b) ||
        should_pause == d->job.is_pause_sent)
        return;
    d->job.n_pauses_unanswered++;
    d->job.is_pause_sent = should_pause;
    if (should_pause)
        qmp_job_pause(d->b->qmp, d->names.job, on_switched, d);
    else
        qmp_job_resume(d->b->qmp, d->names.job, on_switched, d);
}

void job_pause_set(struct drive *d, enum pause_reason reason, bool on)
{
    unsigned old = d->job.pause_reasons;

    d->job.pause_reasons = on ? old | reason : old & ~(unsigned)reason;
    if (d->job.pause_reasons == old)
        return;
    if (reason == PAUSE_OPERATOR) {
        pace_look(&d->limit.pace, uv_now(d->b->loop), false); /* a second that it stood in tells nothing of it */
        budget_share(d->b);                                   /* before it goes on: the others had its part */
    }
    job_pause_update(d);
}

void job_pause_job_started(struct drive *d)
{
    d->job.is_new = false;
    job_end_started(d);
    d->job.first_poll = d->b->jobs.n_polls + 1; /* an answer that is on its way may not know it yet */
    d->job.is_pause_sent = false;
    jobs_poll(d->b); /* a small one may have ended already */
    job_pause_update(d);
}

/* What was asked for while nobody listened. */
void job_pause_monitor_back(struct backup *b)
{
    for_each_drive (d, b)
        job_pause_update(d);
}

static void set_all(struct backup *b, enum pause_reason reason, bool on)
{
    for_each_drive (d, b)
        job_pause_set(d, reason, on);
}

static bool is_low(const struct backup *b)
{
    return pool_free_count(b->archive.pool) < pause_below(b) || writer_queued(b->archive.writer) > MAX_QUEUED;
}

static bool is_plenty(const struct backup *b)
{
    return pool_free_count(b->archive.pool) > pause_below(b) + HYSTERESIS &&
           writer_queued(b->archive.writer) < MAX_QUEUED / 2 &&
           writer_spool_backlog(b->archive.writer) < SPOOL_NEARLY_EMPTY;
}

/* While jobs and nodes come and go, QEMU waits each time for what is in flight, and its monitor with it: nothing can be
 * paused then, and what runs on goes far beyond our buffers. So the others rest meanwhile. */
void job_pause_for_graph(struct backup *b, bool is_under_way)
{
    if (b->drives->len > 1)
        set_all(b, PAUSE_GRAPH, is_under_way);
}

/* Called for every cluster that lands: two comparisons where nothing changes. */
void job_pause_check_credit(struct backup *b)
{
    if (!b->archive.writer)
        return;
    job_throttle_check(b);
    if (!b->jobs.is_credit_low && is_low(b)) {
        b->jobs.is_credit_low = true;
        set_all(b, PAUSE_CREDIT, true);
        writer_flush(b->archive.writer);
    } else if (b->jobs.is_credit_low && is_plenty(b)) {
        b->jobs.is_credit_low = false;
        set_all(b, PAUSE_CREDIT, false);
    }
}
