// SPDX-License-Identifier: GPL-2.0-or-later
/* A worker's turn: the clusters of a chunk side by side, its id, and into the store if it has not got it. */
#include "store/snapshot_writer_inside.h"

#include <string.h>
#include "base/error.h"
#include "sink/sink.h"
#include "vma/extent.h"

#define MAX_PENDING (UINT64_C(1) << 30) /* packed and not durable: then the disk is what is waited for */

struct put {
    uv_work_t work;
    struct filling *f;
    uint32_t len;
    struct chunk_id id;
    bool is_zero;
    uint64_t stored;
    int failed; /* errno of reading it back from the spool */
    GError *error;
};

/* --- in a worker -------------------------------------------------------------------------------- */

static uint8_t count_zero_blocks(const uint8_t *cluster)
{
    uint8_t n = 0;

    for (unsigned i = 0; i < VMA_BLOCKS_PER_CLUSTER; i++)
        n += vma_is_zero(cluster + (size_t)i * VMA_BLOCK_SIZE, VMA_BLOCK_SIZE);
    return n;
}

static void lay_down(struct put *p, struct place *place, uint8_t *at)
{
    struct snapshot_writer *w = writer_of(p->f->lane);

    place->zero_blocks = VMA_BLOCKS_PER_CLUSTER;
    if (place->kind == PLACE_DATA)
        memcpy(at, place->data, VMA_CLUSTER_SIZE);
    else if (place->kind != PLACE_SPILLED)
        memset(at, 0, VMA_CLUSTER_SIZE);
    else if (!p->failed)
        p->failed = overflow_read(w->spool, place->slot, at);
    if (place->kind == PLACE_DATA || place->kind == PLACE_SPILLED)
        place->zero_blocks = count_zero_blocks(at);
    p->is_zero &= place->zero_blocks == VMA_BLOCKS_PER_CLUSTER;
}

static void put_in_worker(uv_work_t *work)
{
    struct put *p = work->data;
    struct snapshot_writer *w = writer_of(p->f->lane);
    uint8_t *bench = g_async_queue_pop(w->benches);

    p->is_zero = true;
    for (unsigned k = 0; k < p->f->n && !g_atomic_int_get(&w->is_discarding); k++)
        lay_down(p, &p->f->places[k], bench + (size_t)k * VMA_CLUSTER_SIZE);
    if (!p->failed && !p->is_zero && !g_atomic_int_get(&w->is_discarding)) {
        chunk_id_of(bench, p->len, &p->id);
        chunk_batch_put(w->target->batch, &p->id, bench, p->len, &p->stored, &p->error);
    }
    g_async_queue_push_front(w->benches, bench); /* it is still in the cache */
}

/* --- on the loop -------------------------------------------------------------------------------- */

static void count(const struct put *p)
{
    struct snapshot_lane *lane = p->f->lane;
    struct snapshot_writer *w = writer_of(lane);
    uint64_t first = p->f->i * (w->chunk_bytes / VMA_CLUSTER_SIZE);

    for (unsigned k = 0; k < p->f->n; k++) {
        const struct place *place = &p->f->places[k];
        if (place->kind != PLACE_DATA && place->kind != PLACE_SPILLED)
            continue;
        lane->base.zero_bytes += (uint64_t)place->zero_blocks * VMA_BLOCK_SIZE;
        map_add(&lane->base.map, first + k, place->zero_blocks);
    }
    if (p->is_zero)
        return;
    chunk_index_set(lane->index, p->f->i, &p->id);
    w->plain_bytes += p->len;
}

/* Whoever wants it: it is in the store from now on. */
static void count_new(const struct put *p)
{
    struct snapshot_lane *lane = p->f->lane;
    struct snapshot_writer *w = writer_of(lane);

    if (!p->stored)
        return;
    lane->new_bytes += p->stored;
    lane->new_plain += p->len;
    w->target->sink.written += p->stored;
}

/* Its turn comes again, before all others: while there is no room, it is the one that tells. */
static void put_back(struct filling *f)
{
    snapshot_fill_settle(f);
    g_queue_unlink(f->queue, &f->link);
    g_queue_push_head_link(f->queue, &f->link);
}

static void take_result(struct put *p)
{
    struct snapshot_writer *w = writer_of(p->f->lane);

    if (p->failed)
        p->error = overflow_error(w->spool, "read", p->failed);
    count_new(p);
    if (!p->error && !w->is_waiting)
        snapshot_writer_set_full(w, false);
    if (snapshot_fill_is_stale(p->f)) {
        snapshot_fill_free(p->f);
    } else if (!p->error) {
        count(p);
        snapshot_fill_free(p->f);
    } else {
        put_back(p->f);
        if (!snapshot_writer_wait(w, p->error))
            snapshot_writer_fail(w, p->error);
    }
}

static void on_put(uv_work_t *work, int status)
{
    struct put *p = work->data;
    struct snapshot_writer *w = writer_of(p->f->lane);

    w->n_working--;
    snapshot_target_does(w->target, NULL);
    take_result(p);
    g_clear_error(&p->error);
    g_free(p);
    snapshot_writer_pump(w);
}

static struct filling *next_filling(struct snapshot_writer *w)
{
    GList *head = w->ready.head ? w->ready.head : w->away.head; /* buffers first */

    return head ? head->data : NULL;
}

static void start(struct snapshot_writer *w, struct filling *f)
{
    struct put *p = g_new0(struct put, 1);

    snapshot_fill_unlink(f);
    p->f = f;
    p->len = chunk_index_len(f->lane->index, f->i);
    p->work.data = p;
    w->n_working++;
    uv_queue_work(w->loop, &p->work, put_in_worker, on_put);
}

/* Where there was no room, and where the disk is far behind, one after the other. */
static unsigned most_at_once(const struct snapshot_writer *w)
{
    return w->is_full || chunk_batch_pending(w->target->batch) > MAX_PENDING ? 1 : w->most;
}

void snapshot_put_next(struct snapshot_writer *w)
{
    struct filling *f;

    while (!w->is_discarding && !w->is_waiting && (f = next_filling(w)) && w->n_working < most_at_once(w))
        start(w, f);
    snapshot_writer_tell_target(w);
}
