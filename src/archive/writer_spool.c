// SPDX-License-Identifier: GPL-2.0-or-later
/* By way of the spool, while the target is slow: sealed extents go there, and come back as bytes. */
#include "archive/writer_inside.h"

/* Below this many free buffers sealed extents go to the spool: what a paused job still has in flight
 * (256 buffers over all drives) must not meet an empty pool. */
#define SPOOL_BELOW_FREE 192
#define SPOOL_RETRY_MS   1000

/* Whose a record is and how long it was before it was packed, in what a queue holds. */
G_STATIC_ASSERT(sizeof(gpointer) >= 8);
static gpointer tag_of(const struct item *item)
{
    gsize sectors = item->plain_len / VMA_EXTENT_HEADER_SIZE;

    return GSIZE_TO_POINTER((gsize)item->generation << 32 | sectors << 16 | item->lane->index);
}

static void untag(struct item *item, gpointer tag)
{
    gsize bits = GPOINTER_TO_SIZE(tag);

    item->lane = g_ptr_array_index(item->writer->lanes, bits & 0xffff);
    item->plain_len = (bits >> 16 & 0xffff) * VMA_EXTENT_HEADER_SIZE;
    item->generation = (unsigned)(bits >> 32);
}

bool writer_spool_is_empty(const struct writer *w)
{
    return !w->spool || (!w->pushing && !w->is_popping && spool_records(w->spool) == 0);
}

/* Its record is not in the spool; if it was asked for already, that pop fails, too. */
static void forget_record(struct writer *w)
{
    w->is_push_lost = w->is_popping && w->in_spool.length == 1;
    if (!w->is_push_lost)
        g_queue_pop_tail(&w->in_spool);
}

/* It goes back to the head of its queue: what came after it is still behind it there. */
static void take_back(struct writer *w, struct item *item, const GError *error)
{
    g_queue_push_head(item->lane->is_vmstate ? &w->behind_ram : &w->behind, item);
    w->spool_retry_ms = uv_now(w->loop) + SPOOL_RETRY_MS;
    writer_retry_later(w);
    if (!w->has_spool_failed && w->events.on_spool_error)
        w->events.on_spool_error(w->user, error);
    w->has_spool_failed = true;
}

static void on_pushed(void *user, const GError *error)
{
    struct item *item = user;
    struct writer *w = item->writer;

    w->pushing = NULL;
    if (error)
        forget_record(w);
    if (error && !w->is_discarding && !writer_item_is_stale(item))
        take_back(w, item, error);
    else
        writer_item_free(item);
    writer_pump(w);
}

static bool push(struct writer *w, struct item *item, uint64_t keep_free)
{
    struct iovec iov[ITEM_MAX_IOV];
    unsigned n;

    if (!w->spool || w->pushing || uv_now(w->loop) < w->spool_retry_ms ||
        !spool_has_room(w->spool, writer_item_length(item) + keep_free))
        return false;
    n = writer_item_iov(item, iov, G_N_ELEMENTS(iov));
    w->pushing = item;
    g_queue_push_tail(&w->in_spool, tag_of(item));
    spool_push(w->spool, iov, n, on_pushed, item);
    return true;
}

/* Nothing stands before it, and the target is quick enough, however few buffers are free: workers may have them. */
static bool goes_straight(const struct writer *w)
{
    return writer_spool_is_empty(w) && (!w->ready.length || pool_free_count(w->pool) >= SPOOL_BELOW_FREE);
}

/* To the target, or behind what is in the spool. Stops where the spool is busy or full: then they wait in their
 * buffers. */
static void pass_on(struct writer *w, GQueue *queue, uint64_t keep_free)
{
    while (!g_queue_is_empty(queue)) {
        struct item *item = g_queue_peek_head(queue);

        if (goes_straight(w))
            g_queue_push_tail(&w->ready, item);
        else if (!push(w, item, keep_free))
            return;
        g_queue_pop_head(queue);
    }
}

/* In turn, since the spool takes one at a time. */
void writer_spool_pass_on(struct writer *w)
{
    w->is_rams_turn = !w->is_rams_turn;
    if (w->is_rams_turn)
        pass_on(w, &w->behind_ram, w->guest_reserve);
    pass_on(w, &w->behind, 0);
    pass_on(w, &w->behind_ram, w->guest_reserve);
}

static void on_popped(void *user, uint8_t *bytes, size_t len, const GError *error)
{
    struct writer *w = user;
    struct item *item = writer_item_new_raw(w, bytes, len);

    w->is_popping = false;
    untag(item, g_queue_pop_head(&w->in_spool));
    if (!error && !w->is_discarding && !writer_item_is_stale(item))
        g_queue_push_tail(&w->ready, item);
    else
        writer_item_free(item);
    if (error && !w->is_discarding && !w->is_push_lost) /* else it is back in its queue */
        writer_fail(w, error);
    w->is_push_lost = false;
    writer_pump(w);
}

bool writer_spool_pop(struct writer *w)
{
    if (!w->spool || w->is_popping || spool_records(w->spool) == 0)
        return false;
    w->is_popping = true;
    spool_pop(w->spool, on_popped, w);
    return true;
}
