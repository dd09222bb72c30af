// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A walk over an export's block status, request by request: how much is asked for, and what an answer means: what is
 * zero, or what is not dirty. Every extent may be a lie. Pure.
 *
 *     struct nbd_status_walk w = {.size = size};
 *     while (w.offset < w.size) {
 *         …ask for w.offset and nbd_status_ask(&w) bytes; for each list of extents that comes:…
 *         nbd_status_take(&w, at, pairs, n, on_range, user);        // pairs: length, flags, as libnbd gives them
 *         if (!nbd_status_answered(&w)) …                           // w.why
 *     }
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nbd_status_walk {
    uint64_t size, offset; /* up to there it is known */
    bool is_of_bitmap;     /* clean ranges are told; else those that are zero */
    uint64_t step;         /* of the next request; 0 before the first */
    uint64_t asked;        /* of the one under way */
    uint64_t taken;        /* of its answer */
    size_t n_extents;
    const char *why; /* a constant; NULL while all is well */
};

typedef void (*nbd_status_range)(void *user, uint64_t offset, uint64_t len);

uint64_t nbd_status_ask(struct nbd_status_walk *w);
/* n_pairs: 32-bit words, as libnbd counts. */
void nbd_status_take(struct nbd_status_walk *w, uint64_t at, const uint32_t *pairs, size_t n_pairs,
                     nbd_status_range on_range, void *user);
bool nbd_status_answered(struct nbd_status_walk *w);
