// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/split.h"

#include <string.h>

#include "vma/digest.h"
#include "vma/entry.h"

/* The header of entries[first … first + n) and of the blocks they store, which begin at payload. */
static void make_header(const uint8_t *from, unsigned first, unsigned n, const uint8_t *payload, unsigned blocks,
                        const uint8_t uuid[16], uint8_t out[VMA_EXTENT_HEADER_SIZE])
{
    uint8_t reserved[VMA_CLUSTERS_PER_EXTENT] = VMA_PAYLOAD_MARK;
    struct vma_digest digest;

    vma_digest_start(&digest);
    vma_digest_add(&digest, payload, (size_t)blocks * VMA_BLOCK_SIZE);
    vma_digest_end(&digest, reserved + VMA_MARK_SIZE);
    vma_entry_start_header(out, uuid, (uint16_t)blocks);
    for (unsigned i = 0; i < n; i++)
        vma_entry_put(out, i, vma_entry_get(from, first + i));
    vma_entry_finish_header(out, reserved);
}

static unsigned blocks_of(const uint8_t *header, unsigned entry)
{
    return (unsigned)__builtin_popcount(vma_entry_get(header, entry).mask);
}

unsigned vma_split(uint8_t *extent, size_t len, uint64_t room, const uint8_t uuid[16],
                   uint8_t header[VMA_EXTENT_HEADER_SIZE])
{
    uint8_t old[VMA_EXTENT_HEADER_SIZE];
    const uint8_t *payload = extent + VMA_EXTENT_HEADER_SIZE;
    unsigned n, keep, all, cut = 0;

    if (len < VMA_EXTENT_HEADER_SIZE || vma_entry_check_header(extent, uuid))
        return 0;
    memcpy(old, extent, sizeof old);
    all = vma_entry_block_count(old);
    if (len != VMA_EXTENT_HEADER_SIZE + (size_t)all * VMA_BLOCK_SIZE)
        return 0;
    keep = n = vma_entry_count(old);
    while (keep > 1 && VMA_EXTENT_HEADER_SIZE + (uint64_t)(cut + blocks_of(old, keep - 1)) * VMA_BLOCK_SIZE <= room)
        cut += blocks_of(old, --keep);
    if (!cut)
        return 0;
    make_header(old, keep, n - keep, payload + (size_t)(all - cut) * VMA_BLOCK_SIZE, cut, uuid, header);
    make_header(old, 0, keep, payload, all - cut, uuid, extent);
    return cut;
}

void vma_split_fill_empty(const uint8_t uuid[16], uint8_t *out, size_t len)
{
    static const uint8_t no_marks[VMA_CLUSTERS_PER_EXTENT];

    for (; len >= VMA_EXTENT_HEADER_SIZE; len -= VMA_EXTENT_HEADER_SIZE, out += VMA_EXTENT_HEADER_SIZE) {
        vma_entry_start_header(out, uuid, 0);
        vma_entry_finish_header(out, no_marks);
    }
}
