// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The writer's first stage: clusters fill extents, workers seal them (zero blocks found, digests made) and, on the same
 * turn, pack them. They come out in the order in which they went in.
 */
#include "archive/writer_item.h"
#include "archive/writer_pack.h"

struct seal_stage {
    struct writer_env *env;
    struct pack_stage *pack;
    GQueue *in;               /* full, no worker yet */
    GQueue *out;              /* two: drives', and RAM's */
    GQueue working;           /* with workers, in order */
    unsigned n_working, most; /* most: with workers, or ready for the next that is idle */
};

void writer_seal_add(struct extent_lane *lane, uint32_t cluster, uint8_t *data);
void writer_seal_add_zeroes(struct extent_lane *lane, uint32_t cluster, uint32_t n);
void writer_seal_flush(struct extent_lane *lane);
/* Extents without any data that wait for more of their kind, when all else is done. False: there were none. */
bool writer_seal_flush_empty(struct seal_stage *s);
void writer_seal_next(struct seal_stage *s);
