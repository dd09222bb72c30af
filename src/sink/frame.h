// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * zstd frames that we make ourselves, byte by byte, because their size must be known beforehand. Pure.
 *
 *     g_autoptr(GByteArray) f = frame_make_stored(header, len);      // as long whatever the bytes are
 *     frame_make_skippable(packed_len, bytes);                       // over a frame of that length: it is gone
 */
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#define FRAME_SKIPPABLE_MAGIC       0x184D2A50u
#define FRAME_SKIPPABLE_HEADER_SIZE 8u

/* Raw blocks with content size and checksum: 13 bytes more, and 3 for each 128 KiB. len < 4 GiB, not 0. */
GByteArray *frame_make_stored(const void *bytes, size_t len);
/* The head of a skippable frame of `len` bytes in all (from 8 on, and less than 4 GiB); what follows does not matter. */
void frame_make_skippable(uint64_t len, uint8_t out[FRAME_SKIPPABLE_HEADER_SIZE]);
