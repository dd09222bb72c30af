// SPDX-License-Identifier: GPL-2.0-or-later
#include <glib.h>
#include "pacing/latency.h"

static const struct qmp_histogram begin = {
    .n_bins = 4, .boundary_ns = {1000000, 5000000, 20000000}, .bin = {9, 9, 9, 9}};

static uint64_t after(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct qmp_histogram now = begin;

    now.bin[0] += a;
    now.bin[1] += b;
    now.bin[2] += c;
    now.bin[3] += d;
    return latency_p99_us(&begin, &now);
}

static void test_p99(void)
{
    g_assert_cmpuint(after(100, 0, 0, 0), ==, 1000);
    g_assert_cmpuint(after(99, 1, 0, 0), ==, 1000);
    g_assert_cmpuint(after(98, 2, 0, 0), ==, 5000);
    g_assert_cmpuint(after(980, 9, 1, 10), ==, 20000);
    g_assert_cmpuint(after(98, 0, 0, 2), ==, 20000); /* at least */
    g_assert_cmpuint(after(0, 0, 1, 0), ==, 20000);
}

static void test_unknown(void)
{
    struct qmp_histogram none = {0}, other = begin, anew = begin;

    g_assert_cmpuint(after(0, 0, 0, 0), ==, UINT64_MAX);
    g_assert_cmpuint(latency_p99_us(&none, &none), ==, UINT64_MAX);
    g_assert_cmpuint(latency_p99_us(&none, &begin), ==, UINT64_MAX);
    other.boundary_ns[1]++;
    other.bin[0]++;
    g_assert_cmpuint(latency_p99_us(&begin, &other), ==, UINT64_MAX);
    anew.bin[3] = 0;
    anew.bin[0]++;
    g_assert_cmpuint(latency_p99_us(&begin, &anew), ==, UINT64_MAX);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/latency/p99", test_p99);
    g_test_add_func("/latency/unknown", test_unknown);
    return g_test_run();
}
