// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/compress.h"

#include <glib.h>
#include <string.h>
#include <zstd.h>

struct compress {
    ZSTD_CCtx *context;
    uint8_t *in, *out;
    size_t max_bytes, out_size;
};

struct compress *compress_new(int level, size_t max_bytes)
{
    struct compress *c = g_new0(struct compress, 1);

    c->context = ZSTD_createCCtx();
    if (!c->context)
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

size_t compress_pack(struct compress *c, const struct iovec *iov, unsigned n)
{
    size_t len = ZSTD_compress2(c->context, c->out, c->out_size, c->in, gather(c, iov, n));

    if (ZSTD_isError(len)) /* with room for the worst case only memory can be missing */
        g_error("cannot compress: %s", ZSTD_getErrorName(len));
    return len;
}

const uint8_t *compress_bytes(const struct compress *c)
{
    return c->out;
}
