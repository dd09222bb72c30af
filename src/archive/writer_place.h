// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where in the archive: what is ready is appended, several small extents at once, or goes where a dropped lane stood.
 * In a packed archive the frames of a dropped lane become skippable ones, in place.
 */
#include "archive/writer_item.h"
#include "archive/writer_target.h"
#include "sink/frame.h"
#include "sink/seek_table_writer.h"

struct place_stage {
    struct writer_env *env;
    struct target_stage *target;
    struct vma_layout *layout;        /* NULL where nothing can be taken out again, or it is packed */
    struct seek_table_writer *frames; /* NULL where it is not packed */
    GQueue *in;                       /* ready */
    GQueue batch;                     /* being written, or waiting for room in a place that is taken already */
    uint64_t batch_at;                /* its place; APPEND: the end of the archive */
    uint64_t dead_at, dead_len;       /* frames that become a skippable one */
    uint8_t skippable[FRAME_SKIPPABLE_HEADER_SIZE];
};

bool writer_place_is_empty(const struct place_stage *p);
/* False: nothing is ready, and the target could take it. */
bool writer_place_next(struct place_stage *p);
/* Of this lane nothing is of use any more; NULL: nothing at all. */
void writer_place_drop(struct place_stage *p, const struct extent_lane *lane);
