// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The chunks of a snapshot in the order of its archive, but for holes of drives, read ahead by some threads.
 *
 *     struct image_chunks *c = image_chunks_new(image, 5);          // up to five are held at a time
 *     while ((chunk = image_chunks_next(c)))                        // blocks
 *         …
 *     image_chunks_release(c, 4);                                   // the four that were held longest
 *     image_chunks_free(c);
 *
 * Threads start with the first chunk that is asked for.
 */
#include "store/snapshot_image.h"

struct image_chunk {
    const struct image_device *device;
    uint64_t chunk;
    uint8_t *bytes; /* whole clusters: zeros behind the end of the device */
    GError *error;  /* instead of bytes. May be stolen */
};

struct image_chunks;
struct image_chunks *image_chunks_new(const struct snapshot_image *image, unsigned max_held);
void image_chunks_free(struct image_chunks *c);
/* NULL at the end. */
struct image_chunk *image_chunks_next(struct image_chunks *c);
void image_chunks_release(struct image_chunks *c, unsigned n);
/* The RAM's zeros are in the archive, those of a drive are not. */
bool image_chunks_has(const struct image_device *d, uint64_t chunk);
