// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/compress.h"

#include <stdbool.h>
#include <glib.h>
#include <string.h>
#include <zstd.h>

#define SAMPLE_PARTS 16
#define SAMPLE_PART  4096u /* bytes: the unit of most file systems */
/* So many frames in a row are believed to be like the last one that was packed in vain, if a sample says so, too. A
 * sample does not see what repeats from afar. */
#define MAX_BELIEVED 15
/* Less than a 64th is not worth unpacking. */
#define IS_IN_VAIN(packed, plain) ((packed) > (plain) - (plain) / 64)

struct compress {
    ZSTD_CCtx *context, *sampler;
    uint8_t *in, *out;
    size_t max_bytes, out_size;
    unsigned believe; /* so many more frames by their sample */
    uint32_t seed;    /* of where in a piece the sample is taken: never always its head */
};

struct compress *compress_new(int level, size_t max_bytes)
{
    struct compress *c = g_new0(struct compress, 1);

    c->context = ZSTD_createCCtx();
    c->sampler = ZSTD_createCCtx();
    if (!c->context || !c->sampler)
        g_error("no memory to compress");
    ZSTD_CCtx_setParameter(c->context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(c->context, ZSTD_c_checksumFlag, 1);
    c->max_bytes = max_bytes;
    c->out_size = ZSTD_compressBound(max_bytes);
    c->in = g_malloc(max_bytes);
    c->out = g_malloc(c->out_size);
    return c;
}

void compress_free(struct compress *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->context);
    ZSTD_freeCCtx(c->sampler);
    g_free(c->in);
    g_free(c->out);
    g_free(c);
}

/* Gathered first: in one piece zstd needs no buffers of its own, and compresses as well as it can. */
static size_t gather(struct compress *c, const struct iovec *iov, unsigned n)
{
    size_t at = 0;

    for (unsigned i = 0; i < n; at += iov[i++].iov_len) {
        g_assert(iov[i].iov_len <= c->max_bytes - at);
        if (iov[i].iov_len)
            memcpy(c->in + at, iov[i].iov_base, iov[i].iov_len);
    }
    return at;
}

static size_t gather_sample(struct compress *c, const struct iovec *iov, unsigned n)
{
    size_t at = 0;

    for (unsigned i = 0; i < SAMPLE_PARTS; i++) {
        const struct iovec *piece = &iov[(size_t)i * n / SAMPLE_PARTS];
        size_t len = MIN(SAMPLE_PART, piece->iov_len);
        c->seed = c->seed * 1664525u + 1013904223u; /* Numerical Recipes' */
        memcpy(c->in + at, (uint8_t *)piece->iov_base + c->seed % (piece->iov_len - len + 1), len);
        at += len;
    }
    return at;
}

static bool is_sample_in_vain(struct compress *c, const struct iovec *iov, unsigned n)
{
    size_t len = gather_sample(c, iov, n);
    size_t packed = ZSTD_compressCCtx(c->sampler, c->out, c->out_size, c->in, len, 1);

    return !ZSTD_isError(packed) && IS_IN_VAIN(packed, len);
}

static size_t pack_all(struct compress *c, const struct iovec *iov, unsigned n)
{
    size_t plain = gather(c, iov, n);
    size_t packed = ZSTD_compress2(c->context, c->out, c->out_size, c->in, plain);

    if (ZSTD_isError(packed)) /* with room for the worst case only memory can be missing */
        g_error("cannot compress: %s", ZSTD_getErrorName(packed));
    c->believe = IS_IN_VAIN(packed, plain) ? MAX_BELIEVED : 0;
    return packed < plain ? packed : 0;
}

size_t compress_pack(struct compress *c, const struct iovec *iov, unsigned n)
{
    if (c->believe && is_sample_in_vain(c, iov, n)) {
        c->believe--;
        return 0;
    }
    return pack_all(c, iov, n);
}

const uint8_t *compress_bytes(const struct compress *c)
{
    return c->out;
}
