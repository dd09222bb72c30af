// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Reading only what has changed since an earlier backup of the same store, by QEMU's dirty bitmaps. A part of run.h.
 *
 * Each backup begins a bitmap of its own at its instant, vmb-<run>-<image>, and freezes what an earlier one has counted
 * up to then: a copy of it on the frozen image, vmb-<run>-changed, by which the job reads. The earlier one counts on
 * until the new backup is durable, so whatever goes wrong loses nothing. Nothing depends on any of this: every refusal
 * means that everything is read. What is believed: qemu/tracking.h.
 *
 *     track_plan.c      what the store and QEMU say, into the plan
 *     track.c           rows of the recipe: look once more, begin a bitmap, freeze the other, measure it
 *     track_settle.c    what has not changed is kept; one of the two goes
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/calls.h"

struct backup;
struct chunk_index;
struct drive;
struct steps_op;
struct vma_bitmap;

/* Of all drives. */
struct tracks {
    GArray *bitmaps; /* struct qmp_bitmap, as QEMU listed them last; NULL: it has not yet */
    GStringChunk *texts;
    GPtrArray *snapshots;  /* struct snapshot of this guest, newest first; NULL: not looked at */
    char *snapshots_of;    /* their guest's folder */
    unsigned n_unanswered; /* while it is settled */
    void (*settled)(struct backup *b);
    bool is_saved_told; /* to the journal */
};

/* Of a drive. */
struct track {
    bool may_persist;          /* bitmaps, in its image */
    bool is_shared;            /* other guests may write to it: their writes are in no bitmap */
    bool is_believed;          /* what `base` has counted: else everything is read */
    char *base;                /* a bitmap; NULL: none was believed when the plan was made */
    char *snapshot;            /* folder of the snapshot that it counts from, */
    int64_t since;             /* its instant, seconds since the epoch */
    struct chunk_index *index; /* and of what the drive consisted then; NULL until it was looked at */
    char *node;                /* that the bitmaps belong to */
    bool may_count;            /* this run's bitmap may be there, and */
    bool is_counting;          /* is */
    bool has_null_node;        /* end_mark.c's may be there */
    bool is_frozen;            /* what `base` has counted is on the frozen image */
    bool is_incremental;       /* the job reads by that; */
    uint64_t changed;          /* so much, bytes in whole chunks */
    /* Of a drive that is pulled: clusters that need not be read; NULL before they are known, and where it is pushed */
    struct vma_bitmap *unchanged;
};

/* track_plan.c */
bool track_is_wanted(const struct backup *b); /* QEMU is to be asked for its bitmaps */
void track_take_bitmaps(struct backup *b, const struct qmp_bitmap *bitmaps, unsigned n);
void track_plan(struct backup *b); /* of every drive: is there a bitmap, and is it believed */
bool track_is_known(const struct backup *b, const char *bitmap); /* a snapshot here names it, or whose witness it is */
void track_clear_drive(struct drive *d);
void track_clear(struct backup *b);

/* track.c */
bool track_has_base(const struct backup *b, const struct drive *d); /* some drive has one: for a row's `applies` */
bool track_counts(const struct backup *b, const struct drive *d);
void track_begin_look_back(struct steps_op *op); /* at the snapshots: are they whole? */
void track_begin_look(struct steps_op *op);      /* at the bitmaps */
/* Before the guest stops: what it writes until then is counted twice, and takes none of its time. */
void track_begin(struct steps_op *op);
void track_follow(struct drive *d); /* it was looked at again: another node or size? */
void track_undo(struct steps_op *op);
bool track_freezes(const struct backup *b, const struct drive *d);
void track_begin_freeze(struct steps_op *op); /* right behind it */
void track_undo_freeze(struct steps_op *op);
void track_begin_measure(struct steps_op *op);           /* how much has changed, and was the drive never smaller? */
void track_disbelieve(struct drive *d, const char *why); /* all of it is read from here on */
void track_open_lane(struct drive *d);

/* track_settle.c */
uint64_t track_missing(const struct drive *d); /* clusters that should have come and have not */
void track_keep_rest(struct drive *d);         /* all that has changed has come */
void track_name_bitmaps(struct backup *b);     /* into the snapshot that is about to be finished */
/* The backup is saved, or it is not: the bitmap that is of no use goes. Then `settled`, maybe at once. */
void track_settle(struct backup *b, void (*settled)(struct backup *b));
