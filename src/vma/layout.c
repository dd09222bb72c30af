// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/layout.h"

#include <glib.h>

/* Extents of one lane that stand one behind the other. */
struct run {
    uint64_t offset;
    uint32_t first, n; /* in the lane's blocks */
};

struct lane {
    bool is_ordered;
    GArray *runs;   /* struct run, in the order they came */
    GArray *blocks; /* uint16_t: stored blocks of each extent */
    uint64_t end;   /* of the last run */
};

struct hole {
    uint64_t offset, len;
};

/* An extent behind the first hole. */
struct piece {
    uint64_t offset;
    uint32_t len; /* 0: it has moved away */
    uint32_t lane;
};

struct vma_layout {
    GArray *lanes;
    GArray *holes; /* by offset once tidy; those of length 0 were used up */
    bool is_tidy;
    unsigned n_used_up;
    uint64_t end, dead;

    /* while it settles */
    GArray *pieces;  /* by offset */
    guint next_move; /* pieces before it have not moved */
    guint hole;      /* the lowest with room */
    bool is_sliding;
    guint next_slide, next_pad;
    uint64_t cursor; /* the lowest place that became free; then where the next one slides to */
};

static void lane_clear(gpointer data)
{
    struct lane *lane = data;

    g_array_unref(lane->runs);
    g_array_unref(lane->blocks);
}

struct vma_layout *vma_layout_new(void)
{
    struct vma_layout *l = g_new0(struct vma_layout, 1);

    l->lanes = g_array_new(FALSE, FALSE, sizeof(struct lane));
    g_array_set_clear_func(l->lanes, lane_clear);
    l->holes = g_array_new(FALSE, FALSE, sizeof(struct hole));
    l->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
    l->is_tidy = true;
    return l;
}

void vma_layout_free(struct vma_layout *l)
{
    if (!l)
        return;
    g_array_unref(l->lanes);
    g_array_unref(l->holes);
    g_array_unref(l->pieces);
    g_free(l);
}

unsigned vma_layout_add_lane(struct vma_layout *l, bool is_ordered)
{
    struct lane lane = {.is_ordered = is_ordered};

    lane.runs = g_array_new(FALSE, FALSE, sizeof(struct run));
    lane.blocks = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    g_array_append_val(l->lanes, lane);
    return l->lanes->len - 1;
}

static struct lane *lane_of(const struct vma_layout *l, unsigned lane)
{
    g_assert(lane < l->lanes->len);
    return &g_array_index(l->lanes, struct lane, lane);
}

static struct hole *hole_at(const struct vma_layout *l, guint i)
{
    return &g_array_index(l->holes, struct hole, i);
}

/* --- what is live ------------------------------------------------------------------------------- */

static uint64_t length_of(uint16_t blocks)
{
    return VMA_EXTENT_HEADER_SIZE + (uint64_t)blocks * VMA_BLOCK_SIZE;
}

static void lane_add(struct lane *lane, uint64_t offset, uint64_t len)
{
    uint16_t blocks = (uint16_t)((len - VMA_EXTENT_HEADER_SIZE) / VMA_BLOCK_SIZE);
    struct run run = {.offset = offset, .first = lane->blocks->len, .n = 1};

    g_assert(length_of(blocks) == len);
    g_array_append_val(lane->blocks, blocks);
    if (lane->runs->len && lane->end == offset)
        g_array_index(lane->runs, struct run, lane->runs->len - 1).n++;
    else
        g_array_append_val(lane->runs, run);
    lane->end = offset + len;
}

void vma_layout_append_fixed(struct vma_layout *l, uint64_t len)
{
    l->end += len;
}

void vma_layout_append(struct vma_layout *l, unsigned lane, uint64_t len)
{
    lane_add(lane_of(l, lane), l->end, len);
    l->end += len;
}

uint64_t vma_layout_end(const struct vma_layout *l)
{
    return l->end;
}

/* --- what is dead ------------------------------------------------------------------------------- */

uint64_t vma_layout_dead_bytes(const struct vma_layout *l)
{
    return l->dead;
}

static void add_hole(struct vma_layout *l, uint64_t offset, uint64_t len)
{
    struct hole hole = {offset, len};

    g_array_append_val(l->holes, hole);
    l->dead += len;
    l->is_tidy = false;
}

