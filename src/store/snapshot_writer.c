// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot_writer_inside.h"

#include <string.h>
#include "base/each.h"
#include "base/error.h"
#include "base/threads.h"
#include "vma/format.h"

#define RETRY_MS     1000
#define COMMIT_EVERY (UINT64_C(32) << 20) /* packed; with 256 MiB a run took a fifth longer: all waits for the last */

/* --- what is next ------------------------------------------------------------------------------- */

static void free_in_worker(uv_work_t *work)
{
    overflow_free(((struct snapshot_writer *)work->data)->spool);
}

static void on_freed(uv_work_t *work, int status)
{
    struct snapshot_writer *w = work->data;

    g_async_queue_unref(w->benches);
    snapshot_end_free(w->end);
    g_ptr_array_unref(w->lanes);
    sink_unref(&w->target->sink);
    w->closed(w->closed_user);
    g_free(w);
}

static void maybe_free(struct snapshot_writer *w)
{
    bool is_quiet = !w->n_working && !w->n_spilling && !w->is_committing && !snapshot_end_is_busy(w->end);

    if (!w->is_timer_closed || !is_quiet || w->is_closing)
        return;
    w->is_closing = true;
    w->closing.data = w;
    uv_queue_work(w->loop, &w->closing, free_in_worker, on_freed);
}

static void commit_in_worker(uv_work_t *work)
{
    struct snapshot_writer *w = work->data;

    chunk_batch_commit(w->target->batch, &w->commit_error);
}

static void on_committed(uv_work_t *work, int status)
{
    struct snapshot_writer *w = work->data;
    g_autoptr(GError) error = g_steal_pointer(&w->commit_error);

    w->is_committing = false;
    snapshot_target_does(w->target, NULL);
    if (error && !snapshot_writer_wait(w, error))
        snapshot_writer_fail(w, error);
    snapshot_writer_pump(w);
}

static void commit_next(struct snapshot_writer *w)
{
    if (w->is_committing || w->is_waiting || chunk_batch_pending(w->target->batch) < COMMIT_EVERY)
        return;
    w->is_committing = true;
    w->commit.data = w;
    uv_queue_work(w->loop, &w->commit, commit_in_worker, on_committed);
}

static void end_next(struct snapshot_writer *w)
{
    if (w->end && !snapshot_end_is_busy(w->end) && !w->is_waiting && !w->is_committing && snapshot_writer_is_drained(w))
        snapshot_end_next(w);
}

void snapshot_writer_tell_target(struct snapshot_writer *w)
{
    snapshot_target_does(w->target, w->n_working && !w->is_waiting                     ? "a write to"
                                    : w->is_committing || snapshot_end_is_busy(w->end) ? "the sync of"
                                                                                       : NULL);
}

void snapshot_writer_pump(struct snapshot_writer *w)
{
    if (!w->is_discarding) {
        snapshot_put_next(w);
        snapshot_spill_next(w);
        commit_next(w);
        end_next(w);
    }
    if (!w->is_discarding)
        w->events.on_room(w->user);
    snapshot_writer_tell_target(w);
    maybe_free(w);
}

void snapshot_writer_set_full(struct snapshot_writer *w, bool is_full)
{
    if (w->is_full == is_full || w->is_discarding)
        return;
    w->is_full = is_full;
    w->events.on_full(w->user, is_full);
}

static void on_retry(uv_timer_t *timer)
{
    struct snapshot_writer *w = timer->data;

    w->is_waiting = false;
    if (snapshot_writer_is_drained(w) && !w->end)
        snapshot_writer_set_full(w, false);
    snapshot_writer_pump(w);
}

bool snapshot_writer_wait(struct snapshot_writer *w, const GError *error)
{
    if (w->is_discarding || !g_error_matches(error, SINK_ERROR, SINK_ERROR_FULL))
        return false;
    w->is_waiting = true;
    uv_timer_start(&w->retry, on_retry, RETRY_MS, 0);
    snapshot_writer_set_full(w, true);
    return true;
}

/* --- in ----------------------------------------------------------------------------------------- */

/* The last one tells what there is: finish(). */
static void put_header(struct writer *base, GBytes *header)
{
}

static void lane_free(gpointer data)
{
    struct snapshot_lane *lane = data;

    g_hash_table_unref(lane->open);
    chunk_index_free(lane->index);
    vma_bitmap_free(lane->whole);
    g_free(lane->bitmap);
    g_free(lane);
}

bool snapshot_writer_resize(struct snapshot_lane *lane, uint64_t size)
{
    g_autoptr(GError) error = NULL;

    if (chunk_index_resize(lane->index, size))
        return true;
    vmb_error_set(&error, VMB_ERROR_FAILED,
                  "an index of %" G_GUINT64_FORMAT " bytes is too large for this machine's "
                  "memory; in a store of larger chunks it is smaller",
                  size / writer_of(lane)->chunk_bytes * sizeof(struct chunk_id));
    snapshot_writer_fail(writer_of(lane), error);
    return false;
}

static void renew_index(struct snapshot_lane *lane)
{
    chunk_index_free(lane->index);
    lane->index = chunk_index_new(0, writer_of(lane)->chunk_bytes);
    snapshot_writer_resize(lane, lane->size);
    vma_bitmap_free(lane->whole);
    lane->whole = lane->is_vmstate ? NULL : vma_bitmap_new(lane->index->n);
}

