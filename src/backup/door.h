// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How QEMU finds our sockets: by their paths, or, where QEMU sees other paths, by a descriptor of the run's folder. A
 * part of run.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct backup;
struct listening;
struct steps_op;

/* on_shown: by which path, or why not. */
typedef void (*door_shown)(struct steps_op *op, const char *path, const GError *error);
struct door {
    char *folder;             /* of the run's sockets */
    bool is_handed_over;      /* QEMU has a descriptor of it, … */
    int64_t number;           /* … this one */
    bool is_forwarded;        /* the monitor is a UNIX socket, but passes no descriptors */
    struct listening *socket; /* that is being shown */
    door_shown on_shown;
};

bool door_has_descriptors(const struct backup *b); /* as far as is known: the monitor passes them */
bool door_open(struct backup *b, GError **error);
void door_close(struct backup *b);
/* A socket that listens, and that nobody can connect to, where QEMU only wants one to be there; -1 on failure. */
int door_dead_end(const struct backup *b, const char *name, GError **error);
char *door_path(const struct backup *b, const char *name); /* for a socket */
void door_show(struct steps_op *op, struct listening *socket, door_shown on_shown);
void door_monitor_lost(struct backup *b); /* and perhaps what was handed over by it */
void door_undo(struct steps_op *op);
GError *door_explain(const struct backup *b, const GError *error); /* of QEMU's, why it did not get there */
