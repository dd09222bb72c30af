// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/tokens.h"

#include <glib.h>

#define MIB       (UINT64_C(1) << 20)
#define KIB       (UINT64_C(1) << 10)
#define MS        UINT64_C(1000000)
#define S         (1000 * MS)
#define TICK_NS   MS
#define SOME_TIME (123456 * S)

/* What a reader that asks whenever it may gets in that time; its clock ticks every ms. */
static uint64_t asked_in(struct tokens *t, uint64_t *now, uint64_t ns, uint64_t most)
{
    uint64_t asked = 0, end = *now + ns;

    for (; *now < end; *now += TICK_NS) {
        while (!tokens_wait_ns(t, *now)) {
            uint64_t n = tokens_portion(t, 64 * KIB, most);
            tokens_take(t, n);
            asked += n;
        }
    }
    return asked;
}

static void assert_within(uint64_t got, uint64_t expected, double percent)
{
    double difference = (double)got - (double)expected;

    if (ABS(difference) > (double)expected * percent / 100)
        g_error("%" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, got, expected);
}

static void test_no_bound(void)
{
    struct tokens t = {0};

    tokens_take(&t, 1000 * MIB);
    g_assert_cmpuint(tokens_wait_ns(&t, SOME_TIME), ==, 0);
    g_assert_cmpuint(tokens_portion(&t, 64 * KIB, MIB), ==, MIB);
}

static void test_exact(void)
{
    static const uint64_t rates[] = {2 * MIB, 8 * MIB, 33 * MIB, 500 * MIB, 4000 * MIB};

    for (unsigned i = 0; i < G_N_ELEMENTS(rates); i++) {
        struct tokens t = {0};
        uint64_t now = SOME_TIME;
        tokens_set_rate(&t, rates[i], now);
        assert_within(asked_in(&t, &now, 5 * S, MIB), 5 * rates[i], 1);
    }
}

/* A change counts at once, from whatever it was before. */
static void test_change(void)
{
    struct tokens t = {0};
    uint64_t now = SOME_TIME;

    tokens_set_rate(&t, 400 * MIB, now);
    asked_in(&t, &now, S, MIB);
    tokens_set_rate(&t, 20 * MIB, now);
    assert_within(asked_in(&t, &now, 5 * S, MIB), 100 * MIB, 1);
    tokens_set_rate(&t, 200 * MIB, now);
    assert_within(asked_in(&t, &now, 100 * MS, MIB), 20 * MIB, 5);
    tokens_set_rate(&t, 0, now);
    g_assert_cmpuint(tokens_wait_ns(&t, now), ==, 0);
    tokens_set_rate(&t, 20 * MIB, now); /* no debt, and no credit, from when there was no bound */
    assert_within(asked_in(&t, &now, 5 * S, MIB), 100 * MIB, 1);
}

static void test_no_burst_after_a_pause(void)
{
    struct tokens t = {0};
    uint64_t now = SOME_TIME;

    tokens_set_rate(&t, 100 * MIB, now);
    asked_in(&t, &now, S, MIB);
    now += 60 * S;
    assert_within(asked_in(&t, &now, 5 * S, MIB), 500 * MIB, 1);
}

static void test_given_back(void)
{
    struct tokens t = {0};
    uint64_t now = SOME_TIME;

    tokens_set_rate(&t, MIB, now);
    tokens_take(&t, MIB);
    g_assert_cmpuint(tokens_wait_ns(&t, now), >, 900 * MS);
    tokens_give_back(&t, MIB);
    g_assert_cmpuint(tokens_wait_ns(&t, now), ==, 0);
    for (unsigned i = 0; i < 100; i++)
        tokens_give_back(&t, MIB); /* holes leave no credit */
    assert_within(asked_in(&t, &now, 50 * S, 64 * KIB), 50 * MIB, 1);
}

/* It says exactly how long: a timer set to that finds it may. */
static void test_wait(void)
{
    struct tokens t = {0};
    uint64_t wait;

    tokens_set_rate(&t, MIB, SOME_TIME);
    tokens_take(&t, 512 * KIB);
    wait = tokens_wait_ns(&t, SOME_TIME);
    g_assert_cmpuint(wait, >=, 499 * MS);
    g_assert_cmpuint(wait, <=, 501 * MS);
    g_assert_cmpuint(tokens_wait_ns(&t, SOME_TIME + wait), ==, 0);
}

static void test_clock_behind(void)
{
    struct tokens t = {0};

    tokens_set_rate(&t, MIB, SOME_TIME);
    tokens_take(&t, MIB);
    g_assert_cmpuint(tokens_wait_ns(&t, SOME_TIME - S), >, 900 * MS);
}

static void test_portion(void)
{
    struct tokens t = {0};

    tokens_set_rate(&t, 1000, SOME_TIME);
    g_assert_cmpuint(tokens_portion(&t, 64 * KIB, MIB), ==, 64 * KIB);
    tokens_set_rate(&t, 10 * MIB, SOME_TIME);
    g_assert_cmpuint(tokens_portion(&t, 64 * KIB, MIB), ==, 10 * MIB / 50);
    tokens_set_rate(&t, 4000 * MIB, SOME_TIME);
    g_assert_cmpuint(tokens_portion(&t, 64 * KIB, MIB), ==, MIB);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tokens/no-bound", test_no_bound);
    g_test_add_func("/tokens/exact", test_exact);
    g_test_add_func("/tokens/change", test_change);
    g_test_add_func("/tokens/no-burst-after-a-pause", test_no_burst_after_a_pause);
    g_test_add_func("/tokens/given-back", test_given_back);
    g_test_add_func("/tokens/wait", test_wait);
    g_test_add_func("/tokens/clock-behind", test_clock_behind);
    g_test_add_func("/tokens/portion", test_portion);
    return g_test_run();
}
