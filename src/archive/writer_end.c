// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_end.h"

#include <string.h>
#include "base/error.h"
#include "vma/split.h"

enum { SETTLE, MOVE, PUT, STAY, MOVED, CUT, MARK, HEADER, DONE };

static void on_step(void *user, const GError *error)
{
    struct end_stage *e = user;

    if (!error)
        e->step++;
}

static void rewrite(struct end_stage *e, uint64_t offset, const void *head, size_t head_len, const void *body,
                    size_t body_len)
{
    struct iovec iov[] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)body, body_len}};

    sink_rewrite(e->env->sink, offset, iov, G_N_ELEMENTS(iov), writer_target_done,
                 writer_target_begin(e->place->target, on_step, e));
}

/* --- moves -------------------------------------------------------------------------------------- */

static bool settle(struct end_stage *e)
{
    if (e->place->layout)
        vma_layout_settle(e->place->layout);
    return false;
}

static bool split(struct end_stage *e)
{
    struct extent_lane *lane = g_ptr_array_index(e->env->lanes, e->move.lane);
    uint8_t old[VMA_EXTENT_HEADER_SIZE];

    memcpy(old, e->moving, sizeof old);
    e->gone = (uint64_t)vma_split(e->moving, e->move.len, e->move.room, e->env->uuid, e->gone_header) * VMA_BLOCK_SIZE;
    if (!e->gone)
        return false;
    vma_totals_remove(&lane->totals, old);
    vma_totals_add(&lane->totals, e->moving);
    vma_totals_add(&lane->totals, e->gone_header);
    return true;
}

static void on_read(void *user, const GError *error)
{
    struct end_stage *e = user;
    g_autoptr(GError) changed = NULL;

    on_step(e, error);
    if (error || e->env->is_discarding || e->move.kind != VMA_MOVE_SPLIT || split(e))
        return;
    changed =
        g_error_new(VMB_ERROR, VMB_ERROR_TARGET,
                    "target %s: does not give back what was written; its disk may be failing", sink_name(e->env->sink));
    e->env->on_failed(e->env->writer, changed);
}

static bool move(struct end_stage *e)
{
    if (!e->place->layout || !vma_layout_next(e->place->layout, &e->move)) {
        e->step = MOVED; /* the last */
        return false;
    }
    if (!e->moving)
        e->moving = g_malloc(VMA_MAX_EXTENT_SIZE);
    if (e->move.kind == VMA_MOVE_PAD)
        vma_split_fill_empty(e->env->uuid, e->moving, e->move.len);
    else
        sink_read(e->env->sink, e->move.from, e->moving, e->move.len, writer_target_done,
                  writer_target_begin(e->place->target, on_read, e));
    return e->move.kind != VMA_MOVE_PAD;
}

static bool put(struct end_stage *e)
{
    if (e->move.kind == VMA_MOVE_SPLIT)
        rewrite(e, e->move.to, e->gone_header, sizeof e->gone_header, e->moving + e->move.len - e->gone, e->gone);
    else
        rewrite(e, e->move.to, e->moving, e->move.len, NULL, 0);
    return true;
}

static bool stay(struct end_stage *e)
{
    if (e->move.kind == VMA_MOVE_SPLIT)
        rewrite(e, e->move.from, e->moving, VMA_EXTENT_HEADER_SIZE, NULL, 0);
    return e->move.kind == VMA_MOVE_SPLIT;
}

static bool moved(struct end_stage *e)
{
    vma_layout_moved(e->place->layout, &e->move, VMA_EXTENT_HEADER_SIZE + e->gone);
    e->step = SETTLE; /* then the next */
    return false;
}

/* --- the end mark ------------------------------------------------------------------------------- */

/* What is dead at the end goes. */
static bool cut(struct end_stage *e)
{
    uint64_t end = 0;

    if (e->place->frames)
        end = seek_table_writer_trim(e->place->frames);
    else if (e->place->layout)
        end = vma_layout_end(e->place->layout);
    if (!sink_can_cut(e->env->sink) || end == sink_written(e->env->sink))
        return false;
    sink_cut(e->env->sink, end, writer_target_done, writer_target_begin(e->place->target, on_step, e));
    return true;
}

static void make_end_mark(struct end_stage *e)
{
    struct vma_totals totals = {.vmstate_bytes = e->vmstate_bytes};
    uint8_t mark[VMA_EXTENT_HEADER_SIZE];

    for (unsigned i = 0; i < e->env->lanes->len; i++)
        vma_totals_merge(&totals, &((struct extent_lane *)g_ptr_array_index(e->env->lanes, i))->totals);
    vma_end_mark_encode(&totals, e->flags, e->env->uuid, mark);
    e->bytes = writer_pack_store(e->pack, mark, sizeof mark);
    if (e->place->frames) {
        g_autoptr(GByteArray) table = NULL;
        seek_table_writer_add(e->place->frames, e->bytes->len, sizeof mark, 0);
        table = seek_table_writer_encode(e->place->frames);
        g_byte_array_append(e->bytes, table->data, table->len);
    }
}

static bool write_end_mark(struct end_stage *e)
{
    struct iovec iov;

    if (!e->bytes)
        make_end_mark(e);
    iov = (struct iovec){e->bytes->data, e->bytes->len};
    sink_write(e->env->sink, &iov, 1, writer_target_done, writer_target_begin(e->place->target, on_step, e));
    return true;
}

static bool rewrite_header(struct end_stage *e)
{
    g_autoptr(GByteArray) header = NULL;

    g_clear_pointer(&e->bytes, g_byte_array_unref);
    if (!sink_can_rewrite(e->env->sink))
        return false;
    e->bytes = writer_pack_length(e->pack, e->env->sink, sink_written(e->env->sink));
    if (e->header) {
        header = writer_pack_store(e->pack, g_bytes_get_data(e->header, NULL), g_bytes_get_size(e->header));
        g_byte_array_append(e->bytes, header->data, header->len);
    }
    if (e->bytes->len)
        rewrite(e, 0, e->bytes->data, e->bytes->len, NULL, 0);
    return e->bytes->len > 0;
}

static bool tell(struct end_stage *e)
{
    e->is_asked = false;
    e->done(e->user);
    return true;
}

/* --- one after the other ------------------------------------------------------------------------ */

/* In the order of the enum. True: an operation has begun, and its success brings the next step. False: the next one. */
static bool (*const steps[])(struct end_stage *e) = {
    settle, move, put, stay, moved, cut, write_end_mark, rewrite_header, tell,
};

void writer_end_next(struct end_stage *e)
{
    while (!steps[e->step](e))
        e->step++;
}
