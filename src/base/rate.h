// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How fast something grows, and when it will be whole. A plain value: all zero is a valid start.
 *
 *     struct rate r = {0};
 *     rate_add(&r, bytes_so_far, now_ms);           // as often as you like, with a monotonic clock
 *     rate_per_s(&r, now_ms);                       // over the last 5 s
 *     rate_eta_ms(&r, size, now_ms);                // UINT64_MAX while nothing honest can be said
 *
 * The clock starts when the first byte comes. When nothing was added for more than 3 s (the process had been
 * stopped, the host had slept) the window is dropped: that time says nothing about the speed.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/eta.h"

#define RATE_WINDOW_MS 5000
#define RATE_GAP_MS    3000
#define RATE_STEP_MS   250 /* points of the window are so far apart */
#define RATE_POINTS    (RATE_WINDOW_MS / RATE_STEP_MS + 2)
#define RATE_UNKNOWN   UINT64_MAX

struct rate_point {
    uint64_t when_ms, bytes;
};
struct rate {
    struct rate_point points[RATE_POINTS]; /* of the window, a ring */
    unsigned first, n;
    struct rate_point last;
    struct eta eta; /* as if all of it were data */
    uint64_t peak;
    bool has_moved;
};

/* bytes: the total so far. When it has shrunk (a drive begins anew), everything begins anew. */
void rate_add(struct rate *r, uint64_t bytes, uint64_t now_ms);
/* Bytes/s over the last 5 s (over what there is of them, from half a second on). */
uint64_t rate_per_s(const struct rate *r, uint64_t now_ms);
/* The highest rate_per_s() seen, from a full second of movement on. */
uint64_t rate_peak(const struct rate *r);
/* Time until `total` is there, for what has no holes: else see base/eta.h. RATE_UNKNOWN as there, and for an unknown
 * total (UINT64_MAX). */
uint64_t rate_eta_ms(struct rate *r, uint64_t total, uint64_t now_ms);
