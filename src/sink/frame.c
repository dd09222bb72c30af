// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/frame.h"

#include <stdbool.h>

#include "base/le.h"
#include "sink/stored.h"

GByteArray *frame_make_stored(const void *bytes, size_t len)
{
    struct iovec whole = {(void *)bytes, len};
    struct stored *s = stored_new(&whole, 1);
    unsigned max = 1 + STORED_MORE(len);
    g_autofree struct iovec *iov = g_new(struct iovec, max);
    GByteArray *frame = g_byte_array_sized_new((guint)stored_length(s));
    unsigned n = stored_iov(s, &whole, 1, iov, max);

    for (unsigned i = 0; i < n; i++)
        g_byte_array_append(frame, iov[i].iov_base, (guint)iov[i].iov_len);
    stored_free(s);
    return frame;
}

void frame_make_skippable(uint64_t len, uint8_t out[FRAME_SKIPPABLE_HEADER_SIZE])
{
    g_assert(len >= FRAME_SKIPPABLE_HEADER_SIZE && len - FRAME_SKIPPABLE_HEADER_SIZE <= UINT32_MAX);
    le32_put(out, FRAME_SKIPPABLE_MAGIC);
    le32_put(out + 4, (uint32_t)(len - FRAME_SKIPPABLE_HEADER_SIZE));
}

void frame_make_length(uint64_t archive_len, uint8_t out[FRAME_LENGTH_SIZE])
{
    le32_put(out, FRAME_LENGTH_MAGIC);
    le32_put(out + 4, FRAME_LENGTH_SIZE - FRAME_SKIPPABLE_HEADER_SIZE);
    le32_put(out + 8, (uint32_t)archive_len);
    le32_put(out + 12, (uint32_t)(archive_len >> 32));
}

uint64_t frame_read_length(const uint8_t frame[FRAME_LENGTH_SIZE])
{
    bool is_one =
        le32_get(frame) == FRAME_LENGTH_MAGIC && le32_get(frame + 4) == FRAME_LENGTH_SIZE - FRAME_SKIPPABLE_HEADER_SIZE;

    return is_one ? le32_get(frame + 8) | (uint64_t)le32_get(frame + 12) << 32 : 0;
}
