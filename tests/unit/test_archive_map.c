// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/map.h"

static uint8_t held[MODEL_MAP_CELLS], zero[MODEL_MAP_CELLS];

/* Of any size: empty is 0 everywhere, full is 255 everywhere. */
static void test_sizes(void)
{
    static const uint64_t sizes[] = {1, 2, 3, 255, 256, 257, 1000, 16384, 99999};
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct map m;
        map_init(&m, sizes[i]);
        map_fill(&m, held, zero);
        for (unsigned c = 0; c < MODEL_MAP_CELLS; c++)
            g_assert_cmpuint(held[c] + zero[c], ==, 0);
        for (uint64_t cluster = 0; cluster < sizes[i]; cluster++)
            map_add(&m, cluster, 16);
        map_fill(&m, held, zero);
        for (unsigned c = 0; c < MODEL_MAP_CELLS; c++) {
            g_assert_cmpuint(held[c], ==, 255);
            g_assert_cmpuint(zero[c], ==, 255);
        }
        map_clear(&m);
        map_fill(&m, held, zero);
        g_assert_cmpuint(held[0], ==, 0);
    }
}

/* All but one cluster is not all; one is more than nothing. */
static void test_in_part(void)
{
    struct map m;
    map_init(&m, 256 * 10000);
    map_add(&m, 0, 1);
    for (uint64_t cluster = 10000; cluster < 19999; cluster++)
        map_add(&m, cluster, 0);
    map_add(&m, 256 * 10000, 16); /* behind the end: not of this drive */
    map_fill(&m, held, zero);
    g_assert_cmpuint(held[0], ==, 1);
    g_assert_cmpuint(zero[0], ==, 1);
    g_assert_cmpuint(held[1], ==, 254);
    g_assert_cmpuint(zero[1], ==, 0);
    g_assert_cmpuint(held[255], ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archive/map/sizes", test_sizes);
    g_test_add_func("/archive/map/in-part", test_in_part);
    return g_test_run();
}
