// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A request on a drive, cut at the borders of its clusters: the pieces in which it becomes clusters.
 *
 *     for (uint64_t at = begin; at < end; at = piece_end(at, end))
 *         take(at, piece_end(at, end) - at);
 *
 * A WRITE's payload comes in any portions; `done` bytes of it have landed:
 *
 *     struct piece piece;
 *     if (piece_landed(offset, len, done, &piece)) …       // the last piece has just become whole
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "vma/format.h"

#define PIECE_ALIGNMENT 512u

struct piece {
    uint64_t offset;
    uint32_t len;
};

static inline bool piece_is_aligned(uint64_t offset, uint32_t len)
{
    return offset % PIECE_ALIGNMENT == 0 && len % PIECE_ALIGNMENT == 0;
}

/* Where the piece that begins at `at` ends, in a request that ends at `end`. */
static inline uint64_t piece_end(uint64_t at, uint64_t end)
{
    return MIN(end, (at / VMA_CLUSTER_SIZE + 1) * VMA_CLUSTER_SIZE);
}

/* Have the bytes up to `done` (1…len) made a piece whole? Payload never lands across a border at once. */
static inline bool piece_landed(uint64_t offset, uint32_t len, uint32_t done, struct piece *piece)
{
    uint64_t end = offset + done;

    if (end % VMA_CLUSTER_SIZE && done != len)
        return false;
    piece->offset = MAX(offset, (end - 1) / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE);
    piece->len = (uint32_t)(end - piece->offset);
    return true;
}
