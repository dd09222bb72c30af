// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The monitor, lost and found again, and what QEMU says of the guest by it. A part of run.h.
 *
 *     monitor_start(b);           // connects, then discover(b), then plan_make(b)
 *     if (monitor_is_up(b)) …     // while the run is under way it may be away for a while
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "qmp/calls.h"

struct backup;
struct nearby;

struct link {
    uint64_t lost_at_ms; /* uv_now(), 0 while the monitor is there */
    uint64_t next_try_ms;
    uint64_t shutdown_at_ms; /* when QEMU said so, 0 = it has not */
    unsigned attempt;
    struct nearby *nearby; /* looks for monitors that do answer, NULL while ours does */
    unsigned question;     /* of discover.c */
    unsigned n_types;      /* of drives found, asked for so far */
    unsigned n_shared;     /* the same for whether others may write to them */
    GPtrArray *sockets;    /* char *: keys of the guest's, see identity.h */
    char *qemu_process;    /* identity_of_process(); NULL where that is not known */
    char *held;            /* who holds this guest by another monitor of it, NULL = nobody */
    bool is_given_up;      /* the monitor will not come back */
    bool is_qemu_gone;
    bool is_stuck; /* QEMU hangs in its own end */
};

/* What discover.c has found, but for the guest's state and RAM. */
struct facts {
    struct qmp_version version;
    uint64_t ram_bytes;
    GPtrArray *drives;    /* struct found_drive: query-block as it was */
    GPtrArray *unsavable; /* char *: sentences on what no archive can hold */
    char *nameless_at;    /* the monitor of a guest without a name, which is called after it; NULL: it has one */
    char *machine;
    char **argv;         /* QEMU's command line, NULL: not known */
    bool has_set_active; /* QEMU knows blockdev-set-active */
    /* For engine pull; asked only where that may be wanted: QEMU has exports of type vhost-user-blk, this system has
     * memfd_create, and QEMU gets what is passed by the monitor. */
    bool has_vhost_export, has_memfd, passes_descriptors;
    unsigned n_iothreads_asked; /* drives that plan_engine.c is through with */
    void (*on_iothreads)(struct backup *b, const GError *error);
    const char *pull_obstacle; /* why no drive can be pulled, a constant; NULL = some can, or push was asked for */
};

/* monitor.c */
void monitor_start(struct backup *b);
void monitor_stop(struct backup *b);
void monitor_discovered(struct backup *b);
void monitor_on_tick(struct backup *b);
/* Another one, before anything has begun. */
bool monitor_change(struct backup *b, const char *address, GError **error);
void monitor_give_up(struct backup *b, const char *why); /* nothing more is sent to QEMU */

/* discover.c: queries everything, then calls plan_make(); errors go to backup_fail() */
void discover(struct backup *b);
