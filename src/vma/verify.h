// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Reads a whole archive and reports every fault found, not only the first.
 *
 * Structure, digests where the archive carries them, the end mark, completeness of every device.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <glib.h>

struct vma_verify_result {
    unsigned faults;    /* all of them, also those not reported one by one */
    bool has_digests;   /* every extent with payload carried one */
    bool has_end_mark;
    uint64_t bytes_read; /* of the (uncompressed) archive */
};

/* read(user, buffer, len): bytes read, 0 at the end, -1 with error set. Blocking: call it where that is fine
 * (a worker or a command line program). fault(user, offset, text) is called for each, at most 1000 times. */
typedef ssize_t (*vma_read_fn)(void *user, void *buffer, size_t len, GError **error);
typedef void (*vma_fault_fn)(void *user, uint64_t offset, const char *text);
/* False when it could not be read to its end at all (error says why; not a VMA, read error). */
bool vma_verify(vma_read_fn read, void *read_user, vma_fault_fn fault, void *fault_user,
                struct vma_verify_result *result, GError **error);
