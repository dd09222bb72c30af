// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/rate.h"

#include <glib.h>
#include <math.h>
#include <stdbool.h>

#define MIN_SPAN_MS   500 /* less is noise */
#define PEAK_SPAN_MS  1000
#define ETA_AFTER_MS  5000
#define ETA_MEMORY_MS 30000.0 /* after so long a past speed counts 1/e */

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
    double fade = exp(-(double)passed / ETA_MEMORY_MS);
    if (r->has_moved) {
        r->weighed_bytes = r->weighed_bytes * fade + (double)(bytes - newest->bytes);
        r->weighed_ms = r->weighed_ms * fade + (double)passed;
    }
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
    if (!r->n || now_ms - r->last.when_ms > RATE_GAP_MS) {
        begin_window(r, bytes, now_ms);
        r->end_ms = 0;
    }
    if (!r->has_moved && bytes > point(r, 0)->bytes) {
        r->has_moved = true;
        r->start = r->last; /* nothing had moved until then */
        if (r->n > 1 || r->start.when_ms != point(r, 0)->when_ms)
            begin_window(r, r->start.bytes, r->start.when_ms);
    }
    r->last = (struct rate_point){now_ms, bytes};
    add_point(r, bytes, now_ms);
    if (now_ms - point(r, 0)->when_ms >= PEAK_SPAN_MS)
        r->peak = MAX(r->peak, rate_per_s(r, now_ms));
}

static uint64_t per_s(uint64_t bytes, uint64_t ms)
{
    return (uint64_t)((double)bytes * 1000.0 / (double)ms);
}

uint64_t rate_per_s(const struct rate *r, uint64_t now_ms)
{
    if (!r->n)
        return 0;
    const struct rate_point *begin = window_begin(r, now_ms);
    uint64_t span = now_ms > begin->when_ms ? now_ms - begin->when_ms : 0;
    return span < MIN_SPAN_MS ? 0 : per_s(r->last.bytes - begin->bytes, span);
}

uint64_t rate_average(const struct rate *r, uint64_t now_ms)
{
    uint64_t span = now_ms > r->start.when_ms ? now_ms - r->start.when_ms : 0;
    return !r->has_moved || span < MIN_SPAN_MS ? 0 : per_s(r->last.bytes - r->start.bytes, span);
}

uint64_t rate_peak(const struct rate *r)
{
    return r->peak;
}

/* What pretends to be more exact than it is gets nobody's trust. */
static uint64_t coarse(uint64_t ms)
{
    uint64_t step = ms > 20 * 60000 ? 60000 : ms > 2 * 60000 ? 10000 : 1000;
    return (ms + step / 2) / step * step;
}

uint64_t rate_eta_ms(struct rate *r, uint64_t total, uint64_t now_ms)
{
    if (total == RATE_UNKNOWN)
        return RATE_UNKNOWN;
    if (r->n && r->last.bytes >= total)
        return 0;
    bool is_known = r->has_moved && now_ms >= r->start.when_ms + ETA_AFTER_MS && r->weighed_bytes >= 1 &&
                    rate_per_s(r, now_ms) > 0;
    if (!is_known) {
        r->end_ms = 0;
        return RATE_UNKNOWN;
    }
    double left = (double)(total - r->last.bytes) * r->weighed_ms / r->weighed_bytes;
    if (left > (double)(INT64_MAX / 2))
        return RATE_UNKNOWN;
    uint64_t end = now_ms + (uint64_t)left;
    if (!r->end_ms || fabs((double)end - (double)r->end_ms) > left / 20)
        r->end_ms = end;
    return coarse(MAX(r->end_ms, now_ms + 1) - now_ms);
}
