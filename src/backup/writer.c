// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/writer.h"

#include <string.h>
#include "base/error.h"
#include "vma/extent.h"

/* Below this many free buffers sealed extents go to the spool: what a paused job still has in flight
 * (256 buffers over all drives) must not meet an empty pool. */
#define SPOOL_BELOW_FREE   192
#define MAX_SEALING        3          /* workers at once: the pool's other threads belong to sink and spool */
#define MAX_BATCH_BYTES    (8u << 20) /* of one write: small extents (sparse drives) share one */
#define MAX_IOV            1024
#define FULL_RETRY_MS      1000

/* Something on its way to the target: an extent of a lane, or bytes that are ready as they are. */
struct item {
    struct writer *writer;
    struct writer_lane *lane; /* NULL for raw bytes */
    struct vma_extent extent;
    bool is_sealed;
    uint8_t *raw; /* header, end mark, or what came back from the spool */
    size_t raw_len;
    uv_work_t work;
};

struct writer_lane {
    struct writer *writer;
    uint8_t dev_id;
    bool is_vmstate;
    struct item *open; /* being filled, NULL if none */
    uint64_t zero_bytes;
};

struct writer {
    uv_loop_t *loop;
    struct sink *sink;
    struct pool *pool;
    struct spool *spool;
    uint64_t guest_reserve;
    uint8_t uuid[16];
    struct writer_events events;
    void *user;
    GPtrArray *lanes;
    struct vma_totals totals;

    GQueue unsealed;   /* full, no worker yet */
    GQueue sealing;    /* with workers, in order */
    unsigned n_sealing;
    GQueue ready;      /* sealed, next for the target */
    GQueue behind;     /* sealed, but the spool stands before them: drives … */
    GQueue behind_ram; /* … and RAM, which may not use the last of the spool */
    unsigned n_pushing;
    GQueue batch; /* being written */
    bool is_writing, is_popping, is_full, is_discarding, has_failed;
    uv_timer_t retry;
    struct iovec iov[MAX_IOV];
    unsigned n_iov;

    bool is_finishing, has_end_mark, is_rewriting;
    uint8_t end_flags;
    GBytes *final_header;
    void (*finished)(void *user);
    void *finished_user;
    bool is_closing, is_timer_closed;
    void (*closed)(void *user);
    void *closed_user;
};

static void pump(struct writer *w);
static void maybe_free(struct writer *w);

/* --- items -------------------------------------------------------------------------------------- */

static struct item *item_new_raw(struct writer *w, const void *bytes, size_t len)
{
    struct item *item = g_new0(struct item, 1);

    item->writer = w;
    item->is_sealed = true;
    item->raw = g_memdup2(bytes, len);
    item->raw_len = len;
    return item;
}

/* Frees an item, its buffers go back to the pool. */
static void item_free(struct item *item)
{
    for (unsigned i = 0; i < item->extent.n; i++)
        pool_give(item->writer->pool, item->extent.clusters[i].data);
    g_free(item->raw);
    g_free(item);
}

static void drop_all(GQueue *queue)
{
    struct item *item;

    while ((item = g_queue_pop_head(queue)))
        item_free(item);
}

static unsigned item_iov(const struct item *item, struct iovec *iov, unsigned max)
{
    if (!item->raw)
        return vma_extent_iov(&item->extent, iov, max);
    iov[0] = (struct iovec){item->raw, item->raw_len};
    return 1;
}

static uint64_t item_length(const struct item *item)
{
    return item->raw ? item->raw_len : vma_extent_length(&item->extent);
}

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

/* --- sealing ------------------------------------------------------------------------------------ */

static void seal_in_worker(uv_work_t *work)
{
    struct item *item = work->data;

    vma_extent_seal(&item->extent, item->writer->uuid);
}

static void take_sealed(struct writer *w, struct item *item)
{
    unsigned zero_blocks = item->extent.n * VMA_BLOCKS_PER_CLUSTER - item->extent.blocks;

    item->lane->zero_bytes += (uint64_t)zero_blocks * VMA_BLOCK_SIZE;
    vma_totals_add(&w->totals, item->extent.header);
    g_queue_push_tail(item->lane->is_vmstate ? &w->behind_ram : &w->behind, item);
}

