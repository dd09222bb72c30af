// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A drive that is pulled and read by a bitmap: which of its clusters are read. QEMU shows the bitmap as the block
 * status of an NBD export (holes.c); where it does not, QEMU's own job reads by it.
 */
#include "backup/recipe.h"
#include "backup/run.h"
#include "backup/steps.h"
#include "store/chunk_index.h"
#include "vma/bitmap.h"

void track_take_unchanged(struct drive *d, struct vma_bitmap *unchanged, uint64_t n_chunks)
{
    uint64_t chunk = d->track.index->chunk_bytes, n_changed = (d->track.changed + chunk - 1) / chunk;

    if (n_chunks + n_changed == d->track.index->n) {
        d->track.unchanged = unchanged;
        return;
    }
    vma_bitmap_free(unchanged);
    track_disbelieve(d, "QEMU shows something else than it has counted");
}

void track_not_searched(struct steps_op *op, bool is_export_left)
{
    struct drive *d = op->d;
    g_autoptr(GArray) ops = NULL;

    if (d->b->is_failing || drive_is(d, DRIVE_IS_OUT))
        return;
    if (is_export_left) { /* a job would be refused the bitmap */
        track_disbelieve(d, "QEMU does not show what has changed");
        return;
    }
    backup_log(d->b, MODEL_INFO, NULL, "drive %s is pushed, not pulled: QEMU does not show what has changed", d->name);
    recipe_push_instead(d);
    ops = recipe_restart_job(d);
    steps_insert(d->b->steps, ops);
}

uint64_t track_missing_of_pull(const struct drive *d)
{
    uint64_t n = vma_assemble_clusters(d->intake.clusters), n_missing = 0;

    for (uint64_t i = vma_bitmap_next_clear(d->track.unchanged, 0, n); i < n;
         i = vma_bitmap_next_clear(d->track.unchanged, i + 1, n))
        n_missing += !vma_assemble_holds(d->intake.clusters, i * VMA_CLUSTER_SIZE, 1);
    return n_missing;
}
