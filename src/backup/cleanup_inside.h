// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The inside of a cleanup: cleanup_find.c makes the list of what is to be done, cleanup.c does it. */
#include "backup/cleanup.h"
#include "backup/journal.h"
#include "qmp/calls.h"

#define PREFIX "vmb-" /* of all our names in QEMU */

enum action_kind {
    END_JOB, DELETE_NODE, PUT_BACK, STOP_NBD_SERVER, CANCEL_MIGRATION, RESTORE_PARAMS, RESTORE_CAPABILITIES, RESUME,
    THAW
};

struct action {
    enum action_kind kind;
    char *name; /* job, node, device path, the agent's socket */
    char *node; /* PUT_BACK: the drive's own node */
};

struct cleanup {
    uv_loop_t *loop;
    bool is_dry_run, is_over;
    void (*on_line)(void *user, const char *line);
    void (*on_done)(void *user, unsigned n_actions, const GError *error);
    void *user;
    struct qmp *qmp;
    struct agent_link *agent;
    struct journal *lock;
    GPtrArray *records; /* struct journal_record * */
    GArray *actions, *jobs, *snapshots, *inserted, *nodes;
    unsigned at, n_polls, lookup, next_fd;
    GPtrArray *fd_names; /* char * */
    bool is_retry, is_guest_stopped, is_postmigrate, is_migrating;
    bool is_server_foreign; /* the socket for it was never used: the one that runs, if any, is not ours */
    GError *first_error;
};

void cleanup_find(struct cleanup *c); /* fills actions, then cleanup_act() */
void cleanup_act(struct cleanup *c);  /* does the next one, then the others; ends by cleanup_finish() */
void cleanup_finish(struct cleanup *c, const GError *error);
void cleanup_add(GArray *to, enum action_kind kind, const char *name, const char *node);
bool cleanup_is_moving(const struct qmp_migration *m);
