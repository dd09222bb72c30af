// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/overflow.h"

#include <unistd.h>

#include "base/error.h"
#include "base/transfer.h"
#include "sink/spool.h"
#include "vma/format.h"

struct overflow {
    char *dir; /* safe to show */
    int fd;
    uint64_t max;  /* places */
    uint32_t next; /* none from here on was ever taken */
    GArray *free;  /* uint32_t, a stack */
};

struct overflow *overflow_open(const char *dir, uint64_t max_bytes, GError **error)
{
    g_autofree char *safe = NULL;
    int fd = spool_open_file(dir, &safe, error);
    struct overflow *o;

    if (fd < 0)
        return NULL;
    o = g_new0(struct overflow, 1);
    o->dir = g_steal_pointer(&safe);
    o->fd = fd;
    o->max = MIN(max_bytes / VMA_CLUSTER_SIZE, UINT32_MAX);
    o->free = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return o;
}

void overflow_free(struct overflow *o)
{
    if (!o)
        return;
    close(o->fd);
    g_array_unref(o->free);
    g_free(o->dir);
    g_free(o);
}

uint64_t overflow_room(const struct overflow *o)
{
    return o->max - o->next + o->free->len;
}

uint64_t overflow_used(const struct overflow *o)
{
    return (uint64_t)(o->next - o->free->len) * VMA_CLUSTER_SIZE;
}

uint64_t overflow_max(const struct overflow *o)
{
    return o->max * VMA_CLUSTER_SIZE;
}

uint32_t overflow_take(struct overflow *o)
{
    uint32_t slot;

    g_assert(overflow_room(o));
    if (!o->free->len)
        return o->next++;
    slot = g_array_index(o->free, uint32_t, o->free->len - 1);
    g_array_set_size(o->free, o->free->len - 1);
    return slot;
}

void overflow_give(struct overflow *o, uint32_t slot)
{
    g_array_append_val(o->free, slot);
}

int overflow_write(struct overflow *o, uint32_t slot, const void *cluster)
{
    return transfer_write(o->fd, cluster, VMA_CLUSTER_SIZE, (uint64_t)slot * VMA_CLUSTER_SIZE);
}

int overflow_read(struct overflow *o, uint32_t slot, void *cluster)
{
    return transfer_read(o->fd, cluster, VMA_CLUSTER_SIZE, (uint64_t)slot * VMA_CLUSTER_SIZE);
}

GError *overflow_error(const struct overflow *o, const char *what, int error_number)
{
    return g_error_new(VMB_ERROR, VMB_ERROR_FAILED, "spool in %s: cannot be %s: %s", o->dir, what,
                       g_strerror(error_number));
}
