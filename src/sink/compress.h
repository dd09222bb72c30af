// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One worker's compressor: pieces of memory -> one zstd frame with content size and checksum.
 *
 *     struct compress *c = compress_new(3, VMA_MAX_EXTENT_SIZE);
 *     len = compress_pack(c, iov, n);             // compress_bytes(c), good until the next one
 *
 * Once something did not shrink, a sample decides about what follows: most of what is encrypted or packed already
 * costs next to nothing then. Not thread-safe: one for each worker.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define COMPRESS_MIN_LEVEL     1
#define COMPRESS_MAX_LEVEL     19 /* those above want too much memory to read */
#define COMPRESS_DEFAULT_LEVEL 3

struct compress;
/* max_bytes: of one frame, unpacked. */
struct compress *compress_new(int level, size_t max_bytes);
void compress_free(struct compress *c);
/* Returns the frame's length, or 0: it does not shrink, and may be stored as it is (sink/stored.h). */
size_t compress_pack(struct compress *c, const struct iovec *iov, unsigned n);
const uint8_t *compress_bytes(const struct compress *c);
