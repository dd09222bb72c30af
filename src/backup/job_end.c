// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jobs end one at a time, while the others rest.
 *
 * When a job ends, QEMU waits several times for all that the other jobs have in flight, and its monitor with it; what runs
 * on fills up again each time. Where buffers are scarce each of these waits takes up to half a second (trickle.c), and the
 * drives of a guest are often of one size and end at once. So the answer to a job's last write is kept until QEMU has been
 * told to pause the others, or until KEPT_MS have passed: whatever waits for that write in QEMU waits no longer either.
 */
#include "backup/run.h"

#define KEPT_MS 200

static void keep_answer(struct drive *d, bool is_kept)
{
    d->is_answer_kept = is_kept;
    if (d->target.conn)
        nbd_conn_keep_replies(d->target.conn, is_kept);
}

static bool is_at_rest(const struct drive *d)
{
    return d->job != JOB_RUNNING || (d->is_tap_closed && !d->n_tap_busy);
}

static bool are_others_at_rest(const struct backup *b, const struct drive *ending)
{
    for (unsigned i = 0; i < b->drives->len; i++) {
        const struct drive *d = g_ptr_array_index(b->drives, i);
        if (d != ending && !is_at_rest(d))
            return false;
    }
    return true;
}

static void forget_those_over(struct backup *b)
{
    for (GList *at = b->ending.drives.head, *next; at; at = next) {
        struct drive *d = at->data;
        next = at->next;
        if (d->job == JOB_RUNNING)
            continue;
        d->is_ending = false;
        keep_answer(d, false);
        g_queue_delete_link(&b->ending.drives, at);
    }
    if (g_queue_is_empty(&b->ending.drives))
        uv_timer_stop(&b->ending.timer);
}

void job_end_look(struct backup *b)
{
    const struct drive *first;

    if (g_queue_is_empty(&b->ending.drives))
        return;
    forget_those_over(b);
    first = g_queue_peek_head(&b->ending.drives);
    for (unsigned i = 0; i < b->drives->len; i++) {
        struct drive *d = g_ptr_array_index(b->drives, i);
        tap_set(d, TAP_ENDING, first && d != first);
    }
    for (GList *at = b->ending.drives.head; at; at = at->next) {
        struct drive *d = at->data;
        if (d->is_answer_kept && (d == first ? are_others_at_rest(b, d) : is_at_rest(d)))
            keep_answer(d, false);
    }
}

static void on_kept_long_enough(uv_timer_t *timer)
{
    struct backup *b = timer->data;

    for (GList *at = b->ending.drives.head; at; at = at->next)
        keep_answer(at->data, false);
    job_end_look(b);
}

void job_end_wrote(struct drive *d, uint64_t end)
{
    struct backup *b = d->b;

    if (end < d->size || d->is_ending || d->job != JOB_RUNNING || b->drives->len == 1 || b->is_failing || !monitor_is_up(b))
        return;
    d->is_ending = true;
    keep_answer(d, true);
    g_queue_push_tail(&b->ending.drives, d);
    if (!uv_is_active((uv_handle_t *)&b->ending.timer))
        uv_timer_start(&b->ending.timer, on_kept_long_enough, KEPT_MS, KEPT_MS);
    job_end_look(b);
}

void job_end_init(struct backup *b)
{
    g_queue_init(&b->ending.drives);
    uv_timer_init(b->loop, &b->ending.timer);
    b->ending.timer.data = b;
}

void job_end_close(struct backup *b)
{
    g_queue_clear(&b->ending.drives);
    uv_close((uv_handle_t *)&b->ending.timer, NULL);
}
