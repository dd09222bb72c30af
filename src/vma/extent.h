// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An extent being filled, sealed and written; and the totals for the end mark. Pure.
 *
 *     vma_extent_add(e, cluster, buffer);            // or NULL for a cluster of zeros
 *     if (e->n == VMA_CLUSTERS_PER_EXTENT) …
 *     vma_extent_seal(e, uuid);                      // a worker may do this: masks, digest, header
 *     n = vma_extent_iov(e, iov, G_N_ELEMENTS(iov)); // header, then runs of stored blocks: writev
 *     vma_totals_add(&totals, e);                    // and release the buffers
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "vma/format.h"

/* len: up to VMA_CLUSTER_SIZE. */
bool vma_is_zero(const uint8_t *bytes, size_t len);

/* Worst case: the header and, in each cluster, every second block stored. */
#define VMA_EXTENT_MAX_IOV (1 + VMA_CLUSTERS_PER_EXTENT * VMA_BLOCKS_PER_CLUSTER / 2)

struct vma_extent {
    uint8_t dev_id;
    bool is_vmstate; /* every block is stored, zero or not: stock tools drop zero blocks of this stream */
    unsigned n;
    struct {
        uint32_t cluster;
        uint16_t mask; /* by vma_extent_seal() */
        uint8_t *data; /* 64 KiB, owned by whoever fills the extent; NULL = zeros */
    } clusters[VMA_CLUSTERS_PER_EXTENT];
    unsigned blocks; /* stored, by vma_extent_seal() */
    uint8_t header[VMA_EXTENT_HEADER_SIZE];
};

/* What the end mark says of everything before it. */
struct vma_totals {
    uint64_t extents; /* that have entries */
    uint64_t blocks;
    uint64_t vmstate_bytes; /* exact length of the RAM stream, 0 without one */
    uint8_t header_sum[16]; /* sum mod 2^128 (big-endian) of XXH3-128 over each extent header */
};

void vma_extent_add(struct vma_extent *e, uint32_t cluster, uint8_t *data);
/* Finds zero blocks, makes the XXH3-128 of the payload, the header and its MD5. */
void vma_extent_seal(struct vma_extent *e, const uint8_t uuid[16]);
/* Extents of n clusters of zeros, `first` and those behind it: their headers, one for each VMA_CLUSTERS_PER_EXTENT, the
 * last one may have fewer; and what they add to the totals. */
void vma_extent_make_zeroes(uint8_t *headers, uint8_t dev_id, uint32_t first, uint32_t n, const uint8_t uuid[16],
                            struct vma_totals *totals);
/* Length in the archive of the sealed extent. */
uint64_t vma_extent_length(const struct vma_extent *e);
/* The sealed extent as pieces of memory; returns how many. max >= VMA_EXTENT_MAX_IOV always suffices. */
unsigned vma_extent_iov(const struct vma_extent *e, struct iovec *iov, unsigned max);

#define VMA_END_COMPLETE    0x01u
#define VMA_END_DEVICE_LOST 0x02u
void vma_totals_add(struct vma_totals *t, const uint8_t header[VMA_EXTENT_HEADER_SIZE]);
/* An extent that was added before is no longer there. */
void vma_totals_remove(struct vma_totals *t, const uint8_t header[VMA_EXTENT_HEADER_SIZE]);
/* The extents of `more`, too. */
void vma_totals_merge(struct vma_totals *t, const struct vma_totals *more);
void vma_end_mark_encode(const struct vma_totals *t, uint8_t flags, const uint8_t uuid[16],
                         uint8_t out[VMA_EXTENT_HEADER_SIZE]);
