// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A snapshot read as the VMA archive that it would be: whatever reads archives reads snapshots.
 *
 *     struct source *s = archive_open_source(path, &error);                // a file, "-", or a snapshot's folder
 *     struct random *r = archive_open_random(path, &error);
 *
 * The archive exists nowhere: its header is made from snapshot.json, its extents from the indexes. Where each stands
 * follows from the indexes alone: a chunk of zeros is 16 clusters without data, any other one 16 whole clusters, and
 * devices come one after the other. Chunks are read, unpacked and checked when their place is read.
 *
 * What cannot be read is DAMAGED with the drive and its offset, and source_lost() says how many bytes of the archive
 * are missing.
 */
#include "sink/random.h"
#include "sink/source.h"

struct source *archive_open_source(const char *path, GError **error);
struct random *archive_open_random(const char *path, GError **error);
