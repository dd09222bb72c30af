// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/bitmap.h"

#define PIECE_BITS  (1u << 18) /* 32 KiB of memory: 16 GiB of a drive */
#define PIECE_WORDS (PIECE_BITS / 64)

struct vma_bitmap {
    uint64_t n_bits, n_set;
    uint64_t **pieces; /* NULL: all clear */
};

static uint64_t piece_count(uint64_t n_bits)
{
    return (n_bits + PIECE_BITS - 1) / PIECE_BITS;
}

struct vma_bitmap *vma_bitmap_new(uint64_t n_bits)
{
    struct vma_bitmap *b = g_new0(struct vma_bitmap, 1);
    b->n_bits = n_bits;
    b->pieces = g_new0(uint64_t *, piece_count(n_bits));
    return b;
}

void vma_bitmap_free(struct vma_bitmap *b)
{
    if (!b)
        return;
    for (uint64_t i = 0; i < piece_count(b->n_bits); i++)
        g_free(b->pieces[i]);
    g_free(b->pieces);
    g_free(b);
}

bool vma_bitmap_get(const struct vma_bitmap *b, uint64_t bit)
{
    const uint64_t *piece = bit < b->n_bits ? b->pieces[bit / PIECE_BITS] : NULL;
    return piece && (piece[bit % PIECE_BITS / 64] >> (bit % 64) & 1);
}

static uint64_t *word_of(struct vma_bitmap *b, uint64_t bit)
{
    uint64_t **piece = &b->pieces[bit / PIECE_BITS];

    if (!*piece)
        *piece = g_new0(uint64_t, PIECE_WORDS);
    return &(*piece)[bit % PIECE_BITS / 64];
}

bool vma_bitmap_set(struct vma_bitmap *b, uint64_t bit)
{
    g_assert(bit < b->n_bits);
    uint64_t *word = word_of(b, bit), mask = (uint64_t)1 << (bit % 64);

    if (*word & mask)
        return false;
    *word |= mask;
    b->n_set++;
    return true;
}

uint64_t vma_bitmap_set_clear(struct vma_bitmap *b, uint64_t first, uint64_t n)
{
    uint64_t done = 0;

    g_assert(n <= b->n_bits && first <= b->n_bits - n);
    while (done < n) {
        uint64_t bit = first + done, *word = word_of(b, bit), set = *word >> (bit % 64);
        uint64_t most = MIN(n - done, 64 - bit % 64), clear = set ? (uint64_t)__builtin_ctzll(set) : 64;
        uint64_t taken = MIN(most, clear);

        if (taken)
            *word |= (UINT64_MAX >> (64 - taken)) << (bit % 64);
        done += taken;
        if (taken < most)
            break;
    }
    b->n_set += done;
    return done;
}

uint64_t vma_bitmap_count(const struct vma_bitmap *b)
{
    return b->n_set;
}

uint64_t vma_bitmap_next_clear(const struct vma_bitmap *b, uint64_t from, uint64_t end)
{
    end = MIN(end, b->n_bits);
    while (from < end) {
        const uint64_t *piece = b->pieces[from / PIECE_BITS];
        if (!piece)
            return from;
        uint64_t clear = ~piece[from % PIECE_BITS / 64] >> (from % 64);
        if (clear)
            return MIN(from + (uint64_t)__builtin_ctzll(clear), end);
        from += 64 - from % 64;
    }
    return end;
}
