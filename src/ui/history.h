// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The last minutes of a run, for the graphs and for what only time tells. A plain value: all zero is a valid start.
 *
 *     history_add(&h, model, now_ms);     // as often as you like; it takes a point per second
 *     graph_draw(…, history_in(&h), h.n, …);
 */
#include <stdbool.h>
#include <stdint.h>
#include "model/model.h"

#define HISTORY_MAX_ROWS     256
#define HISTORY_STEP_MS      1000
#define HISTORY_POINTS       360 /* six minutes */
#define HISTORY_SLOW_STEP_MS 5000
#define HISTORY_SLOW_POINTS  60 /* five minutes */

struct history {
    int64_t next_ms, next_slow_ms;
    unsigned n, n_slow; /* points that are known; the newest stands last in its array */
    uint64_t in[HISTORY_POINTS], out[HISTORY_POINTS];
    uint64_t write_us[HISTORY_SLOW_POINTS];
    uint32_t kib_per_s[HISTORY_MAX_ROWS][HISTORY_SLOW_POINTS];
    bool is_limited[HISTORY_MAX_ROWS][HISTORY_SLOW_POINTS];
};

void history_add(struct history *h, const struct model *m, int64_t now_ms);
/* The n known points, oldest first. */
const uint64_t *history_in(const struct history *h);
const uint64_t *history_out(const struct history *h);
/* The same of a row, into bytes[HISTORY_SLOW_POINTS]; returns how many. */
unsigned history_row(const struct history *h, unsigned row, uint64_t bytes[HISTORY_SLOW_POINTS]);
unsigned history_latency(const struct history *h, uint64_t us[HISTORY_SLOW_POINTS]);
/* In how much of the last five minutes its limit held a row back, in percent. */
unsigned history_limited_percent(const struct history *h, unsigned row);
/* Between which times the rest will take, judging by how the rate went up and down within the last three minutes
 * (20th and 80th percentile). False while that says nothing. */
bool history_eta_range(const struct history *h, const struct model *m, uint64_t *least_ms, uint64_t *most_ms);
