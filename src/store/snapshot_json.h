// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * snapshot.json: a snapshot as text, whose last member is the digest of all others. Pure.
 *
 *     g_autofree char *text = snapshot_to_json(s);
 *     g_autoptr(snapshot) s = snapshot_from_json(text, len, &error);       // without path and bytes of configurations
 */
#include "store/snapshot.h"
#include "vma/header.h"

#define SNAPSHOT_MAX_JSON (4u << 20)

char *snapshot_to_json(const struct snapshot *s);
struct snapshot *snapshot_from_json(const char *text, size_t len, GError **error);
/* The guest's own name, as its vmabackup.json has it; NULL: nobody knows. */
char *snapshot_guest(const struct snapshot *s);
/* Where the monitor was of a guest without a name; NULL: it had one, or nobody knows. */
char *snapshot_nameless_at(const struct snapshot *s);
/* What was to be saved and is not in it, by the same: a list that may be empty, each name made safe. */
char **snapshot_missing(const struct snapshot *s);
/* What an archive's header says can be a snapshot; DAMAGED: a name, a size or the time cannot. */
bool snapshot_json_check(const struct vma_header *h, GError **error);
