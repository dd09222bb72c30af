// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What undoes a run if it dies: RUN.json and a lock, in $XDG_RUNTIME_DIR/vmabackup or /run/vmabackup.
 *
 *     struct journal *j = journal_open(monitor, run_id, "writing /x.vma", &error);   // locks the guest
 *     journal_write(j, &record, &error);                                             // before QEMU is changed
 *     journal_close(j, true);                                                        // all undone: forget it
 *
 * The lock is keyed by the monitor's socket itself (identity.h), so two names of one socket are one guest.
 */
#include <stdbool.h>
#include <glib.h>

struct journal;

/* What a run writes, and what cleanup reads of a dead one. */
struct journal_record {
    char *run_id;
    char *monitor, *process; /* only written: by which it came; QEMU's, see identity.h, NULL = not known */
    char *path;              /* only read */
    char *holder;            /* "process 17 of root since 2026-11-23 02:50, run 0123abcd, writing /x.vma" */
    GPtrArray *sockets;      /* char *: keys of its guest's, see identity.h */
    bool is_of_monitor;      /* its run came by the monitor that was asked for, not by another one */
    bool is_alive;           /* its run goes on */
    bool is_qemu_gone;       /* the process that it told of has ended */
    bool did_we_stop;        /* the guest stood still because of us */
    bool does_migrate;       /* a plain migration was to stop it: then its state is "postmigrate" */
    char *agent;             /* socket of the agent that has frozen the guest's file systems, "" = none */
    bool has_nbd_server;     /* QEMU's own was being started, to wake drives or to ask what is zero */
    bool is_saved;           /* its backup is: a dirty bitmap of its name counts from that */
    unsigned n_exports;      /* that may have been made, vmb-RUN-exp-0 and so on */
    bool has_capabilities, has_params;
    GPtrArray *capabilities; /* char *: those that were on */
    gint64 max_bandwidth, downtime_limit_ms;
};

/* what: what the holder is doing, told to others. VMB_ERROR_HELD says who holds the guest. */
struct journal *journal_open(const char *monitor, const char *run_id, const char *what, GError **error);
bool journal_write(struct journal *j, const struct journal_record *r, GError **error);
void journal_close(struct journal *j, bool is_all_undone);

void journal_record_free(struct journal_record *r);
/* Every record there is; never NULL. A guest may have several monitors: who came by another one is known by the
 * guest's sockets, or by his run's name in QEMU (vmb-<run>-…). */
GPtrArray *journal_read_all(const char *monitor);
/* False with VMB_ERROR_HELD when a run goes on by this monitor: it would only look busy. */
bool journal_check_free(const char *monitor, GError **error);
/* What it told of has been undone. */
void journal_forget(const struct journal_record *r);
/* A folder of ours, 0700, for sockets. */
char *journal_folder(GError **error);
