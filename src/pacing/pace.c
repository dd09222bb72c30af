// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/pace.h"

#include <glib.h>
#include "pacing/share.h"

#define LOOK_MS       900  /* a window of at least so long */
#define GAP_MS        3000 /* we stood still: what was meanwhile tells nothing */
#define SETTLE_S      1.5  /* debts are paid, and credit is used, within so long */
#define MOST_DEBT_S   2.0  /* more than that is forgotten */
#define MOST_CREDIT_S 0.4  /* what was not used then is not made up for later */
#define MOST_OVER_S   0.25
#define LEAST_PART    16 /* of a share goes to the job, whatever its debts and its filter */
#define SPARE_PART    8  /* of an equal share stays at hand for a drive that needs nothing just now */
#define MOST_HOLES    256.0
#define HOLES_GROW    2.0 /* a second at most; it comes down at once, by pace_brake() */
#define FADE          0.7 /* what is a second older counts so much less */
#define HOLES_MATTER  1.2
#define HOLES_AIM     2.5  /* better the brake than too little … */
#define HOLES_MAY     1.2  /* … and one has what another lacks, within a second, … */
#define FAIR          0.9  /* … but not what the other comes for later */
#define EARLY_MS      400  /* a brake so soon after the look: no holes are left to be expected */
#define MOSTLY        0.85 /* of its share: it could use more */
#define TELLING_RATE  (256 << 10)
#define ROOM_TO_GROW  1.25
#define LEAST_SPEED   65536
#define MOST_SPEED    ((double)(UINT64_C(1) << 50))

static uint64_t data_of(const struct pace *p)
{
    return p->job_data + p->filter_data;
}

static void begin_credit(struct pace_credit *c, uint64_t taken, uint64_t now_ms)
{
    *c = (struct pace_credit){MIN(c->bytes, 0), now_ms, taken};
}

/* limit: what was allowed since the last time. Returns what to multiply it by from now on. */
static double settle(struct pace_credit *c, uint64_t limit, uint64_t taken, uint64_t now_ms)
{
    uint64_t passed = now_ms - c->settled_ms;

    if (!limit || !c->settled_ms || passed > GAP_MS) {
        begin_credit(c, taken, now_ms);
        return 1;
    }
    c->bytes += (double)limit * (double)passed / 1000 - (double)(taken - c->settled_taken);
    c->bytes = CLAMP(c->bytes, -MOST_DEBT_S * (double)limit, MOST_CREDIT_S * (double)limit);
    c->settled_ms = now_ms;
    c->settled_taken = taken;
    return 1 + c->bytes / (double)limit / SETTLE_S;
}

/* --- looking ------------------------------------------------------------------------------------ */

static void begin_window(struct pace *p, uint64_t now_ms)
{
    p->looked_ms = now_ms;
    p->seen_data = data_of(p);
    p->seen_filter = p->filter_data;
    p->seen_all = p->job_data + p->job_holes;
}

static void learn_holes(struct pace *p, double data, double all)
{
    double before = MAX(p->holes, 1);

    p->recent_data = p->recent_data * FADE + data;
    p->recent_all = p->recent_all * FADE + all;
    if (p->recent_all > 0)
        p->holes = MIN(p->recent_all / MAX(p->recent_data, 1), before * HOLES_GROW);
    p->holes = CLAMP(p->holes, 1, MOST_HOLES);
}

void pace_look(struct pace *p, uint64_t now_ms, bool is_moving)
{
    uint64_t passed = now_ms - p->looked_ms;
    double data = (double)(data_of(p) - p->seen_data), filter = (double)(p->filter_data - p->seen_filter);

    if (!p->looked_ms || passed > GAP_MS || !is_moving) {
        p->is_known = false;
        p->data_rate = p->job_got = p->job_might = 0;
        begin_credit(&p->credit, data_of(p), now_ms);
        begin_window(p, now_ms);
        return;
    }
    if (passed < LOOK_MS)
        return;
    p->is_known = true;
    p->data_rate = data * 1000 / (double)passed;
    p->job_got = p->job_got * FADE + (1 - FADE) * (data - filter) * 1000 / (double)passed;
    p->job_might =
        p->job_might * FADE + (1 - FADE) * (p->is_braked ? (data - filter) * 1000 / (double)passed : p->job_rate);
    p->filter_average = (p->filter_average + filter * 1000 / (double)passed) / 2;
    p->filter_rate = MIN(p->filter_average, filter * 1000 / (double)passed); /* a burst that is over is over */
    learn_holes(p, data - filter, (double)(p->job_data + p->job_holes - p->seen_all));
    begin_window(p, now_ms);
}

