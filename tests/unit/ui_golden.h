// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Screens as text files in tests/screens/. GENERATE=1 in the environment writes them anew: look at each difference
 * then. */
#include <glib.h>

static inline void golden_check(const char *name, int width, int height, const char *is)
{
    g_autofree char *file = g_strdup_printf("%s-%dx%d.txt", name, width, height);
    g_autofree char *path = g_build_filename(TEST_DATA, "screens", file, NULL);
    g_autofree char *wanted = NULL;
    if (g_getenv("GENERATE")) {
        g_assert_true(g_file_set_contents(path, is, -1, NULL));
        return;
    }
    g_assert_true(g_file_get_contents(path, &wanted, NULL, NULL));
    if (!g_str_equal(is, wanted))
        g_error("%s is no longer what is drawn:\n%s", file, is);
}
