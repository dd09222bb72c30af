// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A loop, a directory of its own and waiting with a deadline, for the tests of sink/ and of the writer. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define DEADLINE_MS 60000

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    char *dir;
    char *path; /* DIR/x.vma */
    char *partial;
    bool is_packed; /* the writer's */
};

static void on_deadline(uv_timer_t *timer)
{
    g_error("waited too long");
}

static void fixture_up(struct fixture *f, gconstpointer data)
{
    g_assert_cmpint(uv_loop_init(&f->loop), ==, 0);
    uv_timer_init(&f->loop, &f->deadline);
    uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *)&f->deadline);
    f->dir = g_dir_make_tmp("test-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "x.vma", NULL);
    f->partial = g_strconcat(f->path, ".partial", NULL);
}

/* Nothing is left on the loop, and nothing in the directory but what `rm *` takes. */
static void fixture_down(struct fixture *f, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);

    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_free(f->dir);
    g_free(f->path);
    g_free(f->partial);
}

/* Files that are written become no longer than that. */
static inline void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = MIN(bytes, limit.rlim_max);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}
