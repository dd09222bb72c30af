// SPDX-License-Identifier: GPL-2.0-or-later
/* The pool: who may take the last buffers. */
#include <glib.h>
#include <string.h>
#include "archive/pool.h"
#include "vma/format.h"

#define N 300

static unsigned take_all(struct pool *p, enum pool_purpose purpose, uint8_t **taken)
{
    unsigned n = 0;

    while ((taken[n] = pool_take(p, purpose)))
        n++;
    return n;
}

static void test_reserves(void)
{
    struct pool *p = pool_new(N, NULL);
    uint8_t *taken[N + 1];
    unsigned ram = take_all(p, POOL_FOR_RAM, taken), job, guest;

    g_assert_cmpuint(ram, ==, N - 128);
    job = take_all(p, POOL_FOR_JOB, taken + ram);
    g_assert_cmpuint(job, ==, 64);
    guest = take_all(p, POOL_FOR_GUEST, taken + ram + job);
    g_assert_cmpuint(guest, ==, 64);
    g_assert_cmpuint(pool_free_count(p), ==, 0);

    pool_give(p, taken[0]);
    g_assert_null(pool_take(p, POOL_FOR_RAM));
    g_assert_null(pool_take(p, POOL_FOR_JOB));
    g_assert_true(pool_take(p, POOL_FOR_GUEST) == taken[0]);
    pool_free(p);
}

static int compare(const void *a, const void *b)
{
    const uint8_t *const *x = a, *const *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void test_buffers_do_not_overlap(void)
{
    struct pool *p = pool_new(N, NULL);
    uint8_t *taken[N + 1];
    unsigned n = take_all(p, POOL_FOR_GUEST, taken);

    g_assert_cmpuint(n, ==, N);
    qsort(taken, n, sizeof *taken, compare);
    for (unsigned i = 1; i < n; i++)
        g_assert_cmpuint(taken[i] - taken[i - 1], >=, VMA_CLUSTER_SIZE);
    for (unsigned i = 0; i < n; i++) {
        memset(taken[i], i, VMA_CLUSTER_SIZE);
        pool_give(p, taken[i]);
    }
    pool_give(p, NULL);
    g_assert_cmpuint(pool_free_count(p), ==, pool_total(p));
    pool_free(p);
}

static void test_warm_ones_first(void)
{
    struct pool *p = pool_new(N, NULL);
    uint8_t *first = pool_take(p, POOL_FOR_JOB);

    pool_give(p, first);
    for (unsigned i = 0; i < 3 * N; i++) { /* as long as one is enough, no other page is touched */
        uint8_t *again = pool_take(p, i % 2 ? POOL_FOR_JOB : POOL_FOR_GUEST);
        g_assert_true(again == first);
        pool_give(p, again);
    }
    pool_free(p);
}

/* Whose memory it is keeps it, and finds the buffers in it. */
static void test_memory_of_others(void)
{
    void *memory = g_malloc((size_t)N * VMA_CLUSTER_SIZE);
    struct pool *p = pool_new(N, memory);
    uint8_t *taken[N + 1];
    unsigned n = take_all(p, POOL_FOR_GUEST, taken);

    g_assert_cmpuint(n, ==, N);
    qsort(taken, n, sizeof *taken, compare);
    for (unsigned i = 0; i < n; i++)
        g_assert_true(taken[i] == (uint8_t *)memory + (size_t)i * VMA_CLUSTER_SIZE);
    pool_free(p);
    g_free(memory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archive/pool/reserves", test_reserves);
    g_test_add_func("/archive/pool/buffers-do-not-overlap", test_buffers_do_not_overlap);
    g_test_add_func("/archive/pool/warm-ones-first", test_warm_ones_first);
    g_test_add_func("/archive/pool/memory-of-others", test_memory_of_others);
    return g_test_run();
}
