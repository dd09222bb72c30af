// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of the snapshot's writer: snapshot_writer.c holds it together, snapshot_fill.c takes clusters,
 * snapshot_put.c makes chunks of them, snapshot_keep.c takes those that have not changed, snapshot_spill.c puts away
 * what waits, snapshot_end.c makes the snapshot.
 *
 *     open ── whole ─▶ ready ─▶ worker ─▶ index            its clusters are in buffers, or some in the spool
 *      └ few buffers ─▶ (spilled)  away ─▶ worker          away: ready, and nothing of it in buffers
 */
#include "archive/map.h"
#include "archive/writer_ops.h"
#include "store/snapshot_target_inside.h"
#include "store/snapshot_writer.h"
#include "vma/bitmap.h"

enum place_kind { PLACE_ABSENT, PLACE_ZERO, PLACE_DATA, PLACE_SPILLED };

struct place {
    union {
        uint8_t *data;
        uint32_t slot;
    };
    uint8_t kind;
    uint8_t zero_blocks; /* by its worker */
};

/* A chunk until it is in the store. */
struct filling {
    struct snapshot_lane *lane;
    unsigned generation; /* of its lane; an older one's was dropped */
    uint64_t i;          /* which chunk */
    GQueue *queue;       /* in which it is, NULL: in none */
    GList link;
    unsigned n, n_held, n_data, n_spilled; /* clusters */
    bool is_whole;                         /* nothing more comes */
    bool is_unwanted;                      /* its chunk is kept as it was */
    bool is_spilling;
    struct place places[]; /* n */
};

struct snapshot_lane {
    struct writer_lane base;
    const struct snapshot_device *device; /* NULL: none, until it is known what the snapshot consists of */
    uint8_t dev_id;
    bool is_vmstate;
    unsigned generation; /* dropped so many times */
    uint64_t size;
    uint64_t top;                   /* of the RAM: the chunk that came last, whose length is not known before the end */
    struct chunk_index *index;      /* NULL: nothing is known of its size */
    struct vma_bitmap *whole;       /* chunks that have come, or are kept; NULL: of the RAM */
    const struct chunk_index *kept; /* what did not come is as it stands there; NULL: everything has to come */
    char *bitmap;
    GHashTable *open; /* chunk + 1 -> struct filling */
    uint64_t new_bytes, new_plain;
};

struct snapshot_writer {
    struct writer base;
    uv_loop_t *loop;
    struct snapshot_target *target;
    struct pool *pool;
    struct writer_events events;
    void *user; /* of the events */
    uint32_t chunk_bytes;
    GPtrArray *lanes;
    GQueue open;  /* with data in buffers, those that were touched last at the end */
    GQueue ready; /* whole, with data in buffers */
    GQueue away;  /* whole, all in the spool */
    uint64_t plain_bytes, away_clusters;
    GAsyncQueue *benches; /* memory for a chunk, one for each worker */
    unsigned n_working, most;
    struct overflow *spool; /* may be NULL */
    uint64_t guest_reserve, spool_retry_ms, stuck_since_ms;
    unsigned n_spilling, spilling_clusters, stuck_at;
    bool is_flush_wanted, is_spool_failing, has_spool_failed;
    uv_work_t commit, closing;
    GError *commit_error;
    bool is_committing;
    bool is_waiting; /* for room */
    bool is_full;    /* told so */
    uv_timer_t retry;
    gint is_discarding;       /* only the loop sets it; atomic, for the workers */
    struct snapshot_end *end; /* NULL: not asked for */
    bool is_timer_closed, is_closing;
    void (*closed)(void *user);
    void *closed_user;
};

/* snapshot_writer.c */
void snapshot_writer_pump(struct snapshot_writer *w);
void snapshot_writer_tell_target(struct snapshot_writer *w);
void snapshot_writer_fail(struct snapshot_writer *w, const GError *error);
/* True: there is no room, and it is tried again in a second; else it is the end. */
bool snapshot_writer_wait(struct snapshot_writer *w, const GError *error);
/* Of its index. False: memory does not hold it, and the writer has failed. */
bool snapshot_writer_resize(struct snapshot_lane *lane, uint64_t size);
void snapshot_writer_set_full(struct snapshot_writer *w, bool is_full);
static inline bool snapshot_writer_is_drained(const struct snapshot_writer *w)
{
    return !w->ready.length && !w->away.length && !w->n_working && !w->n_spilling;
}

/* snapshot_fill.c */
void snapshot_fill_add(struct snapshot_lane *lane, uint32_t cluster, uint8_t *data);
void snapshot_fill_add_zeroes(struct snapshot_lane *lane, uint32_t cluster, uint32_t n);
/* Nothing more comes of the RAM, whose stream had so many bytes. */
void snapshot_fill_end_ram(struct snapshot_lane *lane, uint64_t bytes);
void snapshot_fill_drop(struct snapshot_lane *lane);
void snapshot_fill_settle(struct filling *f); /* into the queue where it belongs, or the index */
void snapshot_fill_unlink(struct filling *f);
void snapshot_fill_forget(struct snapshot_lane *lane, uint64_t i); /* what has come of a chunk that is not whole */
void snapshot_fill_free(struct filling *f);                        /* its buffers and places in the spool go back */
bool snapshot_fill_is_stale(const struct filling *f);
static inline struct snapshot_writer *writer_of(const struct snapshot_lane *lane)
{
    return (struct snapshot_writer *)lane->base.writer;
}

/* snapshot_keep.c */
void snapshot_keep(struct writer_lane *lane, uint64_t from, uint64_t n);

/* snapshot_put.c */
void snapshot_put_next(struct snapshot_writer *w);

/* snapshot_spill.c */
void snapshot_spill_next(struct snapshot_writer *w);
void snapshot_spill_check_stuck(struct snapshot_writer *w);
bool snapshot_spill_is_ram_blocked(const struct snapshot_writer *w);

/* snapshot_end.c */
struct snapshot_end *snapshot_end_new(GBytes *header, uint64_t vmstate_bytes, void (*done)(void *user), void *user);
void snapshot_end_free(struct snapshot_end *e);
bool snapshot_end_is_busy(const struct snapshot_end *e);
void snapshot_end_next(struct snapshot_writer *w); /* all chunks are put */
