// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/entry.h"

#include <string.h>

#include "base/be.h"
#include "vma/digest.h"

enum {
    AT_MAGIC = 0,
    AT_RESERVED = 4,
    AT_BLOCK_COUNT = 6,
    AT_UUID = 8,
    AT_MD5 = 24,
    AT_ENTRIES = 40,
    ENTRY_SIZE = 8, /* u16 mask, u8 reserved, u8 dev_id, u32 cluster */
    ENTRY_AT_RESERVED = 2,
};
#define MAGIC "VMAE"

static size_t entry_at(unsigned i)
{
    return AT_ENTRIES + (size_t)i * ENTRY_SIZE;
}

void vma_entry_start_header(uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t uuid[16], uint16_t blocks)
{
    memset(header, 0, VMA_EXTENT_HEADER_SIZE);
    memcpy(header + AT_MAGIC, MAGIC, 4);
    be16_put(header + AT_BLOCK_COUNT, blocks);
    memcpy(header + AT_UUID, uuid, 16);
}

void vma_entry_put(uint8_t header[VMA_EXTENT_HEADER_SIZE], unsigned i, struct vma_entry entry)
{
    uint8_t *at = header + entry_at(i);
    be16_put(at, entry.mask);
    at[3] = entry.dev_id;
    be32_put(at + 4, entry.cluster);
}

void vma_entry_finish_header(uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t reserved[VMA_CLUSTERS_PER_EXTENT])
{
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++)
        header[entry_at(i) + ENTRY_AT_RESERVED] = reserved[i];
    vma_md5(header, VMA_EXTENT_HEADER_SIZE, AT_MD5, header + AT_MD5);
}

struct vma_entry vma_entry_get(const uint8_t header[VMA_EXTENT_HEADER_SIZE], unsigned i)
{
    const uint8_t *at = header + entry_at(i);
    return (struct vma_entry){be16_get(at), at[3], be32_get(at + 4)};
}

unsigned vma_entry_count(const uint8_t header[VMA_EXTENT_HEADER_SIZE])
{
    unsigned n = 0;
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++)
        n += vma_entry_get(header, i).dev_id != 0;
    return n;
}

uint16_t vma_entry_block_count(const uint8_t header[VMA_EXTENT_HEADER_SIZE])
{
    return be16_get(header + AT_BLOCK_COUNT);
}

void vma_entry_reserved(const uint8_t header[VMA_EXTENT_HEADER_SIZE], uint8_t out[VMA_CLUSTERS_PER_EXTENT])
{
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++)
        out[i] = header[entry_at(i) + ENTRY_AT_RESERVED];
}

static unsigned blocks_in_masks(const uint8_t *header)
{
    unsigned blocks = 0;
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++) {
        struct vma_entry entry = vma_entry_get(header, i);
        if (entry.dev_id)
            blocks += (unsigned)__builtin_popcount(entry.mask);
    }
    return blocks;
}

const char *vma_entry_check_header(const uint8_t header[VMA_EXTENT_HEADER_SIZE], const uint8_t uuid[16])
{
    uint8_t md5[16];
    if (memcmp(header + AT_MAGIC, MAGIC, 4))
        return "there is no extent header here";
    vma_md5(header, VMA_EXTENT_HEADER_SIZE, AT_MD5, md5);
    if (memcmp(md5, header + AT_MD5, sizeof md5))
        return "the checksum of the extent header does not match";
    if (memcmp(header + AT_UUID, uuid, 16))
        return "the extent belongs to another archive (its uuid differs)";
    if (be16_get(header + AT_RESERVED))
        return "a reserved field of the extent header is not zero";
    if (blocks_in_masks(header) != vma_entry_block_count(header))
        return "the extent header contradicts itself: blocks stored and blocks counted differ";
    return NULL;
}
