// SPDX-License-Identifier: GPL-2.0-or-later
#include "pacing/share.h"

#include <glib.h>
#include <stdbool.h>

#define M   (UINT64_C(1) << 20)
#define ALL UINT64_MAX

static void assert_shares(uint64_t budget, struct share_claim *claims, unsigned n, const uint64_t *expected)
{
    share_out(budget, claims, n);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpuint(claims[i].share + n, >, expected[i]);
        g_assert_cmpuint(claims[i].share, <=, expected[i]);
    }
}

static void test_equal(void)
{
    struct share_claim claims[] = {{0, ALL, ALL, 0}, {0, ALL, ALL, 0}, {0, ALL, ALL, 0}};

    assert_shares(12 * M, claims, 3, (const uint64_t[]){4 * M, 4 * M, 4 * M});
    assert_shares(12 * M, claims, 1, (const uint64_t[]){12 * M});
    share_out(12 * M, claims, 0);
}

static void test_rest_goes_to_others(void)
{
    struct share_claim slow[] = {{0, 2 * M, ALL, 0}, {0, ALL, ALL, 0}, {0, ALL, ALL, 0}};
    struct share_claim capped[] = {{0, ALL, M, 0}, {0, ALL, ALL, 0}};

    assert_shares(12 * M, slow, 3, (const uint64_t[]){2 * M, 5 * M, 5 * M});
    assert_shares(12 * M, capped, 2, (const uint64_t[]){M, 11 * M});
}

/* What nobody is known to need is given out all the same, but never above a cap. */
static void test_what_is_left(void)
{
    struct share_claim claims[] = {{0, M, ALL, 0}, {0, 3 * M, ALL, 0}, {0, M, 2 * M, 0}};

    assert_shares(20 * M, claims, 3, (const uint64_t[]){9 * M, 9 * M, 2 * M});
    for (unsigned i = 0; i < 3; i++)
        claims[i].cap = 2 * M;
    assert_shares(20 * M, claims, 3, (const uint64_t[]){2 * M, 2 * M, 2 * M});
}

/* What comes in any case is taken off the others. */
static void test_floors(void)
{
    struct share_claim claims[] = {{8 * M, 8 * M, ALL, 0}, {M, ALL, ALL, 0}, {M, ALL, ALL, 0}};

    assert_shares(12 * M, claims, 3, (const uint64_t[]){8 * M, 2 * M, 2 * M});
    assert_shares(6 * M, claims, 3, (const uint64_t[]){8 * M, M, M});
    claims[0].cap = 4 * M; /* it may not, but does */
    assert_shares(12 * M, claims, 3, (const uint64_t[]){8 * M, 2 * M, 2 * M});
}

static uint64_t any(uint64_t most)
{
    return g_test_rand_int_range(0, 4) == 0 ? ALL : (uint64_t)(g_test_rand_double() * (double)most);
}

/* Whatever is asked for: the budget is never passed but by floors, and nothing of it is left while someone may have
 * more. */
static void test_any(void)
{
    for (unsigned round = 0; round < 2000; round++) {
        struct share_claim claims[20];
        unsigned n = (unsigned)g_test_rand_int_range(1, 21);
        uint64_t budget = any(100 * M), sum = 0, floors = 0;
        bool may_have_more = false;
        budget = budget == ALL ? 1 : budget;
        for (unsigned i = 0; i < n; i++) {
            uint64_t floor = g_test_rand_int_range(0, 3) ? 0 : (uint64_t)g_test_rand_int_range(0, 9 * M);
            claims[i] = (struct share_claim){floor, any(90 * M), any(90 * M), 0};
        }
        share_out(budget, claims, n);
        for (unsigned i = 0; i < n; i++) {
            sum += claims[i].share;
            floors += claims[i].floor;
            g_assert_cmpuint(claims[i].share, >=, claims[i].floor);
            g_assert_cmpuint(claims[i].share, <=, MAX(claims[i].cap, claims[i].floor));
            may_have_more |= claims[i].share < claims[i].cap;
        }
        g_assert_cmpuint(sum, <=, MAX(budget, floors));
        if (may_have_more)
            g_assert_cmpuint(sum + n, >=, budget);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/share/equal", test_equal);
    g_test_add_func("/share/rest-goes-to-others", test_rest_goes_to_others);
    g_test_add_func("/share/what-is-left", test_what_is_left);
    g_test_add_func("/share/floors", test_floors);
    g_test_add_func("/share/any", test_any);
    return g_test_run();
}
