// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The drives' jobs in QEMU: watched and started again (jobs.c), paused (job_pause.c), made to go slowly by the last
 * buffers, and ended one at a time (job_end.c). A part of run.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "qmp/calls.h"

struct backup;
struct drive;
struct port;
struct steps_op;

/* Why a job is held paused; QMP sees only the first reason come and the last one go. */
enum pause_reason {
    PAUSE_OPERATOR = 1u << 0,
    PAUSE_CREDIT = 1u << 1, /* buffers run low: the target is slower than the guest's drives */
    PAUSE_FULL = 1u << 2,   /* the target has no room */
    PAUSE_LIMIT = 1u << 3,  /* it has had its data of this second: for moments only */
    PAUSE_GRAPH = 1u << 4,  /* jobs or nodes of other drives come or go */
    PAUSE_ENDING = 1u << 5, /* another drive's job is about to end */
};

enum job_state { JOB_NONE, JOB_RUNNING, JOB_ENDED };
enum job_end { JOB_END_FAR, JOB_END_NEAR, JOB_END_REACHED };

/* A drive's job. */
struct job {
    enum job_state state;
    bool is_new; /* its command is on its way */
    int64_t at;  /* how far QEMU says it is */
    uint64_t began_ms;
    uint64_t moved_ms;      /* when that last changed, or its end was asked for */
    uint64_t restart_at_ms; /* of uv_now(): having failed it waits before it is started again */
    unsigned first_poll;    /* the first poll that was asked after it had started */
    bool is_target_lost;    /* its connection ended first: start it again */
    unsigned n_refused;     /* writes of it that found no buffer: its next failure counts as no retry */
    char *error;            /* how it ended, in QEMU's words */
    unsigned pause_reasons;
    bool is_pause_sent;           /* as QEMU was told last, … */
    unsigned n_pauses_unanswered; /* … and so many answers to that are missing */
    bool is_at_rest;              /* paused, as QEMU says: nothing of it is in flight */
    enum job_end end;             /* see job_end.c */
    bool is_answer_kept;          /* to its last write */
};

/* All of them. */
struct jobs {
    unsigned n; /* drives that jobs of QEMU's copy; the others are pulled */
    bool is_poll_busy, is_poll_wanted;
    unsigned n_polls;
    uint64_t next_poll_ms;
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
    uint64_t disk_wait_until_ms; /* how long they may take to come to rest */
};

/* jobs.c */
void jobs_on_event(struct backup *b, const struct qmp_event *event);
void jobs_poll(struct backup *b);
void jobs_on_tick(struct backup *b);
void jobs_copy_begins(struct backup *b);
void jobs_restart_later(struct drive *d, const char *why); /* as a counted retry, with back-off */
void jobs_restart_soon(struct drive *d);
void jobs_connection_lost(struct port *p);
void jobs_monitor_back(struct backup *b);
void jobs_ended(struct drive *d, const char *error); /* NULL: well */
void jobs_undo(struct steps_op *op);                 /* the row that takes a job away */
void jobs_leave_hanging(struct steps_op *op);        /* such a row: the disk does not answer */

/* job_pause.c */
void job_pause_set(struct drive *d, enum pause_reason reason, bool on);
void job_pause_job_started(struct drive *d);
void job_pause_update(struct drive *d);
void job_pause_check_credit(struct backup *b);
void job_pause_for_graph(struct backup *b, bool is_under_way);
void job_pause_monitor_back(struct backup *b);
unsigned job_workers(const struct backup *b);

/* job_pause.c: the last buffers */
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

/* disk_watch.c: do all disks answer? Jobs are to come to rest before anything of them is undone. */
void disk_watch_undo(struct steps_op *op);
void disk_watch_on_tick(struct backup *b);
