// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/check.h"

#include "base/text.h"
#include "vma/bitmap.h"
#include "vma/extent.h"

struct device {
    char *name; /* safe to print; NULL: there is no such device */
    uint64_t size, n_clusters;
    struct vma_bitmap *seen; /* NULL: the RAM state */
    uint64_t n_seen, n_damaged;
};

struct vma_check {
    vma_fault_fn fault;
    void *user;
    struct device devices[VMA_MAX_DEVICES];
    int vmstate_id;        /* 0: none */
    uint64_t vmstate_next; /* the cluster that must come next */
    bool is_ours;          /* the header says so: digests and an end mark are due */
    bool has_skipped;
    uint64_t extent_offset;
    uint8_t open[VMA_CLUSTERS_PER_EXTENT]; /* devices of the clusters of the extent under way */
    unsigned n_open;
    uint8_t end_flags;
    struct vma_totals end;
    struct vma_check_result result;
};

struct vma_check *vma_check_new(const struct vma_header *header, vma_fault_fn fault, void *user)
{
    struct vma_check *c = g_new0(struct vma_check, 1);
    c->fault = fault;
    c->user = user;
    c->is_ours = header->has_extension;
    c->result.has_digests = true;
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        struct device *d = &c->devices[i];
        if (!header->devices[i].name)
            continue;
        d->name = text_make_safe(header->devices[i].name);
        d->size = header->devices[i].size;
        d->n_clusters = vma_clusters_of(d->size);
        if (!strcmp(header->devices[i].name, VMA_VMSTATE_NAME))
            c->vmstate_id = i;
        else
            d->seen = vma_bitmap_new(d->n_clusters);
    }
    return c;
}

void vma_check_free(struct vma_check *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++) {
        g_free(c->devices[i].name);
        vma_bitmap_free(c->devices[i].seen);
    }
    g_free(c);
}

G_GNUC_PRINTF(3, 4)
static void report(struct vma_check *c, uint64_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    c->fault(c->user, offset, text);
}

/* ---- entries ---- */

static void check_vmstate_entry(struct vma_check *c, uint64_t offset, const struct vma_entry *e)
{
    if (e->cluster != c->vmstate_next)
        report(c, offset, "device vmstate: cluster %u comes where %" G_GUINT64_FORMAT " is due", e->cluster,
               c->vmstate_next);
    c->vmstate_next = (uint64_t)e->cluster + 1;
}

/* Blocks of the last cluster that lie on the device, if only partly. */
static unsigned blocks_on_device(const struct device *d, uint32_t cluster)
{
    uint64_t left = d->size - (uint64_t)cluster * VMA_CLUSTER_SIZE;
    return (unsigned)MIN((left + VMA_BLOCK_SIZE - 1) / VMA_BLOCK_SIZE, VMA_BLOCKS_PER_CLUSTER);
}

static void check_drive_entry(struct vma_check *c, uint64_t offset, struct device *d, const struct vma_entry *e)
{
    if (e->cluster >= d->n_clusters) {
        report(c, offset, "device %s: cluster %u lies beyond its end", d->name, e->cluster);
        return;
    }
    if (e->mask >> blocks_on_device(d, e->cluster))
        report(c, offset, "device %s: cluster %u stores blocks beyond the device's end", d->name, e->cluster);
    if (!vma_bitmap_set(d->seen, e->cluster))
        report(c, offset, "device %s: cluster %u comes twice", d->name, e->cluster);
}

static void check_end_mark(struct vma_check *c, const struct vma_read_extent *e)
{
    if (c->result.has_end_mark)
        report(c, e->offset, "a second end mark");
    c->result.has_end_mark = true;
    c->end_flags = e->end_flags;
    c->end = e->end;
}

/* The clusters of the extent under way cannot be trusted. */
static void give_up_open(struct vma_check *c)
{
    for (unsigned i = 0; i < c->n_open; i++)
        c->devices[c->open[i]].n_damaged++;
    c->n_open = 0;
}

static void check_entry(struct vma_check *c, uint64_t offset, const struct vma_entry *e)
{
    struct device *d = &c->devices[e->dev_id];
    if (!d->name) {
        report(c, offset, "an entry names device number %u, which does not exist", e->dev_id);
        return;
    }
    d->n_seen++;
    c->open[c->n_open++] = e->dev_id;
    if (d->seen)
        check_drive_entry(c, offset, d, e);
    else
        check_vmstate_entry(c, offset, e);
}

void vma_check_extent(struct vma_check *c, const struct vma_read_extent *e)
{
    c->extent_offset = e->offset;
    give_up_open(c);
    if (e->is_end_mark) {
        check_end_mark(c, e);
        return;
    }
    if (c->result.has_end_mark)
        report(c, e->offset, "an extent follows the end mark");
    if (!e->n)
        return;
    vma_totals_add(&c->result.seen, e->header);
    c->result.clusters += e->n;
    c->result.has_digests &= e->has_digest;
    if (c->is_ours && !e->has_digest)
        report(c, e->offset, "the extent carries no payload digest");
    for (unsigned i = 0; i < e->n; i++)
        check_entry(c, e->offset, &e->entries[i]);
}

