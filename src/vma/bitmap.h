// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A set of cluster numbers, allocated piece by piece as it fills: an archive that claims a drive of
 * 256 TiB costs nothing until its clusters come.
 *
 *     struct vma_bitmap *seen = vma_bitmap_new(n_clusters);
 *     if (!vma_bitmap_set(seen, cluster)) …          // it was in already
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct vma_bitmap;
struct vma_bitmap *vma_bitmap_new(uint64_t n_bits);
void vma_bitmap_free(struct vma_bitmap *b);
bool vma_bitmap_get(const struct vma_bitmap *b, uint64_t bit);
/* False when it was set already. bit < n_bits. */
bool vma_bitmap_set(struct vma_bitmap *b, uint64_t bit);
/* Sets up to n from `first` on, as many as are clear in a row; returns how many. first + n <= n_bits. */
uint64_t vma_bitmap_set_clear(struct vma_bitmap *b, uint64_t first, uint64_t n);
uint64_t vma_bitmap_count(const struct vma_bitmap *b);
/* The first bit >= from and before `end` that is not set; `end`, or n_bits before that, when there is none. */
uint64_t vma_bitmap_next_clear(const struct vma_bitmap *b, uint64_t from, uint64_t end);

typedef struct vma_bitmap vma_bitmap;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_bitmap, vma_bitmap_free)
