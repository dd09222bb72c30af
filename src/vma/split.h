// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Cuts an extent in two, so that its end fits where the whole does not; and the empty extent that fills a gap.
 *
 *     blocks = vma_split(extent, len, room, uuid, header);
 *     header and the last `blocks` blocks of extent[] -> there; extent[0…511], rewritten, stays here
 */
#include <stddef.h>
#include <stdint.h>
#include "vma/format.h"

/* Returns the blocks cut off, with `header` before them at most `room` bytes; 0 when no stored cluster fits or
 * these bytes are no extent of this archive (then nothing was changed). At least one cluster stays. */
unsigned vma_split(uint8_t *extent, size_t len, uint64_t room, const uint8_t uuid[16],
                   uint8_t header[VMA_EXTENT_HEADER_SIZE]);
/* len: so many times VMA_EXTENT_HEADER_SIZE. */
void vma_split_fill_empty(const uint8_t uuid[16], uint8_t *out, size_t len);
