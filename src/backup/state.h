// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The guest's run state inside the engine: what it was when last seen, who stopped it, and the rows that stop
 * it and let it go. A part of run.h.
 *
 *     state_look(b);                  something has changed: ask, and judge
 *     b->guest.now->may_move_ram      by the table of runstate.h
 */
#include "qemu/runstate.h"
#include "qmp/calls.h"

struct backup;
struct steps_op;

struct guest_state {
    const struct runstate *now;  /* as last seen */
    char status[MODEL_NAME_LEN]; /* the same in QEMU's word */
    bool was_running;            /* when we came */
    bool is_stopped;             /* as the events say */
    bool did_we_stop;
    bool is_resuming;          /* our cont is on its way, or has arrived */
    bool has_resumed;          /* it has: whatever stops the guest from now on is somebody else's */
    uint64_t stopped_at_us;    /* of g_get_monotonic_time() */
    uint64_t pause_ms;         /* how long it was stopped for the instant, MODEL_UNKNOWN before */
    char *ram_obstacle;        /* why its RAM cannot be saved, NULL = nothing is known against it */
    bool is_migrating;         /* by somebody else */
    bool is_ours_by_migration; /* "postmigrate", but it has not left: its drives are awake, or we did it */
    bool is_leaving;           /* a migration by somebody else is about to end */
    bool is_stop_of_ram;       /* its stop is that of our plain migration: "paused" would be somebody else's */
    bool stops_itself;         /* it panics, for example: the STOP that follows is not ours */
    bool is_stop_told;
    char told[MODEL_NAME_LEN]; /* the state, by the last event */
    bool is_asking, is_asked_again, is_asked_at_end, is_here_at_end;
    uint64_t next_look_ms, give_up_ms; /* uv_now() */
    qmp_on_status asked;               /* of state_ask() */
    void *asked_user;
    struct qmp_again again;
};

/* state.c */
void state_see_status(struct backup *b, const struct qmp_status *s);
void state_see_migration(struct backup *b, const struct qmp_migration *m); /* after its status */
void state_see_awake(struct backup *b, const char *const *nodes, unsigned n);
bool state_can_be_stopped(const struct backup *b); /* for the instant: it goes on as it was */
bool state_is_left(const struct backup *b);        /* "postmigrate": whether it has left shows by its drives */
bool state_is_here(const struct backup *b, GError **error);
void state_tell(struct backup *b);                /* an event where its state is no longer the one told last */
const char *state_says(const struct backup *b);   /* of a guest that stands still: "has panicked" */
char *state_ram_obstacle(const struct backup *b); /* by its state alone, owned */
/* Asks for the status; `done` gets one that our own migration is not about to change. */
void state_ask(struct backup *b, qmp_on_status done, void *user);
void state_begin_look(struct steps_op *op);
void state_look(struct backup *b);        /* something has changed */
void state_look_at_end(struct backup *b); /* run_check_over() is called again if the guest is here */
void state_monitor_back(struct backup *b);
/* False: somebody else has let it go while its instant is taken, and the run has failed. */
bool state_must_be_stopped(struct backup *b);
void state_judge_stop_of_ram(struct backup *b); /* of a plain migration, once its state has been seen */
void state_on_tick(struct backup *b);
void state_on_event(struct backup *b, const struct qmp_event *event);

/* halt.c */
void halt_begin_stop(struct steps_op *op);
void halt_undo_stop(struct steps_op *op);
void halt_resume(struct steps_op *op); /* if it is ours to resume */

/* reopen.c: before a plain migration */
void reopen_begin(struct steps_op *op);
void reopen_undo(struct steps_op *op);
