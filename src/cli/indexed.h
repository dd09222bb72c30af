// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive, or a snapshot in a store, that can be read at any place: its header, its index, and what reads it. For
 * serve and boot.
 *
 *     g_autoptr(cli_indexed) a = cli_indexed_open(path, &error);
 *
 * Only headers are read. Errors begin with "archive PATH: ".
 */
#include <glib.h>
#include "sink/random.h"
#include "sink/scratch.h"
#include "store/snapshot_image.h"
#include "vma/header.h"
#include "vma/index.h"

struct cli_indexed {
    const char *path;
    struct random *random;
    struct vma_header *header;
    const struct snapshot_image *image; /* NULL: a file, which has an index: */
    struct vma_index *index;
    struct scratch *scratch; /* what of the index is too much for the RAM */
    unsigned n_touched;      /* pages of it since it rested, at most */
};

/* Refused: what cannot be read at random, and what is damaged as far as its headers tell. */
struct cli_indexed *cli_indexed_open(const char *path, GError **error);
void cli_indexed_free(struct cli_indexed *a);
/* The RAM state's dev_id, or 0. */
int cli_indexed_ram_id(const struct cli_indexed *a);
/* Every cluster of this device is there. */
bool cli_indexed_is_whole(const struct cli_indexed *a, int dev_id);
/* Bytes of a drive, or of the RAM state (exact where the archive tells). */
uint64_t cli_indexed_size(const struct cli_indexed *a, int dev_id);
/* As vma_index_run(). */
struct vma_index_run cli_indexed_run(struct cli_indexed *a, int dev_id, uint64_t offset, uint64_t max);
/* So many bytes of a device to memory, by the thread pool: zeros are filled in at once. */
void cli_indexed_read(struct cli_indexed *a, int dev_id, uint64_t offset, uint8_t *to, size_t len, random_done done,
                      void *user);

typedef struct cli_indexed cli_indexed;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cli_indexed, cli_indexed_free)
