// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/pulse_uv.h"

#include <glib.h>

#define PULSE_US (PULSE_MS * 1000)

static unsigned bin_of(uint64_t us)
{
    us = MAX(us, 4);
    unsigned octave = g_bit_storage((gulong)us) - 1;
    return MIN((octave - 2) * 4 + (unsigned)(us >> (octave - 2) & 3), PULSE_BINS - 1);
}

static uint64_t end_of_bin(unsigned bin)
{
    return (UINT64_C(5) + bin % 4) << bin / 4;
}

void pulse_count(struct pulse *p, uint64_t late_us)
{
    p->max_us = MAX(p->max_us, late_us);
    for (;; late_us -= PULSE_US) {
        p->bins[bin_of(late_us)]++;
        p->n++;
        if (late_us < PULSE_US)
            return;
    }
}

uint64_t pulse_p99_us(const struct pulse *p)
{
    uint64_t later = 0;
    unsigned bin = PULSE_BINS - 1;
    if (!p->n)
        return UINT64_MAX;
    while (bin > 0 && (later + p->bins[bin]) * 100 <= p->n)
        later += p->bins[bin--];
    return MIN(end_of_bin(bin), p->max_us);
}

static void on_beat(uv_timer_t *timer)
{
    struct pulse *p = timer->data;
    uint64_t now_us = uv_hrtime() / 1000, since_us = now_us - p->last_us;
    pulse_count(p, since_us > PULSE_US ? since_us - PULSE_US : 0);
    p->last_us = now_us;
}

void pulse_init(struct pulse *p, uv_loop_t *loop)
{
    *p = (struct pulse){.n = 0};
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
}

void pulse_start(struct pulse *p)
{
    p->last_us = uv_hrtime() / 1000;
    uv_timer_start(&p->timer, on_beat, PULSE_MS, PULSE_MS);
}

void pulse_close(struct pulse *p)
{
    uv_close((uv_handle_t *)&p->timer, NULL);
}
