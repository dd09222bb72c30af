// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The cluster buffers of a run: a fixed number of 64 KiB each. A free buffer is the credit.
 *
 *     struct pool *p = pool_new(960, NULL);
 *     uint8_t *buffer = pool_take(p, POOL_FOR_JOB);      // NULL: none left for that purpose
 *     pool_give(p, buffer);
 *
 * The last ones are reserved for guest writes: what a copy-before-write filter sends must never find
 * the pool emptied by a background job or by the RAM stream.
 */
#include <stddef.h>
#include <stdint.h>

/* Who asks, and so how many free buffers must stay behind for more urgent purposes. */
enum pool_purpose {
    POOL_FOR_GUEST, /* a guest waits for this write: takes the very last one */
    POOL_FOR_JOB,   /* a background job's payload */
    POOL_FOR_RAM,   /* the RAM stream */
};

struct pool;
/* memory: n_buffers × 64 KiB that outlive the pool, at a page's begin; NULL: memory of its own. */
struct pool *pool_new(unsigned n_buffers, void *memory);
void pool_free(struct pool *p); /* also what is still taken */
uint8_t *pool_take(struct pool *p, enum pool_purpose purpose);
void pool_give(struct pool *p, uint8_t *buffer);
unsigned pool_free_count(const struct pool *p);
unsigned pool_total(const struct pool *p);
