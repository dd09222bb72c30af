// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where each extent of an archive stands in its file, so that one device's can be taken out again. Pure.
 *
 *     unsigned lane = vma_layout_add_lane(l, false);
 *     if (!vma_layout_reuse(l, lane, len, &offset))   // a place that a dropped lane has left, or
 *         vma_layout_append(l, lane, len);            // the end of the archive
 *     vma_layout_drop(l, lane);                       // all of it is dead, and it may be filled anew
 *
 * At the end what is dead is closed up in place. The last extents move into the first dead places (cut in two
 * where one does not fit) until they meet; ordered ones slide down; small gaps become empty extents, which every
 * reader skips:
 *
 *     vma_layout_settle(l);
 *     while (vma_layout_next(l, &move)) {
 *         …do it…
 *         vma_layout_moved(l, &move, taken);
 *     }
 *     …truncate to vma_layout_end(l)…
 *
 * Costs two bytes an extent and 16 a run of extents of one lane.
 */
#include <stdbool.h>
#include <stdint.h>
#include "vma/format.h"

/* A gap of less than this is filled with empty extents: of a larger one at least one cluster can make use. */
#define VMA_LAYOUT_MIN_ROOM (VMA_EXTENT_HEADER_SIZE + VMA_CLUSTER_SIZE)
#define VMA_MAX_EXTENT_SIZE (VMA_EXTENT_HEADER_SIZE + VMA_CLUSTERS_PER_EXTENT * VMA_CLUSTER_SIZE)

enum vma_move_kind {
    VMA_MOVE_COPY,  /* `len` bytes from `from` to `to`, which may overlap */
    VMA_MOVE_SPLIT, /* the last clusters of the extent at `from`, of `len` bytes, that fit into `room` at `to` */
    VMA_MOVE_PAD,   /* `len` bytes at `to` become empty extents */
};
struct vma_move {
    enum vma_move_kind kind;
    unsigned lane;
    uint64_t from, to, len, room;
};

struct vma_layout;
struct vma_layout *vma_layout_new(void);
void vma_layout_free(struct vma_layout *l);
/* is_ordered: its extents must stay in the order they came (vmstate). */
unsigned vma_layout_add_lane(struct vma_layout *l, bool is_ordered);
/* At the end stand `len` bytes that belong to no lane and never move: the header. */
void vma_layout_append_fixed(struct vma_layout *l, uint64_t len);
void vma_layout_append(struct vma_layout *l, unsigned lane, uint64_t len);
/* The same, but dead already. */
void vma_layout_append_dead(struct vma_layout *l, uint64_t len);
/* Would vma_layout_reuse() find a place? */
bool vma_layout_has_place(struct vma_layout *l, unsigned lane, uint64_t len);
/* Best fit among what is dead; never for an ordered lane. */
bool vma_layout_reuse(struct vma_layout *l, unsigned lane, uint64_t len, uint64_t *offset);
void vma_layout_drop(struct vma_layout *l, unsigned lane);
uint64_t vma_layout_end(const struct vma_layout *l);
uint64_t vma_layout_dead_bytes(const struct vma_layout *l);

/* From here on nothing is appended, reused or dropped. */
void vma_layout_settle(struct vma_layout *l);
/* False: all is done. The same move again until it is told that it was made. */
bool vma_layout_next(struct vma_layout *l, struct vma_move *move);
/* taken: VMA_MOVE_SPLIT: bytes of the new extent, its header included. */
void vma_layout_moved(struct vma_layout *l, const struct vma_move *move, uint64_t taken);
