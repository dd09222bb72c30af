// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A token bucket: may bytes be asked for now, or in how long? Pure; times are ns of a monotonic clock.
 *
 *     tokens_set_rate(&t, 8 << 20, now);               // bytes/s, in force at once; 0 = no bound
 *     if (!tokens_wait_ns(&t, now)) {
 *         … ask for n bytes …
 *         tokens_take(&t, n);                          // the debt of a large request is waited for afterwards
 *     }
 *     tokens_give_back(&t, n);                         // they were a hole, which no limit counts
 *
 * After a pause no more than TOKENS_BURST_NS of the rate comes at once: so the rate holds within 1 % over 5 s.
 */
#include <stdint.h>

#define TOKENS_BURST_NS (25u * 1000 * 1000)

/* All zero is a valid start: no bound. */
struct tokens {
    uint64_t rate;
    double have; /* bytes; negative: a debt */
    uint64_t at_ns;
};

void tokens_set_rate(struct tokens *t, uint64_t rate, uint64_t now_ns);
/* 0: something may be asked for now. */
uint64_t tokens_wait_ns(struct tokens *t, uint64_t now_ns);
void tokens_take(struct tokens *t, uint64_t bytes);
void tokens_give_back(struct tokens *t, uint64_t bytes);
/* How much may be asked for at once, so that other drives, and a lower rate, need not wait long: of `most` bytes, but
 * no less than `least`. */
uint64_t tokens_portion(const struct tokens *t, uint64_t least, uint64_t most);
