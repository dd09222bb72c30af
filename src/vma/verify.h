// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Reads a whole archive and reports every fault found, not only the first (vma/walk.h), and what there is to
 * say about one that was walked through.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <glib.h>
#include "vma/walk.h"

struct vma_verify_result {
    unsigned faults;  /* all of them, also those not reported one by one */
    bool has_digests; /* every extent with payload carried one */
    bool has_end_mark;
    uint64_t bytes_read;   /* of the (uncompressed) archive */
    unsigned lost_devices; /* not whole, as the end mark says: the archive is incomplete, not damaged */
    unsigned devices;
    uint64_t clusters; /* that have an entry */
    uint64_t blocks;   /* of 4 KiB, that are stored */
    uint64_t extents;  /* that have entries */
};

/* read(user, buffer, len): bytes read, 0 at the end, -1 with error set. Blocking: call it where that is fine
 * (a worker or a command line program). fault(user, offset, text) is called for each, at most 1000 times. */
typedef ssize_t (*vma_read_fn)(void *user, void *buffer, size_t len, GError **error);
/* ends_at_mark: what follows the end mark is no part of it, as on a device. False when it could not be read to its end
 * at all (error says why; not a VMA, read error). */
bool vma_verify(vma_read_fn read, void *read_user, bool ends_at_mark, vma_fault_fn fault, void *fault_user,
                struct vma_verify_result *result, GError **error);
struct vma_verify_result vma_verify_result_of(const struct vma_walk *w);
