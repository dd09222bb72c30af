// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paces against a QEMU of our own making that limits its jobs as the real one does: by slices of 100 ms, holes counted,
 * late to wake up. What is measured over any 10 s must be the budget.
 */
#include "pacing/pace.h"

#include <glib.h>

#define M         (UINT64_C(1) << 20)
#define CLUSTER   65536u
#define SLICE_MS  100
#define WINDOW_S  10
#define MAX_S     90
#define UNDER_WAY 8

struct job {
    struct pace pace;
    uint64_t at, end; /* in clusters */
    bool (*is_hole)(uint64_t cluster);
    uint64_t source_rate; /* of data, bytes/s; holes come 20 times as fast */
    uint64_t filter_rate; /* what the guest overwrites */
    double source_budget, filter_budget;
    uint64_t speed, sent_ms;
    double slice_start, slice_end, dispatched;
    unsigned under_way; /* clusters that still come after a brake */
    bool is_paused;
    unsigned n_sent;
};

struct world {
    struct job jobs[3];
    unsigned n;
    struct pace_pot pot;
    uint64_t now_ms;
    double per_s[MAX_S]; /* data taken in */
    void (*script)(struct world *w, unsigned second);
};

static bool no_hole(uint64_t c)
{
    return false;
}

static bool all_holes(uint64_t c)
{
    return true;
}

static bool half_holes(uint64_t c) /* in pieces of 1 MiB */
{
    return c / 16 % 2;
}

static bool long_holes(uint64_t c) /* of 256 MiB, after 64 MiB of data */
{
    return c / 1024 % 5;
}

/* util/ratelimit.h */
static bool may_dispatch(struct job *j, double now)
{
    if (!j->speed)
        return true;
    if (j->slice_end < now) {
        j->slice_start = now;
        j->slice_end = now + SLICE_MS;
        j->dispatched = 0;
    }
    double quota = MAX((double)j->speed * SLICE_MS / 1000, 1);
    if (j->dispatched < quota)
        return true;
    j->slice_end = j->slice_start + j->dispatched / quota * SLICE_MS;
    return j->slice_end <= now;
}

/* One ms of a job. */
static uint64_t run_job(struct job *j, uint64_t now_ms)
{
    uint64_t data = 0;

    j->filter_budget += (double)j->filter_rate / 1000;
    while (j->filter_budget >= CLUSTER && j->at < j->end) {
        j->filter_budget -= CLUSTER;
        j->pace.filter_data += CLUSTER;
        data += CLUSTER;
    }
    j->source_budget = MIN(j->source_budget + (double)j->source_rate / 1000, (double)j->source_rate / 500);
    j->under_way = j->pace.is_braked ? j->under_way : UNDER_WAY;
    while (!j->is_paused && (!j->pace.is_braked || j->under_way) && j->at < j->end && j->source_budget > 0 &&
           may_dispatch(j, (double)now_ms)) {
        bool is_hole = j->is_hole(j->at++);
        j->under_way -= j->pace.is_braked;
        j->dispatched += CLUSTER;
        j->source_budget -= is_hole ? CLUSTER / 20.0 : CLUSTER;
        if (is_hole)
            j->pace.job_holes += CLUSTER;
        else
            j->pace.job_data += CLUSTER;
        data += is_hole ? 0 : CLUSTER;
    }
    return data;
}

static bool is_moving(const struct job *j)
{
    return !j->is_paused && j->at < j->end;
}

static void send(struct world *w, struct job *j)
{
    uint64_t speed = pace_speed(&j->pace);

    if (!pace_matters(j->speed, speed))
        return;
    j->speed = speed;
    j->n_sent++;
}

static void share(struct world *w)
{
    struct pace *paces[3];
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++)
        if (is_moving(&w->jobs[i]))
            paces[n++] = &w->jobs[i].pace;
    pace_share(&w->pot, paces, n, w->now_ms);
    for (unsigned i = 0; i < w->n; i++)
        if (is_moving(&w->jobs[i]))
            send(w, &w->jobs[i]);
}

