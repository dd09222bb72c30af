// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/snapshot_image.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "vma/format.h"

bool snapshot_image_is(const char *path)
{
    g_autofree char *file = g_build_filename(path, SNAPSHOT_FILE, NULL);
    return g_file_test(file, G_FILE_TEST_IS_REGULAR);
}

/* ---- the header ---- */

static bool add_devices(struct snapshot_image *image, struct vma_header *h, GError **error)
{
    for (unsigned i = 0; i < image->snapshot->devices->len; i++) {
        struct image_device *d = g_new0(struct image_device, 1);
        d->is = image->snapshot->devices->pdata[i];
        d->is_ram = !strcmp(d->is->name, VMA_VMSTATE_NAME);
        g_ptr_array_insert(image->devices, d->is_ram ? 0 : -1, d);
        uint64_t size = d->is->size;
        if (d->is_ram) /* the exact length stands in the end mark */
            size = vma_clusters_of(size) * VMA_CLUSTER_SIZE;
        d->dev_id = vma_header_add_device(h, d->is->name, size, error);
        if (d->dev_id < 0)
            return false;
    }
    return true;
}

static void add_fault(struct snapshot_image *image, const char *config)
{
    g_autofree char *name = text_make_safe(config);
    g_ptr_array_add(image->faults, g_strdup_printf("configuration %s: its file is missing, or was changed", name));
}

static bool add_configs(struct snapshot_image *image, struct vma_header *h, GError **error)
{
    for (unsigned i = 0; i < image->snapshot->configs->len; i++) {
        const struct snapshot_config *c = image->snapshot->configs->pdata[i];
        gsize len;
        const void *bytes = g_bytes_get_data(c->bytes, &len);
        if (c->is_damaged)
            add_fault(image, c->name);
        else if (!vma_header_set_config(h, c->name, bytes, len, 0, error))
            return false;
    }
    return true;
}

static bool make_header(struct snapshot_image *image, GError **error)
{
    g_autoptr(vma_header) h = vma_header_new(image->snapshot->uuid, image->snapshot->instant);
    g_autoptr(GError) wrong = NULL;
    if (add_devices(image, h, &wrong) && add_configs(image, h, &wrong))
        image->header = vma_header_encode(h, &wrong);
    return image->header || vmb_fail(error, VMB_ERROR_DAMAGED, "%s: %s", SNAPSHOT_FILE, wrong->message);
}

/* ---- the indexes ---- */

static bool is_of_this_size(const struct snapshot_image *image, const struct image_device *d)
{
    return d->index->size == d->is->size && d->index->chunk_bytes == image->snapshot->chunk_bytes;
}

/* One that has changed may still be good for most of its drive; one of another size cannot be. */
static void load_damaged(struct snapshot_image *image, struct image_device *d)
{
    g_autofree char *path = snapshot_index_path(image->snapshot, d->is), *name = text_make_safe(d->is->name);
    g_prefix_error(&d->fault, "device %s: ", name);
    d->index = chunk_index_load(path, NULL);
    if (d->index && !is_of_this_size(image, d))
        g_clear_pointer(&d->index, chunk_index_free);
}

static bool load_index(struct snapshot_image *image, struct image_device *d, GError **error)
{
    d->index = snapshot_load_index(image->snapshot, d->is, &d->fault);
    if (d->index)
        return true;
    if (g_error_matches(d->fault, VMB_ERROR, VMB_ERROR_DAMAGED)) {
        load_damaged(image, d);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&d->fault));
    return false;
}

static bool load_indexes(struct snapshot_image *image, GError **error)
{
    uint64_t chunk_bytes = image->snapshot->chunk_bytes;
    image->size = chunk_bytes; /* so that no byte stands at 0 */
    for (unsigned i = 0; i < image->devices->len; i++) {
        struct image_device *d = image->devices->pdata[i];
        if (!load_index(image, d, error))
            return false;
        d->base = image->size;
        for (uint64_t k = 0; d->index && k < d->index->n; k++)
            if (!image_device_is_hole(d, k))
                image->data_bytes += chunk_index_len(d->index, k);
        image->size += d->index ? d->index->n * chunk_bytes : 0;
    }
    return true;
}

