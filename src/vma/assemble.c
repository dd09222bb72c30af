// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/assemble.h"

#include <glib.h>
#include <string.h>

#include "vma/bitmap.h"

#define SECTOR_SIZE         512u
#define SECTORS_PER_CLUSTER (VMA_CLUSTER_SIZE / SECTOR_SIZE)

/* A cluster that is partly there. */
struct partial {
    bool covered[SECTORS_PER_CLUSTER];
    unsigned missing; /* sectors on the drive not yet covered */
    uint8_t *data;    /* NULL: zeros only, so far; what is not covered is zero */
};

struct vma_assemble {
    uint64_t size, n_clusters;
    bool may_repeat;
    struct vma_bitmap *held;
    struct vma_bitmap *forgiven; /* held, and may come again */
    GHashTable *partials;        /* cluster -> struct partial */
};

struct vma_assemble *vma_assemble_new(uint64_t size, bool may_repeat)
{
    struct vma_assemble *a = g_new0(struct vma_assemble, 1);
    a->size = size;
    a->n_clusters = vma_clusters_of(size);
    a->may_repeat = may_repeat;
    a->held = vma_bitmap_new(a->n_clusters);
    a->forgiven = vma_bitmap_new(a->n_clusters);
    a->partials = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return a;
}

void vma_assemble_free(struct vma_assemble *a, void (*release)(void *user, uint8_t *buffer), void *user)
{
    GHashTableIter iter;
    gpointer value;

    if (!a)
        return;
    g_hash_table_iter_init(&iter, a->partials);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (release && ((struct partial *)value)->data)
            release(user, ((struct partial *)value)->data);
    g_hash_table_unref(a->partials);
    vma_bitmap_free(a->held);
    vma_bitmap_free(a->forgiven);
    g_free(a);
}

uint32_t vma_assemble_cluster_bytes(const struct vma_assemble *a, uint32_t cluster)
{
    return (uint32_t)MIN(a->size - (uint64_t)cluster * VMA_CLUSTER_SIZE, VMA_CLUSTER_SIZE);
}

static struct partial *partial_of(const struct vma_assemble *a, uint32_t cluster)
{
    return g_hash_table_lookup(a->partials, GUINT_TO_POINTER(cluster));
}

static struct partial *partial_new(struct vma_assemble *a, uint32_t cluster)
{
    struct partial *p = g_new0(struct partial, 1);
    p->missing = vma_assemble_cluster_bytes(a, cluster) / SECTOR_SIZE;
    g_hash_table_insert(a->partials, GUINT_TO_POINTER(cluster), p);
    return p;
}

static bool partial_overlaps(const struct partial *p, uint32_t at, uint32_t len)
{
    for (uint32_t s = at / SECTOR_SIZE; s < (at + len) / SECTOR_SIZE; s++)
        if (p->covered[s])
            return true;
    return false;
}

static void partial_cover(struct partial *p, uint32_t at, uint32_t len)
{
    for (uint32_t s = at / SECTOR_SIZE; s < (at + len) / SECTOR_SIZE; s++) {
        p->missing -= !p->covered[s];
        p->covered[s] = true;
    }
}

/* Merges the bytes. The first buffer to come is kept (*data becomes NULL), later ones are copied from. */
static void partial_merge(struct partial *p, uint32_t at, uint32_t len, uint8_t **data)
{
    if (p->data && *data) {
        memcpy(p->data + at, *data + at, len);
    } else if (p->data) {
        memset(p->data + at, 0, len);
    } else if (*data) {
        memset(*data, 0, at);
        memset(*data + at + len, 0, VMA_CLUSTER_SIZE - at - len);
        p->data = g_steal_pointer(data);
    }
    partial_cover(p, at, len);
}

static enum vma_put hold(struct vma_assemble *a, uint32_t cluster)
{
    vma_bitmap_set(a->held, cluster);
    return VMA_PUT_HELD;
}

static enum vma_put put_partial(struct vma_assemble *a, uint32_t cluster, uint32_t at, uint32_t len, uint8_t **data)
{
    struct partial *p = partial_of(a, cluster);
    if (p && !a->may_repeat && partial_overlaps(p, at, len))
        return VMA_PUT_TWICE;
    if (!p && g_hash_table_size(a->partials) >= VMA_MAX_PARTIAL)
        return VMA_PUT_CROWDED;
    if (!p)
        p = partial_new(a, cluster);
    partial_merge(p, at, len, data);
    if (p->missing)
        return VMA_PUT_WAITING;
    *data = p->data;
    g_hash_table_remove(a->partials, GUINT_TO_POINTER(cluster));
    return hold(a, cluster);
}

