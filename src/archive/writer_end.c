// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of an archive, one operation of the target after the other: what was dropped is closed up (moves as
 * the layout asks for them, then the cut), the end mark, the header once more.
 */
#include <string.h>
#include "archive/writer_inside.h"
#include "base/error.h"
#include "vma/split.h"

static void end_step(struct writer *w);

/* --- moves -------------------------------------------------------------------------------------- */

/* The bytes to be put are in `moving`: an extent that was read, or empty ones. */
static bool prepare_split(struct writer *w)
{
    struct writer_lane *lane = g_ptr_array_index(w->lanes, w->move.lane);
    uint8_t old[VMA_EXTENT_HEADER_SIZE];

    memcpy(old, w->moving, sizeof old);
    w->n_cut = vma_split(w->moving, w->move.len, w->move.room, w->uuid, w->end_header);
    if (!w->n_cut)
        return false;
    vma_totals_remove(&lane->totals, old);
    vma_totals_add(&lane->totals, w->moving);
    vma_totals_add(&lane->totals, w->end_header);
    return true;
}

static void fill_with_empty_extents(struct writer *w)
{
    vma_split_make_empty(w->uuid, w->moving);
    for (uint64_t at = VMA_EXTENT_HEADER_SIZE; at < w->move.len; at += VMA_EXTENT_HEADER_SIZE)
        memcpy(w->moving + at, w->moving, VMA_EXTENT_HEADER_SIZE);
}

static uint64_t cut_bytes(const struct writer *w)
{
    return (uint64_t)w->n_cut * VMA_BLOCK_SIZE;
}

static void on_read(void *user, const GError *error)
{
    struct writer *w = user;
    g_autoptr(GError) changed = NULL;

    w->is_ending = false;
    if (!error && !w->is_discarding && w->move.kind == VMA_MOVE_SPLIT && !prepare_split(w)) {
        changed =
            g_error_new(VMB_ERROR, VMB_ERROR_TARGET,
                        "target %s: does not give back what was written; its disk may be failing", sink_name(w->sink));
        error = changed;
    }
    if (error && !w->is_discarding)
        writer_fail(w, error);
    w->stage = STAGE_PUT;
    writer_pump(w);
}

/* False when there is nothing (more) to move. */
static bool begin_move(struct writer *w)
{
    if (!w->layout || !vma_layout_next(w->layout, &w->move))
        return false;
    if (!w->moving)
        w->moving = g_malloc(VMA_MAX_EXTENT_SIZE);
    if (w->move.kind == VMA_MOVE_PAD) {
        fill_with_empty_extents(w);
        w->stage = STAGE_PUT;
        end_step(w);
    } else {
        w->is_ending = true;
        sink_read(w->sink, w->move.from, w->moving, w->move.len, on_read, w);
    }
    return true;
}

static void end_move(struct writer *w)
{
    vma_layout_moved(w->layout, &w->move, VMA_EXTENT_HEADER_SIZE + cut_bytes(w));
    w->stage = STAGE_MOVE;
}

/* --- steps -------------------------------------------------------------------------------------- */

/* An operation has ended well: what comes next. */
static void advance(struct writer *w)
{
    if (w->stage == STAGE_PUT && w->move.kind == VMA_MOVE_SPLIT)
        w->stage = STAGE_STAY;
    else if (w->stage == STAGE_PUT || w->stage == STAGE_STAY)
        end_move(w);
    else
        w->stage++;
}

static void on_step(void *user, const GError *error)
{
    struct writer *w = user;

    w->is_ending = false;
    if (writer_check_full(w, error))
        return;
    if (error && !w->is_discarding)
        writer_fail(w, error);
    else
        advance(w);
    writer_pump(w);
}

static void rewrite(struct writer *w, uint64_t offset, const void *head, size_t head_len, const void *body,
                    size_t body_len)
{
    struct iovec iov[] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)body, body_len}};

    w->is_ending = true;
    sink_rewrite(w->sink, offset, iov, G_N_ELEMENTS(iov), on_step, w);
}

static void put(struct writer *w)
{
    uint64_t gone = cut_bytes(w);

    if (w->move.kind == VMA_MOVE_SPLIT)
        rewrite(w, w->move.to, w->end_header, sizeof w->end_header, w->moving + w->move.len - gone, gone);
    else
        rewrite(w, w->move.to, w->moving, w->move.len, NULL, 0);
}

