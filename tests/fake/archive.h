// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Does an archive hold what the drives of a fake QEMU were at their instants? Structure is vma_verify()'s
 * business, this is the content.
 *
 *     g_autofree char *wrong = archive_compare(path, q, 1u << 0 | 1u << 2, false);       // NULL: as it
 * should be
 */
#include <fcntl.h>
#include "fake/acts.h"
#include "vma/reader.h"

struct archive {
    char *names[256]; /* by dev_id */
    uint8_t *images[256];
    uint64_t sizes[256];
};

typedef struct archive archive;

static void archive_clear(struct archive *a)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(a->names); i++) {
        g_free(a->names[i]);
        g_free(a->images[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(archive, archive_clear)

/* What is absent is filled with what no drive holds; clusters that are there, with zeros. */
static void archive_take(struct archive *a, const struct vma_reader *r, enum vma_read_event event)
{
    const struct vma_read_extent *e = vma_reader_extent(r);
    const struct vma_read_block *b = vma_reader_block(r);

    for (unsigned i = 1; event == VMA_READ_HEADER && i < VMA_MAX_DEVICES; i++) {
        const struct vma_device *d = &vma_reader_header(r)->devices[i];
        if (!d->name)
            continue;
        a->names[i] = g_strdup(d->name);
        a->sizes[i] = (d->size + FAKE_CLUSTER - 1) / FAKE_CLUSTER * FAKE_CLUSTER;
        a->images[i] = g_malloc(a->sizes[i]);
        memset(a->images[i], 0xee, a->sizes[i]);
    }
    for (unsigned i = 0; event == VMA_READ_EXTENT && i < e->n; i++) {
        uint64_t at = (uint64_t)e->entries[i].cluster * FAKE_CLUSTER;
        if (at < a->sizes[e->entries[i].dev_id])
            memset(a->images[e->entries[i].dev_id] + at, 0, FAKE_CLUSTER);
    }
    if (event == VMA_READ_BLOCK) {
        uint64_t at = (uint64_t)b->cluster * FAKE_CLUSTER + b->block * VMA_BLOCK_SIZE;
        if (at < a->sizes[b->dev_id])
            memcpy(a->images[b->dev_id] + at, b->data, VMA_BLOCK_SIZE);
    }
}

static bool archive_read(struct archive *a, const char *path)
{
    g_autoptr(vma_reader) r = vma_reader_new();
    g_autofree char *bytes = NULL;
    enum vma_read_event event;
    gsize len;

    if (!g_file_get_contents(path, &bytes, &len, NULL))
        return false;
    vma_reader_feed(r, (const uint8_t *)bytes, len);
    while ((event = vma_reader_next(r)) != VMA_READ_MORE && event != VMA_READ_BROKEN)
        archive_take(a, r, event);
    return event == VMA_READ_MORE;
}

static char *archive_compare_drive(const struct archive *a, unsigned id, struct fake_qemu *q, unsigned drive)
{
    for (unsigned cluster = 0; cluster < FAKE_CLUSTERS; cluster++) {
        uint8_t wanted = fake_byte(drive, cluster, &q->instants[drive]);
        uint64_t at = cluster * (uint64_t)FAKE_CLUSTER;
        for (uint64_t end = MIN(at + FAKE_CLUSTER, FAKE_DRIVE_SIZE); at < end; at++)
            if (a->images[id][at] != wanted)
                return g_strdup_printf("%s: byte %" G_GUINT64_FORMAT " is %u instead of %u", a->names[id], at,
                                       a->images[id][at], wanted);
    }
    return NULL;
}

static int archive_find(const struct archive *a, const char *name)
{
    for (unsigned id = 0; id < G_N_ELEMENTS(a->names); id++)
        if (g_strcmp0(a->names[id], name) == 0)
            return (int)id;
    return -1;
}

/* NULL, or what is wrong: the drives of the set (a bit each) must be there and exact, others be absent unless
 * they may be there in parts. */
static char *archive_compare(const char *path, struct fake_qemu *q, unsigned set, bool may_have_parts)
{
    g_auto(archive) a = {0};

    if (!archive_read(&a, path))
        return g_strdup("it cannot be read");
    for (unsigned drive = 0; drive < q->kind.n_drives; drive++) {
        g_autofree char *name = g_strdup_printf("dev%u", drive);
        bool is_wanted = set & (1u << drive);
        int id = archive_find(&a, name);
        char *wrong = NULL;

        if (id < 0 ? is_wanted : !is_wanted && !may_have_parts)
            return g_strdup_printf("%s %s", name, id < 0 ? "is not there" : "is there, but lost");
        if (is_wanted)
            wrong = archive_compare_drive(&a, id, q, drive);
        if (wrong)
            return wrong;
    }
    return NULL;
}
