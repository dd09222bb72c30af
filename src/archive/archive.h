// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the archive of a run and that of the standalone writer have in common, by their options: configurations in
 * the header, a spool beside the way, a writer that packs.
 *
 *     if (!archive_add_configs(header, options, &error)) …
 *     struct spool *spool = archive_open_spool(loop, options, ram_bytes + ARCHIVE_SPOOL_EXTRA, &error);
 *     archive_prepare_writer(writer, options, spool);
 */
#include "archive/archive_writer.h"
#include "options/options.h"
#include "vma/header.h"

#define ARCHIVE_SPOOL_EXTRA (UINT64_C(1) << 30) /* beside what the RAM takes */

/* The names of files that no configuration may have, so that it never takes a drive's when the archive is
 * unpacked: those of the RAM state, and of this drive in any format. */
GHashTable *archive_files_new(void);
void archive_files_add_drive(GHashTable *taken, const char *name);
/* VMB_ERROR_USAGE where one of the configurations has a name that is taken, or two have the same. */
bool archive_files_check_configs(GHashTable *taken, const struct backup_options *o, GError **error);
bool archive_add_configs(struct vma_header *header, const struct backup_options *o, GError **error);
/* As large as was asked for, else `wanted`, but never more than half of what is free there. 0 with error: no room. */
uint64_t archive_spool_bytes(const struct backup_options *o, uint64_t wanted, GError **error);
/* Of it, what the RAM may not take. */
uint64_t archive_guest_reserve(uint64_t spool_bytes);
struct spool *archive_open_spool(uv_loop_t *loop, const struct backup_options *o, uint64_t wanted, GError **error);
/* Packing, and the spool (may be NULL). Before the header. */
void archive_prepare_writer(struct writer *w, const struct backup_options *o, struct spool *spool);
