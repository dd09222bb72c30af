// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of one run, shared by the files of this folder and nobody else.
 *
 *     course      backup.c (the public face, the clock)  outcome.c (how it ends)
 *                 run.c (what all files say of it)  picture.c (fills the model)
 *     QEMU        monitor.c (lost and found again)  discover.c (what the guest has)
 *                 door.c (how QEMU finds our sockets)  describe.c (vmabackup.json)
 *     plan        plan.c  plan_check.c  plan_engine.c  naming.c
 *                 replan.c (changed before it begins)
 *     recipe      recipe.c: THE table  recipe_lists.c  steps.c (runs its rows, undoes them)
 *                 filter.c  lid.c  look.c  agent.c  halt.c  state.c
 *                 disk_watch.c (do all disks answer)
 *     RAM         ram.c  ram_settings.c
 *                 activate.c, reopen.c (what its migration needs)
 *     drives      port.c (NBD exports -> clusters)  jobs.c
 *                 fate.c (how each ends)  retake.c (at a new instant)
 *                 job_pause.c (makes the last buffers last, too)
 *                 job_end.c (one at a time)
 *     pull        pull_export.c (exports, connections)  pull_reader.c (who reads: src/pull)
 *                 holes.c (what need not be read)
 *     changes     track_plan.c  track.c  track_settle.c (only what has changed is read)
 *     limits      limit.c (what an operator says, how it is shared out)
 *                 write_latency.c (how the guest's writes fare)
 *     archive     target.c (sink, spool, header, lanes)  finish.c (end mark, reading back)
 *                 target_watch.c (full, stands still, too small)
 *     operators   commands.c
 *
 * Files call downwards, within a few close circles; upwards goes what struct run_hooks has.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "archive/intake.h"
#include "backup/agent.h"
#include "backup/backup.h"
#include "backup/door.h"
#include "model/drive_state.h"
#include "backup/holes.h"
#include "backup/jobs.h"
#include "backup/limit.h"
#include "backup/link.h"
#include "backup/port.h"
#include "backup/pull_export.h"
#include "base/pulse_uv.h"
#include "backup/ram.h"
#include "backup/state.h"
#include "backup/target.h"
#include "backup/track.h"
#include "base/each.h"
#include "base/error.h"
#include "base/eta.h"
#include "base/rate.h"
#include "qemu/takeout.h"

struct cleanup;
struct journal;
struct logfile;
struct record;
struct run_hooks;
struct steps;

/* Ours, in QEMU. */
struct drive_names {
    char *filter, *target, *cbw, *snap, *lid, *cap, *export, *job, *bitmap, *witness, *changed, *end;
};

struct drive_progress {
    struct rate rate, data_rate;
    struct eta eta;
    uint64_t started_ms, ended_ms, last_moved_ms, last_done;
};

struct drive {
    struct backup *b;
    unsigned index;    /* in names: vmb-<run>-tgt-<index> */
    unsigned row;      /* in model.drives */
    char *name;        /* in the archive */
    char *qdev, *node; /* node: as it was when last looked at, see look.c */
    struct drive_names names;
    uint64_t size;
    int dev_id;
    enum drive_state state; /* see drive_become() */
    bool is_guarded;
    bool is_read_only;         /* nobody writes to it: it needs no guard */
    bool is_in_iothread;       /* or may be; known where engine pull or a lid may be wanted */
    bool is_pulled;            /* by engine pull: no job, no target node; see plan_engine.c */
    const char *pull_obstacle; /* why it cannot be pulled, a constant; NULL = it can */
    bool is_shared;            /* two devices write to its node: a filter before one of them would not see the other */
    bool is_bare_path_wrong;   /* qom-set wants /machine/peripheral/<qdev> */
    unsigned begun;            /* rows of the table that were begun and not undone, a bit each */
    unsigned left;             /* of them, those whose undo others stand in the way of: tried again at the end */
    bool is_left_told;
    bool is_left; /* a disk does not answer: nothing of it is undone */

    struct port filter, target;
    struct intake intake;
    struct job job;
    struct pull_export pull;   /* where is_pulled */
    struct vma_bitmap *zeroes; /* clusters that need not be pulled; NULL = none is known, see holes.c */
    struct track track;
    struct drive_limit limit;

    int64_t instant_us;  /* wall clock */
    bool is_instant_own; /* taken again: not the run's */
    uint64_t retake_at_ms;
    unsigned retries;
    GError *failure; /* the last one */
    GError *refusal; /* why its filter is being removed again, or its job could not be started */
    char *doubt;     /* why the filter's image cannot be trusted, NULL while it can */
    struct drive_progress progress;
    struct qmp_histogram writes_before; /* of the guest's, when the copy began */
};

/* for_each_drive (d, b) { … d->name … }: in the order of the plan. */
#define for_each_drive(d, b) for_each_in (struct drive, d, (b)->drives)
/* Of the guest's, saved or not: struct found_drive *f. */
#define for_each_found(f, b) for_each_in (struct found_drive, f, (b)->facts.drives)

/* Drives that are taken once more: see retake.c. */
struct retake {
    bool is_under_way;  /* rows of some drives are begun once more */
    int64_t instant_us; /* theirs, wall clock */
    char *error;
};

/* What dead runs have left in QEMU, and what this one could not remove. */
struct tidy {
    struct cleanup *look; /* at what dead runs have left, while it is under way */
    bool is_check_wanted; /* when the monitor is back: is anything of ours left in QEMU? */
    bool is_cleaning;     /* that is being taken away */
    unsigned n_leftovers;
    char leftovers[MODEL_TEXT_LEN]; /* "2 jobs, 5 nodes, the guest stopped" */
    unsigned n_left;                /* our jobs and nodes that could not be removed */
};

/* What is waited for at the end, for some seconds. */
enum open_kind {
    OPEN_WRITER,
    OPEN_FSYNC,
    OPEN_READBACK,
    OPEN_FOLDER,
    OPEN_CLEANUP,
    OPEN_BITMAPS,
    OPEN_PORT,
    OPEN_RAM,
    OPEN_KINDS
};

struct run_end {
    bool is_ending, is_stuck, is_reported;
    bool has_undo_failed;
    bool is_freed_from_qemu; /* nothing of ours is left in it */
    GError *outcome;         /* why the run failed, NULL while it has not */
    int cancel_status;       /* exit status of a cancel, 0 = none */
    uint64_t since_ms;
    unsigned n_open[OPEN_KINDS];
};

/* Of picture.c. */
struct picture {
    struct rate in_rate, data_rate, out_rate;
    uint64_t counted_at_ms, no_buffers_since_ms, next_progress_ms;
};

struct backup {
    uv_loop_t *loop;
    struct backup_options options;
    struct backup_listener listener;
    void *user;
    struct model model; /* what the operator sees of all this */

    enum model_phase phase;
    char run_id[9]; /* 8 hex digits */
    uint8_t uuid[16];
    GPtrArray *drives;  /* struct drive *, only those that are saved */
    int64_t instant_us; /* wall clock */
    uint64_t started_ms;
    bool has_begun;
    bool is_failing; /* an outcome was decided, everything is being undone */
    const struct run_hooks *hooks;
    struct steps *steps;
    unsigned begun; /* as drive.begun, for rows of the whole run */
    uv_timer_t tick;
    struct pulse pulse; /* while the run is under way */

    struct qmp *qmp;
    struct link link;
    struct facts facts;
    struct survey survey;
    struct takeout takeout;
    struct door door;
    struct guest_state guest;
    struct agent agent;
    struct ram ram;
    struct jobs jobs;
    struct pull_exports pulls;
    struct hole_search holes;
    struct limits limits;
    struct target archive;
    struct tracks tracks;
    struct retake retake;
    struct tidy tidy;
    struct run_end end;
    struct picture picture;

    struct journal *journal;
    struct logfile *logfile;
    struct record *record;
};

/* What is told upwards: backup.c says who does it. */
struct run_hooks {
    void (*planned)(struct backup *b);    /* the plan is made: begin, wait, or end */
    void (*fail)(struct backup *b);       /* is_failing and the outcome are set: undo everything */
    void (*check_over)(struct backup *b); /* a drive or the RAM has ended: are all over? */
    void (*check_left)(struct backup *b); /* does QEMU hold anything of this run still? */
    void (*give_up)(struct backup *b, const char *why);
    void (*graph_changes)(struct backup *b, bool is_under_way); /* rows of the table are gone through */
};

static inline bool monitor_is_up(const struct backup *b)
{
    return b->qmp && qmp_is_ready(b->qmp) && !b->link.lost_at_ms;
}

/* The archive can lose a drive's data; a pipe cannot. */
static inline bool target_can_drop(const struct backup *b)
{
    return b->archive.writer && writer_can_drop(b->archive.writer);
}

/* The RAM is to be saved, and is not yet. */
static inline bool ram_is_awaited(const struct backup *b)
{
    return b->ram.method != RAM_NONE && !b->ram.is_done && !b->ram.is_lost;
}

/* what: any of enum drive_is. */
static inline bool drive_is(const struct drive *d, unsigned what)
{
    return drive_state_is(d->state, what);
}

/* run.c */
void backup_emit(struct backup *b, const struct model_event *event);
/* For the screen's log only: the headless front ends tell it from the event that comes with it. */
void backup_note(struct backup *b, const char *format, ...) G_GNUC_PRINTF(2, 3);
void backup_set_phase(struct backup *b, enum model_phase phase);
void backup_row_state(struct backup *b, unsigned row, enum model_state state); /* of the RAM; drives: drive_become() */
/* Decides the outcome (the first one stays) and undoes everything. */
void backup_fail(struct backup *b, const GError *error);
void backup_fail_new(struct backup *b, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
struct model_drive *backup_row(struct drive *d);
bool run_journal_write(const struct backup *b, GError **error);
void run_check_over(struct backup *b);
void run_check_left(struct backup *b);
void run_give_up(struct backup *b, const char *why); /* nothing more is sent to QEMU */
/* The only way from one state to another; shows it, and tells it. */
void drive_become(struct drive *d, enum drive_state state);
void drive_take_instant(struct drive *d); /* now */
/* NULL, and an error of usage for an operator, where there is none */
struct drive *drive_by_name(const struct backup *b, const char *name, GError **error);
struct drive *drive_by_job(const struct backup *b, const char *id);
struct drive *drive_by_device(const struct backup *b, const char *qdev);

/* outcome.c */
void backup_end(struct backup *b); /* QEMU is free or lost; now everything of our own is closed */

/* picture.c */
void picture_fill(struct backup *b);
uint64_t picture_data_rate(const struct backup *b); /* over the last 5 s; as limits count: no holes */
