// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_seal.h"

#define ZERO_EXTENTS 256u /* at once: a worker makes them in half a millisecond */

/* --- filling ------------------------------------------------------------------------------------ */

void writer_seal_add(struct extent_lane *lane, uint32_t cluster, uint8_t *data)
{
    struct writer_env *env = lane->seal->env;

    if (env->is_discarding) {
        pool_give(env->pool, data);
        return;
    }
    if (!lane->open) {
        lane->open = writer_item_new(env, lane, NULL, 0);
        lane->open->extent.dev_id = lane->dev_id;
        lane->open->extent.is_vmstate = lane->is_vmstate;
    }
    vma_extent_add(&lane->open->extent, cluster, data);
    if (lane->open->extent.n == VMA_CLUSTERS_PER_EXTENT)
        writer_seal_flush(lane);
}

/* Extents of nothing but zeros, all full. */
static uint32_t add_full_zeroes(struct extent_lane *lane, uint32_t cluster, uint32_t n)
{
    struct item *item = writer_item_new(lane->seal->env, lane, NULL, 0);

    item->first_zero = cluster;
    item->n_zeroes = MIN(n / VMA_CLUSTERS_PER_EXTENT, ZERO_EXTENTS) * VMA_CLUSTERS_PER_EXTENT;
    g_queue_push_tail(lane->seal->in, item);
    writer_seal_next(lane->seal);
    return item->n_zeroes;
}

void writer_seal_add_zeroes(struct extent_lane *lane, uint32_t cluster, uint32_t n)
{
    while (n && !lane->seal->env->is_discarding) {
        uint32_t done = 1;
        if (!lane->open && n >= VMA_CLUSTERS_PER_EXTENT)
            done = add_full_zeroes(lane, cluster, n);
        else
            writer_seal_add(lane, cluster, NULL);
        cluster += done;
        n -= done;
    }
}

void writer_seal_flush(struct extent_lane *lane)
{
    if (!lane->open)
        return;
    g_queue_push_tail(lane->seal->in, g_steal_pointer(&lane->open));
    writer_seal_next(lane->seal);
}

bool writer_seal_flush_empty(struct seal_stage *s)
{
    for (unsigned i = 0; i < s->env->lanes->len; i++) {
        struct item *item = writer_pack_take_empty(s->env, g_ptr_array_index(s->env->lanes, i));
        if (item)
            g_queue_push_tail(s->in, item);
    }
    writer_seal_next(s);
    return s->n_working > 0;
}

/* --- sealing ------------------------------------------------------------------------------------ */

static void seal(struct item *item)
{
    struct iovec pieces[VMA_EXTENT_MAX_IOV];

    vma_extent_seal(&item->extent, item->env->uuid);
    writer_item_set_pieces(item, pieces, vma_extent_iov(&item->extent, pieces, G_N_ELEMENTS(pieces)));
}

static void seal_zeroes(struct item *item)
{
    size_t len = (size_t)item->n_zeroes / VMA_CLUSTERS_PER_EXTENT * VMA_EXTENT_HEADER_SIZE;

    item->raw = g_malloc(len);
    vma_extent_make_zeroes(item->raw, item->lane->dev_id, item->first_zero, item->n_zeroes, item->env->uuid,
                           &item->totals);
    writer_item_set_pieces(item, &(struct iovec){item->raw, len}, 1);
    item->plain_len = len;
}

static void seal_in_worker(uv_work_t *work)
{
    struct seal_stage *s = work->data;
    struct item *item = (struct item *)work;
    GAsyncQueue *idle = s->pack->idle;
    struct compress *compress = idle ? g_async_queue_pop(idle) : NULL;

    if (item->n_zeroes)
        seal_zeroes(item);
    else if (!item->raw)
        seal(item);
    if (!compress)
        return;
    writer_pack_in_worker(item, compress);
    g_async_queue_push_front(idle, compress); /* its tables are still in the cache */
}

static void count_zeroes(struct item *item)
{
    struct extent_lane *lane = item->lane;

    lane->base.zero_bytes += (uint64_t)item->n_zeroes * VMA_CLUSTER_SIZE;
    map_add_run(&lane->base.map, item->first_zero, item->n_zeroes, true);
    vma_totals_merge(&lane->totals, &item->totals);
}

static void count(struct item *item)
{
    const struct vma_extent *e = &item->extent;
    struct extent_lane *lane = item->lane;

    lane->base.zero_bytes += ((uint64_t)e->n * VMA_BLOCKS_PER_CLUSTER - e->blocks) * VMA_BLOCK_SIZE;
    for (unsigned i = 0; i < e->n; i++)
        map_add(&lane->base.map, e->clusters[i].cluster,
                VMA_BLOCKS_PER_CLUSTER - (unsigned)__builtin_popcount(e->clusters[i].mask));
    vma_totals_add(&lane->totals, e->header);
}

static void pass_on(struct seal_stage *s, struct item *item)
{
    if (item->n_zeroes)
        count_zeroes(item);
    else if (item->extent.n) /* else it was counted before: headers that are packed together */
        count(item);
    item = writer_pack_collect(s->pack, item);
    if (item)
        g_queue_push_tail(item->is_sealed ? &s->out[item->lane->is_vmstate] : s->in, item);
}

static void on_sealed(uv_work_t *work, int status)
{
    struct seal_stage *s = work->data;
    struct item *item = (struct item *)work;

    s->n_working--;
    item->is_sealed = true;
    writer_pack_end(item);
    while ((item = g_queue_peek_head(&s->working)) && item->is_sealed) {
        g_queue_pop_head(&s->working);
        if (writer_item_is_stale(item))
            writer_item_free(item);
        else
            pass_on(s, item);
    }
    s->env->on_moved(s->env->writer);
}

void writer_seal_next(struct seal_stage *s)
{
    while (s->n_working < s->most && !g_queue_is_empty(s->in)) {
        struct item *item = g_queue_pop_head(s->in);
        item->work.data = s;
        g_queue_push_tail(&s->working, item);
        s->n_working++;
        uv_queue_work(s->env->loop, &item->work, seal_in_worker, on_sealed);
    }
}