static void run_world(struct world *w, unsigned seconds)
{
    uint64_t begin = w->now_ms = 1000000;

    share(w);
    for (; w->now_ms < begin + seconds * 1000; w->now_ms++) {
        unsigned second = (unsigned)((w->now_ms - begin) / 1000);
        bool is_new_second = (w->now_ms - begin) % 1000 == 0;
        if (is_new_second && w->script)
            w->script(w, second);
        for (unsigned i = 0; i < w->n; i++) {
            struct job *j = &w->jobs[i];
            uint64_t data = run_job(j, w->now_ms);
            w->pot.taken += data;
            w->per_s[second] += (double)data;
            if (is_new_second)
                pace_look(&j->pace, w->now_ms, is_moving(j));
            if (w->now_ms % 5 == 0 && pace_is_ahead(&w->pot, &j->pace))
                pace_brake(&j->pace, w->now_ms);
        }
        if (is_new_second)
            share(w);
    }
}

static double sum_of(const struct world *w, unsigned from)
{
    double sum = 0;

    for (unsigned i = 0; i < WINDOW_S; i++)
        sum += w->per_s[from + i];
    return sum;
}

static double worst_window(const struct world *w, unsigned from, unsigned to, double wanted)
{
    double worst = 0;

    for (unsigned s = from; s + WINDOW_S <= to; s++) {
        double off = sum_of(w, s) / WINDOW_S / wanted - 1;
        if (ABS(off) > ABS(worst))
            worst = off;
    }
    return worst;
}

static void assert_kept(const struct world *w, unsigned from, unsigned to, double wanted)
{
    double worst = worst_window(w, from, to, wanted);

    g_test_message("worst window: %+.2f %%", worst * 100);
    if (ABS(worst) > 0.05)
        for (unsigned s = from; s < to; s++)
            g_printerr("%u: %.2f M\n", s, w->per_s[s] / (double)M);
    g_assert_cmpfloat(ABS(worst), <=, 0.05);
}

static struct job job_of(bool (*is_hole)(uint64_t), uint64_t bytes, uint64_t rate)
{
    return (struct job){.is_hole = is_hole, .end = bytes / CLUSTER, .source_rate = rate};
}

static void test_one(void)
{
    struct world w = {.n = 1, .pot.budget = 20 * M, .jobs = {job_of(no_hole, 9000 * M, 400 * M)}};

    run_world(&w, 30);
    assert_kept(&w, 0, 30, 20.0 * M);
    g_assert_cmpuint(w.jobs[0].n_sent, <=, 12);
}

static void test_half_holes(void)
{
    struct world w = {.n = 1, .pot.budget = 20 * M, .jobs = {job_of(half_holes, 9000 * M, 400 * M)}};

    run_world(&w, 40);
    assert_kept(&w, 4, 40, 20.0 * M);
    g_assert_cmpfloat(w.jobs[0].pace.holes, >, 1.8);
    g_assert_cmpfloat(w.jobs[0].pace.holes, <, 2.2);
}

/* Holes pass at once, and when data comes again it is held within a moment. */
static void test_long_holes(void)
{
    struct world w = {.n = 1, .pot.budget = 20 * M, .jobs = {job_of(long_holes, 9000 * M, 400 * M)}};

    run_world(&w, 60);
    for (unsigned s = 0; s < 60; s++)
        g_assert_cmpfloat(w.per_s[s], <=, 1.8 * 20 * M);
    for (unsigned s = 0; s < 50; s++)
        g_assert_cmpfloat(sum_of(&w, s) / WINDOW_S, <=, 1.05 * 20 * M);
}

static void test_only_holes(void)
{
    struct world w = {.n = 1, .pot.budget = 10 * M, .jobs = {job_of(all_holes, 90000 * M, 400 * M)}};

    run_world(&w, 10);
    g_assert_cmpuint(w.jobs[0].at * CLUSTER, >, 8000 * M); /* QEMU alone would pass 100 MiB */
}

/* While one passes holes the others have the budget; when its data begins it gets its part within two seconds. */
static bool hole_then_data(uint64_t c)
{
    return c < 6000 * M / CLUSTER;
}