void vma_layout_append_dead(struct vma_layout *l, uint64_t len)
{
    add_hole(l, l->end, len);
    l->end += len;
}

void vma_layout_drop(struct vma_layout *l, unsigned lane)
{
    struct lane *dropped = lane_of(l, lane);

    for (guint i = 0; i < dropped->runs->len; i++) {
        const struct run *run = &g_array_index(dropped->runs, struct run, i);
        uint64_t len = 0;
        for (uint32_t e = run->first; e < run->first + run->n; e++)
            len += length_of(g_array_index(dropped->blocks, uint16_t, e));
        add_hole(l, run->offset, len);
    }
    g_array_set_size(dropped->runs, 0);
    g_array_set_size(dropped->blocks, 0);
}

static gint by_offset(gconstpointer a, gconstpointer b)
{
    uint64_t x = ((const struct hole *)a)->offset, y = ((const struct hole *)b)->offset;

    return x < y ? -1 : x > y;
}

/* In order of place; neighbours become one, what was used up goes. */
static void tidy(struct vma_layout *l)
{
    guint n = 0;

    if (l->is_tidy && l->n_used_up <= l->holes->len / 2)
        return;
    g_array_sort(l->holes, by_offset);
    for (guint i = 0; i < l->holes->len; i++) {
        struct hole hole = *hole_at(l, i);
        struct hole *last = n ? hole_at(l, n - 1) : NULL;
        if (!hole.len)
            continue;
        if (last && last->offset + last->len == hole.offset)
            last->len += hole.len;
        else
            *hole_at(l, n++) = hole;
    }
    g_array_set_size(l->holes, n);
    l->is_tidy = true;
    l->n_used_up = 0;
}

/* The smallest that is large enough; holes->len when there is none. */
static guint best_fit(const struct vma_layout *l, uint64_t len)
{
    guint best = l->holes->len;

    for (guint i = 0; i < l->holes->len; i++) {
        uint64_t room = hole_at(l, i)->len;
        if (room == len)
            return i;
        if (room > len && (best == l->holes->len || room < hole_at(l, best)->len))
            best = i;
    }
    return best;
}

static uint64_t take(struct vma_layout *l, guint i, uint64_t len)
{
    struct hole *hole = hole_at(l, i);
    uint64_t offset = hole->offset;

    hole->offset += len;
    hole->len -= len;
    l->dead -= len;
    l->n_used_up += hole->len == 0;
    return offset;
}

bool vma_layout_has_place(struct vma_layout *l, unsigned lane, uint64_t len)
{
    if (len > l->dead || lane_of(l, lane)->is_ordered)
        return false;
    tidy(l);
    return best_fit(l, len) < l->holes->len;
}

bool vma_layout_reuse(struct vma_layout *l, unsigned lane, uint64_t len, uint64_t *offset)
{
    if (!vma_layout_has_place(l, lane, len))
        return false;
    *offset = take(l, best_fit(l, len), len);
    lane_add(lane_of(l, lane), *offset, len);
    return true;
}

/* --- closing up --------------------------------------------------------------------------------- */

/* The lane's extents that stand behind `limit`. */
static void collect_pieces(struct vma_layout *l, unsigned number, uint64_t limit)
{
    const struct lane *lane = lane_of(l, number);

    for (guint i = 0; i < lane->runs->len; i++) {
        const struct run *run = &g_array_index(lane->runs, struct run, i);
        uint64_t offset = run->offset;
        for (uint32_t e = run->first; e < run->first + run->n; e++) {
            uint64_t len = length_of(g_array_index(lane->blocks, uint16_t, e));
            struct piece piece = {offset, (uint32_t)len, number};
            if (offset >= limit)
                g_array_append_val(l->pieces, piece);
            offset += len;
        }
    }
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    uint64_t x = ((const struct piece *)a)->offset, y = ((const struct piece *)b)->offset;

    return x < y ? -1 : x > y;
}

static struct piece *piece_at(const struct vma_layout *l, guint i)
{
    return &g_array_index(l->pieces, struct piece, i);
}

