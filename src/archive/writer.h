// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Where the clusters of all drives and of the RAM go, a lane each. What becomes of them, the one who made it knows:
 * extents of an archive (archive/archive_writer.h), or whatever else has the operations of archive/writer_ops.h.
 *
 *     writer_put_header(w, bytes);
 *     struct writer_lane *lane = writer_add_lane(w, dev_id, false);
 *     writer_set_size(lane, size);
 *     writer_add(lane, cluster, buffer);      // takes the buffer; NULL = zeros
 *     writer_flush(w);                        // buffers are wanted back: what is open waits no longer in them
 *     writer_drop_lane(lane);                 // takes the device out again: it may be filled anew
 *     writer_finish(w, flags, vmstate_bytes, header, on_written, user);
 *     writer_close(w, on_closed, user);
 *
 * The RAM stream's clusters must come in order; those of drives in any, each once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

/* Below this many free buffers what waits for the target goes to the spool: what a paused job still has in flight
 * (256 buffers over all drives) must not meet an empty pool. */
#define WRITER_SPOOLS_BELOW 192u

struct map;
struct writer;
struct writer_lane;
struct writer_events {
    void (*on_room)(void *user);                       /* buffers came back, or the spool moved */
    void (*on_full)(void *user, bool is_full);         /* the target has no room: tried again every second */
    void (*on_error)(void *user, const GError *error); /* nothing more is written; once */
    /* The spool's disk takes nothing: for now it counts as full, and is tried again every second. Once; may be NULL. */
    void (*on_spool_error)(void *user, const GError *error);
};

void writer_put_header(struct writer *w, GBytes *header);
struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate);
/* Of its drive, bytes; before its first cluster. */
void writer_set_size(struct writer_lane *lane, uint64_t size);
void writer_add(struct writer_lane *lane, uint32_t cluster, uint8_t *data);
/* The same for n clusters of zeros, `cluster` and those behind it; at little cost where n is large. */
void writer_add_zeroes(struct writer_lane *lane, uint32_t cluster, uint32_t n);
/* Nothing more comes: of the RAM, its end; of a drive, until it is dropped. */
void writer_flush_lane(struct writer_lane *lane);
/* Of `n` clusters from `from` on, what did not come is as it was in what the lane was told to compare with: see the
 * maker of the writer, of whom it must be one that can (store/snapshot_writer.h). Parts may have come: they are
 * dropped. */
void writer_keep(struct writer_lane *lane, uint64_t from, uint64_t n);
void writer_flush(struct writer *w);
/* What was written can be taken out again: the target is a file of its own. */
bool writer_can_drop(const struct writer *w);
/* Everything of this device is taken out of what is made: what is on its way does not arrive. It may be filled anew
 * from nothing, or stay empty. Any number of times, before writer_finish(). Calls on_room. */
void writer_drop_lane(struct writer_lane *lane);
/* Bytes of this lane found to be zero (so far, since it was dropped last). */
uint64_t writer_lane_zero_bytes(const struct writer_lane *lane);
/* Where on its drive. */
const struct map *writer_lane_map(const struct writer_lane *lane);
/* What is held so far, before compression. */
uint64_t writer_plain_bytes(const struct writer *w);
/* Every compressor is busy, and the target waits for them. */
bool writer_is_cpu_bound(const struct writer *w);
/* The RAM's data waits for room: stop reading the stream. */
bool writer_is_ram_blocked(const struct writer *w);
/* In the spool, bytes; and those of them that only wait for the target. */
uint64_t writer_spool_used(const struct writer *w);
uint64_t writer_spool_backlog(const struct writer *w);
/* What waits in memory for a worker or the target: that of zeros holds no buffers, and comes at gigabytes per second.
 */
unsigned writer_queued(const struct writer *w);
/* Everything given so far has reached the target. */
bool writer_is_drained(const struct writer *w);
/* After an error or cancel: what is queued is dropped, buffers go back, whatever comes is dropped. */
void writer_discard(struct writer *w);
/* Nothing more comes. Waits until it is written, and ends it: end_flags and vmstate_bytes are the end mark's, header
 * (NULL: as it was) is the final one. Then done(user) once, unless on_error came first. */
void writer_finish(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user);
/* Discards; frees it when no worker, write or timer refers to it any more. */
void writer_close(struct writer *w, void (*closed)(void *user), void *user);
