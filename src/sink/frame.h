// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * zstd frames that we make ourselves, byte by byte, because their size must be known beforehand. Pure.
 *
 *     g_autoptr(GByteArray) f = frame_make_stored(header, len);      // as long whatever the bytes are
 *     frame_make_skippable(packed_len, bytes);                       // over a frame of that length: it is gone
 *     frame_make_length(archive_len, bytes);                         // at the head of a block device
 */
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

#define FRAME_SKIPPABLE_MAGIC       0x184D2A50u
#define FRAME_SKIPPABLE_HEADER_SIZE 8u

/* Raw blocks with content size and checksum: 13 bytes more, and 3 for each 128 KiB. len < 4 GiB, not 0. */
GByteArray *frame_make_stored(const void *bytes, size_t len);
/* The head of a skippable frame of `len` bytes in all (from 8 on, and less than 4 GiB); what follows does not matter.
 */
void frame_make_skippable(uint64_t len, uint8_t out[FRAME_SKIPPABLE_HEADER_SIZE]);

/* A skippable frame with the length of what begins with it, in bytes: a device goes on behind it, so that its seek
 * table could not be found. 0: not known yet. */
#define FRAME_LENGTH_MAGIC 0x184D2A51u
#define FRAME_LENGTH_SIZE  16u
void frame_make_length(uint64_t archive_len, uint8_t out[FRAME_LENGTH_SIZE]);
/* 0: it is no such frame, or not known. */
uint64_t frame_read_length(const uint8_t frame[FRAME_LENGTH_SIZE]);
