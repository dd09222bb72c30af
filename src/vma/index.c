// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/index.h"

#include "base/error.h"
#include "vma/page.h"

#define FOLDER_PAGES 512u

struct folder {
    struct vma_page pages[FOLDER_PAGES];
};

struct device {
    uint64_t n_clusters;
    struct folder **folders; /* each made when it is needed */
};

struct vma_index {
    const struct vma_header *header;
    struct vma_check *check;
    GError *fault; /* the first one */
    struct device devices[VMA_MAX_DEVICES];
    size_t bytes; /* of folders and pages */
    size_t max_bytes;
    vma_index_room room; /* NULL: there is no limit */
    void *room_user;
};

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct vma_index *x = user;
    if (!x->fault)
        g_set_error(&x->fault, VMB_ERROR, VMB_ERROR_DAMAGED, "damaged at offset %" G_GUINT64_FORMAT ": %s", offset,
                    text);
}

static uint64_t folder_count(const struct device *d)
{
    uint64_t per_folder = (uint64_t)FOLDER_PAGES * VMA_PAGE_CLUSTERS;
    return (d->n_clusters + per_folder - 1) / per_folder;
}

struct vma_index *vma_index_new(const struct vma_header *header)
{
    struct vma_index *x = g_new0(struct vma_index, 1);
    x->header = header;
    x->check = vma_check_new(header, on_fault, x);
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        struct device *d = &x->devices[i];
        if (!header->devices[i].name)
            continue;
        d->n_clusters = vma_clusters_of(header->devices[i].size);
        if (i == vma_check_vmstate_id(x->check)) /* its size means nothing, but clusters are numbered by 32 bits */
            d->n_clusters = (uint64_t)UINT32_MAX + 1;
        d->folders = g_new0(struct folder *, folder_count(d));
    }
    return x;
}

void vma_index_set_room(struct vma_index *x, size_t max_bytes, vma_index_room room, void *user)
{
    x->max_bytes = max_bytes;
    x->room = room;
    x->room_user = user;
}

static void folder_free(struct folder *f)
{
    for (unsigned i = 0; f && i < FOLDER_PAGES; i++)
        vma_page_clear(&f->pages[i]);
    g_free(f);
}

void vma_index_free(struct vma_index *x)
{
    if (!x)
        return;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        struct device *d = &x->devices[i];
        for (uint64_t k = 0; d->folders && k < folder_count(d); k++)
            folder_free(d->folders[k]);
        g_free(d->folders);
    }
    vma_check_free(x->check);
    g_clear_error(&x->fault);
    g_free(x);
}

/* ---- filling ---- */

/* A page for what is to be put; false when there is no more room. */
static bool provide(struct vma_index *x, struct vma_page *p)
{
    if (!vma_page_is_empty(p) || !x->room || x->bytes <= x->max_bytes)
        return true;
    uint64_t *table = x->room(x->room_user, x->fault ? NULL : &x->fault);
    if (table)
        vma_page_lend(p, table);
    return table != NULL;
}

static void put(struct vma_index *x, const struct vma_entry *e, uint64_t at)
{
    struct device *d = &x->devices[e->dev_id];
    uint64_t page = e->cluster / VMA_PAGE_CLUSTERS;
    if (e->cluster >= d->n_clusters) /* the check has said so */
        return;
    struct folder **folder = &d->folders[page / FOLDER_PAGES];
    if (!*folder) {
        *folder = g_new0(struct folder, 1);
        x->bytes += sizeof **folder;
    }
    struct vma_page *p = &(*folder)->pages[page % FOLDER_PAGES];
    if (provide(x, p))
        x->bytes += vma_page_put(p, e->cluster % VMA_PAGE_CLUSTERS, at, e->mask);
}

static void put_all(struct vma_index *x, const struct vma_read_extent *e)
{
    uint64_t at = e->offset + VMA_EXTENT_HEADER_SIZE;
    for (unsigned i = 0; i < e->n; i++) {
        put(x, &e->entries[i], at);
        at += (uint64_t)VMA_BLOCK_SIZE * (unsigned)__builtin_popcount(e->entries[i].mask);
    }
}

static bool has_failed(struct vma_index *x, GError **error)
{
    if (x->fault)
        g_propagate_error(error, g_error_copy(x->fault));
    return x->fault != NULL;
}

uint64_t vma_index_add(struct vma_index *x, uint64_t offset, const uint8_t header[VMA_EXTENT_HEADER_SIZE],
                       GError **error)
{
    struct vma_read_extent e;
    const char *why = vma_entry_check_header(header, x->header->uuid);
    if (why) {
        on_fault(x, offset, why);
    } else {
        vma_read_extent_parse(&e, header, offset);
        e.is_digest_good = true; /* not looked at */
        vma_check_extent(x->check, &e);
        vma_check_payload(x->check, &e);
    }
    if (has_failed(x, error))
        return 0;
    put_all(x, &e);
    if (has_failed(x, error)) /* no room */
        return 0;
    return VMA_EXTENT_HEADER_SIZE + (uint64_t)e.blocks * VMA_BLOCK_SIZE;
}

bool vma_index_end(struct vma_index *x, uint64_t offset, GError **error)
{
    vma_check_end(x->check, offset);
    return !has_failed(x, error);
}

const struct vma_check *vma_index_check(const struct vma_index *x)
{
    return x->check;
}

size_t vma_index_bytes(const struct vma_index *x)
{
    return x->bytes;
}

/* ---- asking ---- */

static struct vma_place find(const struct device *d, uint64_t cluster)
{
    uint64_t page = cluster / VMA_PAGE_CLUSTERS;
    const struct folder *folder = d->folders[page / FOLDER_PAGES];
    return folder ? vma_page_get(&folder->pages[page % FOLDER_PAGES], cluster % VMA_PAGE_CLUSTERS)
                  : (struct vma_place){0, 0};
}

/* Within one cluster: the run of blocks, equal in being stored or not, that holds this byte. */
static struct vma_index_run run_in_cluster(const struct device *d, uint64_t offset)
{
    struct vma_place p = find(d, offset / VMA_CLUSTER_SIZE);
    unsigned in_cluster = (unsigned)(offset % VMA_CLUSTER_SIZE), first = in_cluster / VMA_BLOCK_SIZE, block = first;
    bool is_stored = p.mask >> first & 1;
    while (block < VMA_BLOCKS_PER_CLUSTER && (p.mask >> block & 1) == is_stored)
        block++;
    struct vma_index_run run = {.len = (uint64_t)block * VMA_BLOCK_SIZE - in_cluster};
    if (is_stored)
        run.at = p.at + (uint64_t)VMA_BLOCK_SIZE * (unsigned)__builtin_popcount(p.mask & ((1u << first) - 1)) +
                 in_cluster % VMA_BLOCK_SIZE;
    return run;
}

struct vma_index_run vma_index_run(const struct vma_index *x, int dev_id, uint64_t offset, uint64_t max)
{
    const struct device *d = &x->devices[dev_id];
    struct vma_index_run run = run_in_cluster(d, offset);
    while (run.len < max && (offset + run.len) % VMA_CLUSTER_SIZE == 0) {
        struct vma_index_run next = run_in_cluster(d, offset + run.len);
        if (next.at != (run.at ? run.at + run.len : 0))
            break;
        run.len += next.len;
    }
    run.len = MIN(run.len, max);
    return run;
}
