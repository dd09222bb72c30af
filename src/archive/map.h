// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How far each part of a drive is: the drive in 256 cells, whatever its size. A plain value; all zero is an empty map.
 *
 *     struct map map;
 *     map_init(&map, clusters);
 *     map_add(&map, cluster, zero_blocks);                  // it has come, so many of its 4 KiB blocks are zero
 *     map_fill(&map, row->map.held, row->map.zero);         // 0 … 255 of each cell
 */
#include <stdbool.h>
#include <stdint.h>
#include "model/model.h"

struct map {
    uint64_t clusters; /* of the drive */
    uint32_t held[MODEL_MAP_CELLS];
    uint64_t zero_blocks[MODEL_MAP_CELLS];
};

void map_init(struct map *m, uint64_t clusters);
/* Nothing of it is held any more. */
void map_clear(struct map *m);
/* Each cluster once. */
void map_add(struct map *m, uint64_t cluster, unsigned zero_blocks);
/* n clusters, `first` and those behind it: all of them zeros, or none. */
void map_add_run(struct map *m, uint64_t first, uint64_t n, bool are_zeros);
void map_fill(const struct map *m, uint8_t held[MODEL_MAP_CELLS], uint8_t zero[MODEL_MAP_CELLS]);
