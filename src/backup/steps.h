// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A backup is a table of steps with undo. Lists of rows run one after another, one list at a time.
 *
 *     static const struct step table[] = {
 *         {"add the filter's target", STEP_DRIVE, is_guarded, begin_add_filter, undo_add_filter}, …
 *     GArray *ops = …;                                      // struct steps_op, in order
 *     steps_run(b->steps, ops, true, on_over, b);           // queued behind what runs
 *
 * begin and undo call steps_end(op, error) exactly once, now or later. Before a row's begin its bit is set in
 * `begun` (of the drive or the run), after its undo it is cleared: so whatever may have come into QEMU is taken out.
 */
#include <stdbool.h>
#include <glib.h>

struct backup;
struct drive;
struct steps;
struct steps_op;

enum step_scope { STEP_RUN, STEP_DRIVE };
enum step_flags {
    STEP_STAYS = 1u << 0,          /* it may have changed something although it failed: undo it too */
    STEP_REPEATS = 1u << 1,        /* begin can be sent again when the monitor was lost before its answer */
    STEP_IN_WINDOW = 1u << 2,      /* of the run's stop window: gone through again for a drive that is taken again */
    STEP_OF_JOB = 1u << 3,         /* gone through again for a job that is started again, … */
    STEP_OF_JOBS_TARGET = 1u << 4, /* … where its target was lost */
    STEP_MAKES_TARGET = 1u << 5,   /* as large as the drive */
    STEP_SETS_MIGRATION = 1u << 6, /* capabilities, parameters */
};
struct step {
    const char *name; /* "cannot " + name in messages */
    enum step_scope scope;
    bool (*applies)(const struct backup *b, const struct drive *d); /* NULL = always */
    void (*begin)(struct steps_op *op);                             /* NULL = nothing to begin, but undone always */
    void (*undo)(struct steps_op *op);                              /* NULL = nothing to take away */
    unsigned flags;                                                 /* enum step_flags */
};
struct steps_op {
    struct backup *b;
    struct drive *d; /* NULL for STEP_RUN */
    const struct step *step;
    unsigned row; /* of the table: its bit in `begun` */
    bool is_undo;
    unsigned sub;                      /* for rows of several commands: where it stands */
    void (*then)(struct steps_op *op); /* for them too: what follows, see filter_take_out() */
};

/* table: borrowed. */
struct steps *steps_new(struct backup *b, const struct step *table, unsigned n_rows);
unsigned steps_rows(const struct steps *s);
const struct step *steps_row(const struct steps *s, unsigned row);
void steps_free(struct steps *s);
/* Takes `ops`. stop_on_error: the list ends at the first error (forward), else goes on (undo). over(user, first error).
 */
void steps_run(struct steps *s, GArray *ops, bool stop_on_error, void (*over)(void *user, const GError *error),
               void *user);
void steps_end(struct steps_op *op, const GError *error);
/* The same, as the answer to a row's only command: qmp_stop(q, steps_reply, op). */
void steps_reply(void *op, const GError *error);
/* From within a step: these come right after it. */
void steps_insert(struct steps *s, const GArray *ops);
/* The list under way ends with `error` as soon as its step has ended; queued forward lists end at once. */
void steps_abort(struct steps *s, const GError *error);
/* The monitor is there again: what waited for it goes on. */
void steps_kick(struct steps *s);
/* The monitor will not come back: every list ends now with `error`, nothing more is sent. */
void steps_give_up(struct steps *s, const GError *error);
const struct steps_op *steps_current(const struct steps *s);
