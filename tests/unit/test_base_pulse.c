// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include "base/pulse_uv.h"

static void assert_p99(const struct pulse *p, uint64_t us)
{
    g_assert_cmpuint(pulse_p99_us(p), >=, us);
    g_assert_cmpuint(pulse_p99_us(p), <=, us + us / 4 + 1);
}

static void test_p99(void)
{
    struct pulse p = {.n = 0};
    g_assert_cmpuint(pulse_p99_us(&p), ==, UINT64_MAX);
    for (unsigned i = 0; i < 990; i++)
        pulse_count(&p, 100 + i % 7);
    assert_p99(&p, 106);
    for (unsigned i = 0; i < 10; i++) /* one in a hundred is none yet */
        pulse_count(&p, 9000);
    assert_p99(&p, 106);
    pulse_count(&p, 9000);
    assert_p99(&p, 9000);
    g_assert_cmpuint(p.max_us, ==, 9000);
}

/* Every bin: no value is told as less than it was, nor as more than was ever seen. */
static void test_bins(void)
{
    for (uint64_t us = 0; us < PULSE_MS * 1000; us += 1 + us / 50) {
        struct pulse p = {.n = 0};
        pulse_count(&p, us);
        g_assert_cmpuint(pulse_p99_us(&p), ==, us);
        p.max_us = UINT64_MAX;
        assert_p99(&p, MAX(us, 4));
    }
}

/* A second's standstill is not one late beat of many, but all those that it has cost. */
static void test_missed(void)
{
    struct pulse p = {.n = 0};
    for (unsigned i = 0; i < 1000; i++)
        pulse_count(&p, 0);
    pulse_count(&p, 1000000);
    g_assert_cmpuint(p.n, ==, 1000 + 51);
    assert_p99(&p, 800000);
}

static void on_once(uv_timer_t *timer)
{
    g_usleep(100000); /* what nobody on the loop may do */
    uv_stop(timer->loop);
}

static void test_loop(void)
{
    uv_loop_t loop;
    uv_timer_t once;
    struct pulse p;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &once);
    pulse_init(&p, &loop);
    pulse_start(&p);
    uv_timer_start(&once, on_once, 30, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    while (p.max_us < 60000)
        uv_run(&loop, UV_RUN_ONCE);
    g_assert_cmpuint(p.n, >=, 4);
    pulse_close(&p);
    uv_close((uv_handle_t *)&once, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pulse/p99", test_p99);
    g_test_add_func("/pulse/bins", test_bins);
    g_test_add_func("/pulse/missed", test_missed);
    g_test_add_func("/pulse/loop", test_loop);
    return g_test_run();
}