static void on_sealed(uv_work_t *work, int status)
{
    struct item *item = work->data;
    struct writer *w = item->writer;

    (void)status;
    w->n_sealing--;
    item->is_sealed = true;
    while ((item = g_queue_peek_head(&w->sealing)) && item->is_sealed) {
        g_queue_pop_head(&w->sealing);
        if (w->is_discarding)
            item_free(item);
        else
            take_sealed(w, item);
    }
    pump(w);
}

static void seal_more(struct writer *w)
{
    while (w->n_sealing < MAX_SEALING && !g_queue_is_empty(&w->unsealed)) {
        struct item *item = g_queue_pop_head(&w->unsealed);
        item->work.data = item;
        g_queue_push_tail(&w->sealing, item);
        w->n_sealing++;
        uv_queue_work(w->loop, &item->work, seal_in_worker, on_sealed);
    }
}

void writer_add(struct writer_lane *lane, uint32_t cluster, uint8_t *data)
{
    struct writer *w = lane->writer;

    if (w->is_discarding) {
        pool_give(w->pool, data);
        return;
    }
    if (!lane->open) {
        lane->open = g_new0(struct item, 1);
        lane->open->writer = w;
        lane->open->lane = lane;
        lane->open->extent.dev_id = lane->dev_id;
        lane->open->extent.is_vmstate = lane->is_vmstate;
    }
    vma_extent_add(&lane->open->extent, cluster, data);
    if (lane->open->extent.n == VMA_CLUSTERS_PER_EXTENT)
        writer_flush_lane(lane);
}

void writer_flush_lane(struct writer_lane *lane)
{
    if (!lane->open)
        return;
    g_queue_push_tail(&lane->writer->unsealed, g_steal_pointer(&lane->open));
    seal_more(lane->writer);
}

void writer_flush(struct writer *w)
{
    for (unsigned i = 0; i < w->lanes->len; i++)
        writer_flush_lane(g_ptr_array_index(w->lanes, i));
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
    item_free(item);
    if (error && !w->is_discarding)
        fail(w, error);
    pump(w);
}

static bool push_to_spool(struct writer *w, struct item *item, uint64_t keep_free)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    unsigned n;

    if (!w->spool || !spool_has_room(w->spool, item_length(item) + keep_free))
        return false;
    n = item_iov(item, iov, G_N_ELEMENTS(iov));
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
    pump(w);
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
    drop_all(&w->batch);
    if (error && !w->is_discarding)
        fail(w, error);
    else if (!w->is_discarding)
        set_full(w, false);
    pump(w);
}

static void start_batch(struct writer *w)
{
    uint64_t bytes = 0;
    struct item *item;

    w->n_iov = 0;
    while ((item = g_queue_peek_head(&w->ready)) && bytes < MAX_BATCH_BYTES &&
           w->n_iov + VMA_EXTENT_MAX_IOV <= MAX_IOV) {
        w->n_iov += item_iov(item, w->iov + w->n_iov, MAX_IOV - w->n_iov);
        bytes += item_length(item);
        g_queue_push_tail(&w->batch, g_queue_pop_head(&w->ready));
    }
    write_batch(w);
}

void writer_put_header(struct writer *w, GBytes *header)
{
    gsize len;
    const void *bytes = g_bytes_get_data(header, &len);

    g_queue_push_tail(&w->ready, item_new_raw(w, bytes, len));
    pump(w);
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
        g_queue_push_tail(&w->ready, item_new_raw(w, mark, sizeof mark));
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
    pump(w);
}

static void pump(struct writer *w)
{
    if (!w->is_discarding) {
        seal_more(w);
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

void writer_discard(struct writer *w)
{
    if (w->is_discarding)
        return;
    w->is_discarding = true;
    uv_timer_stop(&w->retry);
    for (unsigned i = 0; i < w->lanes->len; i++) {
        struct writer_lane *lane = g_ptr_array_index(w->lanes, i);
        if (lane->open)
            item_free(g_steal_pointer(&lane->open));
    }
    drop_all(&w->unsealed);
    drop_all(&w->behind);
    drop_all(&w->behind_ram);
    drop_all(&w->ready);
    if (!w->is_writing)
        drop_all(&w->batch);
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
