// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/extent.h"

#include <glib.h>

#include "base/be.h"
#include "vma/digest.h"
#include "vma/entry.h"

static const uint8_t zero_cluster[VMA_CLUSTER_SIZE];

void vma_extent_add(struct vma_extent *e, uint32_t cluster, uint8_t *data)
{
    g_assert(e->n < VMA_CLUSTERS_PER_EXTENT);
    e->clusters[e->n].cluster = cluster;
    e->clusters[e->n].data = data;
    e->n++;
}

/* Runs over every byte of a backup: libc's memcmp uses the widest registers the machine has, stops at
 * the first difference, and the block of zeros stays in the nearest cache. */
bool vma_is_zero(const uint8_t *bytes, size_t len)
{
    return !memcmp(bytes, zero_cluster, len);
}

static uint16_t stored_mask(const uint8_t *cluster)
{
    unsigned mask = 0;
    for (unsigned b = 0; b < VMA_BLOCKS_PER_CLUSTER; b++)
        if (!vma_is_zero(cluster + (size_t)b * VMA_BLOCK_SIZE, VMA_BLOCK_SIZE))
            mask |= 1u << b;
    return (uint16_t)mask;
}

/* The next run of stored blocks from *block on; false at the end. */
static bool next_run(uint16_t mask, unsigned *block, unsigned *first, unsigned *count)
{
    while (*block < VMA_BLOCKS_PER_CLUSTER && !(mask >> *block & 1))
        ++*block;
    *first = *block;
    while (*block < VMA_BLOCKS_PER_CLUSTER && (mask >> *block & 1))
        ++*block;
    *count = *block - *first;
    return *count > 0;
}

static const uint8_t *cluster_bytes(const struct vma_extent *e, unsigned i)
{
    return e->clusters[i].data ? e->clusters[i].data : zero_cluster;
}

/* One pass per cluster, zero test and digest together, while it is in the cache. */
static void seal_cluster(struct vma_extent *e, unsigned i, struct vma_digest *digest)
{
    uint16_t mask = 0;
    if (e->is_vmstate)
        mask = 0xffff;
    else if (e->clusters[i].data)
        mask = stored_mask(e->clusters[i].data);
    e->clusters[i].mask = mask;
    e->blocks += (unsigned)__builtin_popcount(mask);
    for (unsigned block = 0, first, count; next_run(mask, &block, &first, &count);)
        vma_digest_add(digest, cluster_bytes(e, i) + (size_t)first * VMA_BLOCK_SIZE, (size_t)count * VMA_BLOCK_SIZE);
}

void vma_extent_seal(struct vma_extent *e, const uint8_t uuid[16])
{
    struct vma_digest digest;
    uint8_t reserved[VMA_CLUSTERS_PER_EXTENT] = VMA_PAYLOAD_MARK;

    e->blocks = 0;
    vma_digest_start(&digest);
    for (unsigned i = 0; i < e->n; i++)
        seal_cluster(e, i, &digest);
    vma_digest_end(&digest, reserved + VMA_MARK_SIZE);

    vma_entry_start_header(e->header, uuid, (uint16_t)e->blocks);
    for (unsigned i = 0; i < e->n; i++)
        vma_entry_put(e->header, i, (struct vma_entry){e->clusters[i].mask, e->dev_id, e->clusters[i].cluster});
    vma_entry_finish_header(e->header, reserved);
}

void vma_extent_make_zeroes(uint8_t *headers, uint8_t dev_id, uint32_t first, uint32_t n, const uint8_t uuid[16],
                            struct vma_totals *totals)
{
    struct vma_extent e = {.dev_id = dev_id};

    for (uint32_t done = 0; done < n; done += e.n, headers += VMA_EXTENT_HEADER_SIZE) {
        e.n = 0;
        while (e.n < VMA_CLUSTERS_PER_EXTENT && done + e.n < n)
            vma_extent_add(&e, first + done + e.n, NULL);
        vma_extent_seal(&e, uuid);
        memcpy(headers, e.header, sizeof e.header);
        vma_totals_add(totals, e.header);
    }
}

uint64_t vma_extent_length(const struct vma_extent *e)
{
    return VMA_EXTENT_HEADER_SIZE + (uint64_t)e->blocks * VMA_BLOCK_SIZE;
}

unsigned vma_extent_iov(const struct vma_extent *e, struct iovec *iov, unsigned max)
{
    unsigned n = 0;
    iov[n++] = (struct iovec){(void *)e->header, sizeof e->header};
    for (unsigned i = 0; i < e->n; i++)
        for (unsigned block = 0, first, count; next_run(e->clusters[i].mask, &block, &first, &count);) {
            g_assert(n < max);
            iov[n++] = (struct iovec){(uint8_t *)cluster_bytes(e, i) + (size_t)first * VMA_BLOCK_SIZE,
                                      (size_t)count * VMA_BLOCK_SIZE};
        }
    return n;
}

static void hash_header(const uint8_t header[VMA_EXTENT_HEADER_SIZE], uint8_t hash[16])
{
    struct vma_digest digest;
    vma_digest_start(&digest);
    vma_digest_add(&digest, header, VMA_EXTENT_HEADER_SIZE);
    vma_digest_end(&digest, hash);
}

void vma_totals_add(struct vma_totals *t, const uint8_t header[VMA_EXTENT_HEADER_SIZE])
{
    uint8_t hash[16];
    if (!vma_entry_count(header))
        return;
    hash_header(header, hash);
    vma_sum128_add(t->header_sum, hash);
    t->extents++;
    t->blocks += vma_entry_block_count(header);
}

void vma_totals_remove(struct vma_totals *t, const uint8_t header[VMA_EXTENT_HEADER_SIZE])
{
    uint8_t hash[16];
    if (!vma_entry_count(header))
        return;
    hash_header(header, hash);
    vma_sum128_sub(t->header_sum, hash);
    t->extents--;
    t->blocks -= vma_entry_block_count(header);
}

void vma_totals_merge(struct vma_totals *t, const struct vma_totals *more)
{
    vma_sum128_add(t->header_sum, more->header_sum);
    t->extents += more->extents;
    t->blocks += more->blocks;
}

void vma_end_mark_encode(const struct vma_totals *t, uint8_t flags, const uint8_t uuid[16],
                         uint8_t out[VMA_EXTENT_HEADER_SIZE])
{
    uint8_t reserved[VMA_CLUSTERS_PER_EXTENT] = VMA_END_MARK;
    reserved[VMA_END_AT_FLAGS] = flags;
    be64_put(reserved + VMA_END_AT_EXTENTS, t->extents);
    be64_put(reserved + VMA_END_AT_BLOCKS, t->blocks);
    be64_put(reserved + VMA_END_AT_VMSTATE_BYTES, t->vmstate_bytes);
    memcpy(reserved + VMA_END_AT_SUM, t->header_sum, sizeof t->header_sum);
    vma_entry_start_header(out, uuid, 0);
    vma_entry_finish_header(out, reserved);
}
