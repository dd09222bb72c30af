// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/rate.h"

#include <glib.h>

#define MIN_SPAN_MS  500 /* less is noise */
#define PEAK_SPAN_MS 1000

static const struct rate_point *point(const struct rate *r, unsigned i)
{
    return &r->points[(r->first + i) % RATE_POINTS];
}

static void begin_window(struct rate *r, uint64_t bytes, uint64_t now_ms)
{
    r->first = 0;
    r->n = 1;
    r->points[0] = (struct rate_point){now_ms, bytes};
}

/* The oldest point that is at most a window old, else the newest of those that are older. */
static const struct rate_point *window_begin(const struct rate *r, uint64_t now_ms)
{
    unsigned i = 0;
    while (i + 1 < r->n && point(r, i)->when_ms + RATE_WINDOW_MS < now_ms)
        i++;
    return point(r, i);
}

static void add_point(struct rate *r, uint64_t bytes, uint64_t now_ms)
{
    const struct rate_point *newest = point(r, r->n - 1);
    uint64_t passed = now_ms - newest->when_ms;
    if (passed < RATE_STEP_MS)
        return;
    if (r->n == RATE_POINTS) {
        r->first = (r->first + 1) % RATE_POINTS;
        r->n--;
    }
    r->points[(r->first + r->n++) % RATE_POINTS] = (struct rate_point){now_ms, bytes};
}

void rate_add(struct rate *r, uint64_t bytes, uint64_t now_ms)
{
    if (r->n && (bytes < r->last.bytes || now_ms < r->last.when_ms))
        *r = (struct rate){0};
    eta_add(&r->eta, bytes, 0, now_ms);
    if (!r->n || now_ms - r->last.when_ms > RATE_GAP_MS)
        begin_window(r, bytes, now_ms);
    if (!r->has_moved && bytes > point(r, 0)->bytes) {
        r->has_moved = true;
        if (r->n > 1 || r->last.when_ms != point(r, 0)->when_ms) /* nothing had moved until then */
            begin_window(r, r->last.bytes, r->last.when_ms);
    }
    r->last = (struct rate_point){now_ms, bytes};
    add_point(r, bytes, now_ms);
    if (now_ms - point(r, 0)->when_ms >= PEAK_SPAN_MS)
        r->peak = MAX(r->peak, rate_per_s(r, now_ms));
}

uint64_t rate_per_s(const struct rate *r, uint64_t now_ms)
{
    if (!r->n)
        return 0;
    const struct rate_point *begin = window_begin(r, now_ms);
    uint64_t span = now_ms > begin->when_ms ? now_ms - begin->when_ms : 0;
    return span < MIN_SPAN_MS ? 0 : (uint64_t)((double)(r->last.bytes - begin->bytes) * 1000.0 / (double)span);
}

uint64_t rate_peak(const struct rate *r)
{
    return r->peak;
}

uint64_t rate_eta_ms(struct rate *r, uint64_t total, uint64_t now_ms)
{
    if (total == RATE_UNKNOWN)
        return RATE_UNKNOWN;
    return eta_left_ms(&r->eta, r->n && r->last.bytes >= total ? 0 : total - r->last.bytes, 0, now_ms);
}
