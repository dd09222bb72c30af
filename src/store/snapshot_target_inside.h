// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The inside of a snapshot's target, for its writer. */
#include "sink/backend.h"
#include "store/chunk_folder.h"
#include "store/snapshot.h"
#include "store/snapshot_target.h"
#include "store/store.h"

struct snapshot_target {
    struct sink sink;
    struct store *store;
    struct snapshot *snapshot;
    struct chunk_batch *batch;
    uv_work_t finishing, removal, closing;
    GError *error;    /* of finishing */
    GMutex naming;    /* held by the pool while it is given its name, or given up */
    bool is_there;    /* under it */
    gint is_unwanted; /* only the loop sets it; atomic, for the pool */
};

/* What its workers are at ("a write to"; NULL: nothing, or one of them has just come back): by that it is known when it
 * stands still. A literal. */
void snapshot_target_does(struct snapshot_target *t, const char *what);
