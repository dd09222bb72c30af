// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The options of a backup as both programs take them.
 *
 *     GOptionContext *context = g_option_context_new("MONITOR");
 *     g_option_context_set_main_group(context, backup_options_group(&options));
 *     if (!g_option_context_parse(context, &argc, &argv, &error) || !backup_options_check(&options, &error)) …
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "model/engine.h"

enum backup_guard { BACKUP_GUARD_AUTO, BACKUP_GUARD_FILTER, BACKUP_GUARD_DIRECT };

struct backup_limit {
    char *drive; /* NULL = all together */
    uint64_t rate;
}; /* bytes of data a second */
struct backup_file {
    char *name;
    char *path;
};

/* Zero-filled is a valid start: backup_options_init() sets the documented defaults. Strings are owned. */
struct backup_options {
    char *monitor;
    char *target; /* NULL: ./GUEST-YYYYmmddTHHMM.vma.zst */
    int level;    /* of zstd, 1 … 19; 0 = do not compress, -1 = 3 where the target's name says .zst, 1 in a store */
    unsigned threads;   /* that compress, 0 = one for each processor, at most 8 */
    GPtrArray *include; /* char *, empty = all that are writable and inserted */
    GPtrArray *exclude;
    GArray *limits;  /* struct backup_limit */
    GArray *configs; /* struct backup_file */
    bool no_vmstate;
    enum backup_guard guard;
    enum engine engine;   /* as it was asked for: where pull cannot be, the plan takes push, see backup/plan_engine.c */
    bool is_engine_given; /* on the command line: the configuration does not change it */
    bool no_track;        /* no bitmaps are kept, and none believed; else where the target is a store */
    bool is_track_given;  /* on the command line, as is_engine_given */
    uint64_t spool_bytes; /* 0 = the guest's RAM + 1 GiB, for a store more; at most half of what is free */
    char *spool_dir;      /* NULL = TMPDIR or /var/tmp */
    char *agent;          /* the guest agent's socket: freeze and thaw around the instant; NULL: do not */
    char *log_path;       /* NULL: TARGET.log beside a file, GUEST/backup.log in a store, none otherwise */
    char *record_path;    /* NULL: the event stream is not kept */
    unsigned proxmox_vmid; /* 0, or the archive is named and described for qmrestore; a folder will do as target */
    bool on_full_fails;
    unsigned on_full_minutes; /* how long to wait for room */
    unsigned retries;
    bool strict;
    unsigned max_pause_s;
    unsigned timeout_s; /* for each answer of the monitor */
    bool force, keep_partial, verify;
    bool is_store;          /* the target is a store, which gets a snapshot; set by backup_options_check() */
    bool only_ask;          /* connect, make the plan, change nothing, end: info */
    bool wait_for_begin;    /* the console: stop in MODEL_PLAN until COMMAND_BEGIN; else begin at once */
    bool reconnect_forever; /* the console: keep trying to connect; else give up at once */
};
void backup_options_init(struct backup_options *o);
/* All of it anew, to be cleared by itself. */
void backup_options_copy(struct backup_options *to, const struct backup_options *from);
void backup_options_clear(struct backup_options *o);
/* QEMU keeps account of what changes from this backup on, and what it knows of the time since the last one is used. */
bool backup_options_track(const struct backup_options *o);
/* "auto" or "no" */
bool backup_options_track_from_word(const char *word, bool *no_track);
/* The level in force: 0 = this target is not compressed. */
int backup_options_level(const struct backup_options *o);
unsigned backup_options_threads(const struct backup_options *o);

/* `o` must have been initialised and outlive the group. */
GOptionGroup *backup_options_group(struct backup_options *o);
/* Only those about the archive, its target and its spool: for who drives QEMU himself. */
GOptionGroup *backup_options_archive_group(struct backup_options *o);
/* After parsing: options that contradict each other, values that cannot be. VMB_ERROR_USAGE. */
bool backup_options_check(struct backup_options *o, GError **error);
/* The command line that means the same, quoted for a shell: "vmabackup backup --limit=scsi1=120M -o … MONITOR".
 * g_free() it. */
char *backup_options_line(const struct backup_options *o);
