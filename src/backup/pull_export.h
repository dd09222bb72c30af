// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Drives that are pulled: QEMU exports their frozen images as vhost-user-blk, and we are connected to that. What is
 * read by it, and when, is src/pull's. A part of run.h.
 *
 * A drive that is pulled has no job in QEMU; but what struct job says of one holds for its reading too: it runs, it is
 * paused, it ends well or with an error, and is begun again from the same frozen image.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "pull/pull.h"
#include "pull/puller.h"

struct backup;
struct drive;
struct qmp_event;
struct steps_op;
struct vhost_front;
struct vhost_memory;

/* A drive's. */
struct pull_export {
    struct pull *reader; /* NULL before the run has begun, and where it is pushed */
    struct vhost_front *front;
    int connected;       /* to the export that QEMU is asked for, until the front has it; -1 */
    bool may_be_in_qemu; /* the export */
    bool are_fds_passed; /* QEMU may have the socket that listens, and our end; */
    bool is_socket_used; /* the export has taken the first of them */
    char *broken;        /* why its connection ended */
    uint64_t asked_ms;   /* is the deleted export gone: asked then */
};

/* All of them; NULL where no drive is pulled. */
struct pull_exports {
    struct vhost_memory *memory; /* rings and pool */
    struct puller *readers;
};

/* pull_reader.c */
/* Where drives are pulled, takes the pool into shared memory (before anything uses it), and makes their readers. */
bool pull_reader_prepare(struct backup *b, GError **error);
void pull_reader_start(struct drive *d); /* its connection stands */

/* pull_export.c */
void pull_export_begin(struct steps_op *op);
void pull_export_undo(struct steps_op *op);
void pull_export_on_event(struct backup *b, const struct qmp_event *event);
void pull_export_on_tick(struct backup *b);
void pull_export_disconnect(struct drive *d); /* QEMU is free of it, or lost */
/* Nothing of it is in flight. Of a connection that has ended nobody says so: that is over, or QEMU is. */
bool pull_export_is_at_rest(const struct drive *d);
