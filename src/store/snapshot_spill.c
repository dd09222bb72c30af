// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Away from the buffers: what has to wait for the rest of its chunk, or for the store. Each cluster goes into the spool
 * once at most, and comes back without a buffer, into the memory of the worker that makes the chunk.
 */
#include "store/snapshot_writer_inside.h"

#include "base/error.h"
#include "base/units.h"
#include "vma/format.h"

#define SPILLING 2 /* at a time */
#define RETRY_MS 1000
#define STUCK_MS 5000

struct spill {
    uv_work_t work;
    struct filling *f;
    unsigned n;
    int failed; /* errno */
    struct {
        unsigned k; /* which place */
        uint32_t slot;
        const uint8_t *data;
    } clusters[];
};

/* --- in a worker -------------------------------------------------------------------------------- */

static void spill_in_worker(uv_work_t *work)
{
    struct spill *s = work->data;
    struct snapshot_writer *w = writer_of(s->f->lane);

    for (unsigned i = 0; i < s->n && !s->failed && !g_atomic_int_get(&w->is_discarding); i++)
        s->failed = overflow_write(w->spool, s->clusters[i].slot, s->clusters[i].data);
}

/* --- on the loop -------------------------------------------------------------------------------- */

/* Its disk takes nothing: what it was to take stays where it is. */
static void take_back(struct spill *s)
{
    struct snapshot_writer *w = writer_of(s->f->lane);
    g_autoptr(GError) error = overflow_error(w->spool, "written", s->failed);

    for (unsigned i = 0; i < s->n; i++)
        overflow_give(w->spool, s->clusters[i].slot);
    w->spool_retry_ms = uv_now(w->loop) + RETRY_MS;
    if (!w->has_spool_failed && w->events.on_spool_error)
        w->events.on_spool_error(w->user, error);
    w->has_spool_failed = w->is_spool_failing = true;
}

static void take_away(struct spill *s)
{
    struct filling *f = s->f;

    for (unsigned i = 0; i < s->n; i++) {
        struct place *place = &f->places[s->clusters[i].k];
        pool_give(writer_of(f->lane)->pool, place->data);
        place->kind = PLACE_SPILLED;
        place->slot = s->clusters[i].slot;
    }
    writer_of(f->lane)->is_spool_failing = false;
    f->n_data -= s->n;
    f->n_spilled += s->n;
}

static void on_spilled(uv_work_t *work, int status)
{
    struct spill *s = work->data;
    struct filling *f = s->f;
    struct snapshot_writer *w = writer_of(f->lane);

    w->n_spilling--;
    w->spilling_clusters -= s->n;
    f->is_spilling = false;
    if (s->failed)
        take_back(s);
    else
        take_away(s);
    if (snapshot_fill_is_stale(f))
        snapshot_fill_free(f);
    else
        snapshot_fill_settle(f);
    g_free(s);
    snapshot_writer_pump(w);
}

/* In places. */
static uint64_t room_for(const struct snapshot_writer *w, bool is_ram)
{
    uint64_t room = w->spool ? overflow_room(w->spool) : 0, kept = is_ram ? w->guest_reserve / VMA_CLUSTER_SIZE : 0;

    return room > kept ? room - kept : 0;
}

static void start(struct snapshot_writer *w, struct filling *f)
{
    unsigned most = (unsigned)MIN(f->n_data, room_for(w, f->lane->is_vmstate));
    struct spill *s = g_malloc0(sizeof *s + most * sizeof *s->clusters);

    s->f = f;
    for (unsigned k = 0; k < f->n && s->n < most; k++) {
        if (f->places[k].kind != PLACE_DATA)
            continue;
        s->clusters[s->n].k = k;
        s->clusters[s->n].slot = overflow_take(w->spool);
        s->clusters[s->n++].data = f->places[k].data;
    }
    snapshot_fill_unlink(f);
    f->is_spilling = true;
    w->n_spilling++;
    w->spilling_clusters += s->n;
    s->work.data = s;
    uv_queue_work(w->loop, &s->work, spill_in_worker, on_spilled);
}

/* --- which, and when ---------------------------------------------------------------------------- */

static struct filling *first_that_may(const struct snapshot_writer *w, GList *at, bool is_backwards)
{
    for (; at; at = is_backwards ? at->prev : at->next) {
        struct filling *f = at->data;
        if (room_for(w, f->lane->is_vmstate))
            return f;
    }
    return NULL;
}

/* What workers will come to last, where more waits for them than they can do at once; else what has been open for the
 * longest time. */
static struct filling *victim(const struct snapshot_writer *w)
{
    struct filling *f = w->ready.length > w->most ? first_that_may(w, w->ready.tail, true) : NULL;

    f = f ? f : first_that_may(w, w->open.head, false);
    return f ? f : first_that_may(w, w->ready.tail, true);
}

/* So many free buffers are wanted. With nothing under way that gives some back, nearly all: a job that is paused goes
 * on only when there are plenty. */
static unsigned wanted(struct snapshot_writer *w)
{
    if (!w->is_flush_wanted || w->ready.length || w->n_working)
        return WRITER_SPOOLS_BELOW;
    return MAX(pool_total(w->pool) / 8 * 7, WRITER_SPOOLS_BELOW);
}

void snapshot_spill_next(struct snapshot_writer *w)
{
    struct filling *f;

    if (!w->spool || w->is_discarding || uv_now(w->loop) < w->spool_retry_ms)
        return;
    while (w->n_spilling < SPILLING && pool_free_count(w->pool) + w->spilling_clusters < wanted(w) && (f = victim(w)))
        start(w, f);
    if (!w->n_spilling)
        w->is_flush_wanted = false;
}

bool snapshot_spill_is_ram_blocked(const struct snapshot_writer *w)
{
    return pool_free_count(w->pool) < WRITER_SPOOLS_BELOW && !room_for(w, true);
}

/* --- nothing moves any more --------------------------------------------------------------------- */

static void give_up(struct snapshot_writer *w)
{
    char size[UNITS_LEN];
    g_autoptr(GError) error = NULL;

    if (w->is_spool_failing)
        error = g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                            "the spool's disk takes nothing, and the buffers are full of what waits for the rest of "
                            "its chunk; make room there, or name another folder by --spool-dir");
    else if (w->spool)
        error =
            g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                        "spool is full: %s of what the guest has written wait for the rest of their chunks; give it "
                        "more by --spool, or another folder by --spool-dir",
                        units_format_size(overflow_used(w->spool), size));
    else
        error = g_error_new(VMB_ERROR, VMB_ERROR_FAILED,
                            "no spool, and the buffers are full of what waits for the rest of its chunk; name a folder "
                            "by --spool-dir");
    snapshot_writer_fail(w, error);
}

static bool can_spill(const struct snapshot_writer *w)
{
    return !w->is_spool_failing && (w->n_spilling || room_for(w, false));
}

/* Buffers are wanted back, and nothing can bring them: what is open waits for who waits for buffers. */
void snapshot_spill_check_stuck(struct snapshot_writer *w)
{
    unsigned n_free = pool_free_count(w->pool);
    bool is_working = w->ready.length || w->away.length || w->n_working || w->is_waiting;
    bool is_stuck = !is_working && (w->open.length || w->n_spilling) && !can_spill(w);

    if (!is_stuck || n_free != w->stuck_at)
        w->stuck_since_ms = 0;
    w->stuck_at = n_free;
    if (is_stuck && !w->stuck_since_ms)
        w->stuck_since_ms = uv_now(w->loop);
    else if (is_stuck && uv_now(w->loop) - w->stuck_since_ms > STUCK_MS)
        give_up(w);
}
