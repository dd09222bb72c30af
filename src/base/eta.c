// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/eta.h"

#include <glib.h>
#include <math.h>

#define STEP_MS     1000
#define GAP_MS      3000
#define STALLED_MS  5000
#define MEMORY_MS   30000.0
#define ENOUGH_MS   500  /* of one kind, to speak of its speed */
#define HOLES_GUESS 32.0 /* holes pass so much faster than data, as long as nothing better is known */

/* ---- what it costs ---- */

static void count(struct eta_cost *c, double bytes, double ms)
{
    double fade = exp(-ms / MEMORY_MS);
    c->bytes = c->bytes * fade + bytes;
    c->ms = c->ms * fade + ms;
}

/* ms a byte; < 0 = not known. */
static double cost_of(const struct eta_cost *c)
{
    return c->bytes >= 1 && c->ms >= ENOUGH_MS ? c->ms / c->bytes : -1;
}

/* How many bytes of holes pass in the time of one of data. */
static double holes_per_data(const struct eta *e)
{
    double data = cost_of(&e->data), holes = cost_of(&e->holes);
    return data < 0 || holes < 0 ? HOLES_GUESS : MAX(data / MAX(holes, 1e-12), 1);
}

static void take(struct eta *e, uint64_t data, uint64_t holes, uint64_t now_ms)
{
    double new_data = data > e->seen_data ? (double)(data - e->seen_data) : 0,
           new_holes = holes > e->seen_holes ? (double)(holes - e->seen_holes) : 0;
    double ms = (double)(now_ms - e->seen_ms);
    if (new_data + new_holes > 0) {
        double weight = new_holes / holes_per_data(e), of_holes = ms * weight / (new_data + weight);
        count(&e->holes, new_holes, of_holes);
        count(&e->data, new_data, ms - of_holes);
    } else {
        count(&e->data, 0, ms); /* a standstill: whatever comes next is slower by it */
    }
}

static void mark(struct eta *e, uint64_t data, uint64_t holes, uint64_t now_ms)
{
    e->seen_data = data;
    e->seen_holes = holes;
    e->seen_ms = now_ms;
    e->is_marked = true;
}

void eta_add(struct eta *e, uint64_t data, uint64_t holes, uint64_t now_ms)
{
    bool has_shrunk = data + holes < e->seen_data + e->seen_holes || now_ms < e->seen_ms;
    if (has_shrunk)
        *e = (struct eta){0};
    bool is_growing = data + holes > e->seen_data + e->seen_holes;
    if (!e->is_marked || now_ms - e->added_ms > GAP_MS) {
        mark(e, data, holes, now_ms);
        e->moved_ms = now_ms;
        e->end_ms = 0;
    }
    e->added_ms = now_ms;
    if (!e->has_moved && !is_growing) {
        mark(e, data, holes, now_ms); /* waiting for its turn costs nothing */
        return;
    }
    if (!e->has_moved)
        e->begun_ms = e->seen_ms;
    e->has_moved = true;
    if (is_growing)
        e->moved_ms = now_ms;
    if (now_ms - e->seen_ms < STEP_MS)
        return;
    take(e, data, holes, now_ms);
    mark(e, data, holes, now_ms);
}

/* ---- what is left ---- */

/* What pretends to be more exact than it is gets nobody's trust. */
static uint64_t coarse(uint64_t ms)
{
    uint64_t step = ms > 20 * 60000 ? 60000 : ms > 2 * 60000 ? 10000 : 1000;
    return (ms + step / 2) / step * step;
}

/* ms, < 0 = not known. */
static double forecast(const struct eta *e, uint64_t data_left, uint64_t holes_left)
{
    double data = cost_of(&e->data), holes = cost_of(&e->holes);
    if (data < 0 && data_left)
        return -1;
    if (holes < 0)
        holes = data / HOLES_GUESS;
    return (double)data_left * MAX(data, 0) + (double)holes_left * MAX(holes, 0);
}

uint64_t eta_left_ms(struct eta *e, uint64_t data_left, uint64_t holes_left, uint64_t now_ms)
{
    bool is_known = e->has_moved && now_ms >= e->begun_ms + ETA_AFTER_MS && now_ms < e->moved_ms + STALLED_MS;
    double left = is_known ? forecast(e, data_left, holes_left) : -1;
    if (!data_left && !holes_left)
        return 0;
    if (left < 0 || left > (double)(INT64_MAX / 2)) {
        e->end_ms = 0;
        return ETA_UNKNOWN;
    }
    uint64_t end = now_ms + (uint64_t)left;
    if (!e->end_ms || fabs((double)end - (double)e->end_ms) > left / 20)
        e->end_ms = end;
    return coarse(MAX(e->end_ms, now_ms + 1) - now_ms);
}

void eta_split(uint64_t size, uint64_t used, uint64_t data, uint64_t holes, uint64_t *data_left, uint64_t *holes_left)
{
    uint64_t done = MIN(data + holes, size), left = size - done;
    bool is_told = used != ETA_UNKNOWN && used <= size && data <= used;
    double share = done ? (double)data / (double)(data + holes) : 1;
    *data_left = is_told ? MIN(used - data, left) : MIN((uint64_t)((double)left * share), left);
    *holes_left = left - *data_left;
}
