// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What only shows over a whole archive: clusters twice, missing or beyond the end, the order of the RAM
 * state, the end mark's totals. Fed with the events of a vma_reader; pure.
 *
 *     g_autoptr(vma_check) c = vma_check_new(header, on_fault, user);
 *     VMA_READ_EXTENT:     vma_check_extent(c, extent);      // before its blocks are used
 *     VMA_READ_BLOCK:      vma_check_block(c, block);
 *     VMA_READ_EXTENT_END: vma_check_payload(c, extent);
 *     VMA_READ_END:        vma_check_end(c, consumed);
 */
#include <stdbool.h>
#include <stdint.h>
#include "vma/reader.h"

/* offset: where in the archive; text: one sentence, safe to print. */
typedef void (*vma_fault_fn)(void *user, uint64_t offset, const char *text);

struct vma_check_result {
    struct vma_totals seen; /* vmstate_bytes: exact if the end mark tells, else its clusters × 64 KiB */
    uint64_t clusters;      /* entries */
    bool has_digests;       /* every extent with entries carried one */
    bool has_end_mark;
    unsigned lost_devices; /* that the end mark says are not whole, and are not: no fault */
};

struct vma_check;
/* The header is borrowed. */
struct vma_check *vma_check_new(const struct vma_header *header, vma_fault_fn fault, void *user);
void vma_check_free(struct vma_check *c);
void vma_check_extent(struct vma_check *c, const struct vma_read_extent *e);
void vma_check_block(struct vma_check *c, const struct vma_read_block *b);
void vma_check_payload(struct vma_check *c, const struct vma_read_extent *e);
/* Extents were lost to damage that was reported already: the totals cannot match and are not compared. */
void vma_check_skipped(struct vma_check *c);
void vma_check_end(struct vma_check *c, uint64_t offset);
const struct vma_check_result *vma_check_result(const struct vma_check *c);
/* Every cluster of the device was there. RAM state: it has any. */
bool vma_check_is_whole(const struct vma_check *c, int dev_id);
/* What came of a device, in clusters. */
struct vma_check_device {
    uint64_t due;     /* 0: the RAM state's number is not known */
    uint64_t seen;    /* that have an entry */
    uint64_t damaged; /* of those seen: their extent is cut short or does not match its digest */
};
struct vma_check_device vma_check_device(const struct vma_check *c, int dev_id);
/* The vmstate device, or 0. */
int vma_check_vmstate_id(const struct vma_check *c);

typedef struct vma_check vma_check;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_check, vma_check_free)
