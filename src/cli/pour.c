// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pour.h"

#include <stdio.h>

static bool on_header(void *user, const struct vma_header *h, GError **error)
{
    struct pour *p = user;
    return p->open(p, h, error);
}

static bool on_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct output *o = ((struct pour *)user)->outputs[dev_id];
    return !o || output_write(o, offset, bytes, len, error);
}

static bool on_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    struct output *o = ((struct pour *)user)->outputs[dev_id];
    return !o || output_zero(o, offset, len, error);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct pour *p = user;
    if (!p->is_salvage) {
        cli_archive_stop(p->archive, offset, text);
        return;
    }
    progress_clear(&p->archive->progress);
    fprintf(stderr, "vmabackup: damaged at offset %" G_GUINT64_FORMAT ": %s\n", offset, text);
}

static const struct vma_walk_ops walk_ops = {on_header, on_data, on_zeroes, on_fault};

uint64_t pour_size(const struct pour *p, int dev_id)
{
    const struct vma_check *c = vma_walk_check(p->archive->walk);
    return dev_id == vma_check_vmstate_id(c) ? vma_check_result(c)->seen.vmstate_bytes
                                             : vma_walk_header(p->archive->walk)->devices[dev_id].size;
}

/* Devices whose backup failed, as the end mark says, are left out. */
static bool finish_outputs(struct pour *p, GError **error)
{
    const struct vma_check *c = vma_walk_check(p->archive->walk);
    const struct vma_header *h = vma_walk_header(p->archive->walk);
    for (int i = 0; i < (int)VMA_MAX_DEVICES; i++) {
        if (!p->outputs[i])
            continue;
        if (!vma_check_is_whole(c, i) && !p->is_salvage) {
            g_string_append_printf(p->lost, "%s%s", p->lost->len ? ", " : "", h->devices[i].name);
            g_clear_pointer(&p->outputs[i], output_free);
        } else if (!output_finish(p->outputs[i], pour_size(p, i), error)) {
            return false;
        }
    }
    return true;
}

bool pour_run(struct pour *p, const char *path, GError **error)
{
    p->lost = g_string_new(NULL);
    p->archive = cli_archive_open(path, &walk_ops, p, error);
    if (!p->archive)
        return false;
    p->archive->goes_on = p->is_salvage;
    return cli_archive_read(p->archive, p->doing, error) && finish_outputs(p, error);
}

bool pour_publish(struct pour *p, GError **error)
{
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        if (p->outputs[i] && !output_publish(p->outputs[i], error))
            return false;
    return true;
}

void pour_clear(struct pour *p)
{
    for (unsigned i = 0; i < VMA_MAX_DEVICES; i++)
        g_clear_pointer(&p->outputs[i], output_free);
    g_clear_pointer(&p->archive, cli_archive_free);
    if (p->lost)
        g_string_free(g_steal_pointer(&p->lost), TRUE);
}