/* ---- life ---- */

static void device_free(void *item)
{
    struct image_device *d = item;
    if (d->index)
        chunk_index_free(d->index);
    g_clear_error(&d->fault);
    g_free(d);
}

static bool open_store(struct snapshot_image *image, const char *path, GError **error)
{
    g_autofree char *dir = store_of_snapshot(path);
    if (!dir)
        return vmb_fail(error, VMB_ERROR_FAILED, "this snapshot lies in no store: its chunks are two folders above it");
    image->store = store_open(dir, STORE_SHARED, error);
    return image->store != NULL;
}

struct snapshot_image *snapshot_image_open(const char *path, GError **error)
{
    g_autoptr(snapshot_image) image = g_new0(struct snapshot_image, 1);
    g_autofree char *real = snapshot_resolve(path);
    image->devices = g_ptr_array_new_with_free_func(device_free);
    image->faults = g_ptr_array_new_with_free_func(g_free);
    if (!open_store(image, real, error) || !(image->snapshot = snapshot_load(real, error)) ||
        !make_header(image, error) || !load_indexes(image, error))
        return NULL;
    return g_steal_pointer(&image);
}

void snapshot_image_free(struct snapshot_image *image)
{
    if (!image)
        return;
    g_ptr_array_unref(image->devices);
    g_ptr_array_unref(image->faults);
    g_clear_pointer(&image->header, g_bytes_unref);
    g_clear_pointer(&image->snapshot, snapshot_free);
    g_clear_pointer(&image->store, store_free);
    g_free(image);
}

const struct image_device *snapshot_image_device(const struct snapshot_image *image, int dev_id)
{
    for (unsigned i = 0; i < image->devices->len; i++) {
        const struct image_device *d = image->devices->pdata[i];
        if (d->dev_id == dev_id)
            return d;
    }
    return NULL;
}

/* ---- chunks ---- */

bool image_device_is_hole(const struct image_device *d, uint64_t chunk)
{
    return chunk_index_is_zeros(d->index, chunk);
}

bool image_device_load(const struct snapshot_image *image, const struct image_device *d, uint64_t chunk, bool is_light,
                       uint8_t *to, GError **error)
{
    uint64_t from = chunk * d->index->chunk_bytes;
    uint32_t len = chunk_index_len(d->index, chunk);
    g_autoptr(GError) wrong = NULL;
    if (image_device_is_hole(d, chunk)) {
        memset(to, 0, len);
        return true;
    }
    if ((is_light ? chunk_folder_read_lightly : chunk_folder_read)(image->store->chunks, &d->index->ids[chunk], to, len,
                                                                   &wrong))
        return true;
    g_autofree char *name = text_make_safe(d->is->name), *why = text_make_safe(wrong->message);
    return vmb_fail(error, wrong->code, "device %s, bytes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": %s", name,
                    from, from + len - 1, why);
}

/* ---- whatever it is ---- */

bool snapshot_image_may_be(const char *path, GError **error)
{
    g_autofree char *above = g_path_get_dirname(path);
    const char *what = store_is(path)                                             ? "a store; name a snapshot in it"
                       : store_is(above) && g_file_test(path, G_FILE_TEST_IS_DIR) ? "a guest's folder in a store; name "
                                                                                    "a snapshot in it"
                                                                                  : NULL;
    return !what || vmb_fail(error, VMB_ERROR_FAILED, "it is %s: STORE/GUEST/latest", what);
}

struct source *archive_open_source(const char *path, GError **error)
{
    if (snapshot_image_is(path)) {
        struct snapshot_image *image = snapshot_image_open(path, error);
        return image ? snapshot_image_source(image) : NULL;
    }
    return snapshot_image_may_be(path, error) ? source_open(path, error) : NULL;
}
