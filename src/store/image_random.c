// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A snapshot at any place: the devices' bytes one behind the other, each beginning with a new chunk. As with an
 * archive, what is served is held against zstd's checksums: SHA-256 would take as long as all the rest.
 */
#include "base/error.h"
#include "store/snapshot_image.h"

static const struct image_device *device_at(const struct snapshot_image *image, uint64_t at)
{
    for (unsigned i = 0; i < image->devices->len; i++) {
        const struct image_device *d = image->devices->pdata[i];
        if (d->index && at >= d->base && at - d->base < d->index->size)
            return d;
    }
    return NULL;
}

static bool find_chunk(void *user, uint64_t offset, struct random_part *part)
{
    const struct snapshot_image *image = user;
    const struct image_device *d = device_at(image, offset);
    if (!d)
        return false;
    part->index = offset / d->index->chunk_bytes;
    part->at = part->index * d->index->chunk_bytes;
    part->len = chunk_index_len(d->index, (part->at - d->base) / d->index->chunk_bytes);
    return true;
}

static char *load_chunk(void *user, const struct random_part *part, uint8_t *to)
{
    const struct snapshot_image *image = user;
    const struct image_device *d = device_at(image, part->at);
    g_autoptr(GError) error = NULL;
    if (image_device_load(image, d, (part->at - d->base) / d->index->chunk_bytes, true, to, &error))
        return NULL;
    return g_strdup(error->message);
}

static void free_image(void *user)
{
    snapshot_image_free(user);
}

static const struct random_ops ops = {find_chunk, load_chunk, free_image};

struct random *snapshot_image_random(struct snapshot_image *image)
{
    return random_of_parts(&ops, image, image->size);
}

struct vma_index_run snapshot_image_run(const struct snapshot_image *image, int dev_id, uint64_t offset, uint64_t max)
{
    const struct image_device *d = snapshot_image_device(image, dev_id);
    uint64_t chunk = offset / d->index->chunk_bytes, end = offset + MIN(max, d->index->size - offset);
    bool is_hole = image_device_is_hole(d, chunk);
    uint64_t at = chunk * d->index->chunk_bytes;
    while (at < end && image_device_is_hole(d, at / d->index->chunk_bytes) == is_hole)
        at += d->index->chunk_bytes;
    return (struct vma_index_run){MIN(at, end) - offset, is_hole ? 0 : d->base + offset};
}
