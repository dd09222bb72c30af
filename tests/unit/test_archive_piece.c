// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests cut at the borders of clusters: the pieces lie end to end, and none crosses a border. */
#include "archive/piece.h"

static void test_aligned(void)
{
    g_assert_true(piece_is_aligned(512, 1024));
    g_assert_false(piece_is_aligned(511, 512));
    g_assert_false(piece_is_aligned(512, 513));
}

static void test_ends(void)
{
    g_assert_cmpuint(piece_end(0, 512), ==, 512);
    g_assert_cmpuint(piece_end(512, 3 * VMA_CLUSTER_SIZE), ==, VMA_CLUSTER_SIZE);
    g_assert_cmpuint(piece_end(VMA_CLUSTER_SIZE, 3 * VMA_CLUSTER_SIZE), ==, 2 * VMA_CLUSTER_SIZE);
}

/* Lands in portions that end at each border, as payload does, and once in its midst. */
static void check_landing(uint64_t offset, uint32_t len)
{
    uint64_t end = offset + len, taken = offset;
    struct piece piece = {0};

    for (uint64_t at = offset; at < end; at = piece_end(at, end)) {
        uint64_t next = piece_end(at, end);
        if (next - at > 512)
            g_assert_false(piece_landed(offset, len, (uint32_t)(next - offset) - 512, &piece));
        g_assert_true(piece_landed(offset, len, (uint32_t)(next - offset), &piece));
        g_assert_cmpuint(piece.offset, ==, taken);
        g_assert_cmpuint(piece.offset / VMA_CLUSTER_SIZE, ==, (piece.offset + piece.len - 1) / VMA_CLUSTER_SIZE);
        taken += piece.len;
    }
    g_assert_cmpuint(taken, ==, end);
}

static void test_landed(void)
{
    check_landing(0, VMA_CLUSTER_SIZE);
    check_landing(512, 512);
    check_landing(VMA_CLUSTER_SIZE - 512, 1024);
    check_landing(1024, 5 * VMA_CLUSTER_SIZE);
    check_landing(7 * (uint64_t)VMA_CLUSTER_SIZE + 512, 2 * VMA_CLUSTER_SIZE - 512);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/piece/aligned", test_aligned);
    g_test_add_func("/piece/ends", test_ends);
    g_test_add_func("/piece/landed", test_landed);
    return g_test_run();
}
