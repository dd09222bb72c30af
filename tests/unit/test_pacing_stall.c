// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/stall.h"

#include <glib.h>

#define MIB  (UINT64_C(1) << 20)
#define NONE UINT64_MAX

static void test_well(void)
{
    struct stall s = {0};

    for (unsigned i = 0; i < 100; i++)
        g_assert_cmpint(stall_look(&s, 2000 + i * 10, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, NONE, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 90000, 20, 400 * MIB), ==, STALL_SAME); /* under the least */
    g_assert_cmpint(stall_look(&s, 90000, 20, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpuint(s.ceiling, ==, 0);
}

static void test_one_bad_second(void)
{
    struct stall s = {0};

    g_assert_cmpint(stall_look(&s, 500000, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 2000, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 1100000, 2000, 400 * MIB), ==, STALL_BEGINS); /* too bad to wait */
    g_assert_cmpuint(s.ceiling, ==, 200 * MIB);
}

/* Not every second is as bad as the others, as when the disk serves guest and copy in turns. */
static void test_now_and_then(void)
{
    struct stall s = {0};

    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(stall_look(&s, 350000, 2000, 400 * MIB), ==, STALL_SAME);
        for (unsigned j = 0; j + 1 < STALL_MEMORY; j++)
            g_assert_cmpint(stall_look(&s, 2000, 2000, 400 * MIB), ==, STALL_SAME);
    }
    g_assert_cmpint(stall_look(&s, 350000, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 2000, 2000, 400 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 350000, 2000, 400 * MIB), ==, STALL_BEGINS);
}

static void test_slower_and_back(void)
{
    struct stall s = {0};

    stall_look(&s, 500000, 2000, 400 * MIB);
    g_assert_cmpint(stall_look(&s, 500000, 2000, 400 * MIB), ==, STALL_BEGINS);
    g_assert_cmpint(stall_look(&s, 500000, 2000, 190 * MIB), ==, STALL_SLOWER);
    g_assert_cmpuint(s.ceiling, ==, 100 * MIB);
    stall_look(&s, 3000, 2000, 100 * MIB);
    stall_look(&s, NONE, 2000, 100 * MIB);
    g_assert_cmpint(stall_look(&s, 3000, 2000, 100 * MIB), ==, STALL_FASTER);
    g_assert_cmpuint(s.ceiling, ==, 200 * MIB);
    for (unsigned i = 0; i < 2; i++)
        g_assert_cmpint(stall_look(&s, 3000, 2000, 200 * MIB), ==, STALL_SAME);
    g_assert_cmpint(stall_look(&s, 3000, 2000, 200 * MIB), ==, STALL_FASTER);
    for (unsigned i = 0; i < 2; i++)
        stall_look(&s, 3000, 2000, 400 * MIB);
    g_assert_cmpint(stall_look(&s, 3000, 2000, 400 * MIB), ==, STALL_OVER);
    g_assert_cmpuint(s.ceiling, ==, 0);
}

/* The copy is what the guest suffers from: it settles below, and tries again less and less often. */
static void test_settles(void)
{
    struct stall s = {0};
    uint64_t rate = 80 * MIB;
    unsigned n_begun = 0;

    for (unsigned look = 0; look < 600; look++) {
        bool is_too_fast = rate > 30 * MIB;
        enum stall_change change = stall_look(&s, is_too_fast ? 600000 : 3000, 2000, rate);
        n_begun += change == STALL_BEGINS;
        rate = s.ceiling ? MIN(s.ceiling, 80 * MIB) : 80 * MIB;
    }
    g_assert_cmpuint(n_begun, >=, 1);
    g_assert_cmpuint(n_begun, <=, 10);
}

/* A guest whose own disks are slow: the copy is not to be held for ever. */
static void test_in_vain(void)
{
    struct stall s = {0};
    enum stall_change change = STALL_SAME;
    unsigned looks = 0;

    for (; change != STALL_IN_VAIN; looks++) {
        change = stall_look(&s, 700000, 2000, 8 * MIB);
        g_assert_cmpuint(looks, <, 100);
        g_assert_true(s.ceiling == 0 || s.ceiling >= STALL_FLOOR);
    }
    for (unsigned i = 0; i < 50; i++)
        g_assert_cmpint(stall_look(&s, 700000, 2000, 8 * MIB), ==, STALL_SAME);
    g_assert_cmpuint(s.ceiling, ==, 0);
    stall_look(&s, 2000, 2000, 8 * MIB); /* well once: then a new stall counts again */
    stall_look(&s, 700000, 2000, 8 * MIB);
    g_assert_cmpint(stall_look(&s, 700000, 2000, 8 * MIB), ==, STALL_BEGINS);
}

static void test_unknown_base(void)
{
    struct stall s = {0};

    stall_look(&s, 150000, NONE, 8 * MIB);
    g_assert_cmpint(stall_look(&s, 150000, NONE, 8 * MIB), ==, STALL_BEGINS);
    g_assert_cmpuint(s.ceiling, ==, 4 * MIB);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pacing/stall/well", test_well);
    g_test_add_func("/pacing/stall/one-bad-second", test_one_bad_second);
    g_test_add_func("/pacing/stall/now-and-then", test_now_and_then);
    g_test_add_func("/pacing/stall/slower-and-back", test_slower_and_back);
    g_test_add_func("/pacing/stall/settles", test_settles);
    g_test_add_func("/pacing/stall/in-vain", test_in_vain);
    g_test_add_func("/pacing/stall/unknown-base", test_unknown_base);
    return g_test_run();
}
