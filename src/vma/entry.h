// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The 512 bytes of an extent header: its entries and the reserved byte of each, where our payload digest and
 * end mark live. Shared by the writing and the reading side; everyone else uses extent.h or reader.h.
 */
#include <stdint.h>
#include "vma/format.h"

struct vma_entry {
    uint16_t mask;  /* bit j: block j of the cluster is stored */
    uint8_t dev_id; /* 0: unused */
    uint32_t cluster;
};

/* The 59 reserved bytes r[] of an extent: a mark of 4 bytes, then what it announces. */
#define VMA_MARK_SIZE 4
#define VMA_PAYLOAD_MARK                                                                                               \
    {                                                                                                                  \
        'X', 'X', 'H', '3'                                                                                             \
    } /* then 16 bytes XXH3-128 of the payload */
#define VMA_END_MARK                                                                                                   \
    {                                                                                                                  \
        'E', 'N', 'D', '1'                                                                                             \
    }
enum {
    VMA_END_AT_FLAGS = 4,
    VMA_END_AT_EXTENTS = 5,
    VMA_END_AT_BLOCKS = 13,
    VMA_END_AT_VMSTATE_BYTES = 21,
    VMA_END_AT_SUM = 29,
};

/* Clears the header and fills in all but entries, reserved bytes and MD5. */
void vma_entry_start_header(uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t uuid[16], uint16_t blocks);
void vma_entry_put(uint8_t header[VMA_EXTENT_HEADER_SIZE], unsigned i, struct vma_entry entry);
/* Puts the reserved bytes between the entries, and the MD5 over it all. */
void vma_entry_finish_header(uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t reserved[VMA_CLUSTERS_PER_EXTENT]);

/* NULL, or what is wrong with it: magic, reserved field, uuid, MD5, block count against the masks. */
const char *vma_entry_check_header(const uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t uuid[16]);
struct vma_entry vma_entry_get(const uint8_t header[VMA_EXTENT_HEADER_SIZE], unsigned i);
unsigned vma_entry_count(const uint8_t header[VMA_EXTENT_HEADER_SIZE]); /* used ones */
uint16_t vma_entry_block_count(const uint8_t header[VMA_EXTENT_HEADER_SIZE]);
void vma_entry_reserved(const uint8_t header[VMA_EXTENT_HEADER_SIZE], uint8_t out[VMA_CLUSTERS_PER_EXTENT]);
