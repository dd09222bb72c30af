// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A snapshot's folder: STORE/GUEST/2026-11-30T08:10:20Z with snapshot.json, an index for each drive and for the RAM
 * state, and configurations as files.
 *
 *     g_autoptr(snapshot) s = snapshot_load(path, &error);                 // of one that is there
 *
 *     g_autoptr(snapshot) s = snapshot_new(uuid, instant, chunk_bytes);    // or a new one
 *     snapshot_add_device(s, "scsi0", size);
 *     snapshot_begin(s, store_guest_folder, run_id, &error);               // .2026-…-RUN.partial
 *     snapshot_write_index(s, d, index, &error);
 *     snapshot_commit(s, store->chunks, &error);                           // snapshot.json, sync, rename, latest
 *
 * Nothing of a file is believed: names are safe, sizes in bounds, and numbers agree.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "store/chunk_folder.h"
#include "store/chunk_index.h"

#define SNAPSHOT_FILE   "snapshot.json"
#define SNAPSHOT_LATEST "latest"
#define SNAPSHOT_PINNED "pinned"
/* Laid there by a check that found damage, taken away by one that finds none: what it names is not to be relied on. */
#define SNAPSHOT_DAMAGED "damaged"
/* Of names: what a dead run has left, and what is being removed. */
#define SNAPSHOT_PARTIAL ".partial"
#define SNAPSHOT_REMOVED ".removed-"

struct snapshot_device {
    char *name;         /* "scsi0", or "vmstate" for the RAM state */
    char *index_name;   /* "scsi0.caibx" */
    uint64_t size;      /* bytes; of the RAM state, its stream's length */
    uint64_t new_bytes; /* that its chunks added to the store, packed */
    uint64_t new_plain; /* the same chunks, unpacked */
    char *bitmap;       /* that counts from this instant on; NULL: none */
    char *digest;       /* SHA-256 of the index's file, hexadecimal */
};
struct snapshot_config {
    char *name;
    char *file; /* the same, where that can be: of its bytes, beside snapshot.json */
    GBytes *bytes;
    char *digest;    /* SHA-256 of the bytes, hexadecimal */
    bool is_damaged; /* its file is missing, or was changed: the bytes are what was found */
};
struct snapshot {
    char *path; /* its folder; while it is being made, that of the .partial */
    uint8_t uuid[16];
    int64_t instant; /* seconds since the epoch */
    uint32_t chunk_bytes;
    GPtrArray *devices; /* struct snapshot_device, in the order of the archive's device ids, which count from 1 */
    GPtrArray *configs; /* struct snapshot_config: vmabackup.json among them */
    int64_t verified;   /* when it was read from end to end, seconds; 0: never */
    bool is_pinned;     /* these two as they were when it was loaded */
    bool is_damaged;
};

struct snapshot *snapshot_new(const uint8_t uuid[16], int64_t instant, uint32_t chunk_bytes);
void snapshot_free(struct snapshot *s);
struct snapshot_device *snapshot_add_device(struct snapshot *s, const char *name, uint64_t size);
/* Adds or replaces; at most VMA_MAX_BLOB bytes. */
void snapshot_set_config(struct snapshot *s, const char *name, GBytes *bytes);
uint64_t snapshot_size(const struct snapshot *s);      /* bytes of all its drives and the RAM */
uint64_t snapshot_new_bytes(const struct snapshot *s); /* what it added to the store, packed */
struct snapshot_device *snapshot_find_device(const struct snapshot *s, const char *name);
char *snapshot_index_path(const struct snapshot *s, const struct snapshot_device *d);
/* FAILED, or DAMAGED: its index is not the one that it was made with. */
struct chunk_index *snapshot_load_index(const struct snapshot *s, const struct snapshot_device *d, GError **error);
/* "2026-11-30T08:10:20Z" */
char *snapshot_instant_text(int64_t instant);
/* The name of a snapshot's folder: an instant, and maybe -2, -3, … behind it. */
bool snapshot_is_name(const char *name);
/* A folder with such a name, or with a snapshot.json. */
bool snapshot_is_at(int folder_fd, const char *name);
/* What snapshot_tidy() removes. */
bool snapshot_is_leftover(const char *name);
/* The instant that such a name tells, seconds since the epoch. */
int64_t snapshot_instant_of(const char *name);
/* The earlier first. */
int snapshot_compare_names(const char *a, const char *b);
/* Makes the folder of the guest too. TARGET: it cannot, or that is none in which snapshots are listed. */
bool snapshot_begin(struct snapshot *s, const char *guest_folder, const char *run_id, GError **error);
/* Its index, while it is being made; again over an earlier one. */
bool snapshot_write_index(const struct snapshot *s, const struct snapshot_device *d, const struct chunk_index *x,
                          GError **error);
/* All chunks that it names have their names. Configurations and snapshot.json are written, everything is synced, the
 * chunks too, and it appears by one rename. An instant that is taken gets -2 behind it. `latest` points at it then.
 * False: it is not there. */
bool snapshot_commit(struct snapshot *s, struct chunk_folder *chunks, GError **error);
/* The .partial goes. */
void snapshot_abort(struct snapshot *s);
/* DAMAGED or FAILED, with the file's name. The indexes are not looked at. path may be that of a symbolic link. */
struct snapshot *snapshot_load(const char *path, GError **error);
/* "STORE/GUEST/latest" -> "STORE/GUEST/2026-…", which stays the same when another one is the latest; else the path. */
char *snapshot_resolve(const char *path);
/* Its snapshot.json says so from now on: seconds since the epoch; 0: never. Where nobody may write it does not, and
 * that is no error. Blocks while somebody else changes it, as the next two do. */
bool snapshot_set_verified(const char *path, int64_t when, GError **error);
/* Lays or takes away an empty file of that name, SNAPSHOT_PINNED or SNAPSHOT_DAMAGED. */
bool snapshot_mark(const char *path, const char *mark, bool is_set, GError **error);
bool snapshot_is_marked(const char *path, const char *mark);
/* Renames it to .removed-…, then deletes it: it is there as a whole, or not at all. `latest` points at the last that is
 * left. HELD: it is pinned. */
bool snapshot_remove(const char *path, GError **error);
/* Of a guest: what dead runs and interrupted removals have left. Only under the store's exclusive lock. */
bool snapshot_tidy(const char *guest_folder, GError **error);

typedef struct snapshot snapshot;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot, snapshot_free)
