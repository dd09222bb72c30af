// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A loop, a directory of its own and waiting with a deadline, for the tests of sink/. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "sink/sink.h"

#define DEADLINE_MS 20000

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    char *dir;
    char *path; /* DIR/x.vma */
    char *partial;
};

struct outcome {
    uv_loop_t *loop; /* that waits for it */
    unsigned calls;
    GError *error;
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
    f->dir = g_dir_make_tmp("sink-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "x.vma", NULL);
    f->partial = g_strconcat(f->path, ".partial", NULL);
}

/* Nothing is left on the loop, and nothing in the directory but what `rm *` takes. */
static void fixture_down(struct fixture *f, gconstpointer data)
{
    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_free(f->dir);
    g_free(f->path);
    g_free(f->partial);
}

static void on_outcome(void *user, const GError *error)
{
    struct outcome *o = user;
    o->calls++;
    g_assert_null(o->error);
    o->error = error ? g_error_copy(error) : NULL;
    if (o->loop)
        uv_stop(o->loop);
}

/* Runs the loop until the operation has ended; its error, to be freed. */
static GError *wait_for(struct fixture *f, struct outcome *o)
{
    g_assert_cmpuint(o->calls, ==, 0); /* not from inside the call */
    /* Not UV_RUN_ONCE: before libuv 1.45 that sleeps on although a timer has just called back. */
    o->loop = &f->loop;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpuint(o->calls, ==, 1);
    return g_steal_pointer(&o->error);
}

static GError *write_bytes(struct fixture *f, struct sink *s, const void *bytes, size_t len)
{
    struct outcome o = {0};
    /* in three pieces, one of them empty */
    struct iovec iov[] = {
        {(void *)(uintptr_t)bytes, len / 3}, {NULL, 0}, {(char *)(uintptr_t)bytes + len / 3, len - len / 3}};
    sink_write(s, iov, G_N_ELEMENTS(iov), on_outcome, &o);
    memset(iov, 0xee, sizeof iov); /* the vector is copied */
    return wait_for(f, &o);
}

static GError *finish(struct fixture *f, struct sink *s)
{
    struct outcome o = {0};
    sink_finish(s, on_outcome, &o);
    return wait_for(f, &o);
}

static struct sink *must_open(struct fixture *f, const char *target, bool force)
{
    g_autoptr(GError) error = NULL;
    struct sink_options options = {.force = force};
    struct sink *s = sink_open(&f->loop, target, &options, &error);
    g_assert_no_error(error);
    g_assert_nonnull(s);
    return s;
}

static void must_refuse(struct fixture *f, const char *target, bool force, enum vmb_error code, const char *why)
{
    g_autoptr(GError) error = NULL;
    struct sink_options options = {.force = force};
    g_assert_null(sink_open(&f->loop, target, &options, &error));
    g_assert_error(error, VMB_ERROR, (int)code);
    if (!strstr(error->message, why))
        g_error("'%s' does not say '%s'", error->message, why);
}

G_GNUC_UNUSED static void assert_contents(const char *path, const char *want)
{
    g_autofree char *have = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &have, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(have, ==, want);
}

G_GNUC_UNUSED static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}
