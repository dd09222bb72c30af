// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * From clusters to the target: open extents are sealed by workers, then written in order, by way of
 * the spool while the target is slow.
 *
 *     lane (one per device) ─▶ seal, pack (workers) ──────────────▶ place ─▶ target (sink)
 *                                                   └─▶ spool ─▶──┘                         while buffers are few
 *
 *     struct writer *w = writer_new(loop, sink, pool, uuid, &events, user);
 *     writer_put_header(w, bytes);
 *     struct writer_lane *lane = writer_add_lane(w, dev_id, false);
 *     writer_add(lane, cluster, buffer);      // takes the buffer; NULL = zeros
 *     writer_flush(w);                        // seal open extents as they are
 *     writer_drop_lane(lane);                 // takes the device out again: it may be filled anew
 *     writer_finish(w, flags, vmstate_bytes, on_written, user);
 *
 * Order is kept within a device's lane and over all (the RAM stream's clusters must come in order).
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "archive/pool.h"
#include "sink/sink.h"
#include "sink/spool.h"

/* Below this many free buffers sealed extents go to the spool: what a paused job still has in flight
 * (256 buffers over all drives) must not meet an empty pool. */
#define WRITER_SPOOLS_BELOW 192u

struct writer;
struct map;
struct writer_lane;
struct writer_events {
    void (*on_room)(void *user);                       /* buffers came back, or the spool moved */
    void (*on_full)(void *user, bool is_full);         /* the target has no room: tried again every second */
    void (*on_error)(void *user, const GError *error); /* nothing more is written; once */
    /* The spool's disk takes nothing: for now it counts as full, and is tried again every second. Once; may be NULL. */
    void (*on_spool_error)(void *user, const GError *error);
};

struct writer *writer_new(uv_loop_t *loop, struct sink *sink, struct pool *pool, const uint8_t uuid[16],
                          const struct writer_events *events, void *user);
/* May be NULL (no spool); borrowed. The RAM's extents may fill it but for `guest_reserve` bytes. */
void writer_set_spool(struct writer *w, struct spool *spool, uint64_t guest_reserve);
/* The archive becomes a chain of zstd frames with a seek table; `threads` workers pack them. Before the header. */
void writer_set_compression(struct writer *w, int level, unsigned threads);
void writer_put_header(struct writer *w, GBytes *header);
struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate);
void writer_add(struct writer_lane *lane, uint32_t cluster, uint8_t *data);
void writer_flush_lane(struct writer_lane *lane);
void writer_flush(struct writer *w);
/* What was written can be taken out again: the target is a file of its own. */
bool writer_can_drop(const struct writer *w);
/* Everything of this device is taken out of the archive: what is on its way does not arrive, what stands in the file
 * is dead, its place is used again and closed up at the end. It may be filled anew from nothing, or stay empty. Any
 * number of times, before writer_finish(). Calls on_room. */
void writer_drop_lane(struct writer_lane *lane);
/* Bytes of this lane found to be zero (sealed so far, since it was dropped last). */
uint64_t writer_lane_zero_bytes(const struct writer_lane *lane);
/* Where on its drive. Its owner says how large that is: map_init(). */
struct map *writer_lane_map(struct writer_lane *lane);
/* What the archive holds so far, before compression. */
uint64_t writer_plain_bytes(const struct writer *w);
/* Every compressor is busy, and the target waits for extents. */
bool writer_is_cpu_bound(const struct writer *w);
/* The RAM's data waits for room: stop reading the stream. */
bool writer_is_ram_blocked(const struct writer *w);
uint64_t writer_spool_used(const struct writer *w);
/* Extents in memory: those of zeros hold no buffers, and come at gigabytes per second. */
unsigned writer_queued(const struct writer *w);
/* Everything given so far has reached the target. */
bool writer_is_drained(const struct writer *w);
/* After an error or cancel: what is queued is dropped, buffers go back, whatever comes is dropped. */
void writer_discard(struct writer *w);
/* Seals everything, waits until it is written, closes up what was dropped, appends the end mark, rewrites the header
 * (NULL: not) where the target can; then done(user) once, unless on_error came first. */
void writer_finish(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user);
/* Discards; frees it when no worker, write or timer refers to it any more. */
void writer_close(struct writer *w, void (*closed)(void *user), void *user);
