// SPDX-License-Identifier: GPL-2.0-or-later
/* Holds the stages together. None of them calls this file but by the callbacks of its writer_env. */
#include "archive/archive_writer.h"

#include <string.h>
#include "archive/writer_end.h"
#include "archive/writer_pack.h"
#include "archive/writer_place.h"
#include "archive/writer_seal.h"
#include "archive/writer_spool.h"
#include "archive/writer_target.h"
#include "base/threads.h"

#define RETRY_MS        1000
#define DEFAULT_WORKERS 3 /* that seal: the pool's other threads belong to sink and spool */

/* Between the stages. */
enum { FULL, DRIVES, RAM, READY, N_QUEUES };

struct archive_writer {
    struct writer base;
    struct writer_env env;
    GQueue queues[N_QUEUES];
    struct seal_stage seal;
    struct pack_stage pack;
    struct spool_stage spool;
    struct place_stage place;
    struct target_stage target;
    struct end_stage end;
    uv_timer_t retry; /* of the target and of the spool's disk */
    bool is_timer_closed;
    void (*closed)(void *user);
    void *closed_user;
};

static void discard(struct writer *base);
static bool is_drained(const struct archive_writer *w);

/* --- what is next ------------------------------------------------------------------------------- */

static void maybe_free(struct archive_writer *w)
{
    bool is_quiet = !w->seal.n_working && !w->spool.pushing && !w->spool.is_popping && !w->target.is_busy;

    if (!w->is_timer_closed || !is_quiet)
        return;
    g_clear_pointer(&w->pack.idle, g_async_queue_unref);
    g_queue_clear(&w->spool.records);
    vma_layout_free(w->place.layout);
    seek_table_writer_free(w->place.frames);
    g_clear_pointer(&w->end.bytes, g_byte_array_unref);
    g_clear_pointer(&w->end.header, g_bytes_unref);
    g_free(w->end.moving);
    g_ptr_array_unref(w->env.lanes);
    w->closed(w->closed_user);
    g_free(w);
}

static void pump(struct writer *base)
{
    struct archive_writer *w = (struct archive_writer *)base;

    if (!w->env.is_discarding) {
        writer_seal_next(&w->seal);
        writer_spool_next(&w->spool);
        if (!writer_place_next(&w->place))
            writer_spool_pop(&w->spool);
        if (w->end.is_asked && !w->target.is_busy && !w->target.is_waiting && is_drained(w) &&
            !writer_seal_flush_empty(&w->seal))
            writer_end_next(&w->end);
        w->env.events.on_room(w->env.user);
    }
    maybe_free(w);
}

static void fail(struct writer *base, const GError *error)
{
    struct archive_writer *w = (struct archive_writer *)base;

    if (w->env.is_discarding)
        return;
    discard(base);
    w->env.events.on_error(w->env.user, error);
}

static void on_retry(uv_timer_t *timer)
{
    struct archive_writer *w = timer->data;

    writer_target_try_again(&w->target, w->end.is_asked || !writer_place_is_empty(&w->place));
    pump(&w->base);
}

static void retry_later(struct writer *base)
{
    struct archive_writer *w = (struct archive_writer *)base;

    uv_timer_start(&w->retry, on_retry, RETRY_MS, 0);
}

/* --- life --------------------------------------------------------------------------------------- */

static void lane_free(gpointer data)
{
    struct extent_lane *lane = data;

    g_byte_array_unref(lane->empty);
    g_free(lane);
}

static void init_stages(struct archive_writer *w)
{
    struct writer_env *env = &w->env;
    GQueue *q = w->queues;

    w->seal = (struct seal_stage){.env = env, .pack = &w->pack, .in = &q[FULL], .out = &q[DRIVES]};
    w->seal.most = DEFAULT_WORKERS;
    w->spool = (struct spool_stage){.env = env, .in = &q[DRIVES], .out = &q[READY]};
    w->place = (struct place_stage){.env = env, .target = &w->target, .in = &q[READY]};
    w->place.layout = sink_can_cut(env->sink) ? vma_layout_new() : NULL;
    w->target.env = env;
}

