// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/indexed.h"

#include <string.h>

#include "base/error.h"
#include "cli/archive.h"
#include "vma/page.h"

#define HEADER_START   60    /* as much as tells the header's size */
#define RESTED_PAGES   4096u /* of scratch, touched, are let go: 16 MiB */
#define PAGES_SEEN     16u   /* that the kernel maps when one is read */
#define BYTES_PER_PAGE (VMA_PAGE_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE)

static bool read_header(struct cli_indexed *a, GError **error)
{
    uint8_t start[HEADER_START];
    if (!random_skim(a->random, 0, start, sizeof start, error))
        return false;
    uint32_t size = vma_header_size_of(start, sizeof start, error);
    g_autofree uint8_t *bytes = size ? g_malloc(size) : NULL;
    if (!bytes || !random_skim(a->random, 0, bytes, size, error))
        return false;
    a->header = vma_header_decode(bytes, size, error);
    return a->header != NULL;
}

static void touch(struct cli_indexed *a, uint64_t pages)
{
    a->n_touched += (unsigned)MIN(pages, RESTED_PAGES);
    if (a->n_touched < RESTED_PAGES)
        return;
    scratch_rest(a->scratch);
    a->n_touched = 0;
}

static void *take_room(void *user, GError **error)
{
    return scratch_take(((struct cli_indexed *)user)->scratch, error);
}

/* The archive ends at this place, though not what it lies in: a device goes on behind it, and zeros are
 * padding. */
static bool is_end(struct cli_indexed *a, uint64_t at, GError **error)
{
    uint8_t first;
    bool has_mark = vma_check_result(vma_index_check(a->index))->has_end_mark;
    if (has_mark && random_is_device(a->random))
        return true;
    return (has_mark || !a->header->has_extension) && random_skim(a->random, at, &first, 1, error) && first == 0 &&
           random_is_padding(a->random, at, error);
}

static bool read_index(struct cli_indexed *a, GError **error)
{
    uint8_t extent[VMA_EXTENT_HEADER_SIZE];
    uint64_t at = a->header->header_size, len;
    g_autoptr(GError) wrong = NULL;
    bool is_over = false;
    a->index = vma_index_new(a->header);
    a->scratch = scratch_new();
    vma_index_set_room(a->index, VMA_INDEX_HEAP_BYTES, take_room, a);
    for (; at < random_size(a->random); at += len) {
        is_over = is_end(a, at, &wrong);
        if (is_over || wrong)
            break;
        if (!random_skim(a->random, at, extent, sizeof extent, error) ||
            !(len = vma_index_add(a->index, at, extent, error)))
            return false;
        touch(a, VMA_CLUSTERS_PER_EXTENT);
    }
    if (wrong) {
        g_propagate_error(error, g_steal_pointer(&wrong));
        return false;
    }
    if (at == random_size(a->random) || is_over)
        return vma_index_end(a->index, at, error);
    return vmb_fail(error, VMB_ERROR_DAMAGED, "it is cut short: it ends in the middle of an extent");
}

static bool open_file(struct cli_indexed *a, GError **error)
{
    a->random = snapshot_image_may_be(a->path, error) ? random_open(a->path, error) : NULL;
    return a->random && read_header(a, error) && read_index(a, error);
}

static bool open_snapshot(struct cli_indexed *a, GError **error)
{
    struct snapshot_image *image = snapshot_image_open(a->path, error);
    if (!image)
        return false;
    gsize len;
    const void *bytes = g_bytes_get_data(image->header, &len);
    a->image = image;
    a->random = snapshot_image_random(image);
    a->header = vma_header_decode(bytes, len, error);
    for (unsigned i = 0; a->header && i < image->devices->len; i++) {
        const struct image_device *d = image->devices->pdata[i];
        if (d->fault)
            return vmb_fail(error, VMB_ERROR_DAMAGED, "%s; `vmabackup extract --salvage` gives the rest",
                            d->fault->message);
    }
    return a->header != NULL;
}

struct cli_indexed *cli_indexed_open(const char *path, GError **error)
{
    g_autoptr(cli_indexed) a = g_new0(struct cli_indexed, 1);
    a->path = path;
    if (snapshot_image_is(path) ? open_snapshot(a, error) : open_file(a, error))
        return g_steal_pointer(&a);
    cli_archive_prefix(path, error);
    return NULL;
}

void cli_indexed_free(struct cli_indexed *a)
{
    if (!a)
        return;
    vma_index_free(a->index);
    scratch_free(a->scratch);
    vma_header_free(a->header);
    random_free(a->random);
    g_free(a);
}

int cli_indexed_ram_id(const struct cli_indexed *a)
{
    return a->image ? MAX(vma_header_find_device(a->header, VMA_VMSTATE_NAME), 0)
                    : vma_check_vmstate_id(vma_index_check(a->index));
}

bool cli_indexed_is_whole(const struct cli_indexed *a, int dev_id)
{
    return a->image || vma_check_is_whole(vma_index_check(a->index), dev_id);
}

uint64_t cli_indexed_size(const struct cli_indexed *a, int dev_id)
{
    if (a->image)
        return snapshot_image_device(a->image, dev_id)->is->size;
    return dev_id == cli_indexed_ram_id(a) ? vma_check_result(vma_index_check(a->index))->seen.vmstate_bytes
                                           : a->header->devices[dev_id].size;
}

struct vma_index_run cli_indexed_run(struct cli_indexed *a, int dev_id, uint64_t offset, uint64_t max)
{
    if (a->image)
        return snapshot_image_run(a->image, dev_id, offset, max);
    struct vma_index_run run = vma_index_run(a->index, dev_id, offset, max);
    touch(a, PAGES_SEEN * (1 + run.len / BYTES_PER_PAGE));
    return run;
}

void cli_indexed_read(struct cli_indexed *a, int dev_id, uint64_t offset, uint8_t *to, size_t len, random_done done,
                      void *user)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct random_piece));
    while (len) {
        struct vma_index_run run = cli_indexed_run(a, dev_id, offset, len);
        struct random_piece piece = {run.at, (size_t)run.len, to};
        if (run.at)
            g_array_append_val(pieces, piece);
        else
            memset(to, 0, run.len);
        offset += run.len;
        to += run.len;
        len -= run.len;
    }
    if (pieces->len)
        random_read(a->random, (const struct random_piece *)pieces->data, pieces->len, done, user);
    else
        done(user, 0);
}
