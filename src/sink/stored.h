// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A zstd frame of raw blocks around pieces of memory that stay where they are: only what stands before, between and
 * behind them is made. Pure.
 *
 *     struct stored *s = stored_new(pieces, n);               // len < 4 GiB in all, not 0
 *     m = stored_iov(s, pieces, n, iov, n + STORED_MORE(len)); // the same pieces: writev
 *
 * 13 bytes more than they hold, and 3 for each 128 KiB: as long whatever the bytes are. RFC 8878, 3.1.1.
 */
#include <stddef.h>
#include <sys/uio.h>

#define STORED_BLOCK_SIZE (128u << 10)
/* So many pieces more: before each block, where a piece is cut in two, the frame's head and its checksum. */
#define STORED_MORE(len) (2 * ((len) / STORED_BLOCK_SIZE + 1) + 2)

struct stored;
struct stored *stored_new(const struct iovec *pieces, unsigned n);
void stored_free(struct stored *s);
size_t stored_length(const struct stored *s);
/* Returns how many. max: n + STORED_MORE() always suffices. */
unsigned stored_iov(const struct stored *s, const struct iovec *pieces, unsigned n, struct iovec *iov, unsigned max);
