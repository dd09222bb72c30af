// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jobs end one at a time, while the others rest.
 *
 * When a job ends, QEMU waits several times for all that the other jobs have in flight, and its monitor with it; what
 * runs on fills up again each time. Where buffers are scarce each of these waits takes up to half a second
 * (job_pause.c), and the drives of a guest are often of one size and end at once. So when one comes
 * near its end, the others are paused, for FIRST_MS at most. QEMU may be too busy to obey in time. So the answer to a
 * job's last write is kept until it has obeyed, for KEPT_MS at most: whatever waits for that write in QEMU waits no
 * longer.
 */
#include "backup/run.h"

#define NEAR_MS  1500 /* at its speed so far */
#define SPEED_MS 250  /* a speed of less is none */
#define FIRST_MS 2500
#define KEPT_MS  200

static void keep_answer(struct drive *d, bool is_kept)
{
    d->job.is_answer_kept = is_kept;
    if (d->target.conn)
        nbd_conn_keep_replies(d->target.conn, is_kept);
}

static bool is_at_rest(const struct drive *d)
{
    return d->job.state != JOB_RUNNING || (d->job.is_pause_sent && !d->job.n_pauses_unanswered);
}

static bool are_others_at_rest(const struct backup *b, const struct drive *first)
{
    for_each_drive (d, b) {
        if (d != first && !is_at_rest(d))
            return false;
    }
    return true;
}

/* Under a limit little is in flight, and the others would miss what they rest of theirs. */
static bool is_near(const struct drive *d, uint64_t end)
{
    uint64_t took_ms = uv_now(d->b->loop) - d->job.began_ms;

    return !d->limit.pace.share && took_ms >= SPEED_MS && (double)(d->size - end) * took_ms < (double)NEAR_MS * end;
}

/* --- whose turn it is --------------------------------------------------------------------------- */

static void leave_queue(struct backup *b, GList *at)
{
    struct drive *d = at->data;

    keep_answer(d, false);
    g_queue_delete_link(&b->jobs.ending.drives, at);
}

static void drop_those_over(struct backup *b)
{
    for (GList *at = b->jobs.ending.drives.head, *next; at; at = next) {
        next = at->next;
        if (((struct drive *)at->data)->job.state != JOB_RUNNING)
            leave_queue(b, at);
    }
    if (g_queue_is_empty(&b->jobs.ending.drives))
        uv_timer_stop(&b->jobs.ending.timer);
}

/* Others wait for it. */
static void begin_turn(struct backup *b)
{
    struct drive *first = g_queue_peek_head(&b->jobs.ending.drives);

    if (first == b->jobs.ending.first)
        return;
    b->jobs.ending.first = first;
    b->jobs.ending.since_ms = uv_now(b->loop);
    for_each_drive (d, b) {
        job_pause_set(d, PAUSE_ENDING, first && d != first);
    }
}

void job_end_look(struct backup *b)
{
    if (!b->jobs.ending.first && g_queue_is_empty(&b->jobs.ending.drives))
        return;
    drop_those_over(b);
    begin_turn(b);
    for (GList *at = b->jobs.ending.drives.head; at; at = at->next) {
        struct drive *d = at->data;
        if (d->job.is_answer_kept && (d == b->jobs.ending.first ? are_others_at_rest(b, d) : is_at_rest(d)))
            keep_answer(d, false);
    }
}

static void on_time(uv_timer_t *timer)
{
    struct backup *b = timer->data;

    for (GList *at = b->jobs.ending.drives.head; at; at = at->next)
        keep_answer(at->data, false);
    if (uv_now(b->loop) - b->jobs.ending.since_ms >= FIRST_MS && b->jobs.ending.drives.head)
        leave_queue(b, b->jobs.ending.drives.head); /* slower than it was, or not at its end after all */
    job_end_look(b);
}

/* --- what its jobs write ------------------------------------------------------------------------ */

static void enter_queue(struct drive *d, enum job_end end)
{
    struct backup *b = d->b;

    d->job.end = end;
    if (!g_queue_find(&b->jobs.ending.drives, d))
        g_queue_push_tail(&b->jobs.ending.drives, d);
    if (!uv_is_active((uv_handle_t *)&b->jobs.ending.timer))
        uv_timer_start(&b->jobs.ending.timer, on_time, KEPT_MS, KEPT_MS);
    if (end == JOB_END_REACHED)
        keep_answer(d, true);
    job_end_look(b);
}

void job_end_wrote(struct drive *d, uint64_t end)
{
    struct backup *b = d->b;

    if (d->job.state != JOB_RUNNING || b->drives->len == 1 || b->is_failing || !monitor_is_up(b))
        return;
    if (end >= d->size && d->job.end < JOB_END_REACHED)
        enter_queue(d, JOB_END_REACHED);
    else if (d->job.end == JOB_END_FAR && is_near(d, end))
        enter_queue(d, JOB_END_NEAR);
}

void job_end_started(struct drive *d)
{
    d->job.end = JOB_END_FAR;
    d->job.began_ms = uv_now(d->b->loop);
}

void job_end_init(struct backup *b)
{
    g_queue_init(&b->jobs.ending.drives);
    uv_timer_init(b->loop, &b->jobs.ending.timer);
    b->jobs.ending.timer.data = b;
}

void job_end_close(struct backup *b)
{
    g_queue_clear(&b->jobs.ending.drives);
    uv_close((uv_handle_t *)&b->jobs.ending.timer, NULL);
}