static struct writer_lane *add_lane(struct writer *base, uint8_t dev_id, bool is_vmstate)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;
    struct snapshot_lane *lane = g_new0(struct snapshot_lane, 1);

    lane->base.writer = base;
    lane->dev_id = dev_id;
    lane->is_vmstate = is_vmstate;
    lane->open = g_hash_table_new(NULL, NULL);
    renew_index(lane);
    g_ptr_array_add(w->lanes, lane);
    return &lane->base;
}

static void set_size(struct writer_lane *base, uint64_t size)
{
    struct snapshot_lane *lane = (struct snapshot_lane *)base;

    lane->size = size;
    renew_index(lane);
}

static void add(struct writer_lane *lane, uint32_t cluster, uint8_t *data)
{
    snapshot_fill_add((struct snapshot_lane *)lane, cluster, data);
    snapshot_put_next((struct snapshot_writer *)lane->writer);
    snapshot_spill_next((struct snapshot_writer *)lane->writer);
}

static void add_zeroes(struct writer_lane *lane, uint32_t cluster, uint32_t n)
{
    snapshot_fill_add_zeroes((struct snapshot_lane *)lane, cluster, n);
    snapshot_put_next((struct snapshot_writer *)lane->writer);
}

static void flush_lane(struct writer_lane *lane)
{
}

static void flush(struct writer *base)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;

    if (w->is_discarding)
        return;
    w->is_flush_wanted = true;
    snapshot_spill_next(w);
    snapshot_spill_check_stuck(w);
}

static bool can_drop(const struct writer *w)
{
    return true;
}

static void drop_lane(struct writer_lane *base)
{
    struct snapshot_lane *lane = (struct snapshot_lane *)base;
    struct snapshot_writer *w = writer_of(lane);

    g_assert(!w->end);
    lane->generation++;
    snapshot_fill_drop(lane);
    renew_index(lane);
    lane->top = 0;
    w->is_waiting = false;
    snapshot_writer_pump(w);
}

static void look(const struct writer *base, struct writer_state *state)
{
    const struct snapshot_writer *w = (const struct snapshot_writer *)base;

    state->plain_bytes = w->plain_bytes;
    state->spool_used = w->spool ? overflow_used(w->spool) : 0;
    state->spool_backlog = w->away_clusters * VMA_CLUSTER_SIZE;
    state->queued = w->ready.length + w->away.length + w->n_working;
    state->is_drained = snapshot_writer_is_drained(w) && !w->open.length;
    state->is_cpu_bound = w->n_working && g_async_queue_length(w->benches) <= 0 && !w->is_full && !w->is_committing;
    state->is_ram_blocked = snapshot_spill_is_ram_blocked(w);
}

/* --- life --------------------------------------------------------------------------------------- */

static void discard(struct writer *base)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;

    g_atomic_int_set(&w->is_discarding, true);
    uv_timer_stop(&w->retry);
    for_each_in (struct snapshot_lane, lane, w->lanes)
        snapshot_fill_drop(lane);
    snapshot_writer_tell_target(w);
}

void snapshot_writer_fail(struct snapshot_writer *w, const GError *error)
{
    if (w->is_discarding)
        return;
    discard(&w->base);
    w->events.on_error(w->user, error);
}

static void finish(struct writer *base, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;

    w->end = snapshot_end_new(header, vmstate_bytes, done, user);
    for_each_in (struct snapshot_lane, lane, w->lanes)
        if (lane->is_vmstate)
            snapshot_fill_end_ram(lane, vmstate_bytes);
    snapshot_writer_pump(w);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct snapshot_writer *w = handle->data;

    w->is_timer_closed = true;
    maybe_free(w);
}

static void close_writer(struct writer *base, void (*closed)(void *user), void *user)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;

    discard(base);
    w->closed = closed;
    w->closed_user = user;
    uv_close((uv_handle_t *)&w->retry, on_timer_closed);
}

static const struct writer_ops ops = {
    .put_header = put_header,
    .add_lane = add_lane,
    .set_size = set_size,
    .add = add,
    .add_zeroes = add_zeroes,
    .flush_lane = flush_lane,
    .keep = snapshot_keep,
    .flush = flush,
    .can_drop = can_drop,
    .drop_lane = drop_lane,
    .look = look,
    .discard = discard,
    .finish = finish,
    .close = close_writer,
};

struct writer *snapshot_writer_new(uv_loop_t *loop, struct sink *target, struct pool *pool, unsigned threads,
                                   const struct writer_events *events, void *user)
{
    struct snapshot_writer *w = g_new0(struct snapshot_writer, 1);

    w->base.ops = &ops;
    w->loop = loop;
    w->target = (struct snapshot_target *)target;
    sink_ref(target);
    w->pool = pool;
    w->events = *events;
    w->user = user;
    w->chunk_bytes = w->target->store->chunk_bytes;
    w->lanes = g_ptr_array_new_with_free_func(lane_free);
    w->benches = g_async_queue_new_full(g_free);
    for (unsigned i = 0; i < threads; i++)
        g_async_queue_push(w->benches, g_malloc(w->chunk_bytes));
    w->most = threads + THREADS_AHEAD;
    uv_timer_init(loop, &w->retry);
    w->retry.data = w;
    return &w->base;
}

void snapshot_writer_set_spool(struct writer *base, struct overflow *spool, uint64_t guest_reserve)
{
    struct snapshot_writer *w = (struct snapshot_writer *)base;

    w->spool = spool;
    w->guest_reserve = guest_reserve;
}
