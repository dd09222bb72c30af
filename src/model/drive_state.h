// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The states of a drive in a run, which moves between them are legal, and what an operator may ask for in each.
 * Pure: drive_become() of run.h is the only one who moves a drive.
 *
 *     if (drive_state_may(d->state, DRIVE_MAY_CANCEL))
 *         drive_become(d, DRIVE_CANCELLED_LEAVING);
 */
#include <stdbool.h>
#include "model/model.h"

/* Whatever becomes of a drive, it is still in QEMU (…_LEAVING) until its nodes are gone. */
enum drive_state {
    DRIVE_WAITING,        /* its rows of the table are begun */
    DRIVE_COPYING,        /* its job runs */
    DRIVE_STARVED,        /* its job found no buffers, and starts again when there are some: no failure */
    DRIVE_RETRYING,       /* its job failed, and starts again at the same instant after a while */
    DRIVE_RESTARTING,     /* it is being started again */
    DRIVE_STANDING,       /* failed, but its frozen image is kept for a retry */
    DRIVE_SAVED_LEAVING,  /* every cluster of it is held */
    DRIVE_SAVED,          /* … */
    DRIVE_FAILED_LEAVING, /* out of the archive */
    DRIVE_FAILED,
    DRIVE_CANCELLED_LEAVING, /* likewise, by operator */
    DRIVE_CANCELLED,
    DRIVE_BROKEN_LEAVING, /* likewise, but it is taken once more, at a new instant */
    DRIVE_BROKEN,
    DRIVE_RETAKING,       /* its rows are begun once more */
    DRIVE_RETAKE_LEAVING, /* that came to nothing, and is undone */
    DRIVE_STATES
};

enum drive_is {
    DRIVE_IS_OUT = 1u << 0, /* of the archive: what still arrives is dropped */
    DRIVE_IS_SAVED = 1u << 1,
    DRIVE_IS_RETAKEN = 1u << 2, /* just now */
    DRIVE_IS_OVER = 1u << 3,    /* nothing of it is under way, or will be by itself */
    DRIVE_IS_LEAVING = 1u << 4,
};

enum drive_may {
    DRIVE_MAY_CANCEL = 1u << 0,
    DRIVE_MAY_RETRY = 1u << 1,
    DRIVE_MAY_PAUSE = 1u << 2, /* and be resumed */
};

const char *drive_state_name(enum drive_state s); /* "copying": for messages about our own bugs, and tests */
enum model_state drive_state_shown(enum drive_state s);
bool drive_state_moves(enum drive_state from, enum drive_state to); /* it is legal; to itself it is not */
bool drive_state_may(enum drive_state s, enum drive_may verb);
/* For who sees no more than a row: what a state that is shown so can be asked for. stands: its frozen image is kept. */
bool drive_shown_may(enum model_state shown, bool stands, enum drive_may verb);
bool drive_state_is(enum drive_state s, unsigned what);      /* any of enum drive_is */
enum drive_state drive_state_left(enum drive_state leaving); /* once its nodes are gone */
