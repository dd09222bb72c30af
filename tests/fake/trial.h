// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Backups of fake guests, many at once in one loop (most of their time is waiting for deadlines), and what
 * must hold of each of them.
 *
 *     g_auto(trials) all = trials_begin();
 *     struct trial *t = trial_new(&all, &kind, (struct fake_fault){"stop", 1, FAULT_ERROR}, true);
 *     t->options.verify = true;
 *     trials_run(&all);
 *     trial_judge(t, false);
 */
#include <uv.h>
#include "backup/backup.h"
#include "base/error.h"
#include "fake/qemu.h"

struct trial {
    char *name;
    struct fake_qemu *qemu;
    struct backup_options options;
    char *path; /* of the archive */
    struct backup *backup;
    enum model_phase cancel_at;   /* 0: not */
    void (*act)(struct trial *t); /* then; NULL: it is cancelled */
    void *of;                     /* the test's own */
    uv_async_t told;              /* by other threads: do that now */
    gint is_over;                 /* atomic: nobody listens any more */
    bool is_cleaned;

    int status;
    unsigned saved; /* drives that it says are in the archive, a bit each */
    bool is_ram_saved;
    uint64_t by_operator_ms; /* for so long it says that the operator held it back */
    GString *said;           /* log lines */
};

struct trials {
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_idle_t turn;
    uint64_t turned_ns;
    char *dir;  /* of sockets and records: in memory, since disks are slow at so many short-lived files */
    char *disk; /* of archives */
    GPtrArray *list;
    unsigned next, end, n_open;          /* of those that are run at once */
    void (*on_over)(struct trials *all); /* all have ended, their handles may still be open; or NULL */
};
typedef struct trials trials;

/* The beginning of main(): GLib's tests, and what the programs do about signals. */
void trials_init(int *argc, char ***argv);
struct trials trials_begin(void);
void trials_end(struct trials *all);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(trials, trials_end)

/* It begins with trials_run(), which returns when all have ended and their QEMUs stand still; a fault's on_fault() is
 * to cancel it. Any of its options may be set before, and target and name by these. */
struct trial *trial_new(struct trials *all, const struct fake_kind *kind, struct fake_fault fault, bool with_ram);
/* By which engine all is done: VMABACKUP_ENGINE=pull. */
enum engine trial_engine(void);
/* Where to: VMABACKUP_TARGET=store, each into one of its own. */
bool trial_is_into_store(const struct trial *t);
bool trial_has_archive(const struct trial *t);
void trial_pull(struct trial *t); /* this one in any case */
void trial_name(struct trial *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
void trial_into_pipe(struct trial *t);
/* It waits for a command to begin, which act gives when the plan has been made. */
void trial_act_at_plan(struct trial *t, void (*act)(struct trial *t));
void trials_run(struct trials *all);
/* The same, and each must have left nothing. */
void trials_run_and_judge(struct trials *all);

/* The test fails unless nothing is left in QEMU, nothing bad was done to it, and the archive is as the run says.
 * may_need_cleanup: the fault is one after which a run cannot know, or cannot finish its work: then cleanup must. */
void trial_judge(struct trial *t, bool may_need_cleanup);
/* The test fails; says what all had said. */
void trial_complain(const struct trial *t, const char *what);
/* What the operator is told to do then: it must leave nothing. */
void trial_clean_up(struct trial *t);
bool trial_is_archive_good(struct trial *t);
unsigned trial_all_drives(const struct trial *t);
/* Whether a command came that begins so, with a name behind it. */
bool trial_has_sent(const struct trial *t, const char *command);
