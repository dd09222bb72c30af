// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/map.h"

#include <string.h>

#include "vma/format.h"

void map_init(struct map *m, uint64_t clusters)
{
    *m = (struct map){.clusters = clusters};
}

void map_clear(struct map *m)
{
    map_init(m, m->clusters);
}

static unsigned cell_of(const struct map *m, uint64_t cluster)
{
    return (unsigned)(cluster * MODEL_MAP_CELLS / m->clusters);
}

/* The first cluster of a cell; of small drives many cells have none. */
static uint64_t first_of(const struct map *m, unsigned cell)
{
    return (cell * m->clusters + MODEL_MAP_CELLS - 1) / MODEL_MAP_CELLS;
}

void map_add(struct map *m, uint64_t cluster, unsigned zero_blocks)
{
    if (cluster >= m->clusters)
        return;
    unsigned cell = cell_of(m, cluster);
    m->held[cell]++;
    m->zero_blocks[cell] += zero_blocks;
}

void map_add_run(struct map *m, uint64_t first, uint64_t n, bool are_zeros)
{
    uint64_t end = MIN(first + n, m->clusters), next;

    for (uint64_t at = first; at < end; at = next) {
        unsigned cell = cell_of(m, at);
        next = MIN(end, first_of(m, cell + 1));
        m->held[cell] += (uint32_t)(next - at);
        m->zero_blocks[cell] += are_zeros ? (next - at) * VMA_BLOCKS_PER_CLUSTER : 0;
    }
}

/* 255 only for all of it, 0 only for nothing. */
static uint8_t share(uint64_t part, uint64_t whole)
{
    if (!part || !whole)
        return 0;
    return part >= whole ? 255 : (uint8_t)CLAMP(part * 255 / whole, 1, 254);
}

void map_fill(const struct map *m, uint8_t held[MODEL_MAP_CELLS], uint8_t zero[MODEL_MAP_CELLS])
{
    for (unsigned i = 0; i < MODEL_MAP_CELLS && m->clusters; i++) {
        unsigned cell = cell_of(m, i * m->clusters / MODEL_MAP_CELLS); /* an empty one looks like the one before it */
        uint64_t clusters = first_of(m, cell + 1) - first_of(m, cell);
        held[i] = share(m->held[cell], clusters);
        zero[i] = share(m->zero_blocks[cell], clusters * VMA_BLOCKS_PER_CLUSTER);
    }
}
