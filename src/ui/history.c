// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/history.h"

#include <stdlib.h>
#include <string.h>

#define RANGE_POINTS 180
#define LEAST_POINTS 30 /* of half a minute nothing can be said */

/* Everything one place to the left; value becomes the newest. */
#define PUSH(array, value)                                                                                             \
    do {                                                                                                               \
        memmove((array), (array) + 1, sizeof(array) - sizeof *(array));                                                \
        (array)[sizeof(array) / sizeof *(array)-1] = (value);                                                          \
    } while (0)

static void add_slow(struct history *h, const struct model *m)
{
    PUSH(h->write_us, m->impact.write_us == MODEL_UNKNOWN ? 0 : m->impact.write_us);
    for (unsigned i = 0; i < MIN(m->n_drives, HISTORY_MAX_ROWS); i++) {
        const struct model_drive *row = &m->drives[i];
        uint64_t kib = row->rate == MODEL_UNKNOWN ? 0 : row->rate >> 10;
        PUSH(h->kib_per_s[i], (uint32_t)MIN(kib, UINT32_MAX));
        PUSH(h->is_limited[i], row->state == MODEL_RUN && row->is_limit_binding);
    }
    h->n_slow = MIN(h->n_slow + 1, HISTORY_SLOW_POINTS);
}

void history_add(struct history *h, const struct model *m, int64_t now_ms)
{
    if (m->phase < MODEL_RAM || m->phase > MODEL_FINISH)
        return;
    if (now_ms >= h->next_ms) {
        h->next_ms = now_ms + HISTORY_STEP_MS;
        PUSH(h->in, m->in_rate == MODEL_UNKNOWN ? 0 : m->in_rate);
        PUSH(h->out, m->out_rate == MODEL_UNKNOWN ? 0 : m->out_rate);
        h->n = MIN(h->n + 1, HISTORY_POINTS);
    }
    if (now_ms >= h->next_slow_ms) {
        h->next_slow_ms = now_ms + HISTORY_SLOW_STEP_MS;
        add_slow(h, m);
    }
}

const uint64_t *history_in(const struct history *h)
{
    return h->in + HISTORY_POINTS - h->n;
}

const uint64_t *history_out(const struct history *h)
{
    return h->out + HISTORY_POINTS - h->n;
}

unsigned history_row(const struct history *h, unsigned row, uint64_t bytes[HISTORY_SLOW_POINTS])
{
    for (unsigned i = 0; row < HISTORY_MAX_ROWS && i < h->n_slow; i++)
        bytes[i] = (uint64_t)h->kib_per_s[row][HISTORY_SLOW_POINTS - h->n_slow + i] << 10;
    return row < HISTORY_MAX_ROWS ? h->n_slow : 0;
}

unsigned history_latency(const struct history *h, uint64_t us[HISTORY_SLOW_POINTS])
{
    memcpy(us, h->write_us + HISTORY_SLOW_POINTS - h->n_slow, h->n_slow * sizeof *us);
    return h->n_slow;
}

unsigned history_limited_percent(const struct history *h, unsigned row)
{
    unsigned limited = 0;
    for (unsigned i = HISTORY_SLOW_POINTS - h->n_slow; row < HISTORY_MAX_ROWS && i < HISTORY_SLOW_POINTS; i++)
        limited += h->is_limited[row][i];
    return h->n_slow ? limited * 100 / h->n_slow : 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

bool history_eta_range(const struct history *h, const struct model *m, uint64_t *least_ms, uint64_t *most_ms)
{
    uint64_t rates[RANGE_POINTS];
    unsigned n = MIN(h->n, RANGE_POINTS);
    if (n < LEAST_POINTS || m->eta_ms == MODEL_UNKNOWN || !m->eta_ms || !m->in_rate)
        return false;
    memcpy(rates, h->in + HISTORY_POINTS - n, n * sizeof *rates);
    qsort(rates, n, sizeof *rates, compare);
    uint64_t slow = rates[n / 5], fast = rates[n - 1 - n / 5], usual = rates[n / 2];
    if (!slow)
        return false;
    *least_ms = (uint64_t)((double)m->eta_ms * (double)usual / (double)fast);
    *most_ms = (uint64_t)((double)m->eta_ms * (double)usual / (double)slow);
    return *most_ms <= m->eta_ms * 10; /* else it is no estimate */
}
