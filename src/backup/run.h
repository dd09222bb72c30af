// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The inside of one run, shared by the files of this folder and nobody else.
 *
 *     QEMU        monitor.c (lost and found again)  discover.c (what the guest has)  nearby.c (who answers where ours
 *                 does not)  door.c (how QEMU finds our sockets)  describe.c (vmabackup.json)
 *     plan        plan.c, plan_check.c, plan_forecast.c  replan.c (changed before it begins)  naming.c
 *                 target_space.c  tidy.c (what a dead run left)
 *     recipe      recipe.c: THE table  recipe_lists.c  steps.c (runs its rows, undoes them)  filter.c  pin.c  look.c
 *                 ram.c, ram_settings.c, activate.c, reopen.c (the rows of the RAM)  agent.c  halt.c  state.c
 *                 disk_watch.c (do all disks answer)  run_journal.c (what undoes us if we die)
 *     drives      drives.c  port.c (NBD exports -> clusters)  jobs.c  fate.c (how each ends)  retake.c
 *                 job_pause.c  job_throttle.c (makes the last buffers last)  job_end.c (one at a time)
 *     limits      limit.c (what an operator says)  budget.c  write_latency.c (how the guest's writes fare)
 *     archive     target.c (sink, spool, header, lanes)  target_watch.c (full, or stands still)  finish.c
 *     operators   commands.c  command_line.c (a command as a line, and its answer)  control.c (the socket)  after.c
 *     course      backup.c (phases, the end, the public face)  outcome.c  snapshot.c (fills the model)  pulse.c
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "backup/backup.h"
#include "backup/drive_state.h"
#include "backup/fate.h"
#include "backup/filter.h"
#include "backup/found.h"
#include "backup/pin.h"
#include "backup/plan.h"
#include "backup/pulse.h"
#include "backup/ram.h"
#include "backup/state.h"
#include "backup/steps.h"
#include "base/error.h"
#include "base/eta.h"
#include "base/rate.h"
#include "nbd/server_uv.h"
#include "pacing/pace.h"
#include "pacing/stall.h"
#include "qemu/takeout.h"
#include "qmp/calls.h"
#include "sink/sink.h"
#include "sink/spool.h"
#include "vma/assemble.h"
#include "vma/header.h"

struct agent_link;
struct cleanup;
struct control;
struct journal;
struct logfile;
struct record;
struct nearby;
struct readback;
struct vmstate;

/* Why a job is held paused; QMP sees only the first reason come and the last one go. */
enum pause_reason {
    PAUSE_OPERATOR = 1u << 0,
    PAUSE_CREDIT = 1u << 1, /* buffers run low: the target is slower than the guest's drives */
    PAUSE_FULL = 1u << 2,   /* the target has no room */
    PAUSE_LIMIT = 1u << 3,  /* it has had its data of this second: for moments only */
    PAUSE_GRAPH = 1u << 4,  /* jobs or nodes of other drives come or go */
    PAUSE_ENDING = 1u << 5, /* another drive's job is about to end */
};

/* door.c: how QEMU finds a socket of ours. on_shown: by which path, or why not. */
typedef void (*door_shown)(struct steps_op *op, const char *path, const GError *error);
struct door {
    char *folder;             /* of the run's sockets */
    bool is_handed_over;      /* QEMU has a descriptor of it, … */
    int64_t number;           /* … this one */
    bool is_forwarded;        /* the monitor is a UNIX socket, but passes no descriptors */
    struct listening *socket; /* that is being shown */
    door_shown on_shown;
};

/* One NBD connection of QEMU's into us. */
struct port {
    struct drive *drive;
    bool is_filter;              /* f<n>: old data of clusters the guest is about to overwrite; else d<n>: the job */
    struct nbd_exports *exports; /* its own, so that nobody comes to another's by its door */
    struct nbd_export *export;
    struct nbd_listener *listener; /* until QEMU is in: for one connection */
    struct nbd_conn *conn;         /* NULL when there is none */
    bool is_expected_to_close;
};

enum job_state { JOB_NONE, JOB_RUNNING, JOB_ENDED };

struct drive {
    struct backup *b;
    unsigned index;    /* in names: vmb-<run>-tgt-<index> */
    unsigned row;      /* in model.drives */
    char *name;        /* in the archive */
    char *qdev, *node; /* node: as it was when last looked at, see look.c */
    char *filter_node, *target_node, *cbw_node, *snap_node, *pin_id, *job_id; /* our names in QEMU */
    uint64_t size;
    int dev_id;
    enum drive_state state; /* see drive_become() */
    bool is_guarded;
    bool is_read_only;       /* nobody writes to it: it needs no guard */
    bool is_shared;          /* two devices write to its node: a filter before one of them would not see the other */
    bool is_bare_path_wrong; /* qom-set wants /machine/peripheral/<qdev> */
    unsigned begun;          /* rows of the table that were begun and not undone, a bit each */
    unsigned left;           /* of them, those whose undo others stand in the way of: tried again at the end */
    bool is_left_told;

    struct port filter, target;
    struct vma_assemble *clusters;
    struct writer_lane *lane;

    enum job_state job;
    bool is_job_new;       /* its command is on its way */
    int64_t job_at;        /* how far QEMU says it is */
    uint64_t job_moved_ms; /* when that last changed, or its end was asked for */
    bool is_job_at_rest;   /* paused, as QEMU says: nothing of it is in flight */
    bool is_left;          /* a disk does not answer: nothing of it is undone */
    unsigned first_poll;   /* the first poll that was asked after it had started */
    bool is_target_lost;   /* the job's connection ended first: start it again */
    unsigned n_refused;    /* writes of the job that found no buffer: its next failure counts as no retry */
    uint64_t retake_at_ms;
    GError *failure;     /* the last one */
    int64_t instant_us;  /* wall clock */
    bool is_instant_own; /* taken again: not the run's */
    char *doubt;         /* why the filter's image cannot be trusted, NULL while it can */
    char *job_error;
    GError
        *refusal; /* why the filter could not be inserted, while it is being removed again; or its job not be started */
    unsigned retries;
    uint64_t restart_at_ms; /* of uv_now(): a failed job waits before it is started again */

    unsigned pause_reasons;
    bool is_pinned;               /* or may be: see pin.c */
    bool is_pause_sent;           /* as QEMU was told last, … */
    unsigned n_pauses_unanswered; /* … and so many answers to that are missing */
    enum job_end { JOB_END_FAR, JOB_END_NEAR, JOB_END_REACHED } job_end; /* see job_end.c */
    bool is_answer_kept;                                                 /* to its last write */
    uint64_t job_began_ms;
    struct pace pace;
    uint64_t speed_sent, share_sent; /* to QEMU, and the limit that was meant by it */
    uint64_t limit_confirmed;        /* the limit in force, in bytes of data a second */
    bool is_speed_busy, is_speed_unknown, is_speed_refused;
    struct rate rate;
    struct eta eta;
    uint64_t started_ms, ended_ms, last_moved_ms, last_done;
    struct qmp_histogram writes_before; /* of the guest's, when the copy began */
};

/* for_each_drive(d, b) { … d->name … }: in the order of the plan; break and continue do as in any loop. */
#define for_each_drive(d, b)                                                                                           \
    for (struct drive **d##_at = (struct drive **)(b)->drives->pdata, *d;                                              \
         d##_at < (struct drive **)(b)->drives->pdata + (b)->drives->len && ((d = *d##_at), true); d##_at++)

enum ram_method { RAM_NONE, RAM_BACKGROUND, RAM_PLAIN };

struct backup {
    uv_loop_t *loop;
    struct backup_options options;
    struct backup_listener listener;
    void *user;
    struct model model;

    /* the monitor */
    struct qmp *qmp;
    bool was_discovered; /* QEMU was asked for everything once */
    uint64_t lost_at_ms; /* uv_now(), 0 while the monitor is there */
    uint64_t next_try_ms;
    struct nearby *nearby; /* looks for monitors that do answer, NULL while ours does */
    uv_timer_t tick;
    struct pulse pulse; /* while the run is under way */
    struct survey survey;
    struct takeout takeout;
    unsigned question;    /* of discover.c */
    unsigned n_types;     /* of drives found, asked for so far */
    GPtrArray *sockets;   /* char *: keys of the guest's, see identity.h */
    char *qemu_process;   /* identity_of_process(); NULL where that is not known */
    GPtrArray *unsavable; /* char *: sentences on what no archive can hold */
    struct qmp_version version;
    struct door door;
    bool did_start_nbd_server; /* for a moment, to wake drives */
    bool is_activated;         /* they are awake, and nothing is left of what that took */
    bool has_set_active;       /* QEMU knows blockdev-set-active */
    uint64_t ram_bytes;
    bool was_running;      /* the guest, when we came */
    bool is_guest_stopped; /* as the events say */
    bool did_we_stop;
    bool is_resuming; /* our cont is on its way, or has arrived */
    bool has_resumed; /* it has: whatever stops the guest from now on is somebody else's */
    uint64_t stopped_at_us;
    struct guest_state guest;
    GArray *images;          /* of reopen.c, while it tries them */
    bool is_probe_open;      /* its node may be in QEMU */
    GPtrArray *found;        /* struct found_drive: query-block as it was */
    GPtrArray *capabilities; /* char *: those that are on */
    struct qmp_migration_params old_params;
    bool have_old_params;

    /* the plan */
    char run_id[9]; /* 8 hex digits */
    uint8_t uuid[16];
    enum ram_method ram;
    bool is_ram_lost;      /* asked for, but left out */
    GPtrArray *drives;     /* struct drive *, only those that are saved */
    bool is_target_chosen; /* by somebody; else it has the guest's name */
    struct vma_header *header;
    size_t description_reserve;
    char *guest_machine;
    char **guest_argv; /* QEMU's command line, NULL: not known */
    struct vmstate *vmstate;
    struct writer_lane *vmstate_lane;
    int vmstate_dev_id;
    int vmstate_row; /* in model.drives, -1 = none */
    struct {
        bool is_moving, is_done, is_query_busy, is_cancelled, is_relaxed, is_too_slow, is_unwanted;
        bool is_plain;              /* we move it, or did, by a plain migration, which leaves "postmigrate" */
        char *failure;              /* of a plain migration, in QEMU's words */
        char *abandoned;            /* why it was cancelled, where that was neither slowness nor a wish */
        uint64_t total, remaining;  /* bytes, as QEMU counts them */
        uint64_t bytes;             /* of the stream, received */
        uint64_t counted;           /* of them, against the budget */
        uint64_t limit, limit_sent; /* bytes/s, 0 = none */
        bool is_limit_busy;
        uint64_t started_ms, ended_ms;
        struct steps_op *waiting; /* the step that waits for the migration to get on */
    } ram_state;
    struct {
        struct agent_link *link;
        bool is_frozen; /* from when a freeze is asked for until a thaw is acknowledged */
        bool wants_thaw;
        bool has_failed; /* what was asked for was not had */
        uint64_t frozen_at_ms, thaw_by_ms, next_try_ms, wait_until_ms;
        struct steps_op *waiting; /* the step that waits for an answer of the agent's */
    } agent;
    int64_t instant_us; /* wall clock */
    bool is_retaking;   /* rows of some drives are under way once more */
    int64_t retake_us;  /* their instant, wall clock */
    char *retake_error;

    /* the data's way */
    struct pool *pool;
    uint8_t *trash; /* a cluster's room for what is nobody's */
    struct sink *sink;
    struct spool *spool;
    struct writer *writer;
    struct journal *journal;
    struct logfile *logfile;
    struct record *record;
    struct control *control;   /* the socket others steer us by */
    struct readback *readback; /* while the archive is read back */
    bool is_credit_low;
    struct {
        uv_timer_t timer;
        bool is_on;
        unsigned next; /* drive whose turn it is */
    } throttle;
    struct {
        GQueue drives; /* struct drive *, whose jobs are at their end, or near it: the head ends first, … */
        const struct drive *first; /* … and is this one as far as the others were told */
        uint64_t since_ms;
        uv_timer_t timer;
    } ending;
    struct pace_pot pot; /* the budget, and what was taken of it */
    uint64_t next_share_ms;
    uint64_t full_since_ms;

    struct {
        bool is_busy;
        uint64_t next_ms, looked_ms; /* uv_now() */
        uint64_t writes, ns;         /* of the guest, in all, when last looked at */
    } watch;
    struct stall stall;

    /* the course */
    struct steps *steps;
    unsigned begun; /* as drive.begun, for rows of the whole run */
    bool has_begun;
    bool is_failing; /* an outcome was decided, everything is being undone */
    bool is_poll_busy, is_poll_wanted, is_ending, is_stuck, is_done_reported;
    unsigned n_polls;
    uint64_t next_poll_ms, next_progress_ms, ending_since_ms;
    char *held;           /* who holds this guest by another monitor of it, NULL = nobody */
    struct cleanup *look; /* at what dead runs have left, while it is under way */
    bool is_space_known;
    uint64_t told_stuck_ms; /* for how long the target stands still, as far as that was told; 0 = it does not */
    char *space_of;         /* what target_space.c is asking about, NULL = nothing */
    bool is_qemu_gone;
    bool has_undo_failed;
    uint64_t disk_wait_until_ms; /* how long jobs may take to come to rest */
    bool is_check_wanted;        /* when the monitor is back: is anything of ours left in QEMU? */
    unsigned n_left;             /* our jobs and nodes that could not be removed */
    bool is_given_up;            /* the monitor will not come back */
    bool is_saved;               /* the archive is durable under its name */
    char *archive_path;          /* then; NULL: it went into a pipe */
    uint64_t started_ms;
    bool is_freed_from_qemu; /* nothing of ours is left in it */
    GError *outcome;         /* why it failed, NULL while it has not */
    int cancel_status;       /* exit status of a cancel, 0 = none */
    struct rate in_rate, out_rate, ram_rate;
    uint64_t counted_at_ms, no_buffers_since_ms; /* of snapshot.c */
    uint64_t forecast_bytes;                     /* the archive's likely length, before it is packed */
    double packs_to;                             /* a byte of it, by the last run; 1 = nothing is known */
    unsigned n_open_handles;
};

/* backup.c */
void backup_emit(struct backup *b, const struct model_event *event);
void backup_log(struct backup *b, enum model_level level, const char *hint, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* For the screen's log only: the headless front ends tell it from the event that comes with it. */
void backup_note(struct backup *b, const char *format, ...) G_GNUC_PRINTF(2, 3);
void backup_set_phase(struct backup *b, enum model_phase phase);
void backup_row_state(struct backup *b, unsigned row, enum model_state state); /* of the RAM; drives: drive_become() */
/* Decides the outcome (the first one stays) and undoes everything. */
void backup_fail(struct backup *b, const GError *error);
void backup_fail_new(struct backup *b, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
struct model_drive *backup_row(struct drive *d);
/* Everything that QEMU had of ours is gone: goes on to the archive's end, or ends the run. */
void backup_undone(struct backup *b);
void backup_end(struct backup *b);

/* monitor.c */
void monitor_start(struct backup *b);
void monitor_stop(struct backup *b);
bool monitor_is_up(const struct backup *b);
void monitor_discovered(struct backup *b);
void monitor_on_tick(struct backup *b);
/* Another one, before anything has begun. */
bool monitor_change(struct backup *b, const char *address, GError **error);
void monitor_give_up(struct backup *b, const char *why); /* nothing more is sent to QEMU */

/* discover.c: queries everything, then calls plan_make(); errors go to backup_fail() */
void discover(struct backup *b);

/* target.c */
bool target_open(struct backup *b, GError **error); /* sink, spool, header, writer, lanes */
/* The RAM will not come: the target, no pipe, begins again without it. */
bool target_restart_without_ram(struct backup *b, enum model_state state, const char *note, GError **error);
void target_close(struct backup *b, bool keep_partial);
GBytes *target_final_header(struct backup *b, GError **error);

/* port.c */
void port_init(struct port *p, struct drive *d, bool is_filter);
void port_clear(struct port *p);
enum pool_purpose port_purpose(const struct port *p); /* of the buffers for what comes there */
/* Listens for one connection of QEMU's; the socket to be shown it, or NULL. */
struct listening *port_open(struct port *p, GError **error);
/* Only when QEMU has no node any more that would use it. */
void port_close(struct port *p);

/* door.c: how QEMU finds a socket of ours */
bool door_has_descriptors(const struct backup *b); /* as far as is known: the monitor passes them */
bool door_open(struct backup *b, GError **error);
void door_close(struct backup *b);
/* A socket that listens, and that nobody can connect to, where QEMU only wants one to be there; -1 on failure. */
int door_dead_end(const struct backup *b, const char *name, GError **error);
char *door_path(const struct backup *b, const char *name); /* for a socket */
void door_show(struct steps_op *op, struct listening *socket, door_shown on_shown);
void door_monitor_lost(struct backup *b); /* and perhaps what was handed over by it */
void door_undo(struct steps_op *op);
GError *door_explain(const struct backup *b, const GError *error); /* of QEMU's, why it did not get there */

/* job_pause.c */
void job_pause_set(struct drive *d, enum pause_reason reason, bool on);
void job_pause_job_started(struct drive *d);
void job_pause_update(struct drive *d);
void job_pause_check_credit(struct backup *b);
void job_pause_for_graph(struct backup *b, bool is_under_way);
void job_pause_monitor_back(struct backup *b);
unsigned job_workers(const struct backup *b);

/* job_throttle.c */
void job_throttle_init(struct backup *b);
void job_throttle_close(struct backup *b);
void job_throttle_check(struct backup *b); /* buffers have come or gone */
void job_throttle_took(struct port *p);    /* a write has come by there */

/* job_end.c */
void job_end_init(struct backup *b);
void job_end_close(struct backup *b);
void job_end_started(struct drive *d);
void job_end_wrote(struct drive *d, uint64_t end); /* its job, up to there */
void job_end_look(struct backup *b);               /* a job has been paused, or is over */

/* budget.c */
void budget_count(struct port *p, uint32_t bytes, bool is_news);
int64_t budget_first_speed(struct drive *d);
void budget_share(struct backup *b); /* something has changed that cannot wait for the next second */
void budget_see_speed(struct drive *d, uint64_t speed);
void budget_on_tick(struct backup *b);

/* limit.c */
bool limit_command(struct backup *b, const struct command *c, GError **error);
bool limit_apply_options(struct backup *b, GError **error);

/* jobs.c */
void jobs_on_event(struct backup *b, const struct qmp_event *event);
void jobs_poll(struct backup *b);
void jobs_on_tick(struct backup *b);
void jobs_copy_begins(struct backup *b);
void jobs_restart_later(struct drive *d, const char *why); /* as a counted retry, with back-off */
void jobs_restart_soon(struct drive *d);
void jobs_connection_lost(struct port *p);

/* target_watch.c */
void target_watch_on_tick(struct backup *b);

/* write_latency.c */
void write_latency_begin(struct backup *b);
void write_latency_on_tick(struct backup *b);

/* outcome.c */
void outcome_set(struct backup *b); /* of b->outcome, and of what is missing, into the model */

/* after.c */
bool after_takes(enum command_verb verb);
bool after_command(struct backup *b, const struct command *c, GError **error);
void after_fill(struct backup *b); /* how far the reading is */

/* finish.c */
void finish_archive(struct backup *b);
void finish_interrupt(struct backup *b); /* reading it back ends early */

/* snapshot.c */
void snapshot_fill(struct backup *b);

/* drives.c: the only way from one state to another; shows it, and tells it. */
void drive_become(struct drive *d, enum drive_state state);
bool drive_is(const struct drive *d, unsigned what); /* any of enum drive_is */
/* NULL, and an error of usage for an operator, where there is none */
struct drive *drive_by_name(const struct backup *b, const char *name, GError **error);
struct drive *drive_by_job(const struct backup *b, const char *id);
struct drive *drive_by_device(const struct backup *b, const char *qdev);

/* run_journal.c */
bool run_journal_write(const struct backup *b, GError **error);

/* recipe.c: the table; recipe_lists.c: lists of its rows */
extern const struct step recipe_table[];
void recipe_job_ended(struct drive *d);
void recipe_on_tick(struct backup *b);
void recipe_take_instant(struct drive *d);
unsigned recipe_rows(void);
bool recipe_is_job(unsigned row);
bool recipe_is_pin(unsigned row);
bool recipe_is_target(unsigned row);    /* of the job */
bool recipe_makes_target(unsigned row); /* of the filter or of the job */
GArray *recipe_forward(struct backup *b);
GArray *recipe_undo_all(struct backup *b);
GArray *recipe_undo_drive(struct drive *d);
GArray *recipe_restart_job(struct drive *d);
GArray *recipe_remake_targets(struct drive *d);
GArray *recipe_retake(struct backup *b, bool is_undo);
bool recipe_sets_migration(unsigned row); /* capabilities, parameters */
GArray *recipe_undo_ram_settings(struct backup *b);

/* agent.c */
void agent_on_plan(struct backup *b); /* says what freezing will mean */
bool agent_is_wanted(const struct backup *b, const struct drive *d);
bool agent_is_frozen(const struct backup *b, const struct drive *d);
void agent_begin_freeze(struct steps_op *op);
void agent_undo_freeze(struct steps_op *op);
void agent_begin_thaw(struct steps_op *op);
void agent_on_tick(struct backup *b);
void agent_interrupt(struct backup *b);
void agent_give_up(struct backup *b); /* no row goes on: the guest is thawed all the same */
void agent_close(struct backup *b);

/* disk_watch.c: do all disks answer? */
void disk_watch_undo(struct steps_op *op);
void disk_watch_on_tick(struct backup *b);
