// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's last backup is remembered, whatever it is called; engine/test_forecast.c: it forecasts the next. */
#include <glib.h>
#include <stdlib.h>
#include "log/last_run.h"

struct fixture {
    char *dir;
};

static void set_up(struct fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("last-run-XXXXXX", NULL);
    g_setenv("XDG_STATE_HOME", f->dir, TRUE);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", f->dir);

    g_assert_cmpint(system(command), ==, 0);
    g_free(f->dir);
}

static void test_kept(struct fixture *f, gconstpointer data)
{
    static const char *const names[] = {"web-01", "a/b", "..", "../../etc/x", "Gäste [1]", "%2F"};
    struct last_run last, none;
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct last_run saved = {UINT64_C(1) << 45, 5000 + i, 3000, 700, i % 2};
        g_assert_false(last_run_load(names[i], &none));
        last_run_save(names[i], &saved);
        g_assert_true(last_run_load(names[i], &last));
        g_assert_cmpuint(last.read, ==, saved.read);
        g_assert_cmpuint(last.plain, ==, saved.plain);
        g_assert_cmpuint(last.written, ==, saved.written);
        g_assert_cmpuint(last.elapsed_ms, ==, saved.elapsed_ms);
        g_assert_cmpint(last.is_packed, ==, saved.is_packed);
    }
    g_assert_true(last_run_load(names[0], &last)); /* each has a file of its own */
    g_assert_cmpuint(last.plain, ==, 5000);
}

/* What is no number, or nought, is as good as nothing; a folder that cannot be made is no error. */
static void test_of_no_use(struct fixture *f, gconstpointer data)
{
    struct last_run last = {1, 1, 1, 1, true};
    last_run_save("web", &last);
    g_autofree char *path = g_build_filename(f->dir, "vmabackup", "web.last", NULL);
    g_assert_true(g_file_set_contents(path, "[last]\nread=x\nplain=-1\nwritten=0\n", -1, NULL));
    g_assert_false(last_run_load("web", &last));
    g_assert_true(g_file_set_contents(path, "\xff[", -1, NULL));
    g_assert_false(last_run_load("web", &last));
    g_setenv("XDG_STATE_HOME", "/proc/nowhere", TRUE);
    last_run_save("web", &last);
    g_assert_false(last_run_load("web", &last));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/last-run/kept", struct fixture, NULL, set_up, test_kept, tear_down);
    g_test_add("/last-run/of-no-use", struct fixture, NULL, set_up, test_of_no_use, tear_down);
    return g_test_run();
}
