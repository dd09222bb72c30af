// SPDX-License-Identifier: GPL-2.0-or-later
/* What a run gives to those that read its pulled drives (src/pull), and what becomes of a drive that they have read. */
#include "archive/vmstate.h"
#include "backup/run.h"
#include "vhost/memory.h"
#include "vma/format.h"

/* Zeros that are not read: they cost time, and a little memory. */
#define ZEROES_AT_ONCE 16384 /* clusters */
#define MAX_QUEUED     32    /* extents, or so many of these, in memory */

/* --- what they tell ----------------------------------------------------------------------------- */

/* It cannot be slowed: the drives make room for it. */
static uint64_t ram_bytes(void *user)
{
    const struct backup *b = user;

    return b->ram.vmstate && b->ram.method == RAM_BACKGROUND ? vmstate_bytes(b->ram.vmstate) : 0;
}

static uint64_t room(void *user)
{
    const struct backup *b = user;
    bool is_full = !b->archive.writer || writer_queued(b->archive.writer) >= MAX_QUEUED;

    return is_full ? 0 : ZEROES_AT_ONCE;
}

/* Buffers in extents that nobody closes would never come back. */
static void on_starved(void *user)
{
    struct backup *b = user;

    if (b->archive.writer && !writer_queued(b->archive.writer))
        writer_flush(b->archive.writer);
}

static void on_done(void *user)
{
    jobs_ended(user, NULL);
}

static void on_failed(void *user, const char *why, bool is_image_gone)
{
    struct drive *d = user;

    if (is_image_gone && !d->doubt)
        d->doubt = g_strdup("the frozen image broke (a write of the guest could not be kept for us in time, or another "
                            "node was put over it)");
    jobs_ended(d, why);
}

static const struct puller_events readers_events = {.beside_bytes = ram_bytes, .room = room, .on_starved = on_starved};
static const struct pull_events reader_events = {.on_done = on_done, .on_failed = on_failed};

/* --- life --------------------------------------------------------------------------------------- */

bool pull_reader_prepare(struct backup *b, GError **error)
{
    unsigned n_buffers = pool_total(b->archive.pool), n_pulled = 0;

    for_each_drive (d, b)
        n_pulled += d->is_pulled;
    b->jobs.n = b->drives->len - n_pulled;
    if (!n_pulled)
        return true;
    b->pulls.memory = vhost_memory_new((size_t)n_buffers * VMA_CLUSTER_SIZE, b->drives->len, error);
    if (!b->pulls.memory)
        return false;
    pool_free(b->archive.pool);
    b->archive.pool = pool_new(n_buffers, vhost_memory_pool(b->pulls.memory));
    b->pulls.readers = puller_new(b->loop, b->archive.pool, &readers_events, b);
    for_each_drive (d, b) {
        d->intake.pool = b->archive.pool;
        if (d->is_pulled)
            d->pull.reader = pull_new(b->pulls.readers, &d->target.source, &reader_events, d);
    }
    return true;
}

void pull_reader_start(struct drive *d)
{
    if (!d->is_guarded)
        drive_take_instant(d);
    d->job.state = JOB_RUNNING;
    d->job.moved_ms = uv_now(d->b->loop);
    job_pause_update(d); /* an operator may have paused it by now */
    pull_start(d->pull.reader, &(struct pull_image){.front = d->pull.front,
                                                    .size = d->size,
                                                    .may_break = d->is_guarded,
                                                    .zeroes = d->zeroes,
                                                    .unchanged = d->track.is_incremental ? d->track.unchanged : NULL});
    budget_share(d->b); /* by which it begins to read */
}
