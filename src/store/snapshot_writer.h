// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * From clusters to chunks: a writer (archive/writer.h) whose lanes become the indexes of a snapshot.
 *
 *     lane ─▶ filling (a chunk, until all its clusters have come, in any order) ─▶ worker: id, known?, put
 *                  └─▶ overflow (a file without a name) ──────────────────────────▶┘   while buffers are few
 *
 *     struct writer *w = snapshot_writer_new(loop, target, pool, threads, &events, user);
 *     snapshot_writer_set_spool(w, overflow_open(dir, bytes, &error), guest_reserve);
 *     … as any writer: the lanes before the header …
 *
 * A chunk that the store has is not written again. What is put for a lane that is dropped stays as chunks that nobody
 * names.
 */
#include <uv.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "store/chunk_index.h"
#include "store/overflow.h"
#include "store/snapshot_target.h"

/* target: borrowed until the writer has closed. */
struct writer *snapshot_writer_new(uv_loop_t *loop, struct sink *target, struct pool *pool, unsigned threads,
                                   const struct writer_events *events, void *user);
/* For writer_keep(): the drive's index in an earlier snapshot, of the same size, whose chunks the store has. Borrowed
 * as long as the writer. */
void snapshot_writer_set_base(struct writer_lane *lane, const struct chunk_index *base);
/* The dirty bitmap that counts from this snapshot on; NULL: none does. Before writer_finish(). */
void snapshot_writer_set_bitmap(struct writer_lane *lane, const char *name);
/* Takes it. The RAM's chunks may fill it but for `guest_reserve` bytes. Without one, chunks that the guest's writes
 * have begun stay in buffers. */
void snapshot_writer_set_spool(struct writer *w, struct overflow *spool, uint64_t guest_reserve);
