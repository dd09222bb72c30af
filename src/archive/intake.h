// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One drive's way into the archive: ranges of it come in, clusters that are held go to its lane of the writer.
 *
 *     struct intake in = {.pool = pool};
 *     intake_reset(&in, size, false);
 *     intake_open(&in, writer, dev_id);
 *
 * What comes has a source: an NBD export, or an engine that reads the drive itself. A drive may have several; the first
 * complete cluster stays, from whichever it came. A range within one cluster:
 *
 *     uint8_t *buffer = intake_buffer(&source);                       // NULL: none now, or nobody wants it
 *     … bytes land at buffer + offset % VMA_CLUSTER_SIZE …
 *     error = intake_put(&source, offset, len, buffer);               // or pool_give(), when they did not
 *     error = intake_zeroes(&source, offset, len);                    // of any length
 *
 * A request of any length whose payload lands in portions, with `buffer` NULL at first:
 *
 *     at = intake_room(&source, offset, len, done, &buffer, &room);   // for byte `done` and those behind it
 *     error = intake_landed(&source, offset, len, done, &buffer);     // up to `done`
 *     pool_give(pool, buffer);                                        // however it ended
 *
 * Ranges lie within the drive, in multiples of 512 (intake_check). Errors are errnos for the sender: EINVAL or EIO.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "archive/pool.h"
#include "archive/writer.h"
#include "vma/assemble.h"

struct intake {
    struct pool *pool;
    struct vma_assemble *clusters;
    uint64_t size;            /* bytes */
    struct writer_lane *lane; /* NULL while there is no archive */
};

/* What differs from source to source; `user` is the source's. */
struct intake_policy {
    /* What comes is answered as if it were taken, and thrown away. */
    bool (*is_nobodys)(void *user);
    /* A cluster's payload has come without a buffer: EIO, unless this makes it nobody's. NULL: intake_room() gives no
     * memory then. */
    void (*on_no_buffer)(void *user);
    /* EIO for VMA_PUT_TWICE or VMA_PUT_CROWDED. */
    void (*on_refused)(void *user, uint64_t offset, enum vma_put why);
    /* `len` bytes up to `end` have come. is_news: data that was not held yet. */
    void (*on_put)(void *user, uint64_t end, uint32_t len, bool is_news);
};

struct intake_source {
    struct intake *intake;
    const struct intake_policy *policy;
    enum pool_purpose purpose; /* of its buffers */
    void *user;
};

/* Nothing of the drive has come. may_repeat: as for vma_assemble_new(). */
void intake_reset(struct intake *in, uint64_t size, bool may_repeat);
void intake_clear(struct intake *in);
/* A lane of its own for this device, with a map of the drive. */
void intake_open(struct intake *in, struct writer *writer, uint8_t dev_id);
uint64_t intake_missing(const struct intake *in); /* clusters that are not held */

int intake_check(uint64_t offset, uint64_t len); /* EINVAL: no multiples of 512 */
uint8_t *intake_buffer(const struct intake_source *s);
/* Takes the buffer, whatever becomes of it; NULL: the range is zero. */
int intake_put(const struct intake_source *s, uint64_t offset, uint32_t len, uint8_t *buffer);
int intake_zeroes(const struct intake_source *s, uint64_t offset, uint64_t len);
void *intake_room(const struct intake_source *s, uint64_t offset, uint32_t len, uint32_t done, void **buffer,
                  size_t *room);
int intake_landed(const struct intake_source *s, uint64_t offset, uint32_t len, uint32_t done, void **buffer);