void archive_writer_set_spool(struct writer *base, struct spool *spool, uint64_t guest_reserve)
{
    struct archive_writer *w = (struct archive_writer *)base;

    w->spool.spool = spool;
    w->spool.guest_reserve = guest_reserve;
}

void archive_writer_set_compression(struct writer *base, int level, unsigned threads)
{
    struct archive_writer *w = (struct archive_writer *)base;

    writer_pack_start(&w->pack, level, threads);
    g_clear_pointer(&w->place.layout, vma_layout_free);
    w->place.frames = seek_table_writer_new();
    w->seal.most = threads + THREADS_AHEAD;
}

static struct writer_lane *add_lane(struct writer *base, uint8_t dev_id, bool is_vmstate)
{
    struct archive_writer *w = (struct archive_writer *)base;
    struct extent_lane *lane = g_new0(struct extent_lane, 1);

    lane->seal = &w->seal;
    lane->dev_id = dev_id;
    lane->is_vmstate = is_vmstate;
    lane->index = w->env.lanes->len;
    lane->empty = g_byte_array_new();
    if (w->place.layout)
        vma_layout_add_lane(w->place.layout, is_vmstate);
    g_ptr_array_add(w->env.lanes, lane);
    return &lane->base;
}

/* What a worker, the spool or the target has is dropped when it comes back. */
static void drop_stale(struct archive_writer *w, const struct extent_lane *dropped)
{
    for (unsigned i = 0; i < w->env.lanes->len; i++) {
        struct extent_lane *lane = g_ptr_array_index(w->env.lanes, i);
        if (lane->open && writer_item_is_stale(lane->open))
            g_clear_pointer(&lane->open, writer_item_free);
    }
    for (unsigned i = 0; i < N_QUEUES; i++)
        writer_item_free_stale(&w->queues[i]);
    writer_place_drop(&w->place, dropped);
}

static void discard(struct writer *base)
{
    struct archive_writer *w = (struct archive_writer *)base;

    g_atomic_int_set(&w->env.is_discarding, true);
    uv_timer_stop(&w->retry);
    drop_stale(w, NULL);
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct archive_writer *w = handle->data;

    w->is_timer_closed = true;
    maybe_free(w);
}

static void close_writer(struct writer *base, void (*closed)(void *user), void *user)
{
    struct archive_writer *w = (struct archive_writer *)base;

    discard(base);
    w->closed = closed;
    w->closed_user = user;
    uv_close((uv_handle_t *)&w->retry, on_retry_closed);
}

/* --- in ----------------------------------------------------------------------------------------- */

/* Takes the bytes. */
static void put_bytes(struct archive_writer *w, GByteArray *bytes, uint64_t plain_len)
{
    guint len = bytes->len;
    uint8_t *raw = g_byte_array_free(bytes, len == 0);
    struct item *item;

    if (!raw)
        return;
    item = writer_item_new(&w->env, NULL, raw, len);
    item->plain_len = plain_len;
    g_queue_push_tail(&w->queues[READY], item);
}

static void put_header(struct writer *base, GBytes *header)
{
    struct archive_writer *w = (struct archive_writer *)base;
    gsize len = g_bytes_get_size(header);

    put_bytes(w, writer_pack_length(&w->pack, w->env.sink, 0), 0);
    put_bytes(w, writer_pack_store(&w->pack, g_bytes_get_data(header, NULL), len), len);
    pump(base);
}

static void add(struct writer_lane *lane, uint32_t cluster, uint8_t *data)
{
    writer_seal_add((struct extent_lane *)lane, cluster, data);
}

static void add_zeroes(struct writer_lane *lane, uint32_t cluster, uint32_t n)
{
    writer_seal_add_zeroes((struct extent_lane *)lane, cluster, n);
}

