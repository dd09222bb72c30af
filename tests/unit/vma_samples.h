// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Archives in memory, for the tests of the reading side.
 *
 *     struct sample s; sample_start(&s);
 *     int id = sample_device(&s, "a", size);
 *     sample_header(&s);
 *     sample_cluster(&s, id, cluster, bytes);     // its extents are written as they fill
 *     sample_finish(&s);                          // s.bytes
 */
#include <string.h>

#include "vma/extent.h"
#include "vma/header.h"

static const uint8_t sample_uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct sample {
    struct vma_header *header;
    struct vma_extent open[VMA_MAX_DEVICES]; /* the extent of each device that fills */
    struct vma_totals totals;
    GByteArray *bytes;
};

static inline void sample_start(struct sample *s)
{
    memset(s, 0, sizeof *s);
    s->header = vma_header_new(sample_uuid, 1700000000);
    s->bytes = g_byte_array_new();
}

static inline int sample_device(struct sample *s, const char *name, uint64_t size)
{
    int id = vma_header_add_device(s->header, name, size, NULL);
    g_assert_cmpint(id, >, 0);
    s->open[id].dev_id = (uint8_t)id;
    s->open[id].is_vmstate = !strcmp(name, VMA_VMSTATE_NAME);
    return id;
}

static inline void sample_header(struct sample *s)
{
    g_autoptr(GBytes) bytes = vma_header_encode(s->header, NULL);
    g_byte_array_append(s->bytes, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
}

static inline void sample_flush(struct sample *s, int id)
{
    struct vma_extent *e = &s->open[id];
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    if (!e->n)
        return;
    vma_extent_seal(e, sample_uuid);
    unsigned n = vma_extent_iov(e, iov, G_N_ELEMENTS(iov));
    for (unsigned i = 0; i < n; i++)
        g_byte_array_append(s->bytes, iov[i].iov_base, (guint)iov[i].iov_len);
    vma_totals_add(&s->totals, e->header);
    for (unsigned i = 0; i < e->n; i++)
        g_free(e->clusters[i].data);
    e->n = 0;
}

/* bytes: 64 KiB, g_malloc'ed, taken; NULL = zeros. */
static inline void sample_cluster(struct sample *s, int id, uint32_t cluster, uint8_t *bytes)
{
    vma_extent_add(&s->open[id], cluster, bytes);
    if (s->open[id].n == VMA_CLUSTERS_PER_EXTENT)
        sample_flush(s, id);
}

static inline uint8_t *sample_fill(uint8_t byte)
{
    return memset(g_malloc(VMA_CLUSTER_SIZE), byte, VMA_CLUSTER_SIZE);
}

static inline void sample_end(struct sample *s, uint8_t flags)
{
    uint8_t end[VMA_EXTENT_HEADER_SIZE];
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++)
        sample_flush(s, i);
    vma_end_mark_encode(&s->totals, flags, sample_uuid, end);
    g_byte_array_append(s->bytes, end, sizeof end);
}

static inline void sample_clear(struct sample *s)
{
    vma_header_free(s->header);
    g_byte_array_unref(s->bytes);
}
