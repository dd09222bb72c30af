// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Removes the chunks that no snapshot names.
 *
 *     struct collected done;
 *     store_lock_exclusive(s, &error) && collect(s, entries, &options, &done, &error);
 *
 * Whoever writes holds the shared lock from before it looks for a chunk until its snapshot is there, so the exclusive
 * one is enough: how old a chunk is does not matter. It may end anywhere, by a power cut too: only what nobody names is
 * gone.
 */
#include "store/entries.h"

struct collect_options {
    bool is_dry_run; /* only counts; any lock will do */
    unsigned most;   /* chunks at a time; 0: CENSUS_MOST */
    /* After some: false ends it. May be NULL. */
    bool (*go_on)(void *user);
    void *user;
};
struct collected {
    uint64_t chunks, bytes; /* that went, or would */
    uint64_t kept_chunks, kept_bytes;
    bool is_ended_early; /* go_on() said so: there may be more */
};

/* entries: all snapshots that stay. DAMAGED: one of them, or one of its indexes, cannot be read: what it names is not
 * known, so nothing is removed; FAILED: likewise, since snapshots lie in the store that are not listed. */
bool collect(struct store *s, const GPtrArray *entries, const struct collect_options *options, struct collected *done,
             GError **error);
