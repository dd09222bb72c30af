// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot_writer_inside.h"

#include "vma/format.h"

bool snapshot_fill_is_stale(const struct filling *f)
{
    return f->is_unwanted || f->generation != f->lane->generation || writer_of(f->lane)->is_discarding;
}

/* --- queues ------------------------------------------------------------------------------------- */

void snapshot_fill_unlink(struct filling *f)
{
    struct snapshot_writer *w = writer_of(f->lane);

    if (!f->queue)
        return;
    g_queue_unlink(f->queue, &f->link);
    if (f->queue == &w->away)
        w->away_clusters -= f->n_spilled;
    f->queue = NULL;
}

static void link_to(struct filling *f, GQueue *queue)
{
    struct snapshot_writer *w = writer_of(f->lane);

    snapshot_fill_unlink(f);
    f->queue = queue;
    f->link.data = f;
    g_queue_push_tail_link(queue, &f->link);
    if (queue == &w->away)
        w->away_clusters += f->n_spilled;
}

void snapshot_fill_free(struct filling *f)
{
    struct snapshot_writer *w = writer_of(f->lane);

    snapshot_fill_unlink(f);
    for (unsigned k = 0; k < f->n; k++) {
        if (f->places[k].kind == PLACE_DATA)
            pool_give(w->pool, f->places[k].data);
        else if (f->places[k].kind == PLACE_SPILLED)
            overflow_give(w->spool, f->places[k].slot);
    }
    g_free(f);
}

/* What is zeros as a whole is in the index already. */
void snapshot_fill_settle(struct filling *f)
{
    struct snapshot_writer *w = writer_of(f->lane);

    if (f->is_spilling)
        return;
    if (f->is_whole && !f->n_data && !f->n_spilled)
        snapshot_fill_free(f);
    else if (f->is_whole)
        link_to(f, f->n_data ? &w->ready : &w->away);
    else if (f->n_data)
        link_to(f, &w->open);
    else
        snapshot_fill_unlink(f);
}

/* --- clusters ----------------------------------------------------------------------------------- */

static gpointer key_of(uint64_t i)
{
    return GSIZE_TO_POINTER(i + 1);
}

static struct filling *filling_at(struct snapshot_lane *lane, uint64_t i)
{
    struct snapshot_writer *w = writer_of(lane);
    struct filling *f = g_hash_table_lookup(lane->open, key_of(i));
    unsigned n;

    if (f)
        return f;
    n = (unsigned)vma_clusters_of(lane->is_vmstate ? w->chunk_bytes : chunk_index_len(lane->index, i));
    f = g_malloc0(sizeof *f + n * sizeof *f->places);
    f->lane = lane;
    f->generation = lane->generation;
    f->i = i;
    f->n = n;
    g_hash_table_insert(lane->open, key_of(i), f);
    return f;
}

static void close_filling(struct filling *f)
{
    f->is_whole = true;
    if (f->lane->whole)
        vma_bitmap_set(f->lane->whole, f->i);
    g_hash_table_remove(f->lane->open, key_of(f->i));
    snapshot_fill_settle(f);
}

/* Its stream comes in order, and how long it is shows at its end: the chunk before this one is a whole one. */
static bool follow_ram(struct snapshot_lane *lane, uint64_t i)
{
    struct filling *before = i > lane->top ? g_hash_table_lookup(lane->open, key_of(lane->top)) : NULL;

    if (i >= lane->index->n && !snapshot_writer_resize(lane, (i + 1) * 2 * lane->index->chunk_bytes))
        return false;
    lane->top = i;
    if (before)
        close_filling(before);
    return true;
}

static void put_in_place(struct filling *f, unsigned k, uint32_t cluster, uint8_t *data)
{
    struct place *p = &f->places[k];

    g_assert(p->kind == PLACE_ABSENT);
    p->kind = data ? PLACE_DATA : PLACE_ZERO;
    p->data = data;
    f->n_held++;
    f->n_data += data != NULL;
    if (data)
        return;
    f->lane->base.zero_bytes += VMA_CLUSTER_SIZE;
    map_add(&f->lane->base.map, cluster, VMA_BLOCKS_PER_CLUSTER);
}

