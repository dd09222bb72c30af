// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a drive: has all come, and what is kept? And of a run: where it is saved, the bitmaps that count from
 * earlier backups go; else its own. */
#include "backup/run.h"
#include "qemu/tracking.h"
#include "store/chunk_index.h"
#include "store/snapshot_writer.h"
#include "vma/bitmap.h"

#define MOST_FOREIGN 4 /* each costs every write of the guest a little */

/* --- what has come -------------------------------------------------------------------------------- */

/* Of a drive that is pulled it is known which clusters must come. */
static uint64_t missing_of_pull(const struct drive *d)
{
    uint64_t n = vma_assemble_clusters(d->intake.clusters), n_missing = 0;

    for (uint64_t i = vma_bitmap_next_clear(d->track.unchanged, 0, n); i < n;
         i = vma_bitmap_next_clear(d->track.unchanged, i + 1, n))
        n_missing += !vma_assemble_holds(d->intake.clusters, i * VMA_CLUSTER_SIZE, 1);
    return n_missing;
}

/* The job says that it is through: all that has changed must be here, in whole chunks. The filter may have brought
 * others, so this is no proof, but it finds a job that has read too little. */
uint64_t track_missing(const struct drive *d)
{
    uint64_t chunk = d->track.is_incremental ? d->track.index->chunk_bytes : 0, wanted, came = 0;

    if (!chunk)
        return intake_missing(&d->intake);
    if (d->track.unchanged)
        return missing_of_pull(d);
    wanted = (d->track.changed + chunk - 1) / chunk;
    for (uint64_t at = 0; at < d->size && came < wanted; at += chunk)
        came += vma_assemble_holds(d->intake.clusters, at, MIN(chunk, d->size - at));
    return (wanted - came) * (chunk / VMA_CLUSTER_SIZE);
}

static void keep(struct drive *d, uint64_t from, uint64_t end)
{
    if (from < end)
        writer_keep(d->intake.lane, from / VMA_CLUSTER_SIZE, vma_clusters_of(end - from));
}

/* A chunk that has come is never kept, whatever the writer makes of it. */
void track_keep_rest(struct drive *d)
{
    uint64_t chunk = d->track.is_incremental ? d->track.index->chunk_bytes : 0, from = 0;

    for (uint64_t at = 0; chunk && at < d->size; at += chunk) {
        if (!vma_assemble_holds(d->intake.clusters, at, MIN(chunk, d->size - at)))
            continue;
        keep(d, from, at);
        from = at + chunk;
    }
    if (chunk)
        keep(d, from, d->size);
}

/* --- the bitmaps --------------------------------------------------------------------------------- */

static bool is_kept(const struct drive *d)
{
    return d->track.is_counting && drive_is(d, DRIVE_IS_SAVED);
}

void track_name_bitmaps(struct backup *b)
{
    for_each_drive (d, b)
        if (is_kept(d))
            snapshot_writer_set_bitmap(d->intake.lane, d->names.bitmap);
}

static void answered(struct backup *b)
{
    if (--b->tracks.n_unanswered == 0)
        b->tracks.settled(b);
}

/* Refused, it is gone already; without an answer it is left, and does no harm. */
static void on_removed(void *user, const GError *error)
{
    answered(user);
}

static void remove_bitmap(struct drive *d, const char *name)
{
    d->b->tracks.n_unanswered++;
    qmp_bitmap_remove(d->b->qmp, d->track.node, name, on_removed, d->b);
}

static void remove_counter(struct drive *d)
{
    remove_bitmap(d, d->names.bitmap);
    remove_bitmap(d, d->names.witness);
}

static bool is_of_drive(const struct drive *d, const struct qmp_bitmap *m)
{
    return g_strcmp0(m->node_name, d->track.node) == 0 && tracking_is_name(m->name) &&
           !tracking_belongs(m->name, d->names.bitmap);
}

/* Other stores count from them, or runs that died have left them. */
static bool are_foreign_too_many(const struct drive *d)
{
    const GArray *bitmaps = d->b->tracks.bitmaps;
    unsigned n = 0;

    for (unsigned i = 0; i < bitmaps->len; i++) {
        const struct qmp_bitmap *m = &g_array_index(bitmaps, struct qmp_bitmap, i);
        n += is_of_drive(d, m) && !tracking_is_witness(m->name) && !track_is_known(d->b, m->name);
    }
    return n > MOST_FOREIGN;
}

/* Those of this store: what others count from stays, as long as that is not for ever. */
static void remove_earlier(struct drive *d)
{
    const GArray *bitmaps = d->b->tracks.bitmaps;
    bool are_all = bitmaps && are_foreign_too_many(d);

    for (unsigned i = 0; bitmaps && i < bitmaps->len; i++) {
        const struct qmp_bitmap *m = &g_array_index(bitmaps, struct qmp_bitmap, i);
        if (is_of_drive(d, m) && (are_all || track_is_known(d->b, m->name)))
            remove_bitmap(d, m->name);
    }
}

static bool does_any_count(const struct backup *b)
{
    for_each_drive (d, b)
        if (d->track.may_count)
            return true;
    return false;
}

/* Whoever cleans up after us keeps what counts from it. */
static void tell_journal(struct backup *b)
{
    g_autoptr(GError) error = NULL;

    b->tracks.is_saved_told = true;
    if (!run_journal_write(b, &error))
        backup_note(b, "%s", error->message);
}

void track_settle(struct backup *b, void (*settled)(struct backup *b))
{
    bool is_good = b->archive.is_saved && !b->is_failing;

    b->tracks.settled = settled;
    b->tracks.n_unanswered = 1; /* ours, until all are sent */
    if (monitor_is_up(b) && b->journal && does_any_count(b)) {
        if (is_good)
            tell_journal(b);
        for_each_drive (d, b) {
            if (is_good && is_kept(d))
                remove_earlier(d);
            else if (d->track.may_count && d->track.node)
                remove_counter(d);
        }
    }
    answered(b);
}
