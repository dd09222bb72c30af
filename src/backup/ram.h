// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The RAM inside the engine: its rows, and what becomes of it. A part of run.h.
 *
 *     ram_lose(b, "guest has panicked (guest-panicked)", NULL);     left out; the drives are saved all the same
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "base/rate.h"
#include "qmp/calls.h"

struct backup;
struct steps_op;
struct vmstate;
struct writer_lane;

enum ram_method { RAM_NONE, RAM_BACKGROUND, RAM_PLAIN };

struct ram {
    enum ram_method method;
    bool is_lost; /* asked for, but left out */
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
    struct qmp_again again;   /* whether it is cancelled */
    struct rate rate;
    /* where it goes */
    struct vmstate *vmstate;
    struct writer_lane *lane;
    int dev_id;
    int row; /* in model.drives, -1 = none */
    /* what is changed in QEMU for it */
    GPtrArray *capabilities; /* char *: those that were on */
    struct qmp_migration_params old_params;
    bool have_old_params;
    bool did_start_nbd_server; /* for a moment, to wake drives */
    bool is_activated;         /* they are awake, and nothing is left of what that took */
    GArray *images;            /* of reopen.c, while it tries them */
    bool is_probe_open;        /* its node may be in QEMU */
};

/* ram.c */
void ram_begin_moving(struct steps_op *op);
void ram_undo_moving(struct steps_op *op); /* plain and background: whatever still moves is cancelled */
void ram_on_tick(struct backup *b);
/* Bytes/s, 0 = none. False with the reason where it cannot be slowed. */
bool ram_limit(struct backup *b, uint64_t rate, GError **error);
void ram_stream_moved(struct backup *b); /* the receiver has read more, or the end */
void ram_interrupt(struct backup *b);
void ram_abandon(struct backup *b, const char *why); /* a plain migration of a guest that has stopped by itself */

/* The RAM is not saved, the drives are. */
void ram_lose(struct backup *b, const char *why, const char *hint); /* before the copy; with --strict the run fails */
bool ram_cancel(struct backup *b, GError **error);                  /* by operator, while it moves */

/* activate.c */
void ram_begin_activate(struct steps_op *op);
void ram_undo_activate(struct steps_op *op);

/* ram_settings.c */
#define RAM_FIRST_DOWNTIME_MS 300 /* QEMU's own default */
void ram_begin_capability(struct steps_op *op);
void ram_undo_capability(struct steps_op *op);
void ram_begin_params(struct steps_op *op);
void ram_undo_params(struct steps_op *op);
int64_t ram_bandwidth(const struct backup *b);
void ram_send_limit(struct backup *b);
void ram_put_settings_back(struct backup *b); /* once it is saved, while drives are copied */
