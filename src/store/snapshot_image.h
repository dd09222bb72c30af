// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A snapshot seen as the VMA archive that it would be: whatever reads archives reads snapshots.
 *
 *     struct source *s = archive_open_source(path, &error);                // a file, "-", or a snapshot's folder
 *
 *     struct snapshot_image *image = snapshot_image_open(path, &error);    // at any place:
 *     struct random *r = snapshot_image_random(image);
 *     struct vma_index_run run = snapshot_image_run(image, dev_id, offset, max);
 *
 * The archive exists nowhere. Its header is made from snapshot.json; read from front to back (image_source.c) its
 * extents are those of the RAM state, then of each drive, made one by one from the chunks as they are read. At any
 * place (image_random.c) there are no extents at all: the indexes say which bytes are zeros and which chunk has the
 * others.
 *
 * What cannot be read is DAMAGED with the drive and its offset. The store's lock is held, shared, until it is freed.
 */
#include "sink/random.h"
#include "sink/source.h"
#include "store/chunk_index.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "vma/header.h"
#include "vma/index.h"

struct image_device {
    int dev_id;
    bool is_ram;
    const struct snapshot_device *is;
    struct chunk_index *index; /* NULL: it cannot be used */
    GError *fault;             /* its index is damaged: DAMAGED */
    uint64_t base;             /* of its bytes among those of all devices, as the random sees them: not 0 */
};

struct snapshot_image {
    struct store *store;
    struct snapshot *snapshot; /* the one that the path meant when it was opened */
    GBytes *header;            /* of the archive, encoded */
    GPtrArray *faults;         /* char *: of configurations, which are left out */
    GPtrArray *devices;        /* struct image_device, in the order of the archive: the RAM state first */
    uint64_t size;             /* the end of the last device's bytes */
    uint64_t data_bytes;       /* that are not zeros */
};

/* It is a folder with a snapshot in it. */
bool snapshot_image_is(const char *path);
/* FAILED: it is none, but a store, or a guest's folder in one. */
bool snapshot_image_may_be(const char *path, GError **error);
/* DAMAGED: snapshot.json is, or what it says cannot be an archive. Indexes that are damaged are told in `fault`. */
struct snapshot_image *snapshot_image_open(const char *path, GError **error);
void snapshot_image_free(struct snapshot_image *image);
/* NULL: there is none with this number. */
const struct image_device *snapshot_image_device(const struct snapshot_image *image, int dev_id);
/* All zeros, as the index says: nothing is read for it. */
bool image_device_is_hole(const struct image_device *d, uint64_t chunk);
/* Reads a chunk, as chunk_folder_read() or chunk_folder_read_lightly(): DAMAGED or FAILED, with drive and offset. From
 * any thread. */
bool image_device_load(const struct snapshot_image *image, const struct image_device *d, uint64_t chunk, bool is_light,
                       uint8_t *to, GError **error);

/* Take the image. */
struct source *snapshot_image_source(struct snapshot_image *image);
struct random *snapshot_image_random(struct snapshot_image *image);
/* As vma_index_run() says it, with places that snapshot_image_random() knows. The device has an index. */
struct vma_index_run snapshot_image_run(const struct snapshot_image *image, int dev_id, uint64_t offset, uint64_t max);

/* A file, "-", or a snapshot's folder: as source_open(). */
struct source *archive_open_source(const char *path, GError **error);

typedef struct snapshot_image snapshot_image;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot_image, snapshot_image_free)