/* ---- payload ---- */

void vma_check_block(struct vma_check *c, const struct vma_read_block *b)
{
    const struct device *d = &c->devices[b->dev_id];
    uint64_t start = (uint64_t)b->cluster * VMA_CLUSTER_SIZE + (uint64_t)b->block * VMA_BLOCK_SIZE;
    if (!d->seen || start >= d->size || d->size - start >= VMA_BLOCK_SIZE)
        return;
    size_t on_device = (size_t)(d->size - start);
    if (!vma_is_zero(b->data + on_device, VMA_BLOCK_SIZE - on_device))
        report(c, c->extent_offset, "device %s: its last block is not zero behind the device's end", d->name);
}

void vma_check_payload(struct vma_check *c, const struct vma_read_extent *e)
{
    if (e->has_digest && !e->is_digest_good) {
        const char *name = c->devices[e->entries[0].dev_id].name;
        report(c, e->offset, "device %s: the data of this extent does not match its digest", name ? name : "unknown");
        give_up_open(c);
    }
    c->n_open = 0;
}

void vma_check_skipped(struct vma_check *c)
{
    c->has_skipped = true;
    give_up_open(c);
}

struct vma_check_device vma_check_device(const struct vma_check *c, int dev_id)
{
    const struct device *d = &c->devices[dev_id];
    return (struct vma_check_device){d->seen ? d->n_clusters : 0, d->seen ? vma_bitmap_count(d->seen) : d->n_seen,
                                     d->n_damaged};
}

/* ---- the end ---- */

/* The exact length that the end mark gives must end in the last of the clusters that came. */
static bool vmstate_is_whole(const struct vma_check *c)
{
    uint64_t stored = c->vmstate_next * VMA_CLUSTER_SIZE, exact = c->end.vmstate_bytes;
    return stored && (!c->result.has_end_mark || (exact <= stored && stored - exact < VMA_CLUSTER_SIZE));
}

bool vma_check_is_whole(const struct vma_check *c, int dev_id)
{
    const struct device *d = &c->devices[dev_id];
    if (!d->name)
        return false;
    return d->seen ? vma_bitmap_count(d->seen) == d->n_clusters : vmstate_is_whole(c);
}

static void report_missing(struct vma_check *c, const struct device *d, uint64_t offset)
{
    if (d->seen)
        report(c, offset,
               "device %s: %" G_GUINT64_FORMAT " of its %" G_GUINT64_FORMAT
               " clusters are missing, the first is cluster %" G_GUINT64_FORMAT,
               d->name, d->n_clusters - vma_bitmap_count(d->seen), d->n_clusters,
               vma_bitmap_next_clear(d->seen, 0, UINT64_MAX));
    else if (c->vmstate_next)
        report(c, offset,
               "device vmstate: %" G_GUINT64_FORMAT " clusters are there, but the end mark says %" G_GUINT64_FORMAT
               " bytes",
               c->vmstate_next, c->end.vmstate_bytes);
    else
        report(c, offset, "device vmstate: nothing of it is there");
}

static void check_devices(struct vma_check *c, uint64_t offset)
{
    bool may_be_lost = c->result.has_end_mark && (c->end_flags & VMA_END_DEVICE_LOST);
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!c->devices[i].name || vma_check_is_whole(c, i))
            continue;
        if (may_be_lost) /* the writer knew: incomplete, not damaged */
            c->result.lost_devices++;
        else
            report_missing(c, &c->devices[i], offset);
    }
}

static void check_totals(struct vma_check *c, uint64_t offset)
{
    const struct vma_totals *seen = &c->result.seen;
    if (c->has_skipped)
        return;
    if (seen->extents != c->end.extents || seen->blocks != c->end.blocks)
        report(c, offset,
               "the end mark counts %" G_GUINT64_FORMAT " extents and %" G_GUINT64_FORMAT
               " blocks, but %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT " are there",
               c->end.extents, c->end.blocks, seen->extents, seen->blocks);
    else if (memcmp(seen->header_sum, c->end.header_sum, sizeof seen->header_sum))
        report(c, offset, "the extents are not the ones that the end mark sums up");
}

void vma_check_end(struct vma_check *c, uint64_t offset)
{
    c->result.has_digests &= c->result.seen.extents > 0;
    give_up_open(c);
    check_devices(c, offset);
    c->result.seen.vmstate_bytes = c->result.has_end_mark && vma_check_is_whole(c, c->vmstate_id)
                                       ? c->end.vmstate_bytes
                                       : c->vmstate_next * VMA_CLUSTER_SIZE;
    if (c->result.has_end_mark) {
        check_totals(c, offset);
        if (!(c->end_flags & VMA_END_COMPLETE))
            report(c, offset, "the end mark says that the archive was never completed");
    } else if (c->is_ours) {
        report(c, offset, "the end mark is missing: the archive was cut short or never finished");
    }
}

const struct vma_check_result *vma_check_result(const struct vma_check *c)
{
    return &c->result;
}

int vma_check_vmstate_id(const struct vma_check *c)
{
    return c->vmstate_id;
}
