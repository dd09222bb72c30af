// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/archive.h"

#include <sys/statvfs.h>
#include "base/error.h"
#include "vma/files.h"

GHashTable *archive_files_new(void)
{
    GHashTable *taken = vma_files_new();
    g_autofree char *ram = vma_file_of_device(VMA_VMSTATE_NAME, NULL);

    vma_files_take(taken, ram);
    return taken;
}

void archive_files_add_drive(GHashTable *taken, const char *name)
{
    g_autofree char *raw = vma_file_of_device(name, "raw"), *qcow2 = vma_file_of_device(name, "qcow2");

    vma_files_take(taken, raw);
    vma_files_take(taken, qcow2);
}

bool archive_files_check_configs(GHashTable *taken, const struct backup_options *o, GError **error)
{
    for (unsigned i = 0; i < o->configs->len; i++) {
        const char *name = g_array_index(o->configs, struct backup_file, i).name;
        if (vma_files_take(taken, name))
            continue;
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "config %s: extract makes another file of that name from this archive; choose "
                    "another name: --config NAME=FILE",
                    name);
        return false;
    }
    return true;
}

bool archive_add_configs(struct vma_header *header, const struct backup_options *o, GError **error)
{
    for (unsigned i = 0; i < o->configs->len; i++) {
        const struct backup_file *file = &g_array_index(o->configs, struct backup_file, i);
        g_autofree char *data = NULL;
        gsize len;
        if (!g_file_get_contents(file->path, &data, &len, error) ||
            !vma_header_set_config(header, file->name, data, len, 0, error)) {
            g_prefix_error(error, "config %s: ", file->name);
            return false;
        }
    }
    return true;
}

uint64_t archive_spool_bytes(const struct backup_options *o, uint64_t wanted, GError **error)
{
    const char *dir = o->spool_dir ? o->spool_dir : spool_default_dir();
    uint64_t size = o->spool_bytes ? o->spool_bytes : wanted;
    struct statvfs fs;

    if (!o->spool_bytes && statvfs(dir, &fs) == 0)
        size = MIN(size, (uint64_t)fs.f_bavail * fs.f_frsize / 2);
    if (!size)
        vmb_error_set(error, VMB_ERROR_FAILED, "no room in %s", dir);
    return MIN(size, (uint64_t)INT64_MAX);
}

struct spool *archive_open_spool(uv_loop_t *loop, const struct backup_options *o, uint64_t wanted, GError **error)
{
    uint64_t size = archive_spool_bytes(o, wanted, error);

    return size ? spool_open(loop, o->spool_dir, size, error) : NULL;
}

uint64_t archive_guest_reserve(uint64_t spool_bytes)
{
    return MIN(spool_bytes / 4, ARCHIVE_SPOOL_EXTRA);
}

void archive_prepare_writer(struct writer *w, const struct backup_options *o, struct spool *spool)
{
    if (backup_options_level(o))
        archive_writer_set_compression(w, backup_options_level(o), backup_options_threads(o));
    if (spool)
        archive_writer_set_spool(w, spool, archive_guest_reserve(spool_max(spool)));
}
