// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Reads all that the snapshots of a store name.
 *
 *     struct checked done = {0};
 *     check(s, entries, &options, &done, &error);
 *     for_each_in (const struct check_fault, f, done.faults) …
 *     checked_clear(&done);
 *
 * Damaged chunks are set aside, so that whoever has their bytes writes them anew; the snapshots concerned are marked,
 * so that no backup relies on them; the others are verified now. Runs beside backups: only setting aside needs the
 * exclusive lock, for a moment at the end. Without that, damaged chunks are suspected (chunk_folder_suspect()).
 */
#include "store/entries.h"

struct check_fault {
    const struct entry *entry;
    const struct snapshot_device *device; /* NULL: of the snapshot itself */
    uint64_t offset, len;                 /* of the drive; len 0: all of it */
    const char *what;                     /* of g_intern_string() */
};
struct check_options {
    unsigned most; /* chunks at a time; 0: CENSUS_MOST */
    /* Bytes of chunks' files read so far, and of all (0: not known yet); from any thread, one at a time. May be NULL.
     */
    void (*on_progress)(void *user, uint64_t read, uint64_t all);
    void *user;
};
struct checked {
    GPtrArray *faults;      /* struct check_fault, by entry, drive and offset */
    uint64_t chunks, bytes; /* read: of files */
    unsigned damaged;       /* chunks */
    unsigned set_aside;     /* of them */
    unsigned suspected;     /* of the others: a backup writes them anew as well */
    GError *unnoted;        /* NULL, or the first of what could not be noted: a backup may rely on damage */
};

/* The lock is shared, and is so again afterwards. False: it could not be finished; what is damaged is no error. */
bool check(struct store *s, const GPtrArray *entries, const struct check_options *options, struct checked *done,
           GError **error);
void checked_clear(struct checked *done);
/* A fault of this entry's. */
bool checked_is_damaged(const struct checked *done, const struct entry *e);