static void test_holes_beside_data(void)
{
    struct world w = {.n = 2,
                      .pot.budget = 20 * M,
                      .jobs = {job_of(hole_then_data, 90000 * M, 400 * M), job_of(no_hole, 9000 * M, 400 * M)}};

    run_world(&w, 60);
    assert_kept(&w, 2, 60, 20.0 * M);
    g_assert_cmpuint(w.jobs[0].pace.job_data, >, 200 * M);
}

/* One ends, one is paused and resumed, one is half holes. */
static void three_script(struct world *w, unsigned second)
{
    if (second == 20)
        w->jobs[1].is_paused = true;
    if (second == 32) {
        w->jobs[1].is_paused = false;
        pace_look(&w->jobs[1].pace, w->now_ms, false);
    }
}

static void test_three(void)
{
    struct world w = {.n = 3,
                      .pot.budget = 24 * M,
                      .script = three_script,
                      .jobs = {job_of(no_hole, 80 * M, 400 * M), job_of(no_hole, 9000 * M, 400 * M),
                               job_of(half_holes, 9000 * M, 400 * M)}};

    run_world(&w, 60);
    g_assert_cmpuint(w.jobs[0].at, ==, w.jobs[0].end);
    assert_kept(&w, 2, 60, 24.0 * M);
}

/* Pieces of any size up to 1 MiB, two of five of them data; the guest's first writes all come in the first second. */
static bool pieces(uint64_t c)
{
    static bool is_hole[1 << 14];
    static bool is_made;
    GRand *r = is_made ? NULL : g_rand_new_with_seed(1);

    for (unsigned at = 0, n; r && at < G_N_ELEMENTS(is_hole); at += n) {
        bool hole = g_rand_double(r) > 0.4;
        n = 1u << g_rand_int_range(r, 0, 5);
        for (unsigned i = at; i < at + n && i < G_N_ELEMENTS(is_hole); i++)
            is_hole[i] = hole;
    }
    is_made = true;
    g_clear_pointer(&r, g_rand_free);
    return is_hole[c % G_N_ELEMENTS(is_hole)];
}

static void burst_script(struct world *w, unsigned second)
{
    for (unsigned i = 0; i < w->n; i++)
        w->jobs[i].filter_rate = second ? 0 : 6 * M;
}

static void test_pieces(void)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t budget = (i % 2 ? 24 : 6) * M;
        struct world w = {.n = 3,
                          .pot.budget = budget,
                          .script = burst_script,
                          .jobs = {job_of(pieces, 40 * M, 400 * M), job_of(pieces, 9000 * M, 400 * M),
                                   job_of(pieces, 9000 * M, 400 * M)}};

        w.jobs[0].at = i;
        w.jobs[1].at = 1000 + 100 * i;
        w.jobs[2].at = 5000 + 200 * i;
        run_world(&w, 60);
        double worst = worst_window(&w, 8, 60, (double)budget);
        g_assert_cmpfloat(ABS(worst), <=, i % 2 ? 0.05 : 0.08); /* a piece of 1 MiB is a sixth of a second's data */
    }
}

static void test_slow_source(void)
{
    struct world w = {.n = 3,
                      .pot.budget = 24 * M,
                      .jobs = {job_of(no_hole, 9000 * M, 3 * M), job_of(no_hole, 9000 * M, 400 * M),
                               job_of(no_hole, 9000 * M, 400 * M)}};
    w.jobs[2].pace.own = 4 * M;

    run_world(&w, 40);
    assert_kept(&w, 3, 40, 24.0 * M);
    g_assert_cmpfloat(w.jobs[1].pace.data_rate, >, 15.0 * M);
    g_assert_cmpfloat(w.jobs[2].pace.job_data / 40.0, <, 4.2 * M);
    g_assert_cmpfloat(w.jobs[2].pace.job_data / 40.0, >, 3.8 * M);
    g_assert_true(w.jobs[1].pace.is_shared);
    g_assert_false(w.jobs[2].pace.is_shared);
    g_assert_false(pace_is_bound(&w.jobs[0].pace));
    g_assert_true(pace_is_bound(&w.jobs[1].pace));
}

