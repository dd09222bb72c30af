// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * An archive that is read from front to back becomes a snapshot, by the same writer as a run's.
 *
 *     struct import *m = import_new(&options, guest);
 *     import_begin(m, header, &error);                     // vma_walk_ops.header
 *     import_data(m, dev_id, offset, bytes, len, &error);  // … data
 *     import_zeroes(m, dev_id, offset, len, &error);       // … zeroes
 *     import_drop(m, dev_id);                              // the archive does not hold it whole
 *     import_finish(m, ram_bytes, &error);                 // it has its name
 *     import_free(m);
 *
 * All of it waits: for buffers, for workers, for the disk.
 */
#include <stdbool.h>
#include <stdint.h>
#include "options/options.h"
#include "vma/header.h"

struct import;
/* options: of them the target (a store), the level, the threads and the spool; borrowed. */
struct import *import_new(const struct backup_options *options, const char *guest);
void import_free(struct import *m); /* what was not finished is gone */
bool import_begin(struct import *m, const struct vma_header *header, GError **error);
bool import_data(struct import *m, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error);
bool import_zeroes(struct import *m, int dev_id, uint64_t offset, uint64_t len, GError **error);
void import_drop(struct import *m, int dev_id);
/* ram_bytes: of its stream. */
bool import_finish(struct import *m, uint64_t ram_bytes, GError **error);
/* After import_finish(): its folder, safe to show; the bytes of its drives and RAM, and those new in the store. */
const char *import_name(const struct import *m);
uint64_t import_size(const struct import *m);
uint64_t import_new_bytes(const struct import *m);
