// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A snapshot from front to back: header, extents, end mark.
 *
 * Extents are filled and sealed as a backup does it, so zeros within a chunk are left out as in any archive. A chunk
 * that cannot be read ends the extent under way: then comes the error, then an extent with what stands behind it.
 */
#include <string.h>

#include "base/error.h"
#include "sink/unpack.h"
#include "store/image_chunks.h"
#include "vma/extent.h"

struct stream {
    struct unpack unpack; /* the first, for those who know it as such */
    struct snapshot_image *image;
    struct image_chunks *chunks;
    unsigned n_told; /* of image->faults */
    unsigned device; /* of image->devices: what comes next */
    uint64_t cluster;
    bool is_in_device, is_at_end;
    struct image_chunk *chunk; /* the last that came; it may reach into the next extent */
    unsigned n_held;           /* chunks since the last release, it included */
    struct vma_extent extent;
    uint8_t mark[VMA_EXTENT_HEADER_SIZE];
    struct vma_totals totals;
    /* Bytes of the archive that are made, and not read yet. */
    struct iovec pieces[VMA_EXTENT_MAX_IOV];
    unsigned n_pieces, piece;
};

static const struct image_device *device_of(const struct stream *s)
{
    return s->image->devices->pdata[s->device];
}

static uint64_t clusters_of(const struct image_device *d)
{
    return vma_clusters_of(d->index->size);
}

/* ---- an extent ---- */

/* The chunk with the next cluster; NULL: a hole. */
static struct image_chunk *chunk_of_next(struct stream *s, struct infile *in)
{
    const struct image_device *d = device_of(s);
    uint64_t chunk = s->cluster * VMA_CLUSTER_SIZE / d->index->chunk_bytes;
    if (!image_chunks_has(d, chunk))
        return NULL;
    if (!s->chunk || s->chunk->device != d || s->chunk->chunk != chunk) {
        s->chunk = image_chunks_next(s->chunks);
        s->n_held++;
        in->position += image_device_is_hole(d, chunk) ? 0 : chunk_index_len(d->index, chunk);
    }
    return s->chunk;
}

static void add_cluster(struct stream *s, const struct image_chunk *chunk)
{
    uint64_t at = s->cluster * VMA_CLUSTER_SIZE % device_of(s)->index->chunk_bytes;
    vma_extent_add(&s->extent, (uint32_t)s->cluster, chunk ? chunk->bytes + at : NULL);
    s->cluster++;
}

/* What is missing, up to the next chunk or the end of the device. */
static bool pass_damage(struct stream *s, struct image_chunk *chunk, GError **error)
{
    uint64_t per_chunk = device_of(s)->index->chunk_bytes / VMA_CLUSTER_SIZE;
    uint64_t next = MIN((chunk->chunk + 1) * per_chunk, clusters_of(device_of(s)));
    s->unpack.lost = (next - s->cluster) * VMA_CLUSTER_SIZE;
    s->cluster = next;
    g_propagate_error(error, g_steal_pointer(&chunk->error));
    return false;
}

/* What the extent before used is not needed any more, but for the chunk that goes on in this one. */
static void release_chunks(struct stream *s)
{
    unsigned n = s->n_held - (s->chunk != NULL);
    image_chunks_release(s->chunks, n);
    s->n_held -= n;
}

static bool fill_extent(struct stream *s, struct infile *in, GError **error)
{
    const struct image_device *d = device_of(s);
    release_chunks(s);
    s->extent.dev_id = (uint8_t)d->dev_id;
    s->extent.is_vmstate = d->is_ram;
    s->extent.n = 0;
    while (s->extent.n < VMA_CLUSTERS_PER_EXTENT && s->cluster < clusters_of(d)) {
        struct image_chunk *chunk = chunk_of_next(s, in);
        if (chunk && chunk->error && !s->extent.n)
            return pass_damage(s, chunk, error);
        if (chunk && chunk->error)
            break;
        add_cluster(s, chunk);
    }
    vma_extent_seal(&s->extent, s->image->snapshot->uuid);
    vma_totals_add(&s->totals, s->extent.header);
    s->n_pieces = vma_extent_iov(&s->extent, s->pieces, G_N_ELEMENTS(s->pieces));
    return true;
}

/* ---- what comes next ---- */

/* Its index is damaged: of use, or not. */
static bool begin_device(struct stream *s, GError **error)
{
    const struct image_device *d = device_of(s);
    s->is_in_device = true;
    s->cluster = 0;
    s->totals.vmstate_bytes += d->is_ram ? d->is->size : 0;
    if (d->fault)
        g_propagate_error(error, g_error_copy(d->fault));
    return !d->fault;
}

static void add_end_mark(struct stream *s)
{
    s->is_at_end = true;
    vma_end_mark_encode(&s->totals, VMA_END_COMPLETE, s->image->snapshot->uuid, s->mark);
    s->pieces[0] = (struct iovec){s->mark, sizeof s->mark};
    s->n_pieces = 1;
}

/* Nothing is left in the pieces: fills them anew, if only for the next device. */
static bool refill(struct stream *s, struct infile *in, GError **error)
{
    s->piece = s->n_pieces = 0;
    s->unpack.lost = 0;
    if (s->n_told < s->image->faults->len)
        return vmb_fail(error, VMB_ERROR_DAMAGED, "%s", (char *)s->image->faults->pdata[s->n_told++]);
    if (s->device == s->image->devices->len) {
        add_end_mark(s);
    } else if (!s->is_in_device) {
        return begin_device(s, error);
    } else if (!device_of(s)->index || s->cluster == clusters_of(device_of(s))) {
        s->is_in_device = false;
        s->device++;
    } else {
        return fill_extent(s, in, error);
    }
    return true;
}

static ssize_t stream_read(struct unpack *u, struct infile *in, uint8_t *to, size_t len, GError **error)
{
    struct stream *s = (struct stream *)u;
    while (s->piece == s->n_pieces) {
        if (s->is_at_end)
            return 0;
        if (!refill(s, in, error))
            return -1;
    }
    struct iovec *piece = &s->pieces[s->piece];
    size_t n = MIN(len, piece->iov_len);
    memcpy(to, piece->iov_base, n);
    piece->iov_base = (uint8_t *)piece->iov_base + n;
    piece->iov_len -= n;
    s->piece += piece->iov_len == 0;
    return (ssize_t)n;
}

static void stream_free(struct unpack *u)
{
    struct stream *s = (struct stream *)u;
    image_chunks_free(s->chunks);
    snapshot_image_free(s->image);
    g_free(s);
}

struct source *snapshot_image_source(struct snapshot_image *image)
{
    static const struct unpack_ops ops = {stream_read, stream_free};
    struct stream *s = g_new0(struct stream, 1);
    gsize len;
    uint8_t *header = (uint8_t *)g_bytes_get_data(image->header, &len);
    uint64_t clusters_per_chunk = image->snapshot->chunk_bytes / VMA_CLUSTER_SIZE;
    s->unpack.ops = &ops;
    s->image = image;
    s->chunks = image_chunks_new(image, (unsigned)(VMA_CLUSTERS_PER_EXTENT / clusters_per_chunk) + 2);
    s->pieces[s->n_pieces++] = (struct iovec){header, len};
    return source_of(&s->unpack, image->data_bytes);
}