/* What the guest overwrites comes in any case: the jobs have the rest. */
static void test_filter(void)
{
    struct world w = {
        .n = 2, .pot.budget = 20 * M, .jobs = {job_of(no_hole, 9000 * M, 400 * M), job_of(no_hole, 9000 * M, 400 * M)}};
    w.jobs[0].filter_rate = 14 * M;

    run_world(&w, 40);
    assert_kept(&w, 8, 40, 20.0 * M);
}

static void test_own_limits(void)
{
    struct world w = {.n = 2, .jobs = {job_of(half_holes, 9000 * M, 400 * M), job_of(no_hole, 9000 * M, 90 * M)}};
    w.jobs[0].pace.own = 6 * M;

    run_world(&w, 20);
    g_assert_cmpuint(w.jobs[1].speed, ==, 0);
    g_assert_cmpfloat(w.jobs[0].pace.job_data / 20.0, >, 5.7 * M);
    g_assert_cmpfloat(w.jobs[0].pace.job_data / 20.0, <, 6.3 * M);
}

/* Data and holes take turns of several seconds: it never passes the limit, and loses little. */
static void test_slow_limit(void)
{
    struct world w = {.n = 1, .pot.budget = M / 4, .jobs = {job_of(half_holes, 9000 * M, 400 * M)}};

    run_world(&w, 60);
    for (unsigned s = 0; s < 50; s++) {
        double rate = sum_of(&w, s) / WINDOW_S;
        g_assert_cmpfloat(rate, <=, 1.25 * M / 4);
        g_assert_cmpfloat(rate, >=, 0.6 * M / 4);
    }
}

/* It goes on in the middle of a second whose data another one has had: it has its full part from then on. */
static void test_resumed(void)
{
    struct pace busy = {0}, resumed = {0}, *both[] = {&busy, &resumed};
    struct pace_pot pot = {.budget = 8 * M};

    for (unsigned s = 1; s <= 5; s++) {
        pace_look(&busy, s * 1000, true);
        pace_look(&resumed, s * 1000, false);
        pace_share(&pot, both, 1, s * 1000);
        busy.job_data += 8 * M;
        pot.taken += 8 * M;
    }
    g_assert_cmpuint(busy.share, ==, 8 * M);
    pace_look(&resumed, 5400, false);
    pace_share(&pot, both, 2, 5400);
    g_assert_cmpuint(resumed.share, ==, 4 * M);
    g_assert_cmpfloat((double)pace_speed(&resumed), >=, 0.9 * 4 * M);
    resumed.job_data += 2 * M;
    pot.taken += 2 * M;
    pace_look(&busy, 6000, true);
    pace_look(&resumed, 6000, true);
    pace_share(&pot, both, 2, 6000);
    g_assert_cmpuint(resumed.share, ==, 4 * M);
    g_assert_cmpuint(busy.share, ==, 4 * M);
}

static void test_matters(void)
{
    g_assert_true(pace_matters(0, 1));
    g_assert_true(pace_matters(1 * M, 0));
    g_assert_false(pace_matters(0, 0));
    g_assert_false(pace_matters(100, 105));
    g_assert_true(pace_matters(100, 108));
    g_assert_true(pace_matters(100, 90));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/one", test_one);
    g_test_add_func("/pace/half-holes", test_half_holes);
    g_test_add_func("/pace/long-holes", test_long_holes);
    g_test_add_func("/pace/only-holes", test_only_holes);
    g_test_add_func("/pace/holes-beside-data", test_holes_beside_data);
    g_test_add_func("/pace/three", test_three);
    g_test_add_func("/pace/pieces", test_pieces);
    g_test_add_func("/pace/slow-source", test_slow_source);
    g_test_add_func("/pace/filter", test_filter);
    g_test_add_func("/pace/own-limits", test_own_limits);
    g_test_add_func("/pace/slow-limit", test_slow_limit);
    g_test_add_func("/pace/resumed", test_resumed);
    g_test_add_func("/pace/matters", test_matters);
    return g_test_run();
}