enum vma_put vma_assemble_put(struct vma_assemble *a, uint64_t offset, uint32_t len, uint8_t **data)
{
    uint32_t cluster = (uint32_t)(offset / VMA_CLUSTER_SIZE), at = (uint32_t)(offset % VMA_CLUSTER_SIZE);
    g_assert(len && offset % SECTOR_SIZE == 0 && len % SECTOR_SIZE == 0 && at + len <= VMA_CLUSTER_SIZE &&
             offset + len <= a->size);

    if (vma_bitmap_get(a->held, cluster))
        return a->may_repeat || vma_bitmap_get(a->forgiven, cluster) ? VMA_PUT_REPEAT : VMA_PUT_TWICE;
    if (len < vma_assemble_cluster_bytes(a, cluster) || partial_of(a, cluster))
        return put_partial(a, cluster, at, len, data);
    if (*data)
        memset(*data + len, 0, VMA_CLUSTER_SIZE - len); /* behind the end of the drive */
    return hold(a, cluster);
}

uint64_t vma_assemble_hold_zeroes(struct vma_assemble *a, uint64_t cluster, uint64_t n)
{
    uint64_t most = g_hash_table_size(a->partials) ? 0 : n;

    while (most < n && !partial_of(a, (uint32_t)(cluster + most)))
        most++;
    return vma_bitmap_set_clear(a->held, cluster, most);
}

uint64_t vma_assemble_fill(struct vma_assemble *a, uint64_t from, uint8_t **data)
{
    uint64_t cluster = vma_bitmap_next_clear(a->held, from, UINT64_MAX);
    struct partial *p;

    *data = NULL;
    if (cluster == a->n_clusters)
        return cluster;
    p = partial_of(a, (uint32_t)cluster);
    if (p) {
        *data = p->data; /* zero where nothing has come */
        g_hash_table_remove(a->partials, GUINT_TO_POINTER((uint32_t)cluster));
    }
    vma_bitmap_set(a->held, cluster);
    return cluster;
}

bool vma_assemble_holds(const struct vma_assemble *a, uint64_t offset, uint64_t len)
{
    uint64_t last = len ? (offset + len - 1) / VMA_CLUSTER_SIZE : 0;
    for (uint64_t c = offset / VMA_CLUSTER_SIZE; len && c <= last; c++)
        if (!vma_bitmap_get(a->held, c))
            return false;
    return true;
}

/* What was taken of the range no longer counts as there, so it must come again. */
static void partial_forgive(struct partial *p, uint64_t start, uint64_t offset, uint64_t len)
{
    for (uint32_t s = 0; s < SECTORS_PER_CLUSTER; s++) {
        uint64_t sector = start + (uint64_t)s * SECTOR_SIZE;
        if (p->covered[s] && sector >= offset && sector < offset + len) {
            p->covered[s] = false;
            p->missing++;
        }
    }
}

void vma_assemble_forgive(struct vma_assemble *a, uint64_t offset, uint64_t len)
{
    uint64_t end = len ? (offset + len - 1) / VMA_CLUSTER_SIZE + 1 : 0;
    for (uint64_t c = offset / VMA_CLUSTER_SIZE; c < end; c++) {
        struct partial *p = partial_of(a, (uint32_t)c);
        if (p)
            partial_forgive(p, c * VMA_CLUSTER_SIZE, offset, len);
        else if (vma_bitmap_get(a->held, c))
            vma_bitmap_set(a->forgiven, c);
    }
}

uint64_t vma_assemble_next_missing(const struct vma_assemble *a, uint64_t from)
{
    return vma_bitmap_next_clear(a->held, from, UINT64_MAX);
}

uint64_t vma_assemble_clusters(const struct vma_assemble *a)
{
    return a->n_clusters;
}

uint64_t vma_assemble_held(const struct vma_assemble *a)
{
    return vma_bitmap_count(a->held);
}

bool vma_assemble_is_complete(const struct vma_assemble *a)
{
    return vma_assemble_held(a) == a->n_clusters;
}
