// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Clusters that do not stay in memory: places of 64 KiB in a file without a name.
 *
 *     struct overflow *o = overflow_open(dir, 1 << 30, &error);
 *     if (overflow_room(o) >= n)
 *         slot = overflow_take(o);
 *     overflow_write(o, slot, buffer);                     // an errno; by any thread
 *     overflow_read(o, slot, buffer);
 *     overflow_give(o, slot);
 *
 * Places that were given back are taken first: they are in the page cache still.
 */
#include <stdint.h>
#include <glib.h>

struct overflow;
/* dir: NULL = as a spool's, see sink/spool.h. FAILED: no file can be made there. */
struct overflow *overflow_open(const char *dir, uint64_t max_bytes, GError **error);
/* Blocks: gives its space back. */
void overflow_free(struct overflow *o);
uint64_t overflow_room(const struct overflow *o); /* places */
uint64_t overflow_used(const struct overflow *o); /* bytes */
uint64_t overflow_max(const struct overflow *o);
uint32_t overflow_take(struct overflow *o); /* there must be room */
void overflow_give(struct overflow *o, uint32_t slot);
int overflow_write(struct overflow *o, uint32_t slot, const void *cluster);
int overflow_read(struct overflow *o, uint32_t slot, void *cluster);
/* "spool in DIR: cannot be written: …" */
GError *overflow_error(const struct overflow *o, const char *what, int error_number);
