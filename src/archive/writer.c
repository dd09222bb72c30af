// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_inside.h"

#include <string.h>

#define FULL_RETRY_MS   1000
#define DEFAULT_WORKERS 3 /* that seal: the pool's other threads belong to sink and spool */

/* --- life --------------------------------------------------------------------------------------- */

static void lane_free(gpointer data)
{
    struct writer_lane *lane = data;

    g_byte_array_unref(lane->empty);
    g_free(lane);
}

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
    w->lanes = g_ptr_array_new_with_free_func(lane_free);
    w->max_sealing = DEFAULT_WORKERS;
    if (sink_can_cut(sink))
        w->layout = vma_layout_new();
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
    lane->index = w->lanes->len;
    lane->empty = g_byte_array_new();
    if (w->layout)
        vma_layout_add_lane(w->layout, is_vmstate);
    g_ptr_array_add(w->lanes, lane);
    return lane;
}

bool writer_can_drop(const struct writer *w)
{
    return sink_can_cut(w->sink);
}

uint64_t writer_lane_zero_bytes(const struct writer_lane *lane)
{
    return lane->zero_bytes;
}

struct map *writer_lane_map(struct writer_lane *lane)
{
    return &lane->map;
}

void writer_fail(struct writer *w, const GError *error)
{
    if (w->has_failed)
        return;
    w->has_failed = true;
    writer_discard(w);
    w->events.on_error(w->user, error);
}

/* --- along the way ------------------------------------------------------------------------------ */

static void set_full(struct writer *w, bool is_full)
{
    if (w->is_full == is_full)
        return;
    w->is_full = is_full;
    w->events.on_full(w->user, is_full);
}

static void on_retry(uv_timer_t *timer)
{
    struct writer *w = timer->data;

    if (w->is_discarding)
        return;
    writer_batch_retry(w);
    if (!w->is_writing && !w->is_finishing && g_queue_is_empty(&w->ready)) /* what waited for room was dropped */
        set_full(w, false);
    writer_pump(w);
}

void writer_retry_later(struct writer *w)
{
    uv_timer_start(&w->retry, on_retry, FULL_RETRY_MS, 0);
}

bool writer_check_full(struct writer *w, const GError *error)
{
    if (w->is_discarding)
        return false;
    if (g_error_matches(error, SINK_ERROR, SINK_ERROR_FULL)) {
        writer_retry_later(w);
        set_full(w, true);
        return true;
    }
    if (!error)
        set_full(w, false);
    return false;
}

static void put_raw(struct writer *w, GByteArray *bytes, uint64_t plain_len)
{
    guint len = bytes->len;
    struct item *item = writer_item_new_raw(w, g_byte_array_free(bytes, FALSE), len);

    item->plain_len = plain_len;
    g_queue_push_tail(&w->ready, item);
}

void writer_put_header(struct writer *w, GBytes *header)
{
    gsize len = g_bytes_get_size(header);

    if (writer_pack_tells_length(w))
        put_raw(w, writer_pack_length(0), 0);
    put_raw(w, writer_pack_store(w, g_bytes_get_data(header, NULL), len), len);
    writer_pump(w);
}

void writer_pump(struct writer *w)
{
    if (!w->is_discarding) {
        writer_seal_more(w);
        writer_spool_pass_on(w);
        if (!w->is_writing && g_queue_is_empty(&w->batch)) {
            if (writer_batch_bury(w))
                ;
            else if (!g_queue_is_empty(&w->ready))
                writer_batch_start(w);
            else
                writer_spool_pop(w);
        }
        writer_end_more(w);
        w->events.on_room(w->user);
    }
    writer_maybe_free(w);
}

bool writer_is_drained(const struct writer *w)
{
    return !w->unsealed.length && !w->sealing.length && !w->behind.length && !w->behind_ram.length &&
           !w->ready.length && !w->batch.length && !w->dead_len && writer_spool_is_empty(w);
}

bool writer_is_ram_blocked(const struct writer *w)
{
    return w->behind_ram.length > 0;
}

uint64_t writer_spool_used(const struct writer *w)
{
    return w->spool ? spool_used(w->spool) : 0;
}

unsigned writer_queued(const struct writer *w)
{
    return w->unsealed.length + w->sealing.length + w->behind.length + w->behind_ram.length + w->ready.length +
           w->batch.length;
}

void writer_discard(struct writer *w)
{
    if (w->is_discarding)
        return;
    g_atomic_int_set(&w->is_discarding, true);
    uv_timer_stop(&w->retry);
    for (unsigned i = 0; i < w->lanes->len; i++) {
        struct writer_lane *lane = g_ptr_array_index(w->lanes, i);
        if (lane->open)
            writer_item_free(g_steal_pointer(&lane->open));
    }
    writer_drop_all(&w->unsealed);
    writer_drop_all(&w->behind);
    writer_drop_all(&w->behind_ram);
    writer_drop_all(&w->ready);
    if (!w->is_writing)
        writer_drop_all(&w->batch);
}

bool writer_is_quiet(const struct writer *w)
{
    return !w->n_sealing && !w->pushing && !w->is_popping && !w->is_writing && !w->is_ending;
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct writer *w = handle->data;

    w->is_timer_closed = true;
    writer_maybe_free(w);
}

void writer_maybe_free(struct writer *w)
{
    if (!w->is_closing || !w->is_timer_closed || !writer_is_quiet(w))
        return;
    g_ptr_array_unref(w->lanes);
    g_queue_clear(&w->in_spool);
    vma_layout_free(w->layout);
    writer_pack_free(w);
    g_clear_pointer(&w->end_bytes, g_byte_array_unref);
    g_free(w->moving);
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
