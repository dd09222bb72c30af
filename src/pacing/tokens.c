// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/tokens.h"

#include <glib.h>

#define NS_PER_S    1e9
#define PORTIONS_PS 50 /* requests a second, at least, where the rate is that low */

static double burst(const struct tokens *t)
{
    return (double)t->rate * TOKENS_BURST_NS / NS_PER_S;
}

static void fill(struct tokens *t, uint64_t now_ns)
{
    if (now_ns > t->at_ns)
        t->have = MIN(t->have + (double)t->rate * (double)(now_ns - t->at_ns) / NS_PER_S, burst(t));
    t->at_ns = MAX(t->at_ns, now_ns);
}

void tokens_set_rate(struct tokens *t, uint64_t rate, uint64_t now_ns)
{
    if (rate == t->rate)
        return;
    if (t->rate)
        fill(t, now_ns);
    else
        t->have = 0; /* nothing was counted */
    t->at_ns = now_ns;
    t->rate = rate;
}

uint64_t tokens_wait_ns(struct tokens *t, uint64_t now_ns)
{
    if (!t->rate)
        return 0;
    fill(t, now_ns);
    return t->have >= 0 ? 0 : (uint64_t)(-t->have / (double)t->rate * NS_PER_S) + 1;
}

void tokens_take(struct tokens *t, uint64_t bytes)
{
    if (t->rate)
        t->have -= (double)bytes;
}

void tokens_give_back(struct tokens *t, uint64_t bytes)
{
    if (t->rate)
        t->have = MIN(t->have + (double)bytes, burst(t));
}

uint64_t tokens_portion(const struct tokens *t, uint64_t least, uint64_t most)
{
    return t->rate ? CLAMP(t->rate / PORTIONS_PS, least, most) : most;
}