/* Kept as it was: what the guest overwrites since is still sent to us. */
static bool is_settled(const struct snapshot_lane *lane, uint64_t i)
{
    return lane->whole && vma_bitmap_get(lane->whole, i);
}

void snapshot_fill_add(struct snapshot_lane *lane, uint32_t cluster, uint8_t *data)
{
    struct snapshot_writer *w = writer_of(lane);
    unsigned per_chunk = w->chunk_bytes / VMA_CLUSTER_SIZE;
    struct filling *f;

    if (w->is_discarding || is_settled(lane, cluster / per_chunk) ||
        (lane->is_vmstate && !follow_ram(lane, cluster / per_chunk))) {
        pool_give(w->pool, data);
        return;
    }
    f = filling_at(lane, cluster / per_chunk);
    put_in_place(f, cluster % per_chunk, cluster, data);
    if (f->n_held == f->n && !lane->is_vmstate)
        close_filling(f);
    else
        snapshot_fill_settle(f);
}

/* So many of these clusters are chunks of which nothing has come: the index has them as zeros already. */
static uint32_t add_whole_zeroes(struct snapshot_lane *lane, uint32_t cluster, uint32_t n)
{
    unsigned per_chunk = writer_of(lane)->chunk_bytes / VMA_CLUSTER_SIZE;
    uint32_t done = 0;
    uint64_t i = cluster / per_chunk;

    if (lane->is_vmstate || cluster % per_chunk)
        return 0;
    for (; n - done >= per_chunk && !is_settled(lane, i) && !g_hash_table_contains(lane->open, key_of(i)); i++) {
        vma_bitmap_set(lane->whole, i);
        done += per_chunk;
    }
    lane->base.zero_bytes += (uint64_t)done * VMA_CLUSTER_SIZE;
    map_add_run(&lane->base.map, cluster, done, true);
    return done;
}

void snapshot_fill_add_zeroes(struct snapshot_lane *lane, uint32_t cluster, uint32_t n)
{
    while (n && !writer_of(lane)->is_discarding) {
        uint32_t done = add_whole_zeroes(lane, cluster, n);
        if (!done) {
            snapshot_fill_add(lane, cluster, NULL);
            done = 1;
        }
        cluster += done;
        n -= done;
    }
}

void snapshot_fill_end_ram(struct snapshot_lane *lane, uint64_t bytes)
{
    struct filling *f = g_hash_table_lookup(lane->open, key_of(lane->top));

    if (snapshot_writer_resize(lane, bytes) && f)
        close_filling(f);
}

/* What the spool is being given is freed when that is over. */
void snapshot_fill_forget(struct snapshot_lane *lane, uint64_t i)
{
    struct filling *f = g_hash_table_lookup(lane->open, key_of(i));

    if (!f)
        return;
    g_hash_table_remove(lane->open, key_of(i));
    f->is_unwanted = true;
    if (!f->is_spilling)
        snapshot_fill_free(f);
}

/* --- dropping ----------------------------------------------------------------------------------- */

static void free_stale(GQueue *queue)
{
    for (GList *at = queue->head, *next; at; at = next) {
        next = at->next;
        if (snapshot_fill_is_stale(at->data))
            snapshot_fill_free(at->data);
    }
}

/* What a worker has is freed when it comes back. */
void snapshot_fill_drop(struct snapshot_lane *lane)
{
    struct snapshot_writer *w = writer_of(lane);
    GHashTableIter iter;
    gpointer f;

    g_hash_table_iter_init(&iter, lane->open);
    while (g_hash_table_iter_next(&iter, NULL, &f)) {
        g_hash_table_iter_remove(&iter);
        if (!((struct filling *)f)->is_spilling)
            snapshot_fill_free(f);
    }
    free_stale(&w->ready);
    free_stale(&w->away);
}