bool pace_is_bound(const struct pace *p)
{
    return p->share && p->is_known && p->job_got >= MOSTLY * p->job_might;
}

/* --- sharing ------------------------------------------------------------------------------------ */

/* It could not use what it was given. Of a few clusters a second nothing can be told. */
static bool is_short(const struct pace *p)
{
    return p->is_known && p->share && !pace_is_bound(p) && p->job_might > TELLING_RATE;
}

static struct share_claim claim_of(const struct pace *p)
{
    double filter = p->filter_rate * (LEAST_PART + 1) / LEAST_PART;

    return (struct share_claim){
        .floor = (uint64_t)filter,
        .need = is_short(p) ? (uint64_t)(p->job_got + p->filter_rate) : UINT64_MAX,
        .cap = p->own ? p->own : UINT64_MAX,
    };
}

/* One that takes less than it may leaves the rest to the others; but it may take more again, so that this is seen. */
static uint64_t with_room(const struct pace *p, uint64_t share, uint64_t spare)
{
    uint64_t room = MAX(spare, (uint64_t)(p->data_rate * ROOM_TO_GROW));

    return MAX(is_short(p) ? MAX(share, MIN(room, p->own ? p->own : UINT64_MAX)) : share, 1);
}

static void set_share(struct pace *p, uint64_t share, double of_all, uint64_t now_ms)
{
    double of_own = settle(&p->credit, p->is_shared ? 0 : p->share, data_of(p), now_ms);

    p->share = share;
    p->is_shared = share && (!p->own || share < p->own);
    p->job_rate = MAX((double)share * (p->is_shared ? of_all : of_own) - p->filter_rate, (double)share / LEAST_PART);
    if (p->looked_ms == now_ms || !p->looked_ms) { /* between two looks only the share is another one */
        p->begin_data = data_of(p);
        p->is_braked = false;
    }
}

/* Only then is it settled: most of a second's data comes in its first half, and is no debt. */
static void begin_second(struct pace_pot *pot, uint64_t now_ms)
{
    double over = (double)(pot->taken - pot->begin_taken) - pot->due;

    pot->of_all = settle(&pot->credit, pot->budget, pot->taken, now_ms);
    pot->over = (pot->over + CLAMP(over, 0, MOST_OVER_S * (double)pot->budget)) / 2;
    pot->begin_ms = now_ms;
    pot->begin_taken = pot->taken;
}

void pace_share(struct pace_pot *pot, struct pace *const *paces, unsigned n, uint64_t now_ms)
{
    g_autofree struct share_claim *claims = g_new0(struct share_claim, n);

    if (now_ms - pot->begin_ms > LOOK_MS)
        begin_second(pot, now_ms);
    pot->due = MAX((double)pot->budget * pot->of_all - pot->over, 0);
    for (unsigned i = 0; i < n; i++)
        claims[i] = claim_of(paces[i]);
    if (pot->budget)
        share_out(pot->budget, claims, n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t share = with_room(paces[i], claims[i].share, pot->budget / n / SPARE_PART);
        set_share(paces[i], pot->budget ? share : paces[i]->own, pot->of_all, now_ms);
    }
}

/* --- what QEMU is told -------------------------------------------------------------------------- */

uint64_t pace_speed(const struct pace *p)
{
    double aim = p->holes > HOLES_MATTER ? p->holes * HOLES_AIM : 1;

    return p->share ? (uint64_t)CLAMP(p->job_rate * aim, LEAST_SPEED, MOST_SPEED) : 0;
}

bool pace_matters(uint64_t old_speed, uint64_t new_speed)
{
    uint64_t difference = old_speed > new_speed ? old_speed - new_speed : new_speed - old_speed;

    return !old_speed != !new_speed || difference > old_speed / 16;
}

/* Its data of this second, and so many times that. */
static bool has_had(const struct pace *p, double times)
{
    return (double)(data_of(p) - p->begin_data) >= p->job_rate * times + p->filter_rate;
}

bool pace_is_ahead(const struct pace_pot *pot, const struct pace *p)
{
    if (!p->share || p->is_braked || p->holes <= HOLES_MATTER)
        return false;
    return has_had(p, p->is_shared ? HOLES_MAY : 1) ||
           (p->is_shared && (double)(pot->taken - pot->begin_taken) >= pot->due && has_had(p, FAIR));
}

void pace_brake(struct pace *p, uint64_t now_ms)
{
    p->is_braked = true;
    if (now_ms - p->looked_ms > EARLY_MS || !has_had(p, 1))
        return;
    p->holes = 1;
    p->recent_data = p->recent_all = 0;
}
