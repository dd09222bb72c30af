// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/writer_inside.h"

#include <string.h>
#include "base/error.h"
#include "vma/extent.h"

/* Below this many free buffers sealed extents go to the spool: what a paused job still has in flight
 * (256 buffers over all drives) must not meet an empty pool. */
#define SPOOL_BELOW_FREE   192
#define MAX_BATCH_BYTES    (8u << 20) /* of one write: small extents (sparse drives) share one */
#define FULL_RETRY_MS      1000

static void maybe_free(struct writer *w);

/* --- life --------------------------------------------------------------------------------------- */

struct writer *writer_new(uv_loop_t *loop, struct sink *sink, struct pool *pool, const uint8_t uuid[16],
                          const struct writer_events *events, void *user)
{
    struct writer *w = g_new0(struct writer, 1);

    w->loop = loop;
    w->sink = sink;
    w->pool = pool;
    w->events = *events;
    w->user = user;
    memcpy(w->uuid, uuid, sizeof w->uuid);
    w->lanes = g_ptr_array_new_with_free_func(g_free);
    uv_timer_init(loop, &w->retry);
    w->retry.data = w;
    return w;
}

void writer_set_spool(struct writer *w, struct spool *spool, uint64_t guest_reserve)
{
    w->spool = spool;
    w->guest_reserve = guest_reserve;
}

struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate)
{
    struct writer_lane *lane = g_new0(struct writer_lane, 1);

    lane->writer = w;
    lane->dev_id = dev_id;
    lane->is_vmstate = is_vmstate;
    g_ptr_array_add(w->lanes, lane);
    return lane;
}

uint64_t writer_lane_zero_bytes(const struct writer_lane *lane)
{
    return lane->zero_bytes;
}

static void fail(struct writer *w, const GError *error)
{
    if (w->has_failed)
        return;
    w->has_failed = true;
    writer_discard(w);
    w->events.on_error(w->user, error);
}

/* --- by way of the spool ------------------------------------------------------------------------ */

static bool spool_is_empty(const struct writer *w)
{
    return !w->spool || (!w->n_pushing && !w->is_popping && spool_records(w->spool) == 0);
}

static void on_pushed(void *user, const GError *error)
{
    struct item *item = user;
    struct writer *w = item->writer;

    w->n_pushing--;
    writer_item_free(item);
    if (error && !w->is_discarding)
        fail(w, error);
    writer_pump(w);
}

static bool push_to_spool(struct writer *w, struct item *item, uint64_t keep_free)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    unsigned n;

    if (!w->spool || !spool_has_room(w->spool, writer_item_length(item) + keep_free))
        return false;
    n = writer_item_iov(item, iov, G_N_ELEMENTS(iov));
    w->n_pushing++;
    spool_push(w->spool, iov, n, on_pushed, item);
    return true;
}

/* Passes sealed extents on: straight to the target while buffers are plenty and the spool is empty, else
 * behind what is in the spool. Stops where the spool is full: then they wait in their buffers. */
static void pass_on(struct writer *w, GQueue *queue, uint64_t keep_free)
{
    while (!g_queue_is_empty(queue)) {
        struct item *item = g_queue_peek_head(queue);

        if (spool_is_empty(w) && pool_free_count(w->pool) >= SPOOL_BELOW_FREE)
            g_queue_push_tail(&w->ready, item);
        else if (!push_to_spool(w, item, keep_free)) {
            if (spool_is_empty(w) && g_queue_is_empty(&w->ready))
                g_queue_push_tail(&w->ready, item); /* nothing stands before it */
            else
                return;
        }
        g_queue_pop_head(queue);
    }
}

static void on_popped(void *user, uint8_t *bytes, size_t len, const GError *error)
{
    struct writer *w = user;

    w->is_popping = false;
    if (error || w->is_discarding) {
        g_free(bytes);
        if (error && !w->is_discarding)
            fail(w, error);
    } else {
        struct item *item = g_new0(struct item, 1);
        item->writer = w;
        item->is_sealed = true;
        item->raw = bytes;
        item->raw_len = len;
        g_queue_push_tail(&w->ready, item);
    }
    writer_pump(w);
}

/* --- to the target ------------------------------------------------------------------------------ */

static void set_full(struct writer *w, bool is_full)
{
    if (w->is_full == is_full)
        return;
    w->is_full = is_full;
    w->events.on_full(w->user, is_full);
}

static void on_written(void *user, const GError *error);

static void write_batch(struct writer *w)
{
    w->is_writing = true;
    sink_write(w->sink, w->iov, w->n_iov, on_written, w);
}

static void on_retry(uv_timer_t *timer)
{
    struct writer *w = timer->data;

    if (!w->is_discarding && !w->is_writing && !g_queue_is_empty(&w->batch))
        write_batch(w);
}

static void on_written(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_writing = false;
    if (error && !w->is_discarding && g_error_matches(error, SINK_ERROR, SINK_ERROR_FULL)) {
        uv_timer_start(&w->retry, on_retry, FULL_RETRY_MS, 0);
        set_full(w, true);
        return;
    }
    writer_drop_all(&w->batch);
    if (error && !w->is_discarding)
        fail(w, error);
    else if (!w->is_discarding)
        set_full(w, false);
    writer_pump(w);
}

