// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_place.h"

#include <string.h>

#define MAX_PIECES      1024       /* of one write */
#define MAX_BATCH_BYTES (8u << 20) /* of one write: small extents (sparse drives) share one */
#define APPEND          UINT64_MAX
#define PUNCH_FROM      (64u << 10) /* less is not worth a hole */

bool writer_place_is_empty(const struct place_stage *p)
{
    return !p->in->length && !p->batch.length && !p->dead_len;
}

/* --- writing ------------------------------------------------------------------------------------ */

/* Not packed, and made at once. Each is an extent of its own in the layout, so they are always appended. */
static bool has_many_extents(const struct item *item)
{
    return item->lane && item->plain_len == item->length;
}

/* What was appended has a place from now on. */
static void note_appended(struct place_stage *p, const struct item *item)
{
    uint64_t len = item->length;

    if (p->frames && writer_item_is_stale(item))
        seek_table_writer_add_dead(p->frames, len);
    else if (p->frames)
        seek_table_writer_add(p->frames, len, item->plain_len, item->lane ? item->lane->index + 1 : 0);
    else if (!p->layout)
        return;
    else if (!item->lane)
        vma_layout_append_fixed(p->layout, len);
    else if (writer_item_is_stale(item))
        vma_layout_append_dead(p->layout, len);
    else if (has_many_extents(item))
        for (uint64_t done = 0; done < len; done += VMA_EXTENT_HEADER_SIZE)
            vma_layout_append(p->layout, item->lane->index, VMA_EXTENT_HEADER_SIZE);
    else
        vma_layout_append(p->layout, item->lane->index, len);
}

/* There was no room: ready again, unless it was dropped meanwhile or its place is taken already. */
static void undo(struct place_stage *p)
{
    struct item *item;

    while (p->batch_at == APPEND && (item = g_queue_pop_tail(&p->batch)))
        g_queue_push_head(p->in, item);
    writer_item_free_stale(p->in);
}

static void on_written(void *user, const GError *error)
{
    struct place_stage *p = user;

    if (p->target->is_waiting) {
        undo(p);
        return;
    }
    for (GList *at = p->batch.head; at && !error && p->batch_at == APPEND; at = at->next)
        note_appended(p, at->data);
    g_queue_clear_full(&p->batch, (GDestroyNotify)writer_item_free);
}

/* A dead place is taken at once: while this one write is under way no other begins, so if the lane is dropped
 * meanwhile, nobody gets the place too early. */
static void place_first(struct place_stage *p)
{
    struct item *item = g_queue_pop_head(p->in);

    p->batch_at = APPEND;
    if (p->layout && item->lane && !has_many_extents(item))
        vma_layout_reuse(p->layout, item->lane->index, item->length, &p->batch_at);
    g_queue_push_tail(&p->batch, item);
}

static bool may_share(const struct place_stage *p, const struct item *item, uint64_t bytes, unsigned n)
{
    if (!item || p->batch_at != APPEND || bytes >= MAX_BATCH_BYTES || n + item->n_pieces > MAX_PIECES)
        return false;
    return !p->layout || !item->lane || has_many_extents(item) ||
           !vma_layout_has_place(p->layout, item->lane->index, item->length);
}

static void write_batch(struct place_stage *p)
{
    const struct item *item = g_queue_peek_head(&p->batch);
    struct iovec pieces[MAX_PIECES];
    uint64_t bytes = 0;
    unsigned n = 0;

    for (;;) {
        memcpy(pieces + n, item->pieces, item->n_pieces * sizeof *pieces);
        n += item->n_pieces;
        bytes += item->length;
        item = g_queue_peek_head(p->in);
        if (!may_share(p, item, bytes, n))
            break;
        g_queue_push_tail(&p->batch, g_queue_pop_head(p->in));
    }
    writer_target_begin(p->target, on_written, p);
    if (p->batch_at == APPEND)
        sink_write(p->env->sink, pieces, n, writer_target_done, p->target);
    else
        sink_rewrite(p->env->sink, p->batch_at, pieces, n, writer_target_done, p->target);
}

/* --- burying ------------------------------------------------------------------------------------ */

static void on_punched(void *user, const GError *error)
{
    ((struct place_stage *)user)->dead_len = 0;
}

static void on_buried(void *user, const GError *error)
{
    struct place_stage *p = user;

    if (p->target->is_waiting)
        return;
    if (error || p->env->is_discarding || p->dead_len < PUNCH_FROM)
        on_punched(p, error);
    else
        sink_punch(p->env->sink, p->dead_at + FRAME_SKIPPABLE_HEADER_SIZE, p->dead_len - FRAME_SKIPPABLE_HEADER_SIZE,
                   writer_target_done, writer_target_begin(p->target, on_punched, p));
}

/* At once, not at the end: a target that is full has room again. False: there is nothing dead. */
static bool bury(struct place_stage *p)
{
    struct iovec iov = {p->skippable, sizeof p->skippable};

    if (!p->frames || (!p->dead_len && !seek_table_writer_bury(p->frames, &p->dead_at, &p->dead_len)))
        return false;
    frame_make_skippable(p->dead_len, p->skippable);
    sink_rewrite(p->env->sink, p->dead_at, &iov, 1, writer_target_done, writer_target_begin(p->target, on_buried, p));
    return true;
}

/* --- what is next ------------------------------------------------------------------------------- */

bool writer_place_next(struct place_stage *p)
{
    if (p->target->is_busy || p->target->is_waiting || bury(p))
        return true;
    if (!p->batch.length && p->in->length)
        place_first(p);
    if (!p->batch.length)
        return false;
    write_batch(p);
    return true;
}

void writer_place_drop(struct place_stage *p, const struct extent_lane *lane)
{
    if (!p->target->is_busy)
        writer_item_free_stale(&p->batch);
    if (lane && p->frames)
        seek_table_writer_drop(p->frames, lane->index + 1);
    else if (lane)
        vma_layout_drop(p->layout, lane->index);
}