void vma_layout_settle(struct vma_layout *l)
{
    const struct hole *last;

    l->n_used_up = l->holes->len; /* tidy in any case */
    tidy(l);
    l->cursor = l->end;
    if (!l->holes->len)
        return;
    for (unsigned i = 0; i < l->lanes->len; i++)
        collect_pieces(l, i, hole_at(l, 0)->offset);
    g_array_sort(l->pieces, by_place);
    l->next_move = l->pieces->len;
    last = hole_at(l, l->holes->len - 1);
    if (last->offset + last->len == l->end)
        l->cursor = last->offset;
}

/* From the last one on, each into the lowest hole, or as much of it as fits: until hole and extent meet. So all
 * that has moved stands before all that has still to. */
static bool next_into_hole(struct vma_layout *l, struct vma_move *move)
{
    while (l->hole < l->holes->len && hole_at(l, l->hole)->len < VMA_LAYOUT_MIN_ROOM)
        l->hole++;
    for (; l->hole < l->holes->len && l->next_move > 0; l->next_move--) {
        const struct piece *piece = piece_at(l, l->next_move - 1);
        const struct hole *hole = hole_at(l, l->hole);
        if (piece->offset < hole->offset)
            break;
        if (!piece->len || lane_of(l, piece->lane)->is_ordered)
            continue;
        *move = (struct vma_move){piece->len <= hole->len ? VMA_MOVE_COPY : VMA_MOVE_SPLIT,
                                  piece->lane,
                                  piece->offset,
                                  hole->offset,
                                  piece->len,
                                  hole->len};
        return true;
    }
    return false;
}

/* What stands behind the lowest place that became free goes down to it, in order. Smaller gaps before it stay. */
static void end_moving(struct vma_layout *l)
{
    l->is_sliding = true;
    if (l->hole < l->holes->len)
        l->cursor = MIN(l->cursor, hole_at(l, l->hole)->offset);
    while (l->holes->len && hole_at(l, l->holes->len - 1)->offset >= l->cursor)
        g_array_set_size(l->holes, l->holes->len - 1);
}

static bool next_slide(struct vma_layout *l, struct vma_move *move)
{
    for (; l->next_slide < l->pieces->len; l->next_slide++) {
        const struct piece *piece = piece_at(l, l->next_slide);
        if (!piece->len || piece->offset < l->cursor)
            continue;
        if (piece->offset > l->cursor) {
            *move = (struct vma_move){VMA_MOVE_COPY, piece->lane, piece->offset, l->cursor, piece->len, 0};
            return true;
        }
        l->cursor += piece->len;
    }
    l->end = l->cursor;
    return false;
}

static bool next_pad(struct vma_layout *l, struct vma_move *move)
{
    while (l->next_pad < l->holes->len && !hole_at(l, l->next_pad)->len)
        l->next_pad++;
    if (l->next_pad == l->holes->len)
        return false;
    *move = (struct vma_move){
        .kind = VMA_MOVE_PAD, .to = hole_at(l, l->next_pad)->offset, .len = hole_at(l, l->next_pad)->len};
    return true;
}

bool vma_layout_next(struct vma_layout *l, struct vma_move *move)
{
    if (!l->is_sliding && next_into_hole(l, move))
        return true;
    if (!l->is_sliding)
        end_moving(l);
    return next_slide(l, move) || next_pad(l, move);
}

/* The place of a piece that has gone, wholly or its end, is free. */
static void moved_into_hole(struct vma_layout *l, const struct vma_move *move, uint64_t taken)
{
    struct piece *piece = piece_at(l, l->next_move - 1);

    if (move->kind == VMA_MOVE_COPY) {
        take(l, l->hole, move->len);
        piece->len = 0;
    } else {
        take(l, l->hole, taken);
        piece->len -= (uint32_t)(taken - VMA_EXTENT_HEADER_SIZE);
    }
    l->cursor = MIN(l->cursor, piece->offset + piece->len);
}

void vma_layout_moved(struct vma_layout *l, const struct vma_move *move, uint64_t taken)
{
    if (!l->is_sliding)
        moved_into_hole(l, move, taken);
    else if (move->kind == VMA_MOVE_COPY)
        piece_at(l, l->next_slide)->offset = move->to;
    else
        take(l, l->next_pad, move->len);
}