/* What is dead at the end goes. */
static bool cut(struct writer *w)
{
    uint64_t end = w->frames ? seek_table_writer_trim(w->frames) : w->layout ? vma_layout_end(w->layout) : 0;

    if (!sink_can_cut(w->sink) || end == sink_written(w->sink))
        return false;
    w->is_ending = true;
    sink_cut(w->sink, end, on_step, w);
    return true;
}

static void make_end_mark(struct writer *w)
{
    struct vma_totals totals = {.vmstate_bytes = w->totals.vmstate_bytes};
    uint8_t mark[VMA_EXTENT_HEADER_SIZE];

    for (unsigned i = 0; i < w->lanes->len; i++)
        vma_totals_merge(&totals, &((struct writer_lane *)g_ptr_array_index(w->lanes, i))->totals);
    vma_end_mark_encode(&totals, w->end_flags, w->uuid, mark);
    w->end_bytes = writer_pack_store(w, mark, sizeof mark);
    if (w->frames) {
        g_autoptr(GByteArray) table = NULL;
        seek_table_writer_add(w->frames, w->end_bytes->len, sizeof mark, 0);
        table = seek_table_writer_encode(w->frames);
        g_byte_array_append(w->end_bytes, table->data, table->len);
    }
}

static void write_end_mark(struct writer *w)
{
    struct iovec iov;

    if (!w->end_bytes)
        make_end_mark(w);
    iov = (struct iovec){w->end_bytes->data, w->end_bytes->len};
    w->is_ending = true;
    sink_write(w->sink, &iov, 1, on_step, w);
}

static bool rewrite_header(struct writer *w)
{
    g_autoptr(GByteArray) header = NULL;

    g_clear_pointer(&w->end_bytes, g_byte_array_unref);
    if (!sink_can_rewrite(w->sink))
        return false;
    w->end_bytes = writer_pack_tells_length(w) ? writer_pack_length(sink_written(w->sink)) : g_byte_array_new();
    if (w->final_header) {
        header = writer_pack_store(w, g_bytes_get_data(w->final_header, NULL), g_bytes_get_size(w->final_header));
        g_byte_array_append(w->end_bytes, header->data, header->len);
    }
    if (!w->end_bytes->len)
        return false;
    rewrite(w, 0, w->end_bytes->data, w->end_bytes->len, NULL, 0);
    return true;
}

static void report_finished(struct writer *w)
{
    w->is_finishing = false;
    g_clear_pointer(&w->moving, g_free);
    w->finished(w->finished_user);
}

static void end_step(struct writer *w)
{
    switch (w->stage) {
    case STAGE_SETTLE:
        if (w->layout)
            vma_layout_settle(w->layout);
        w->stage = STAGE_MOVE;
        G_GNUC_FALLTHROUGH;
    case STAGE_MOVE:
        if (begin_move(w))
            return;
        w->stage = STAGE_CUT;
        G_GNUC_FALLTHROUGH;
    case STAGE_CUT:
        if (cut(w))
            return;
        w->stage = STAGE_MARK;
        G_GNUC_FALLTHROUGH;
    case STAGE_MARK:
        write_end_mark(w);
        return;
    case STAGE_PUT:
        put(w);
        return;
    case STAGE_STAY:
        rewrite(w, w->move.from, w->moving, VMA_EXTENT_HEADER_SIZE, NULL, 0);
        return;
    case STAGE_HEADER:
        if (rewrite_header(w))
            return;
        G_GNUC_FALLTHROUGH;
    case STAGE_DONE:
        report_finished(w);
    }
}

void writer_end_more(struct writer *w)
{
    bool is_waiting = uv_is_active((uv_handle_t *)&w->retry);

    if (w->is_finishing && !w->is_discarding && !w->is_ending && !is_waiting && writer_is_drained(w) &&
        !writer_pack_flush(w))
        end_step(w);
}

void writer_finish(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user)
{
    w->is_finishing = true;
    w->end_flags = end_flags;
    w->totals.vmstate_bytes = vmstate_bytes;
    w->final_header = header ? g_bytes_ref(header) : NULL;
    w->finished = done;
    w->finished_user = user;
    writer_flush(w);
    writer_pump(w);
}
