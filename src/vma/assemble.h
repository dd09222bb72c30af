// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One drive's clusters: absent, arriving (partly there), held. Pure; two bits of truth a cluster.
 *
 *     struct vma_assemble *a = vma_assemble_new(size, true);
 *     uint8_t *data = buffer;
 *     switch (vma_assemble_put(a, offset, len, &data)) {
 *     case VMA_PUT_HELD:
 *         vma_extent_add(extent, offset / VMA_CLUSTER_SIZE, data);
 *         if (buffer && data != buffer) …                          // merged into an older one: buffer is free
 *         break;
 *     ...
 *
 * A cluster is held only by complete payload; nothing is filled in unasked (vma_assemble_fill). The part of the last
 * cluster behind the end of the drive needs no payload and must be zero in the buffer.
 */
#include <stdbool.h>
#include <stdint.h>
#include "vma/format.h"

#define VMA_MAX_PARTIAL 256u /* clusters of one drive that may be partial at a time */

enum vma_put {
    /* The cluster is complete now: *data (NULL: all zero) is the caller's to archive. If earlier parts had been
     * kept, it is their buffer, and the one that was given is the caller's again: compare the pointers. */
    VMA_PUT_HELD,
    VMA_PUT_WAITING, /* more must come; *data is NULL if the buffer was kept, else the caller's again */
    VMA_PUT_REPEAT,  /* held already and repeats are welcome: dropped; *data is the caller's again */
    VMA_PUT_TWICE,   /* some of it stood already and repeats are an error; *data is the caller's again */
    VMA_PUT_CROWDED, /* too many partial clusters; *data is the caller's again */
};

struct vma_assemble;
/* size: the drive's, a multiple of 512. may_repeat: filter and job send the same instant twice (guard). */
struct vma_assemble *vma_assemble_new(uint64_t size, bool may_repeat);
/* release(user, buffer) is called for every buffer of a partial cluster; NULL: they are freed by other means. */
void vma_assemble_free(struct vma_assemble *a, void (*release)(void *user, uint8_t *buffer), void *user);
/*
 * Bytes offset…offset+len (multiples of 512; within one cluster; within the drive) have come. *data: a cluster buffer
 * of 64 KiB with them at their place (offset % VMA_CLUSTER_SIZE), or NULL for zeros. A whole cluster never copies.
 */
enum vma_put vma_assemble_put(struct vma_assemble *a, uint64_t offset, uint32_t len, uint8_t **data);
/* Up to n clusters from `cluster` on are zero: as many in a row as are absent are held then. Returns how many. */
uint64_t vma_assemble_hold_zeroes(struct vma_assemble *a, uint64_t cluster, uint64_t n);
/*
 * What the first cluster from `from` on lacks is zero: somebody who knows the image says so. Returns that cluster, held
 * now, *data (NULL: all zero) as by VMA_PUT_HELD; vma_assemble_clusters() when all are held.
 */
uint64_t vma_assemble_fill(struct vma_assemble *a, uint64_t from, uint8_t **data);
bool vma_assemble_holds(const struct vma_assemble *a, uint64_t offset,
                        uint64_t len); /* every cluster touched is held */
/* An error was returned for this range: it may be sent again even where repeats are errors. */
void vma_assemble_forgive(struct vma_assemble *a, uint64_t offset, uint64_t len);
/* The first cluster from `from` on that is not held; vma_assemble_clusters() when there is none. */
uint64_t vma_assemble_next_missing(const struct vma_assemble *a, uint64_t from);
uint64_t vma_assemble_clusters(const struct vma_assemble *a); /* of the drive */
uint64_t vma_assemble_held(const struct vma_assemble *a);     /* of them, held */
bool vma_assemble_is_complete(const struct vma_assemble *a);
/* Bytes of the cluster that lie on the drive: 65536, or less for the last one. */
uint32_t vma_assemble_cluster_bytes(const struct vma_assemble *a, uint32_t cluster);
