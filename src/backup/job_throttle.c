// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last buffers are made to last until QEMU has obeyed a pause.
 *
 * Its monitor may take some 100 ms to, and a job pushes hundreds of MiB meanwhile. Writes without a buffer must be
 * refused, and a job that is started again passes its whole drive once more. So while buffers are scarce the jobs'
 * connections are read one write at a time, in turn, a few every TICK_MS, and fewer the fewer buffers there are. That
 * delays replies, but within a bound: whatever in QEMU waits for all that is in flight waits half a second at most. The
 * connections of filters, and of jobs that stand between a guest and its drive, are always read at once.
 */
#include "backup/run.h"

#define BELOW_FREE   384 /* all that may be in flight, the filters' reserve, and some */
#define TICK_MS      4
#define FEWEST       2  /* writes a tick: 256 in flight are through in 0.5 s */
#define LAST_BUFFERS 64 /* the filters' reserve: see pool.c */
#define SHARE        80 /* each tick takes this fraction of what is free beyond the reserve: it halves in 0.2 s */

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