static void flush_lane(struct writer_lane *lane)
{
    writer_seal_flush((struct extent_lane *)lane);
}

static void flush(struct writer *base)
{
    struct archive_writer *w = (struct archive_writer *)base;

    for (unsigned i = 0; i < w->env.lanes->len; i++)
        writer_seal_flush(g_ptr_array_index(w->env.lanes, i));
}

static bool can_drop(const struct writer *w)
{
    return sink_can_cut(((const struct archive_writer *)w)->env.sink);
}

static void drop_lane(struct writer_lane *base)
{
    struct archive_writer *w = (struct archive_writer *)base->writer;
    struct extent_lane *lane = (struct extent_lane *)base;

    g_assert(can_drop(base->writer) && !w->end.is_asked);
    lane->generation++;
    lane->totals = (struct vma_totals){0};
    g_byte_array_set_size(lane->empty, 0);
    drop_stale(w, lane);
    writer_target_try_again(&w->target, true);
    pump(base->writer);
}

static void finish(struct writer *base, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user)
{
    struct archive_writer *w = (struct archive_writer *)base;

    w->end = (struct end_stage){.env = &w->env, .pack = &w->pack, .place = &w->place, .is_asked = true, .done = done};
    w->end.user = user;
    w->end.flags = end_flags;
    w->end.vmstate_bytes = vmstate_bytes;
    w->end.header = header ? g_bytes_ref(header) : NULL;
    flush(base);
    pump(base);
}

/* --- how far ------------------------------------------------------------------------------------ */

static bool is_cpu_bound(const struct archive_writer *w)
{
    bool is_busy = w->pack.idle && g_async_queue_length(w->pack.idle) <= 0; /* negative: so many wait */

    return is_busy && !w->queues[READY].length && !w->target.is_full;
}

static unsigned count_queued(const struct archive_writer *w)
{
    unsigned n = w->seal.working.length + w->place.batch.length;

    for (unsigned i = 0; i < N_QUEUES; i++)
        n += w->queues[i].length;
    return n;
}

static bool is_drained(const struct archive_writer *w)
{
    return !count_queued(w) && writer_place_is_empty(&w->place) && writer_spool_is_empty(&w->spool);
}

static void look(const struct writer *base, struct writer_state *state)
{
    const struct archive_writer *w = (const struct archive_writer *)base;

    state->plain_bytes = w->place.frames ? seek_table_writer_plain(w->place.frames) : sink_written(w->env.sink);
    state->spool_used = state->spool_backlog = w->spool.spool ? spool_used(w->spool.spool) : 0;
    state->queued = count_queued(w);
    state->is_drained = is_drained(w);
    state->is_cpu_bound = is_cpu_bound(w);
    state->is_ram_blocked = w->queues[RAM].length > 0;
}

static const struct writer_ops ops = {
    .put_header = put_header,
    .add_lane = add_lane,
    .add = add,
    .add_zeroes = add_zeroes,
    .flush_lane = flush_lane,
    .flush = flush,
    .can_drop = can_drop,
    .drop_lane = drop_lane,
    .look = look,
    .discard = discard,
    .finish = finish,
    .close = close_writer,
};

struct writer *archive_writer_new(uv_loop_t *loop, struct sink *sink, struct pool *pool, const uint8_t uuid[16],
                                  const struct writer_events *events, void *user)
{
    struct archive_writer *w = g_new0(struct archive_writer, 1);

    w->env =
        (struct writer_env){loop, sink, pool, *events, user, &w->base, pump, fail, retry_later, .is_discarding = false};
    w->env.lanes = g_ptr_array_new_with_free_func(lane_free);
    memcpy(w->env.uuid, uuid, sizeof w->env.uuid);
    init_stages(w);
    uv_timer_init(loop, &w->retry);
    w->retry.data = w;
    w->base.ops = &ops;
    return &w->base;
}
