// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_pack.h"

#include <string.h>
#include "sink/frame.h"

#define MAX_PIECES      (VMA_EXTENT_MAX_IOV + STORED_MORE(VMA_MAX_EXTENT_SIZE))
#define EMPTY_PER_FRAME 256 /* extents without any data: 512 bytes for 3.7 MiB of zeros */

void writer_pack_start(struct pack_stage *p, int level, unsigned threads)
{
    g_assert(!p->idle && threads > 0);
    p->idle = g_async_queue_new_full((GDestroyNotify)compress_free);
    for (unsigned i = 0; i < threads; i++)
        g_async_queue_push(p->idle, compress_new(level, VMA_MAX_EXTENT_SIZE));
}

GByteArray *writer_pack_store(const struct pack_stage *p, const void *bytes, size_t len)
{
    return p->idle ? frame_make_stored(bytes, len) : g_byte_array_append(g_byte_array_new(), bytes, (guint)len);
}

GByteArray *writer_pack_length(const struct pack_stage *p, const struct sink *sink, uint64_t archive_len)
{
    uint8_t frame[FRAME_LENGTH_SIZE];

    frame_make_length(archive_len, frame);
    return g_byte_array_append(g_byte_array_new(), frame, p->idle && sink_is_device(sink) ? sizeof frame : 0);
}

/* --- a worker's turn ---------------------------------------------------------------------------- */

/* Over the clusters it was made of. Only what does not shrink is longer than they are, by its headers. */
static void put_into_buffers(struct item *item, const uint8_t *bytes, size_t len)
{
    struct iovec pieces[VMA_CLUSTERS_PER_EXTENT + 1];
    unsigned n = 0;

    for (unsigned i = 0; i < item->extent.n && len; i++) {
        if (!item->extent.clusters[i].data)
            continue;
        pieces[n] = (struct iovec){item->extent.clusters[i].data, MIN(len, VMA_CLUSTER_SIZE)};
        memcpy(pieces[n].iov_base, bytes, pieces[n].iov_len);
        bytes += pieces[n].iov_len;
        len -= pieces[n++].iov_len;
    }
    g_free(item->raw);
    item->raw = len ? g_memdup2(bytes, len) : NULL;
    if (len)
        pieces[n++] = (struct iovec){item->raw, len};
    writer_item_set_pieces(item, pieces, n);
}

void writer_pack_in_worker(struct item *item, struct compress *compress)
{
    struct iovec pieces[MAX_PIECES];
    size_t len;

    if (g_atomic_int_get(&item->env->is_discarding) || (!item->raw && !item->extent.blocks))
        return; /* nobody wants it, or many of its kind are packed together */
    len = compress_pack(compress, item->pieces, item->n_pieces);
    item->plain_len = item->length;
    item->is_packed = len > 0;
    if (len) {
        put_into_buffers(item, compress_bytes(compress), len);
        return;
    }
    item->stored = stored_new(item->pieces, item->n_pieces);
    writer_item_set_pieces(item, pieces, stored_iov(item->stored, item->pieces, item->n_pieces, pieces, MAX_PIECES));
}

void writer_pack_end(struct item *item)
{
    unsigned n_used = item->n_pieces - (item->raw != NULL);

    if (!item->is_packed)
        return; /* its buffers are the frame's, too, if it is stored */
    for (unsigned i = 0; i < item->extent.n; i++) {
        uint8_t **data = &item->extent.clusters[i].data;
        if (*data && n_used)
            n_used--;
        else
            pool_give(item->env->pool, g_steal_pointer(data));
    }
}

/* --- extents without any data ------------------------------------------------------------------- */

struct item *writer_pack_take_empty(struct writer_env *env, struct extent_lane *lane)
{
    struct item *item = NULL;

    if (lane->empty->len)
        item = writer_item_new(env, lane, g_memdup2(lane->empty->data, lane->empty->len), lane->empty->len);
    g_byte_array_set_size(lane->empty, 0);
    return item;
}

struct item *writer_pack_collect(const struct pack_stage *p, struct item *item)
{
    struct writer_env *env = item->env;
    struct extent_lane *lane = item->lane;

    if (!p->idle || item->is_packed || item->stored)
        return item;
    g_byte_array_append(lane->empty, item->extent.header, sizeof item->extent.header);
    writer_item_free(item);
    return lane->empty->len >= EMPTY_PER_FRAME * VMA_EXTENT_HEADER_SIZE ? writer_pack_take_empty(env, lane) : NULL;
}
