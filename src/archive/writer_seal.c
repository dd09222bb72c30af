// SPDX-License-Identifier: GPL-2.0-or-later
/* Extents being filled and sealed: zero blocks found, digests made, by workers, in order. And dropped again. */
#include <string.h>
#include "archive/writer_inside.h"

/* --- items -------------------------------------------------------------------------------------- */

struct item *writer_item_new_raw(struct writer *w, void *bytes, size_t len)
{
    struct item *item = g_new0(struct item, 1);

    item->writer = w;
    item->is_sealed = true;
    item->raw = bytes;
    item->raw_len = len;
    return item;
}

/* Frees an item, its buffers go back to the pool. */
void writer_item_free(struct item *item)
{
    for (unsigned i = 0; i < item->extent.n; i++)
        pool_give(item->writer->pool, item->extent.clusters[i].data);
    stored_free(item->stored);
    g_free(item->raw);
    g_free(item);
}

void writer_drop_all(GQueue *queue)
{
    struct item *item;

    while ((item = g_queue_pop_head(queue)))
        writer_item_free(item);
}

bool writer_item_is_stale(const struct item *item)
{
    return item->lane && item->generation != item->lane->generation;
}

void writer_drop_stale(GQueue *queue)
{
    for (GList *at = queue->head, *next; at; at = next) {
        next = at->next;
        if (!writer_item_is_stale(at->data))
            continue;
        writer_item_free(at->data);
        g_queue_delete_link(queue, at);
    }
}

static unsigned packed_iov(const struct item *item, struct iovec *iov)
{
    size_t left = item->packed_len - item->raw_len;
    unsigned n = 0;

    for (unsigned i = 0; i < item->extent.n && left; i++)
        if (item->extent.clusters[i].data) {
            iov[n] = (struct iovec){item->extent.clusters[i].data, MIN(left, VMA_CLUSTER_SIZE)};
            left -= iov[n++].iov_len;
        }
    if (item->raw_len)
        iov[n++] = (struct iovec){item->raw, item->raw_len};
    return n;
}

static unsigned plain_iov(const struct item *item, struct iovec *iov, unsigned max)
{
    if (!item->raw)
        return vma_extent_iov(&item->extent, iov, max);
    iov[0] = (struct iovec){item->raw, item->raw_len};
    return 1;
}

unsigned writer_item_iov(const struct item *item, struct iovec *iov, unsigned max)
{
    struct iovec plain[VMA_EXTENT_MAX_IOV];

    if (item->is_packed)
        return packed_iov(item, iov);
    if (!item->stored)
        return plain_iov(item, iov, max);
    return stored_iov(item->stored, plain, plain_iov(item, plain, G_N_ELEMENTS(plain)), iov, max);
}

uint64_t writer_item_length(const struct item *item)
{
    if (item->stored)
        return stored_length(item->stored);
    if (item->is_packed)
        return item->packed_len;
    return item->raw ? item->raw_len : vma_extent_length(&item->extent);
}

/* --- sealing ------------------------------------------------------------------------------------ */

static void seal_in_worker(uv_work_t *work)
{
    struct item *item = work->data;
    struct compress *compress = writer_pack_begin(item->writer);

    if (!item->raw)
        vma_extent_seal(&item->extent, item->writer->uuid);
    if (compress)
        writer_pack_in_worker(item, compress);
}

static void note_on_map(struct item *item)
{
    const struct vma_extent *e = &item->extent;

    for (unsigned i = 0; i < e->n; i++)
        map_add(&item->lane->map, e->clusters[i].cluster,
                VMA_BLOCKS_PER_CLUSTER - (unsigned)__builtin_popcount(e->clusters[i].mask));
}

static void count(struct item *item)
{
    unsigned zero_blocks = item->extent.n * VMA_BLOCKS_PER_CLUSTER - item->extent.blocks;

    item->lane->zero_bytes += (uint64_t)zero_blocks * VMA_BLOCK_SIZE;
    note_on_map(item);
    vma_totals_add(&item->lane->totals, item->extent.header);
}

static void take_sealed(struct writer *w, struct item *item)
{
    if (item->extent.n) /* else it was counted before: headers that are packed together */
        count(item);
    if (w->frames && !item->is_packed && !item->stored)
        writer_pack_empty(item);
    else
        g_queue_push_tail(item->lane->is_vmstate ? &w->behind_ram : &w->behind, item);
}

static void on_sealed(uv_work_t *work, int status)
{
    struct item *item = work->data;
    struct writer *w = item->writer;

    (void)status;
    w->n_sealing--;
    item->is_sealed = true;
    writer_pack_end(item);
    while ((item = g_queue_peek_head(&w->sealing)) && item->is_sealed) {
        g_queue_pop_head(&w->sealing);
        if (w->is_discarding || writer_item_is_stale(item))
            writer_item_free(item);
        else
            take_sealed(w, item);
    }
    writer_pump(w);
}

void writer_seal_more(struct writer *w)
{
    while (w->n_sealing < w->max_sealing && !g_queue_is_empty(&w->unsealed)) {
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
        lane->open->generation = lane->generation;
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
    writer_seal_more(lane->writer);
}

void writer_flush(struct writer *w)
{
    for (unsigned i = 0; i < w->lanes->len; i++)
        writer_flush_lane(g_ptr_array_index(w->lanes, i));
}

/* --- dropping ----------------------------------------------------------------------------------- */

/* What a worker, the spool or the target has is only marked, by the generation: it is dropped when it comes back. */
void writer_drop_lane(struct writer_lane *lane)
{
    struct writer *w = lane->writer;

    g_assert(writer_can_drop(w) && !w->is_finishing);
    lane->generation++;
    lane->zero_bytes = 0;
    map_clear(&lane->map);
    memset(&lane->totals, 0, sizeof lane->totals);
    g_byte_array_set_size(lane->empty, 0);
    if (lane->open)
        writer_item_free(g_steal_pointer(&lane->open));
    writer_batch_undo(w);
    writer_drop_stale(&w->unsealed);
    writer_drop_stale(lane->is_vmstate ? &w->behind_ram : &w->behind);
    if (w->frames)
        seek_table_writer_drop(w->frames, lane->index + 1);
    else
        vma_layout_drop(w->layout, lane->index);
    writer_pump(w);
}
