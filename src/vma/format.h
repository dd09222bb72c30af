// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The VMA archive format: sizes and places, as docs/vma-format.md specifies them.
 *
 *     header | extent | extent | … | end mark (an empty extent)
 *     extent = 512-byte header + the stored 4 KiB blocks of up to 59 clusters
 */
#include <stdint.h>

#define VMA_BLOCK_SIZE          4096u
#define VMA_CLUSTER_SIZE        65536u
#define VMA_BLOCKS_PER_CLUSTER  16u
#define VMA_CLUSTERS_PER_EXTENT 59u
#define VMA_EXTENT_HEADER_SIZE  512u
#define VMA_FIXED_HEADER_SIZE   12288u
#define VMA_MAX_HEADER_WRITTEN  (512u << 10) /* stock writers refuse larger ones */
#define VMA_MAX_HEADER_READ     (16u << 20)
#define VMA_MAX_DEVICES         256u                               /* index 0 is reserved, 255 unused: 1…254 */
#define VMA_MAX_DEVICE_SIZE     ((uint64_t)VMA_CLUSTER_SIZE << 32) /* cluster numbers have 32 bits */
#define VMA_MAX_CONFIGS         256u
#define VMA_MAX_BLOB            65535u
#define VMA_VMSTATE_NAME        "vmstate"
#define VMA_DESCRIPTION_NAME    "vmabackup.json"

/* So many clusters hold these bytes; the last one may reach further. */
static inline uint64_t vma_clusters_of(uint64_t bytes)
{
    return bytes / VMA_CLUSTER_SIZE + (bytes % VMA_CLUSTER_SIZE > 0);
}
