// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/chunk_pack.h"

#include <stdint.h>

#include <glib.h>
#include <zstd.h>
#include <zstd_errors.h>

static void free_packer(gpointer context)
{
    ZSTD_freeCCtx(context);
}

static void free_unpacker(gpointer context)
{
    ZSTD_freeDCtx(context);
}

/* Allocating them anew for every chunk costs more than packing zeros. */
static GPrivate packers = G_PRIVATE_INIT(free_packer), unpackers = G_PRIVATE_INIT(free_unpacker);

static ZSTD_CCtx *packer(void)
{
    ZSTD_CCtx *c = g_private_get(&packers);
    if (!c)
        g_private_set(&packers, c = ZSTD_createCCtx());
    return c;
}

static ZSTD_DCtx *unpacker(void)
{
    ZSTD_DCtx *d = g_private_get(&unpackers);
    if (!d)
        g_private_set(&unpackers, d = ZSTD_createDCtx());
    return d;
}

size_t chunk_pack_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

size_t chunk_pack(int level, const void *bytes, size_t len, void *to, size_t room)
{
    ZSTD_CCtx *c = packer();
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c, to, room, bytes, len);
    if (ZSTD_isError(n))
        g_error("zstd: %s", ZSTD_getErrorName(n)); /* there is room: only memory can be missing */
    return n;
}

/* Bit 2 of a frame's descriptor, behind its magic number. */
bool chunk_pack_has_checksum(const uint8_t *frame, size_t frame_len)
{
    return frame_len > 4 && (frame[4] & 4);
}

const char *chunk_unpack(const void *frame, size_t frame_len, void *to, size_t len)
{
    size_t first = ZSTD_findFrameCompressedSize(frame, frame_len);
    if (ZSTD_isError(first))
        return frame_len ? "no whole zstd frame" : "empty";
    if (first != frame_len)
        return "something stands behind its zstd frame";
    size_t n = ZSTD_decompressDCtx(unpacker(), to, len, frame, frame_len);
    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_checksum_wrong ? "its checksum is wrong" : "cannot be unpacked";
    return n == len ? NULL : "shorter than it should be";
}
