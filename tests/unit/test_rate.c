// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>

#include "base/rate.h"

#define M (UINT64_C(1) << 20)

/* Goes on from where r stands, every step_ms, at bytes per second. Returns the time then. */
static uint64_t run(struct rate *r, uint64_t now, uint64_t for_ms, unsigned step_ms, uint64_t per_s)
{
    uint64_t bytes = r->last.bytes;
    for (uint64_t ms = step_ms; ms <= for_ms; ms += step_ms)
        rate_add(r, bytes + per_s * ms / 1000, now + ms);
    return now + for_ms;
}

static void assert_near(uint64_t have, uint64_t want)
{
    if (have < want - want / 50 || have > want + want / 50)
        g_error("%" G_GUINT64_FORMAT " is not near %" G_GUINT64_FORMAT, have, want);
}

static void test_nothing(void)
{
    struct rate r = {0};
    g_assert_cmpuint(rate_per_s(&r, 0), ==, 0);
    g_assert_cmpuint(rate_peak(&r), ==, 0);
    g_assert_cmpuint(rate_eta_ms(&r, 100, 99), ==, RATE_UNKNOWN);
    rate_add(&r, 0, 1000);
    rate_add(&r, 0, 2000);
    g_assert_cmpuint(rate_per_s(&r, 2000), ==, 0);
    g_assert_cmpuint(rate_eta_ms(&r, 100, 2000), ==, RATE_UNKNOWN);
    g_assert_cmpuint(rate_eta_ms(&r, 0, 2000), ==, 0);
}

/* However often it is told. */
static void test_steady(void)
{
    static const unsigned steps[] = {1, 10, 100, 250, 333, 1000};
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        struct rate r = {0};
        rate_add(&r, 0, 5000);
        uint64_t now = run(&r, 5000, 60000 / steps[i] * steps[i], steps[i], 100 * M);
        assert_near(rate_per_s(&r, now), 100 * M);
        assert_near(rate_peak(&r), 100 * M);
        assert_near(rate_eta_ms(&r, r.last.bytes + 3000 * M, now), 30000);
    }
}

static void test_window(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 20000, 100, 200 * M);
    now = run(&r, now, 2500, 100, 100 * M);
    assert_near(rate_per_s(&r, now), 150 * M); /* half of the window */
    now = run(&r, now, 3000, 100, 100 * M);
    assert_near(rate_per_s(&r, now), 100 * M);
    assert_near(rate_peak(&r), 200 * M);
    now = run(&r, now, 6000, 100, 0);
    g_assert_cmpuint(rate_per_s(&r, now), ==, 0);
    g_assert_cmpuint(rate_eta_ms(&r, UINT64_C(1) << 40, now), ==, RATE_UNKNOWN); /* never "for ever" */
}

/* Nobody adds any more: it fades without that. */
static void test_fades(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 10000, 100, 100 * M);
    assert_near(rate_per_s(&r, now + 2500), 50 * M);
    g_assert_cmpuint(rate_per_s(&r, now + 20000), <, M);
}

/* A drive waits for its turn: that says nothing of its speed. */
static void test_waits_first(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 60000, 500, 0);
    now = run(&r, now, 10000, 500, 100 * M);
    assert_near(rate_per_s(&r, now), 100 * M);
    assert_near(rate_eta_ms(&r, r.last.bytes + 1000 * M, now), 10000);
}

static void test_gap(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 20000, 100, 100 * M);
    rate_add(&r, r.last.bytes + M, now += 600000); /* the host has slept */
    g_assert_cmpuint(rate_per_s(&r, now), ==, 0);
    now = run(&r, now, 2000, 100, 100 * M);
    assert_near(rate_per_s(&r, now), 100 * M);
    assert_near(rate_eta_ms(&r, r.last.bytes + 3000 * M, now), 30000);
}

static void test_shrinks(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 20000, 100, 100 * M);
    rate_add(&r, 0, now);
    g_assert_cmpuint(rate_per_s(&r, now + 100), ==, 0);
    g_assert_cmpuint(rate_peak(&r), ==, 0);
    now = run(&r, now, 6000, 100, 10 * M);
    assert_near(rate_per_s(&r, now), 10 * M);
}

static void test_eta_is_honest(void)
{
    struct rate r = {0};
    rate_add(&r, 0, 0);
    uint64_t now = run(&r, 0, 4900, 100, 100 * M);
    g_assert_cmpuint(rate_eta_ms(&r, 1000000 * M, now), ==, RATE_UNKNOWN); /* too early */
    now = run(&r, now, 200, 100, 100 * M);
    uint64_t done = r.last.bytes;
    g_assert_cmpuint(rate_eta_ms(&r, done + 360100 * M, now), ==, 3600000); /* whole minutes */
    r.eta.end_ms = 0;
    g_assert_cmpuint(rate_eta_ms(&r, done + 60330 * M, now), ==, 600000); /* tens of seconds */
    r.eta.end_ms = 0;
    g_assert_cmpuint(rate_eta_ms(&r, done + 6030 * M, now), ==, 60000);
    g_assert_cmpuint(rate_eta_ms(&r, RATE_UNKNOWN, now), ==, RATE_UNKNOWN);
    g_assert_cmpuint(rate_eta_ms(&r, done, now), ==, 0);
}

/* Speed that swings by a few per cent does not show: the ETA only counts down. */
static void test_eta_is_calm(void)
{
    struct rate r = {0};
    uint64_t total = 10000 * M, now = 0, last = RATE_UNKNOWN;
    rate_add(&r, 0, 0);
    for (int i = 0; i < 30; i++) {
        now = run(&r, now, 1000, 100, i / 10 % 2 ? 103 * M : 97 * M);
        uint64_t eta = rate_eta_ms(&r, total, now);
        if (i < 4)
            g_assert_cmpuint(eta, ==, RATE_UNKNOWN);
        else
            g_assert_cmpuint(eta, <, last);
        if (i > 4)
            g_assert_cmpuint(last - eta, ==, 1000);
        last = eta;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rate/nothing", test_nothing);
    g_test_add_func("/rate/steady", test_steady);
    g_test_add_func("/rate/window", test_window);
    g_test_add_func("/rate/fades", test_fades);
    g_test_add_func("/rate/waits-first", test_waits_first);
    g_test_add_func("/rate/gap", test_gap);
    g_test_add_func("/rate/shrinks", test_shrinks);
    g_test_add_func("/rate/eta-is-honest", test_eta_is_honest);
    g_test_add_func("/rate/eta-is-calm", test_eta_is_calm);
    return g_test_run();
}
