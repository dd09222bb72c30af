// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * From clusters to an archive: open extents are sealed by workers, then written in order, by way of
 * the spool while the target is slow.
 *
 *     lane (one per device) ─▶ seal, pack (workers) ──────────────▶ place ─▶ target (sink)
 *                                                   └─▶ spool ─▶──┘                         while buffers are few
 *
 *     struct writer *w = archive_writer_new(loop, sink, pool, uuid, &events, user);
 *     archive_writer_set_spool(w, spool, guest_reserve);
 *     … as any writer …
 *
 * Order is kept within a device's lane and over all. Of a dropped lane what stands in the file is dead: its place is
 * used again, and closed up at the end.
 */
#include <uv.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "sink/sink.h"
#include "sink/spool.h"

struct writer *archive_writer_new(uv_loop_t *loop, struct sink *sink, struct pool *pool, const uint8_t uuid[16],
                                  const struct writer_events *events, void *user);
/* May be NULL (no spool); borrowed. The RAM's extents may fill it but for `guest_reserve` bytes. */
void archive_writer_set_spool(struct writer *w, struct spool *spool, uint64_t guest_reserve);
/* The archive becomes a chain of zstd frames with a seek table; `threads` workers pack them. Before the header. */
void archive_writer_set_compression(struct writer *w, int level, unsigned threads);
