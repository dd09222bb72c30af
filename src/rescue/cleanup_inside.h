// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The inside of a cleanup: cleanup_find.c makes the list of what is to be done, cleanup_actions.c does it,
 * cleanup_bitmaps.c which dirty bitmaps are of no use any more, cleanup_say.c says it. */
#include "base/each.h"
#include "qemu/takeout.h"
#include "rescue/cleanup.h"
#include "rescue/journal.h"

#define PREFIX GRAPH_PREFIX

enum action_kind {
    PAUSE_JOBS,
    END_JOB,
    END_EXPORT,
    REMOVE_BITMAP,
    DELETE_NODE,
    TAKE_OFF,
    PUT_BACK,
    STOP_NBD_SERVER,
    CANCEL_MIGRATION,
    RESTORE_PARAMS,
    RESTORE_CAPABILITIES,
    RESUME,
    THAW
};

struct action {
    enum action_kind kind;
    char *name; /* job, export, bitmap, node, filter, the agent's socket */
    char *node; /* of a bitmap */
};

/* For what is to end. */
struct cleanup_wait {
    uv_timer_t pause; /* between two looks; not of one that only looks */
    uint64_t until_ms;
    bool is_in_vain; /* a job does not end: nothing that would wait for its disk is touched */
};

struct cleanup {
    uv_loop_t *loop;
    bool is_dry_run, is_over;
    bool is_untrack; /* all bitmaps of ours go */
    bool may_tidy;
    cleanup_looked looked; /* it only looks, over somebody else's connection; else NULL */
    void (*on_line)(void *user, const char *line);
    void (*on_done)(void *user, unsigned n_actions, const GError *error);
    void *user;
    struct qmp *qmp;
    struct agent_link *agent;
    struct journal *lock;
    GPtrArray *records;      /* struct journal_record * */
    GPtrArray *sockets;      /* char *: the guest's, see identity.h */
    GPtrArray *capabilities; /* char *: those that are on; NULL = unknown */
    struct qmp_migration_params params;
    bool are_params_known;
    GArray *actions, *jobs, *exports, *lids, *bitmaps, *snapshots, *inserted, *nodes;
    unsigned at, next_socket, next_door;
    struct qmp_again again; /* the guest's status */
    struct survey survey;
    struct takeout takeout;
    GPtrArray *staying; /* char *: filters that others stand on */
    void (*bitmaps_found)(struct cleanup *c, const GError *error);
    unsigned timeout_s;
    struct cleanup_wait wait;
    GPtrArray *passed_sockets; /* char *: names of descriptors */
    char *status;              /* the guest's, "" = unknown */
    bool is_migrating;
    bool is_server_foreign; /* the socket for it was never used: the one that runs, if any, is not ours */
    GError *first_error;
};

/* The dead run whose settings are the ones before all; NULL if none has noted any. */
const struct journal_record *cleanup_capabilities(const struct cleanup *c);
const struct journal_record *cleanup_params(const struct cleanup *c);
bool cleanup_was_on(const struct journal_record *r, const char *capability);
void cleanup_find(struct cleanup *c); /* fills actions, then cleanup_act() */
/* Fills bitmaps, then found(c, error). */
void cleanup_find_bitmaps(struct cleanup *c, void (*found)(struct cleanup *c, const GError *error));
void cleanup_act(struct cleanup *c); /* does the next one, then the others; ends by cleanup_finish() */
void cleanup_finish(struct cleanup *c, const GError *error);
void cleanup_add(GArray *to, enum action_kind kind, const char *name);
/* The filter or its target; of a lid that, too, and what is below it. */
bool cleanup_is_part_of(const char *node, const char *filter);
char *cleanup_describe(const struct action *a); /* "end job vmb-…" */
char *cleanup_summary(const GArray *actions);   /* "2 jobs, the guest stopped" */
