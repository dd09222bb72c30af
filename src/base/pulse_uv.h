// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How late the loop is: a beat every 20 ms, and by how much each of them came too late. What waits for this loop –
 * QEMU, and a guest's writes behind it – has waited as long.
 *
 *     pulse_init(&b->pulse, loop);
 *     pulse_start(&b->pulse);
 *     … pulse_p99_us(&b->pulse), b->pulse.max_us
 *     pulse_close(&b->pulse);
 *
 * A loop that is held up for a second has missed beats: each counts as late as it would have been.
 */
#include <stdint.h>
#include <uv.h>

#define PULSE_MS   20
#define PULSE_BINS 128

struct pulse {
    uv_timer_t timer;
    uint64_t last_us; /* of the beat before, 0 = none */
    uint64_t max_us;
    uint64_t n, bins[PULSE_BINS]; /* four an octave */
};

void pulse_init(struct pulse *p, uv_loop_t *loop);
void pulse_start(struct pulse *p);
void pulse_close(struct pulse *p);
/* A beat that came so late. */
void pulse_count(struct pulse *p, uint64_t late_us);
/* Of a hundred beats all but one were no later, within a quarter; UINT64_MAX before there were any. */
uint64_t pulse_p99_us(const struct pulse *p);
