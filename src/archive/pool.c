// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/pool.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "vma/format.h"

#define RESERVED_FOR_GUEST 64 /* 4 MiB: about five full filters' worth of requests in flight */
#define RESERVED_FROM_RAM  128

struct pool {
    uint8_t *memory; /* one mapping: pages that are never used never become resident */
    uint8_t **free;  /* a stack, so that warm buffers are used again first */
    unsigned n_free, total;
    bool is_memory_own;
};

static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        g_error("cannot reserve %zu bytes of memory", bytes);
    return memory;
}

struct pool *pool_new(unsigned n_buffers, void *memory)
{
    struct pool *p = g_new0(struct pool, 1);

    p->is_memory_own = !memory;
    p->memory = memory ? memory : reserve((size_t)n_buffers * VMA_CLUSTER_SIZE);
    p->free = g_new(uint8_t *, n_buffers);
    p->total = p->n_free = n_buffers;
    for (unsigned i = 0; i < n_buffers; i++)
        p->free[i] = p->memory + (size_t)(n_buffers - 1 - i) * VMA_CLUSTER_SIZE;
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    if (p->is_memory_own)
        munmap(p->memory, (size_t)p->total * VMA_CLUSTER_SIZE);
    g_free(p->free);
    g_free(p);
}

static unsigned reserved_from(enum pool_purpose purpose)
{
    switch (purpose) {
    case POOL_FOR_GUEST:
        return 0;
    case POOL_FOR_JOB:
        return RESERVED_FOR_GUEST;
    case POOL_FOR_RAM:
        break;
    }
    return RESERVED_FROM_RAM;
}

uint8_t *pool_take(struct pool *p, enum pool_purpose purpose)
{
    return p->n_free > reserved_from(purpose) ? p->free[--p->n_free] : NULL;
}

void pool_give(struct pool *p, uint8_t *buffer)
{
    if (!buffer)
        return;
    g_assert(p->n_free < p->total);
    p->free[p->n_free++] = buffer;
}

unsigned pool_free_count(const struct pool *p)
{
    return p->n_free;
}

unsigned pool_total(const struct pool *p)
{
    return p->total;
}
