// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory in a file: zeros at first, what was put in afterwards, whatever has left the RAM meanwhile. */
#include "sink/scratch.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

#define PAGES (SCRATCH_PAGE_BYTES * 4 + 3) /* more than one piece has */

static void test_keeps(void)
{
    struct scratch *s = scratch_new();
    g_autofree uint64_t **pages = g_new(uint64_t *, PAGES);
    for (uint64_t i = 0; i < PAGES; i++) {
        g_autoptr(GError) error = NULL;
        pages[i] = scratch_take(s, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(pages[i][0] | pages[i][511], ==, 0);
        pages[i][0] = pages[i][511] = i + 1;
        if (i % 1000 == 0)
            scratch_rest(s);
    }
    scratch_rest(s);
    for (uint64_t i = 0; i < PAGES; i++)
        g_assert_true(pages[i][0] == i + 1 && pages[i][511] == i + 1);
    scratch_free(s);
}

static void test_no_room(void)
{
    g_autoptr(GError) error = NULL;
    struct scratch *s = scratch_new();
    g_setenv("TMPDIR", "/nowhere/at/all", TRUE);
    g_assert_null(scratch_take(s, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "TMPDIR"));
    scratch_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scratch/keeps", test_keeps);
    g_test_add_func("/scratch/no-room", test_no_room);
    return g_test_run();
}
