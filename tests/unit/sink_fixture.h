// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* One operation of a sink after the other, for the tests of sink/. */
#include "base/error.h"
#include "sink/sink.h"
#include "unit/loop_fixture.h"

struct outcome {
    uv_loop_t *loop; /* that waits for it */
    unsigned calls;
    GError *error;
};

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
