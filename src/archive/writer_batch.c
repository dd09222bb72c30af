// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * To the target: what is ready is appended, several small extents at once, or goes where a dropped lane stood. In a
 * packed archive the frames of a dropped lane become skippable ones, in place.
 */
#include "archive/writer_inside.h"
#include "sink/frame.h"

#define MAX_BATCH_BYTES (8u << 20) /* of one write: small extents (sparse drives) share one */
#define APPEND          UINT64_MAX
#define PUNCH_FROM      (64u << 10) /* less is not worth a hole */

/* --- its place ---------------------------------------------------------------------------------- */

static bool has_dead_place(const struct writer *w, const struct item *item)
{
    return w->layout && item->lane && vma_layout_has_place(w->layout, item->lane->index, writer_item_length(item));
}

/* What was appended has a place from now on. */
static void note_appended(struct writer *w, const struct item *item)
{
    uint64_t len = writer_item_length(item);

    if (w->frames && writer_item_is_stale(item))
        seek_table_writer_add_dead(w->frames, len);
    else if (w->frames)
        seek_table_writer_add(w->frames, len, item->plain_len, item->lane ? item->lane->index + 1 : 0);
    else if (!w->layout)
        return;
    else if (!item->lane)
        vma_layout_append_fixed(w->layout, len);
    else if (writer_item_is_stale(item))
        vma_layout_append_dead(w->layout, len);
    else
        vma_layout_append(w->layout, item->lane->index, len);
}

/* --- writing ------------------------------------------------------------------------------------ */

static void on_written(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_writing = false;
    if (writer_check_full(w, error))
        return;
    for (GList *at = w->batch.head; at && !error && w->batch_at == APPEND; at = at->next)
        note_appended(w, at->data);
    writer_drop_all(&w->batch);
    if (error && !w->is_discarding)
        writer_fail(w, error);
    writer_pump(w);
}

static void write_batch(struct writer *w)
{
    w->is_writing = true;
    if (w->batch_at == APPEND)
        sink_write(w->sink, w->iov, w->n_iov, on_written, w);
    else
        sink_rewrite(w->sink, w->batch_at, w->iov, w->n_iov, on_written, w);
}

static uint64_t take_next(struct writer *w)
{
    struct item *item = g_queue_pop_head(&w->ready);

    w->n_iov += writer_item_iov(item, w->iov + w->n_iov, MAX_IOV - w->n_iov);
    g_queue_push_tail(&w->batch, item);
    return writer_item_length(item);
}

/* Its place is taken at once: while this one write is under way no other begins, so if the lane is dropped
 * meanwhile, nobody gets the place too early. */
static bool start_in_dead_place(struct writer *w)
{
    const struct item *item = g_queue_peek_head(&w->ready);

    if (!w->layout || !item->lane ||
        !vma_layout_reuse(w->layout, item->lane->index, writer_item_length(item), &w->batch_at))
        return false;
    take_next(w);
    return true;
}

void writer_batch_start(struct writer *w)
{
    uint64_t bytes = 0;

    w->n_iov = 0;
    if (!start_in_dead_place(w)) {
        w->batch_at = APPEND;
        do
            bytes += take_next(w);
        while (!g_queue_is_empty(&w->ready) && bytes < MAX_BATCH_BYTES && w->n_iov + ITEM_MAX_IOV <= MAX_IOV &&
               !has_dead_place(w, g_queue_peek_head(&w->ready)));
    }
    write_batch(w);
}

void writer_batch_undo(struct writer *w)
{
    struct item *item;

    while (!w->is_writing && w->batch_at == APPEND && (item = g_queue_pop_tail(&w->batch)))
        g_queue_push_head(&w->ready, item);
    writer_drop_stale(&w->ready);
}

void writer_batch_retry(struct writer *w)
{
    writer_batch_undo(w);
    if (!w->is_writing && !g_queue_is_empty(&w->batch))
        write_batch(w);
}

/* --- burying ------------------------------------------------------------------------------------ */

static void on_punched(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_writing = false;
    w->dead_len = 0;
    if (error && !w->is_discarding)
        writer_fail(w, error);
    writer_pump(w);
}

static void on_buried(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_writing = false;
    if (writer_check_full(w, error))
        return;
    if (error || w->is_discarding || w->dead_len < PUNCH_FROM) {
        on_punched(w, error);
        return;
    }
    w->is_writing = true;
    sink_punch(w->sink, w->dead_at + FRAME_SKIPPABLE_HEADER_SIZE, w->dead_len - FRAME_SKIPPABLE_HEADER_SIZE, on_punched,
               w);
}

/* At once, not at the end: a target that is full has room again. */
bool writer_batch_bury(struct writer *w)
{
    struct iovec iov = {w->end_header, FRAME_SKIPPABLE_HEADER_SIZE};

    if (!w->frames || (!w->dead_len && !seek_table_writer_bury(w->frames, &w->dead_at, &w->dead_len)))
        return false;
    frame_make_skippable(w->dead_len, w->end_header);
    w->is_writing = true;
    sink_rewrite(w->sink, w->dead_at, &iov, 1, on_buried, w);
    return true;
}
