// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where in an archive each cluster of each device stands, from the extent headers alone; pure, and small:
 * some bytes for each extent where clusters follow each other, at most 8 for a cluster. What goes beyond
 * VMA_INDEX_HEAP_BYTES may lie elsewhere (vma_index_set_room).
 *
 *     g_autoptr(vma_index) x = vma_index_new(header);
 *     for (at = header->header_size; at < archive_size; at += len)
 *         if (!(len = vma_index_add(x, at, 512 bytes at `at`, &error))) …
 *     vma_index_end(x, at, &error);
 *
 *     struct vma_index_run run = vma_index_run(x, dev_id, offset, len);
 *
 * The same is checked as in reading everything, except payload.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "vma/check.h"

#define VMA_INDEX_HEAP_BYTES (32u << 20)

/* VMA_PAGE_TABLE_BYTES of zeros that stay until the index is freed; NULL with error set: there are no more. */
typedef void *(*vma_index_room)(void *user, GError **error);

struct vma_index;
/* The header is borrowed. */
struct vma_index *vma_index_new(const struct vma_header *header);
void vma_index_free(struct vma_index *x);
/* Where clusters lie so mixed up that more than max_bytes would be needed, the rest goes there. Without it all is
 * allocated, whatever it takes. */
void vma_index_set_room(struct vma_index *x, size_t max_bytes, vma_index_room room, void *user);
/* Returns the length of the extent whose header stands at `offset`. 0 with error set: damaged (DAMAGED), or
 * there is no more room (that error). */
uint64_t vma_index_add(struct vma_index *x, uint64_t offset, const uint8_t header[VMA_EXTENT_HEADER_SIZE],
                       GError **error);
/* All extents are in. False: something is missing that should be there (DAMAGED). */
bool vma_index_end(struct vma_index *x, uint64_t offset, GError **error);
/* After vma_index_end(): which devices are whole, the length of the RAM state. */
const struct vma_check *vma_index_check(const struct vma_index *x);
/* Allocated. */
size_t vma_index_bytes(const struct vma_index *x);

/* Bytes of a device that are all stored, one after the other, or all zero. */
struct vma_index_run {
    uint64_t len;
    uint64_t at; /* in the archive; 0: zeros */
};
/* The longest that begins at `offset`, at most max bytes; offset + max <= size. A cluster that is missing is
 * zeros. */
struct vma_index_run vma_index_run(const struct vma_index *x, int dev_id, uint64_t offset, uint64_t max);

typedef struct vma_index vma_index;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_index, vma_index_free)
