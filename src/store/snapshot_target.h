// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A snapshot that is being made, as the target of a run: to whoever asks, a sink that has a name and room and is made
 * durable or given up, but what comes into it comes by store/snapshot_writer.h.
 *
 *     struct sink *s = snapshot_target_open(loop, "/mnt/store", "web-01", run_id, level, &error);
 *     struct writer *w = snapshot_writer_new(loop, s, …);
 *     sink_finish(s, on_finished, user);                  // after the writer: it appears under its name
 *
 * It holds the store's shared lock from here to its end: what it has put, or found, stays.
 */
#include <uv.h>
#include "sink/sink.h"
#include "store/chunk_index.h"

/* run_id: no other run has it. level: zstd's. HELD: the store's chunks are being collected; TARGET: it is no store, or
 * cannot be written. */
struct sink *snapshot_target_open(uv_loop_t *loop, const char *dir, const char *guest, const char *run_id, int level,
                                  GError **error);
/* TARGET: the last snapshot in this guest's folder is that of another guest, whose name comes to the same when it is
 * made safe, or who has no name and another monitor than this one without a name (NULL: it has one). Without snapshots,
 * or a store, it is true. */
bool snapshot_target_is_of(const char *dir, const char *guest, const char *monitor, GError **error);
/* What it has cost so far: packed bytes that the store did not have. */
uint64_t snapshot_target_new_bytes(const struct sink *s);
/* Bytes of its drives and RAM, once its writer has finished. */
uint64_t snapshot_target_size(const struct sink *s);
uint32_t snapshot_target_chunk_bytes(const struct sink *s);
/* The store has every chunk that this index names. Blocks; from any thread, while the target is there. */
bool snapshot_target_has_all(const struct sink *s, const struct chunk_index *x);
