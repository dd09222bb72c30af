// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks that have not changed since an earlier snapshot: their ids are taken from its index. */
#include "store/snapshot_writer_inside.h"

#include "vma/format.h"

static void keep_chunk(struct snapshot_lane *lane, uint64_t i)
{
    struct snapshot_writer *w = writer_of(lane);
    uint32_t len = chunk_index_len(lane->index, i);
    bool are_zeros;

    snapshot_fill_forget(lane, i);
    vma_bitmap_set(lane->whole, i);
    chunk_index_set(lane->index, i, &lane->kept->ids[i]);
    are_zeros = chunk_index_is_zeros(lane->index, i);
    *(are_zeros ? &lane->base.zero_bytes : &w->plain_bytes) += len;
    map_add_run(&lane->base.map, i * (w->chunk_bytes / VMA_CLUSTER_SIZE), vma_clusters_of(len), are_zeros);
}

void snapshot_keep(struct writer_lane *base, uint64_t from, uint64_t n)
{
    struct snapshot_lane *lane = (struct snapshot_lane *)base;
    struct snapshot_writer *w = writer_of(lane);
    uint64_t per_chunk = w->chunk_bytes / VMA_CLUSTER_SIZE,
             end = MIN(lane->index->n, (from + n + per_chunk - 1) / per_chunk);

    if (w->is_discarding)
        return;
    g_assert(lane->kept && lane->kept->size == lane->size && lane->kept->chunk_bytes == w->chunk_bytes);
    for (uint64_t i = vma_bitmap_next_clear(lane->whole, from / per_chunk, end); i < end;
         i = vma_bitmap_next_clear(lane->whole, i + 1, end))
        keep_chunk(lane, i);
    snapshot_writer_pump(w);
}

void snapshot_writer_set_base(struct writer_lane *lane, const struct chunk_index *base)
{
    ((struct snapshot_lane *)lane)->kept = base;
}

void snapshot_writer_set_bitmap(struct writer_lane *base, const char *name)
{
    struct snapshot_lane *lane = (struct snapshot_lane *)base;

    g_free(lane->bitmap);
    lane->bitmap = g_strdup(name);
}
