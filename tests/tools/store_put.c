// SPDX-License-Identifier: GPL-2.0-or-later
/* store_put STORE GUEST INSTANT SEED…: a snapshot with a drive of which each chunk is made of a seed; 0 is zeros. */
#include "unit/store_snapshots.h"

int main(int argc, char **argv)
{
    struct store_fixture f = {0};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(argc, >, 3);
    f.dir = argv[1];
    f.store = store_open(f.dir, STORE_SHARED, &error);
    g_assert_no_error(error);
    g_autofree unsigned *seeds = g_new(unsigned, (gsize)argc);
    for (int i = 4; i < argc; i++)
        seeds[i - 4] = (unsigned)strtoul(argv[i], NULL, 10);
    g_autofree char *path = make_snapshot(&f, argv[2], strtoll(argv[3], NULL, 10), seeds, (unsigned)argc - 4);
    puts(path);
    store_free(f.store);
    return 0;
}
