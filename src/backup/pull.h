// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The engine that reads the frozen images itself: QEMU exports them as vhost-user-blk, and reads what we ask for
 * straight into our buffers. When and how much is asked for (pull.c), the export and the connection (pull_export.c). A
 * part of run.h.
 *
 * A drive that is pulled has no job in QEMU; but what struct job says of one holds for its reading too: it runs, it is
 * paused, it ends well or with an error, and is begun again from the same frozen image.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "pacing/tokens.h"

struct backup;
struct drive;
struct qmp_event;
struct steps_op;
struct vhost_front;
struct vhost_memory;

#define PULL_NOWHERE UINT64_MAX

/* A drive's. Offsets are bytes of the drive, at a cluster's begin. */
struct pull {
    struct vhost_front *front;
    int connected;       /* to the export that QEMU is asked for, until the front has it; -1 */
    bool may_be_in_qemu; /* the export */
    bool are_fds_passed; /* QEMU may have the socket that listens, and our end; */
    bool is_socket_used; /* the export has taken the first of them */
    char *broken;        /* why its connection ended */
    struct tokens tokens;
    unsigned in_flight;    /* clusters */
    uint64_t next;         /* the first that was not asked for */
    uint64_t rewind;       /* a request that failed began there: go back when nothing is in flight; or PULL_NOWHERE */
    uint64_t single_until; /* up to there each cluster is asked for alone: not all of them can be read */
    uint64_t failed;       /* this one cannot be read; or PULL_NOWHERE */
    uint64_t good;         /* this one could; or PULL_NOWHERE */
    bool is_probing;       /* it is read again */
    uint64_t asked_ms;     /* is the deleted export gone: asked then */
};

/* All of them. */
struct pulls {
    struct vhost_memory *memory; /* rings and pool; NULL where no drive is pulled */
    struct tokens tokens;
    uv_timer_t timer;    /* when limits let the next request pass */
    uint64_t wait_ns;    /* so long, as far as is known */
    unsigned in_flight;  /* clusters */
    unsigned turn, left; /* whose turn it is, and for how many clusters more */
    bool is_starved;     /* no buffers: the target takes less than could be read */
    uint64_t ram_bytes;  /* of the stream beside, that have been counted */
};

/* pull.c */
void pull_init(struct backup *b);
void pull_close(struct backup *b);
/* Takes the pool into shared memory where drives are pulled. Before anything uses it. */
bool pull_prepare(struct backup *b, GError **error);
void pull_start(struct drive *d); /* its connection stands: it reads from the next pull_pump() on */
void pull_pump(struct backup *b); /* buffers, tokens or drives are there that were not */
void pull_settle_idle(struct backup *b);
void pull_set_rates(struct backup *b);
void pull_take_tokens(struct drive *d, uint64_t bytes); /* also for what comes beside */
void pull_on_read(void *user, void *tag, int error);    /* see vhost_events */
void pull_taken_back(void *user, void *tag);

/* pull_export.c */
void pull_begin(struct steps_op *op);
void pull_undo(struct steps_op *op);
void pull_on_event(struct backup *b, const struct qmp_event *event);
void pull_on_tick(struct backup *b);
void pull_disconnect(struct drive *d); /* QEMU is free of it, or lost */
