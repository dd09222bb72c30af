// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A place in the table is one number: at / 512 in the upper 48 bits, the mask in the lower 16.
 *
 * A run, in words of 16 bits:   first · count and flag · at / 512 (3 words, low one first) · mask, or `count`
 * masks
 *
 * Its clusters' blocks follow each other in the archive. With HAS_ONE_MASK all have the same.
 */
#include "vma/page.h"

#include <string.h>
#include <glib.h>
#include "vma/format.h"

#define MAX_WORDS    (VMA_PAGE_TABLE_BYTES / sizeof(uint16_t))
#define HAS_ONE_MASK 0x8000u
#define RUN_HEAD     5u

static uint64_t place_number(uint64_t at, uint16_t mask)
{
    return at / 512 << 16 | mask;
}

static uint64_t bytes_of(uint16_t mask)
{
    return (uint64_t)VMA_BLOCK_SIZE * (unsigned)__builtin_popcount(mask);
}

/* ---- packing ---- */

/* Clusters from `first` on that follow each other in the archive: with one mask, or each with its own. */
static unsigned run_length(const uint64_t *table, unsigned first, bool has_one_mask)
{
    unsigned n = 1;
    while (first + n < VMA_PAGE_CLUSTERS) {
        uint16_t before = (uint16_t)table[first + n - 1], mask = (uint16_t)table[first + n];
        uint64_t due = (table[first + n - 1] >> 16) + bytes_of(before) / 512;
        bool is_zero = has_one_mask && !mask && !before; /* where it would be stored does not matter */
        if ((has_one_mask && mask != before) || (table[first + n] >> 16 != due && !is_zero))
            break;
        n++;
    }
    return n;
}

static unsigned put_run(uint16_t *to, const uint64_t *table, unsigned first, unsigned n, bool has_one_mask)
{
    uint64_t at = table[first] >> 16;
    unsigned n_masks = has_one_mask ? 1 : n;
    to[0] = (uint16_t)first;
    to[1] = (uint16_t)(n | (has_one_mask ? HAS_ONE_MASK : 0));
    for (unsigned i = 0; i < 3; i++)
        to[2 + i] = (uint16_t)(at >> 16 * i);
    for (unsigned i = 0; i < n_masks; i++)
        to[RUN_HEAD + i] = (uint16_t)table[first + i];
    return RUN_HEAD + n_masks;
}

/* Number of words, 0 when they would not be fewer than the table's. */
static unsigned pack(const uint64_t *table, uint16_t words[MAX_WORDS])
{
    unsigned n_words = 0;
    for (unsigned first = 0; first < VMA_PAGE_CLUSTERS;) {
        unsigned same = run_length(table, first, true), any = run_length(table, first, false);
        bool has_one_mask = same >= RUN_HEAD || same >= any;
        unsigned n = has_one_mask ? same : any;
        if (n_words + RUN_HEAD + n >= MAX_WORDS)
            return 0;
        n_words += put_run(words + n_words, table, first, n, has_one_mask);
        first += n;
    }
    return n_words;
}

static void pack_page(struct vma_page *p)
{
    uint16_t words[MAX_WORDS];
    p->n_words = (uint16_t)pack(p->table, words);
    if (!p->n_words)
        return;
    p->packed = g_memdup2(words, p->n_words * sizeof *words);
    g_clear_pointer(&p->table, g_free);
}

static size_t page_bytes(const struct vma_page *p)
{
    return (p->table && !p->is_lent ? VMA_PAGE_TABLE_BYTES : 0) + p->n_words * sizeof *p->packed;
}

void vma_page_lend(struct vma_page *p, uint64_t *table)
{
    p->table = table;
    p->is_lent = true;
}

size_t vma_page_put(struct vma_page *p, unsigned cluster, uint64_t at, uint16_t mask)
{
    size_t before = page_bytes(p);
    if (p->packed) /* full: this one comes twice, which others have noticed */
        return 0;
    if (!p->table)
        p->table = g_malloc0(VMA_PAGE_TABLE_BYTES);
    if (!p->is_lent) /* such a table is only written: to read it would bring its neighbours into the RAM, too */
        p->n_places += p->table[cluster] == 0;
    p->table[cluster] = place_number(at, mask);
    if (p->n_places == VMA_PAGE_CLUSTERS && !p->is_lent)
        pack_page(p);
    return page_bytes(p) - before;
}

void vma_page_clear(struct vma_page *p)
{
    if (!p->is_lent)
        g_free(p->table);
    g_free(p->packed);
    *p = (struct vma_page){0};
}

/* ---- asking ---- */

static struct vma_place place_in_run(const uint16_t *run, unsigned cluster)
{
    uint64_t at = ((uint64_t)run[2] | (uint64_t)run[3] << 16 | (uint64_t)run[4] << 32) * 512;
    unsigned index = cluster - run[0];
    if (run[1] & HAS_ONE_MASK)
        return (struct vma_place){at + index * bytes_of(run[RUN_HEAD]), run[RUN_HEAD]};
    for (unsigned i = 0; i < index; i++)
        at += bytes_of(run[RUN_HEAD + i]);
    return (struct vma_place){at, run[RUN_HEAD + index]};
}

struct vma_place vma_page_get(const struct vma_page *p, unsigned cluster)
{
    if (p->table)
        return (struct vma_place){(p->table[cluster] >> 16) * 512, (uint16_t)p->table[cluster]};
    for (const uint16_t *run = p->packed; run && run < p->packed + p->n_words;) {
        unsigned n = run[1] & ~HAS_ONE_MASK;
        if (cluster - run[0] < n)
            return place_in_run(run, cluster);
        run += RUN_HEAD + (run[1] & HAS_ONE_MASK ? 1 : n);
    }
    return (struct vma_place){0, 0};
}
