// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One budget shared out among those who can use it. Pure.
 *
 *     struct share_claim claims[] = {{.floor = 0, .need = UINT64_MAX, .cap = UINT64_MAX}, {.need = 3 << 20, …}};
 *     share_out(20 << 20, claims, 2);          // claims[i].share
 *
 * Like water: it stands equally high for all, but nobody gets less than what he takes in any case, nor more than
 * he may. Whoever needs less than the others leaves them the rest; what nobody needs is given out all the same, so
 * that he who needs more all of a sudden is not held back.
 */
#include <stdint.h>

struct share_claim {
    uint64_t floor; /* what it takes in any case: nobody asks us */
    uint64_t need;  /* what it could use, by what it did; UINT64_MAX: all there is */
    uint64_t cap;   /* more it may not have; UINT64_MAX: no bound of its own */
    uint64_t share; /* the answer */
};

/* The sum of all shares is the budget, but for: floors above it (then each gets its floor), caps below it (then
 * each gets its cap), and less than n bytes of rounding. */
void share_out(uint64_t budget, struct share_claim *claims, unsigned n);
