// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A chunk as it lies in its file: exactly one zstd frame, with a checksum. From any thread, each of which keeps what
 * zstd needs until it ends.
 *
 *     size_t n = chunk_pack(level, bytes, len, to, chunk_pack_bound(len));
 *     const char *wrong = chunk_unpack(frame, n, to, len);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that a frame of `len` plain bytes can be. */
size_t chunk_pack_bound(size_t len);
/* Bytes of the frame. */
size_t chunk_pack(int level, const void *bytes, size_t len, void *to, size_t room);
/* It carries zstd's own checksum, as those of chunk_pack() do: chunk_unpack() looks at that. */
bool chunk_pack_has_checksum(const uint8_t *frame, size_t frame_len);
/* NULL: `to` has all `len` bytes; else what is wrong with the frame. */
const char *chunk_unpack(const void *frame, size_t frame_len, void *to, size_t len);
