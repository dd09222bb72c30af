// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compression: each sealed extent becomes one zstd frame, by the worker that sealed it. The frame takes the buffers
 * of the extent's own clusters, the others go back: so a free buffer stays the only credit there is. What does not
 * shrink stays where it is, with the heads of raw blocks between.
 */
#include <string.h>
#include "archive/writer_inside.h"
#include "base/threads.h"
#include "sink/frame.h"

#define EMPTY_PER_FRAME 256 /* extents without any data: 512 bytes for 3.7 MiB of zeros */

void writer_set_compression(struct writer *w, int level, unsigned threads)
{
    g_assert(!w->frames && threads > 0);
    w->frames = seek_table_writer_new();
    g_clear_pointer(&w->layout, vma_layout_free);
    w->compressors = g_async_queue_new_full((GDestroyNotify)compress_free);
    for (unsigned i = 0; i < threads; i++)
        g_async_queue_push(w->compressors, compress_new(level, VMA_MAX_EXTENT_SIZE));
    w->max_sealing = threads + THREADS_AHEAD;
}

void writer_pack_free(struct writer *w)
{
    seek_table_writer_free(w->frames);
    g_clear_pointer(&w->compressors, g_async_queue_unref);
}

GByteArray *writer_pack_store(const struct writer *w, const void *bytes, size_t len)
{
    return w->frames ? frame_make_stored(bytes, len) : g_byte_array_append(g_byte_array_new(), bytes, (guint)len);
}

bool writer_pack_tells_length(const struct writer *w)
{
    return w->frames && sink_is_device(w->sink);
}

GByteArray *writer_pack_length(uint64_t archive_len)
{
    uint8_t frame[FRAME_LENGTH_SIZE];

    frame_make_length(archive_len, frame);
    return g_byte_array_append(g_byte_array_new(), frame, sizeof frame);
}

uint64_t writer_plain_bytes(const struct writer *w)
{
    return w->frames ? seek_table_writer_plain(w->frames) : sink_written(w->sink);
}

bool writer_is_cpu_bound(const struct writer *w)
{
    bool is_busy = w->compressors && g_async_queue_length(w->compressors) <= 0; /* negative: so many wait */

    return is_busy && !w->ready.length && !w->is_full;
}

/* --- a worker's turn ---------------------------------------------------------------------------- */

/* Over the clusters it was made of. Only what does not shrink is longer than they are, by its headers. */
static void put_into_buffers(struct item *item, const uint8_t *bytes, size_t len)
{
    for (unsigned i = 0; i < item->extent.n && len; i++) {
        size_t part = MIN(len, VMA_CLUSTER_SIZE);
        if (!item->extent.clusters[i].data)
            continue;
        memcpy(item->extent.clusters[i].data, bytes, part);
        bytes += part;
        len -= part;
    }
    g_free(item->raw);
    item->raw = len ? g_memdup2(bytes, len) : NULL;
    item->raw_len = len;
}

static void pack(struct item *item, struct compress *compress)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    unsigned n = writer_item_iov(item, iov, G_N_ELEMENTS(iov));

    item->plain_len = writer_item_length(item);
    item->packed_len = compress_pack(compress, iov, n);
    if (item->packed_len)
        put_into_buffers(item, compress_bytes(compress), item->packed_len);
    else
        item->stored = stored_new(iov, n);
    item->is_packed = item->packed_len > 0;
}

struct compress *writer_pack_begin(struct writer *w)
{
    return w->compressors ? g_async_queue_pop(w->compressors) : NULL;
}

void writer_pack_in_worker(struct item *item, struct compress *compress)
{
    bool is_wanted = !g_atomic_int_get(&item->writer->is_discarding);

    if (is_wanted && (item->raw || item->extent.blocks)) /* else many of its kind are packed together */
        pack(item, compress);
    g_async_queue_push_front(item->writer->compressors, compress); /* its tables are still in the cache */
}

void writer_pack_end(struct item *item)
{
    size_t left = item->packed_len - item->raw_len;

    if (!item->is_packed)
        return; /* its buffers are the frame's, too, if it is stored */
    for (unsigned i = 0; i < item->extent.n; i++) {
        uint8_t **data = &item->extent.clusters[i].data;
        if (*data && left)
            left -= MIN(left, VMA_CLUSTER_SIZE);
        else
            pool_give(item->writer->pool, g_steal_pointer(data));
    }
}

/* --- extents without any data ------------------------------------------------------------------- */

static void flush_lane(struct writer_lane *lane)
{
    struct item *item;

    item = writer_item_new_raw(lane->writer, g_memdup2(lane->empty->data, lane->empty->len), lane->empty->len);
    g_byte_array_set_size(lane->empty, 0);
    item->is_sealed = false;
    item->lane = lane;
    item->generation = lane->generation;
    g_queue_push_tail(&lane->writer->unsealed, item);
}

void writer_pack_empty(struct item *item)
{
    struct writer_lane *lane = item->lane;

    g_byte_array_append(lane->empty, item->extent.header, sizeof item->extent.header);
    if (lane->empty->len >= EMPTY_PER_FRAME * VMA_EXTENT_HEADER_SIZE)
        flush_lane(lane);
    writer_item_free(item);
}

bool writer_pack_flush(struct writer *w)
{
    bool was_any = false;

    for (unsigned i = 0; i < w->lanes->len; i++) {
        struct writer_lane *lane = g_ptr_array_index(w->lanes, i);
        if (lane->empty->len) {
            flush_lane(lane);
            was_any = true;
        }
    }
    writer_seal_more(w);
    return was_any;
}
