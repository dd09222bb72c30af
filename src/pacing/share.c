// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/share.h"

#include <stdbool.h>
#include <glib.h>

struct bounds {
    uint64_t low, high;
};

static uint64_t clamp(uint64_t level, struct bounds b)
{
    return MAX(b.low, MIN(level, b.high));
}

static bool fits(uint64_t budget, const struct bounds *bounds, unsigned n, uint64_t level)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t part = clamp(level, bounds[i]);
        if (part > budget)
            return false;
        budget -= part;
    }
    return true;
}

/* The highest level at which all together take no more than the budget. */
static uint64_t find_level(uint64_t budget, const struct bounds *bounds, unsigned n)
{
    uint64_t low = 0, high = budget;

    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        if (fits(budget, bounds, n, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void fill(uint64_t budget, const struct bounds *bounds, struct share_claim *claims, unsigned n)
{
    uint64_t level = find_level(budget, bounds, n);

    for (unsigned i = 0; i < n; i++)
        claims[i].share = clamp(level, bounds[i]);
}

void share_out(uint64_t budget, struct share_claim *claims, unsigned n)
{
    g_autofree struct bounds *bounds = g_new(struct bounds, n);

    for (unsigned i = 0; i < n; i++)
        bounds[i] = (struct bounds){claims[i].floor, MIN(claims[i].need, claims[i].cap)};
    fill(budget, bounds, claims, n);
    for (unsigned i = 0; i < n; i++) /* and what is left, to all alike */
        bounds[i] = (struct bounds){claims[i].share, claims[i].cap};
    fill(budget, bounds, claims, n);
}
