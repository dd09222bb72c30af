// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "vhost/ring.h"

struct vhost_memory {
    int fd;
    uint8_t *base;
    size_t bytes, pool_bytes; /* the pool is the end of it */
    unsigned n_queues;
};

/* Its length can be changed by nobody from here on. */
static int make_sealed(size_t bytes)
{
    int fd = memfd_create("vmabackup", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && ftruncate(fd, bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool map(struct vhost_memory *m)
{
    void *base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);

    if (base == MAP_FAILED)
        return false;
    m->base = base;
    madvise(base, m->bytes, MADV_DONTDUMP);
    return true;
}

struct vhost_memory *vhost_memory_new(size_t pool_bytes, unsigned n_queues, GError **error)
{
    struct vhost_memory *m = g_new0(struct vhost_memory, 1);

    g_assert(n_queues > 0 && pool_bytes > 0 && pool_bytes % sysconf(_SC_PAGESIZE) == 0);
    m->n_queues = n_queues;
    m->pool_bytes = pool_bytes;
    m->bytes = (size_t)n_queues * VHOST_RING_BYTES + pool_bytes;
    m->fd = make_sealed(m->bytes);
    if (m->fd >= 0 && map(m))
        return m;
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "shared memory: cannot make %zu MiB of it: %s", m->bytes >> 20,
                g_strerror(errno));
    vhost_memory_free(m);
    return NULL;
}

void vhost_memory_free(struct vhost_memory *m)
{
    if (!m)
        return;
    if (m->base)
        munmap(m->base, m->bytes);
    if (m->fd >= 0)
        close(m->fd);
    g_free(m);
}

void *vhost_memory_pool(struct vhost_memory *m)
{
    return m->base + m->bytes - m->pool_bytes;
}

bool vhost_memory_owns(const struct vhost_memory *m, const void *at, size_t len)
{
    uintptr_t begin = (uintptr_t)m->base + m->bytes - m->pool_bytes, from = (uintptr_t)at;

    return from >= begin && from - begin <= m->pool_bytes && len <= m->pool_bytes - (from - begin);
}

int vhost_memory_fd(const struct vhost_memory *m)
{
    return m->fd;
}

uint8_t *vhost_memory_base(const struct vhost_memory *m)
{
    return m->base;
}

size_t vhost_memory_bytes(const struct vhost_memory *m)
{
    return m->bytes;
}

size_t vhost_memory_queue(const struct vhost_memory *m, unsigned queue)
{
    g_assert(queue < m->n_queues);
    return (size_t)queue * VHOST_RING_BYTES;
}
