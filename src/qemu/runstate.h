// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * THE table of the states a guest may be in, as query-status names them: whether it is here to be saved, and
 * with its RAM.
 *
 *     const struct runstate *s = runstate_of(status->status);
 *     s->place == RUNSTATE_LEFT, s->may_move_ram, s->says …
 *
 * Pure. Which recipe follows from a row: architecture.md; what an operator sees of each: operating.md.
 */
#include <stdbool.h>

enum runstate_place {
    RUNSTATE_HERE,
    RUNSTATE_ARRIVING, /* it waits for a migration's stream */
    RUNSTATE_LEAVING,  /* a migration is about to end; it may still stay */
    RUNSTATE_LEFT,     /* a migration has ended: here only if its drives are awake here */
    RUNSTATE_BUSY,     /* with a snapshot inside QEMU: for moments */
};

struct runstate {
    const char *name; /* "guest-panicked"; "" for one that the table does not know */
    enum runstate_place place;
    /* From any state but running and paused QEMU 9.0 and later abort() on a background snapshot, and a plain
     * migration of any version leaves "postmigrate" in the place of the state. */
    bool may_move_ram;
    int stops_since;  /* QEMU's major version from which `stop` makes it "paused", and `cont` what it was; 0 =
                         none does */
    const char *says; /* "has panicked": what follows "the guest"; "" where there is nothing to be said */
};

/* Never NULL. */
const struct runstate *runstate_of(const char *status);
/* It can be stopped for the instant, and let go into the same state after it. */
bool runstate_can_be_stopped(const struct runstate *s, int major);
/* The guest stands still because of us, and of nobody else: `cont` is ours to send. did_we_stop: our `stop`
 * was the last; did_we_migrate: our plain migration was. A reset makes a guest that stands still "prelaunch".
 */
bool runstate_is_ours(const char *status, bool did_we_stop, bool did_we_migrate);
/* By query-migrate's status: one is under way. */
bool runstate_is_migrating(const char *migration);
