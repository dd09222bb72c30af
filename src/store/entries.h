// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Every snapshot of a store, with its manifest.
 *
 *     g_autoptr(GPtrArray) all = entries_load(s, NULL, &error);            // struct entry, by guest, then by time
 *     for_each_in (const struct entry, e, all)
 *         if (!e->snapshot) … e->error …
 */
#include "store/snapshot.h"
#include "store/store.h"

struct entry {
    char *guest, *name, *path;
    char *shown;               /* "web-01/2026-11-30T08:10:20Z" */
    struct snapshot *snapshot; /* NULL: it cannot be read, as error says */
    GError *error;
    unsigned number; /* among all, from 1 */
};

/* guest: of this one alone; NULL: of all. What somebody has renamed is among them, as long as it lies in a guest's
 * folder: its chunks are in use. */
GPtrArray *entries_load(struct store *s, const char *guest, GError **error);
