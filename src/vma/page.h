// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The places of 512 clusters that follow each other on a device; part of the index. While it fills it is a
 * table of 4 KiB; once all are there, runs of clusters that also follow each other in the archive, if that is
 * smaller.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMA_PAGE_CLUSTERS 512u

struct vma_page {
    uint64_t *table;   /* of the places, or NULL */
    uint16_t *packed;  /* or the runs, see page.c; or NULL */
    uint16_t n_places; /* put so far */
    uint16_t n_words;  /* of packed */
    bool is_lent;      /* the table is somebody else's */
};
struct vma_place {
    uint64_t at; /* in the archive, of the first stored block: a multiple of 512 */
    uint16_t mask;
};

/* VMA_PAGE_TABLE_BYTES of zeros to be the table of a page that has nothing yet. It stays one: nothing is allocated. */
#define VMA_PAGE_TABLE_BYTES (VMA_PAGE_CLUSTERS * sizeof(uint64_t))
void vma_page_lend(struct vma_page *p, uint64_t *table);
static inline bool vma_page_is_empty(const struct vma_page *p)
{
    return !p->table && !p->packed;
}
/* Each cluster once. Returns by how many bytes the page has grown or (as a huge number that wraps) shrunk. */
size_t vma_page_put(struct vma_page *p, unsigned cluster, uint64_t at, uint16_t mask);
/* {0, 0} for one that was not put. */
struct vma_place vma_page_get(const struct vma_page *p, unsigned cluster);
void vma_page_clear(struct vma_page *p);
