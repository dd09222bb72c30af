// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/stored.h"

#include <string.h>
#include <glib.h>
#include <xxhash.h>

#include "base/le.h"

#define ZSTD_FRAME_MAGIC 0xFD2FB528u
/* Content size of 4 bytes · one segment, so no window is told · a checksum follows the blocks. */
#define DESCRIPTOR (2u << 6 | 1u << 5 | 1u << 2)

struct stored {
    size_t len; /* of the pieces */
    uint8_t head[9], checksum[4];
    uint8_t blocks[][3]; /* the head of each: bit 0: the last one; bits 1 and 2: raw (0); then its length */
};

static size_t block_count(size_t len)
{
    return (len + STORED_BLOCK_SIZE - 1) / STORED_BLOCK_SIZE;
}

static uint32_t checksum_of(const struct iovec *pieces, unsigned n)
{
    XXH64_state_t *state = XXH64_createState();
    uint32_t sum;

    XXH64_reset(state, 0);
    for (unsigned i = 0; i < n; i++)
        XXH64_update(state, pieces[i].iov_base, pieces[i].iov_len);
    sum = (uint32_t)XXH64_digest(state);
    XXH64_freeState(state);
    return sum;
}

static void make_block_heads(struct stored *s)
{
    size_t count = block_count(s->len);

    for (size_t i = 0; i < count; i++) {
        size_t len = MIN(STORED_BLOCK_SIZE, s->len - i * STORED_BLOCK_SIZE);
        uint8_t head[4];
        le32_put(head, (uint32_t)len << 3 | (i + 1 == count));
        memcpy(s->blocks[i], head, sizeof s->blocks[i]);
    }
}

struct stored *stored_new(const struct iovec *pieces, unsigned n)
{
    struct stored *s;
    size_t len = 0;

    for (unsigned i = 0; i < n; i++)
        len += pieces[i].iov_len;
    g_assert(len > 0 && len <= UINT32_MAX);
    s = g_malloc0(sizeof *s + block_count(len) * sizeof s->blocks[0]);
    s->len = len;
    le32_put(s->head, ZSTD_FRAME_MAGIC);
    s->head[4] = DESCRIPTOR;
    le32_put(s->head + 5, (uint32_t)len);
    le32_put(s->checksum, checksum_of(pieces, n));
    make_block_heads(s);
    return s;
}

void stored_free(struct stored *s)
{
    g_free(s);
}

size_t stored_length(const struct stored *s)
{
    return s->len + block_count(s->len) * sizeof s->blocks[0] + sizeof s->head + sizeof s->checksum;
}

unsigned stored_iov(const struct stored *s, const struct iovec *pieces, unsigned n, struct iovec *iov, unsigned max)
{
    size_t at = 0;
    unsigned m = 0;

    g_assert(n + STORED_MORE(s->len) <= max);
    iov[m++] = (struct iovec){(void *)s->head, sizeof s->head};
    for (unsigned i = 0; i < n; i++)
        for (size_t done = 0, part; done < pieces[i].iov_len; done += part, at += part) {
            size_t in_block = at % STORED_BLOCK_SIZE;
            if (!in_block)
                iov[m++] = (struct iovec){(void *)s->blocks[at / STORED_BLOCK_SIZE], sizeof s->blocks[0]};
            part = MIN(STORED_BLOCK_SIZE - in_block, pieces[i].iov_len - done);
            iov[m++] = (struct iovec){(uint8_t *)pieces[i].iov_base + done, part};
        }
    iov[m++] = (struct iovec){(void *)s->checksum, sizeof s->checksum};
    return m;
}
