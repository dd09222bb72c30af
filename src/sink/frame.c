// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/frame.h"

#include <stdbool.h>
#include <xxhash.h>

#include "base/le.h"

#define ZSTD_FRAME_MAGIC 0xFD2FB528u
#define MAX_BLOCK        (128u << 10)
/* Content size of 4 bytes · one segment, so no window is told · a checksum follows the blocks (RFC 8878, 3.1.1). */
#define DESCRIPTOR       (2u << 6 | 1u << 5 | 1u << 2)

static void append_le32(GByteArray *to, uint32_t value)
{
    uint8_t bytes[4];

    le32_put(bytes, value);
    g_byte_array_append(to, bytes, sizeof bytes);
}

/* Bit 0: the last one; bits 1 and 2: raw (0); then its length. */
static void append_block(GByteArray *to, const uint8_t *bytes, size_t len, bool is_last)
{
    uint8_t head[4];

    le32_put(head, (uint32_t)len << 3 | is_last);
    g_byte_array_append(to, head, 3);
    g_byte_array_append(to, bytes, (guint)len);
}

GByteArray *frame_make_stored(const void *bytes, size_t len)
{
    GByteArray *frame = g_byte_array_new();
    uint8_t descriptor = DESCRIPTOR;

    g_assert(len > 0 && len <= UINT32_MAX);
    append_le32(frame, ZSTD_FRAME_MAGIC);
    g_byte_array_append(frame, &descriptor, 1);
    append_le32(frame, (uint32_t)len);
    for (size_t at = 0; at < len; at += MAX_BLOCK)
        append_block(frame, (const uint8_t *)bytes + at, MIN(MAX_BLOCK, len - at), len - at <= MAX_BLOCK);
    append_le32(frame, (uint32_t)XXH64(bytes, len, 0));
    return frame;
}

void frame_make_skippable(uint64_t len, uint8_t out[FRAME_SKIPPABLE_HEADER_SIZE])
{
    g_assert(len >= FRAME_SKIPPABLE_HEADER_SIZE && len - FRAME_SKIPPABLE_HEADER_SIZE <= UINT32_MAX);
    le32_put(out, FRAME_SKIPPABLE_MAGIC);
    le32_put(out + 4, (uint32_t)(len - FRAME_SKIPPABLE_HEADER_SIZE));
}
