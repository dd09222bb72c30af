// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the commands of a store share: which store and guest a path means, and how snapshots are told.
 *
 *     struct snapshots all = {0};
 *     if (!snapshots_load(&all, path, &error)) …                           // STORE or STORE/GUEST
 *     for_each_in (const struct entry, e, all.entries) …
 *     snapshots_clear(&all);
 */
#include "store/entries.h"

struct json_object;

struct snapshots {
    struct store *store; /* its lock is shared */
    char *shown;         /* the store's path, safe to print */
    char *guest;         /* NULL: all */
    GPtrArray *entries;  /* struct entry */
};

/* A store, or a guest's folder in one. */
bool snapshots_are_at(const char *path);
bool snapshots_load(struct snapshots *all, const char *path, GError **error);
void snapshots_clear(struct snapshots *all);

/* Bytes of all its drives and the RAM state; what it added, packed; 0 where it cannot be read. */
uint64_t snapshots_size(const struct entry *e);
uint64_t snapshots_new_bytes(const struct entry *e);
/* "2026-11-30 08:10", local; "-" for 0. */
char *snapshots_time(int64_t instant);
/* Undamaged, and nothing that was to be saved is missing. */
bool snapshots_is_whole(const struct entry *e);
/* "pinned, damaged, incomplete: without scsi1"; "" */
char *snapshots_notes(const struct entry *e);
/* One object of all that is known of it. */
struct json_object *snapshots_json(const struct entry *e);