static void start_batch(struct writer *w)
{
    uint64_t bytes = 0;
    struct item *item;

    w->n_iov = 0;
    while ((item = g_queue_peek_head(&w->ready)) && bytes < MAX_BATCH_BYTES &&
           w->n_iov + VMA_EXTENT_MAX_IOV <= MAX_IOV) {
        w->n_iov += writer_item_iov(item, w->iov + w->n_iov, MAX_IOV - w->n_iov);
        bytes += writer_item_length(item);
        g_queue_push_tail(&w->batch, g_queue_pop_head(&w->ready));
    }
    write_batch(w);
}

void writer_put_header(struct writer *w, GBytes *header)
{
    gsize len;
    const void *bytes = g_bytes_get_data(header, &len);

    g_queue_push_tail(&w->ready, writer_item_new_raw(w, bytes, len));
    writer_pump(w);
}

/* --- the end ------------------------------------------------------------------------------------ */

bool writer_is_drained(const struct writer *w)
{
    return !w->unsealed.length && !w->sealing.length && !w->behind.length && !w->behind_ram.length &&
           !w->ready.length && !w->batch.length && spool_is_empty(w);
}

static void report_finished(struct writer *w)
{
    w->is_finishing = false;
    w->finished(w->finished_user);
}

static void on_rewritten(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_rewriting = false;
    if (error && !w->is_discarding)
        fail(w, error);
    else if (!w->is_discarding)
        report_finished(w);
    maybe_free(w);
}

static void finish_more(struct writer *w)
{
    uint8_t mark[VMA_EXTENT_HEADER_SIZE];

    if (!w->is_finishing || w->is_discarding || w->is_rewriting || !writer_is_drained(w))
        return;
    if (!w->has_end_mark) {
        w->has_end_mark = true;
        vma_end_mark_encode(&w->totals, w->end_flags, w->uuid, mark);
        g_queue_push_tail(&w->ready, writer_item_new_raw(w, mark, sizeof mark));
        start_batch(w);
    } else if (w->final_header && sink_can_rewrite(w->sink)) {
        gsize len;
        const void *bytes = g_bytes_get_data(w->final_header, &len);
        w->is_rewriting = true;
        sink_rewrite(w->sink, 0, bytes, len, on_rewritten, w);
    } else {
        report_finished(w);
    }
}

void writer_finish(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user)
{
    w->is_finishing = true;
    w->end_flags = end_flags;
    w->totals.vmstate_bytes = vmstate_bytes;
    w->final_header = header ? g_bytes_ref(header) : NULL;
    w->finished = done;
    w->finished_user = user;
    writer_flush(w);
    writer_pump(w);
}

void writer_pump(struct writer *w)
{
    if (!w->is_discarding) {
        writer_seal_more(w);
        pass_on(w, &w->behind, 0);
        pass_on(w, &w->behind_ram, w->guest_reserve);
        if (!w->is_writing && !w->is_rewriting && g_queue_is_empty(&w->batch)) {
            if (!g_queue_is_empty(&w->ready))
                start_batch(w);
            else if (w->spool && !w->is_popping && spool_records(w->spool) > 0) {
                w->is_popping = true;
                spool_pop(w->spool, on_popped, w);
            }
        }
        finish_more(w);
        w->events.on_room(w->user);
    }
    maybe_free(w);
}

bool writer_is_ram_blocked(const struct writer *w)
{
    return w->behind_ram.length > 0;
}

uint64_t writer_spool_used(const struct writer *w)
{
    return w->spool ? spool_used(w->spool) : 0;
}

unsigned writer_queued(const struct writer *w)
{
    return w->unsealed.length + w->sealing.length + w->behind.length + w->behind_ram.length + w->ready.length +
           w->batch.length;
}

void writer_discard(struct writer *w)
{
    if (w->is_discarding)
        return;
    w->is_discarding = true;
    uv_timer_stop(&w->retry);
    for (unsigned i = 0; i < w->lanes->len; i++) {
        struct writer_lane *lane = g_ptr_array_index(w->lanes, i);
        if (lane->open)
            writer_item_free(g_steal_pointer(&lane->open));
    }
    writer_drop_all(&w->unsealed);
    writer_drop_all(&w->behind);
    writer_drop_all(&w->behind_ram);
    writer_drop_all(&w->ready);
    if (!w->is_writing)
        writer_drop_all(&w->batch);
}

bool writer_is_quiet(const struct writer *w)
{
    return !w->n_sealing && !w->n_pushing && !w->is_popping && !w->is_writing && !w->is_rewriting;
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct writer *w = handle->data;

    w->is_timer_closed = true;
    maybe_free(w);
}

static void maybe_free(struct writer *w)
{
    if (!w->is_closing || !w->is_timer_closed || !writer_is_quiet(w))
        return;
    g_ptr_array_unref(w->lanes);
    g_clear_pointer(&w->final_header, g_bytes_unref);
    if (w->closed)
        w->closed(w->closed_user);
    g_free(w);
}

void writer_close(struct writer *w, void (*closed)(void *user), void *user)
{
    writer_discard(w);
    w->closed = closed;
    w->closed_user = user;
    w->is_closing = true;
    uv_close((uv_handle_t *)&w->retry, on_retry_closed);
}
