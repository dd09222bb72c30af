// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Which clusters of a frozen image need not be read: those that are zero or, where a dirty bitmap says what has changed
 * (track.h), those that it does not name. By block status, from an NBD export of QEMU's that lives only while it is
 * asked. A part of run.h.
 *
 * Nothing depends on it: where it cannot be had, all is read, and zeros are found; and what is read by a bitmap is
 * pushed. QEMU has but one NBD server. One that runs already is somebody else's and stays untouched;
 * ours is stopped again before the drive's next row.
 */
#include <stdbool.h>
#include <stdint.h>
#include "qmp/calls.h"

struct backup;
struct drive;
struct nbd_status;
struct steps_op;
struct vma_bitmap;

/* The search under way, for one drive after the other. */
struct hole_search {
    const struct drive *of; /* NULL: there was none yet */
    int connected;          /* to the server, until `status` has it; -1 */
    bool is_fd_passed;      /* QEMU may have the socket that listens */
    bool did_start_server;  /* of that, or it was tried */
    bool may_be_in_qemu;    /* the export */
    bool is_impossible;     /* QEMU has refused: not tried again in this run */
    struct qmp_again again;
    struct nbd_status *status;
    uint64_t since_ms, took_ms; /* it has worked since then; for the drives before, so long */
    /* while that is at work they are its thread's */
    struct vma_bitmap *found;
    uint64_t size, n_units; /* of the drive */
    uint64_t unit;          /* bytes, clusters of 64 KiB: of what need not be read only whole ones count */
    uint64_t from, to;      /* the range that was told last, with those it joins */
    uint64_t next, n_found; /* units: the first that was not looked at, and how many were found */
};

/* QEMU may be asked, as far as is known. */
bool holes_are_possible(const struct backup *b);

bool holes_are_wanted(const struct backup *b, const struct drive *d);
void holes_begin(struct steps_op *op);
void holes_undo(struct steps_op *op);
void holes_interrupt(struct backup *b);  /* nobody waits for it any more */
void holes_disconnect(struct backup *b); /* QEMU is free of us, or lost */
