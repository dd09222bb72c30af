// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One backup run: connects to a guest's monitor, plans, freezes, takes everything in, leaves an archive
 * and a QEMU as it was. Both programs are front ends of this.
 *
 *     struct backup *b = backup_new(loop, &options, &listener, user);
 *     backup_connect(b);                       // events follow; model.phase tells where it stands
 *     ... backup_command(b, &command, &error)  // begin, limit, pause, …
 *     ... listener.on_done(user)               // everything undone, model.exit_status is set
 *     backup_free(b);
 *
 * All from the loop's thread; listener calls come from the loop, never from inside a call made here
 * (but for backup_command: its effects may be reported before it returns).
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "model/command.h"
#include "model/event.h"
#include "model/model.h"

enum backup_guard { BACKUP_GUARD_AUTO, BACKUP_GUARD_FILTER, BACKUP_GUARD_DIRECT };

struct backup_limit { char *drive; /* NULL = all together */ uint64_t rate; }; /* bytes of data a second */
struct backup_file { char *name; char *path; };

/* Zero-filled is a valid start: backup_options_init() sets the documented defaults. Strings are owned. */
struct backup_options {
    char *monitor;
    char *target;              /* NULL: ./GUEST-YYYYmmddTHHMM.vma.zst */
    int level;                 /* of zstd, 1 … 19; 0 = do not compress, -1 = 3 where the target's name says .zst */
    unsigned threads;          /* that compress, 0 = one for each processor, at most 8 */
    GPtrArray *include;        /* char *, empty = all that are writable and inserted */
    GPtrArray *exclude;
    GArray *limits;            /* struct backup_limit */
    GArray *configs;           /* struct backup_file */
    bool no_vmstate;
    enum backup_guard guard;
    uint64_t spool_bytes;      /* 0 = the guest's RAM + 1 GiB, at most half of what is free */
    char *spool_dir;           /* NULL = TMPDIR or /var/tmp */
    char *agent;               /* the guest agent's socket: freeze and thaw around the instant; NULL: do not */
    char *log_path;            /* NULL: TARGET.log beside a file, none otherwise */
    char *record_path;         /* NULL: the event stream is not kept */
    unsigned proxmox_vmid;     /* 0, or the archive is named and described for qmrestore; a folder will do as target */
    bool on_full_fails;
    unsigned on_full_minutes;  /* how long to wait for room */
    unsigned retries;
    bool strict;
    unsigned max_pause_s;
    unsigned timeout_s;        /* for each answer of the monitor */
    bool force, keep_partial, verify;
    bool only_ask;             /* connect, make the plan, change nothing, end: info */
    bool wait_for_begin;       /* the console: stop in MODEL_PLAN until COMMAND_BEGIN; else begin at once */
    bool reconnect_forever;    /* the console: keep trying to connect; else give up at once */
};
void backup_options_init(struct backup_options *o);
/* All of it anew, to be cleared by itself. */
void backup_options_copy(struct backup_options *to, const struct backup_options *from);
void backup_options_clear(struct backup_options *o);
/* The level in force: 0 = this target is not compressed. */
int backup_options_level(const struct backup_options *o);
unsigned backup_options_threads(const struct backup_options *o);

struct backup_listener {
    void (*on_event)(void *user, const struct model_event *event);
    void (*on_done)(void *user); /* once, after MODEL_EV_RESULT: QEMU is free, the archive is closed */
};

struct backup;
struct backup *backup_new(uv_loop_t *loop, const struct backup_options *options,
                          const struct backup_listener *listener, void *user);
/* Only when the loop has ended after on_done, or before backup_connect(). */
void backup_free(struct backup *b);
void backup_connect(struct backup *b);
/* Eight hexadecimal digits: in the names of its nodes, of its journal and its control socket. */
const char *backup_run_id(const struct backup *b);
/* For another run like this one, from its plan on: as it was planned last, but to another file. Clear them. */
void backup_next_options(struct backup *b, struct backup_options *o);
/* Brought up to date by the call: rates, ages, ETAs. */
const struct model *backup_model(struct backup *b);
/* False with a sentence when it is not valid now or names something unknown. */
bool backup_command(struct backup *b, const struct command *c, GError **error);
/* Stops whatever is under way, undoes everything, then on_done. exit_status 4, or 128+N for a signal. Before anything
 * has begun it only disconnects. Repeated calls change nothing. */
void backup_cancel(struct backup *b, int exit_status, const char *by_whom);
