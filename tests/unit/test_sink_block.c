// SPDX-License-Identifier: GPL-2.0-or-later
/* Block devices as targets: never by accident, and no archive before it is whole. Needs root and a loop device. */
#include <errno.h>
#include <sys/mount.h>
#include "unit/sink_fixture.h"

#define DEVICE_BYTES (1u << 20)
#define OLD          0xa5

/* A loop device over f->path, full of what was there before; NULL where there are none. */
static char *attach(struct fixture *f)
{
    g_autofree char *bytes = g_malloc(DEVICE_BYTES), *out = NULL;
    char *argv[] = {(char[]){"losetup"}, (char[]){"-f"}, (char[]){"--show"}, f->path, NULL};
    int status;
    memset(bytes, OLD, DEVICE_BYTES);
    g_assert_true(g_file_set_contents(f->path, bytes, DEVICE_BYTES, NULL));
    if (g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
                     &status, NULL) &&
        g_spawn_check_wait_status(status, NULL))
        return g_strdup(g_strchomp(out));
    g_test_skip("no loop device can be had");
    return NULL;
}

static void detach(char *device)
{
    g_autofree char *line = g_strconcat("losetup -d ", device, NULL);
    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, NULL, NULL));
    g_free(device);
}

static uint8_t *peek(const char *device, size_t at, size_t len)
{
    uint8_t *bytes = g_malloc(len);
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(pread(fd, bytes, len, (off_t)at), ==, (ssize_t)len);
    close(fd);
    return bytes;
}

static void assert_filled(const char *device, size_t at, size_t len, uint8_t byte)
{
    g_autofree uint8_t *bytes = peek(device, at, len);
    for (size_t i = 0; i < len; i++)
        g_assert_cmpuint(bytes[i], ==, byte);
}

static void write_filled(struct fixture *f, struct sink *s, size_t len, uint8_t byte)
{
    g_autofree uint8_t *bytes = g_malloc(len);
    memset(bytes, byte, len);
    g_autoptr(GError) error = write_bytes(f, s, bytes, len);
    g_assert_no_error(error);
}

static void test_written(struct fixture *f, gconstpointer data)
{
    char *device = attach(f);
    if (!device)
        return;
    must_refuse(f, device, false, VMB_ERROR_TARGET, "--force");
    assert_filled(device, 0, DEVICE_BYTES, OLD);
    struct sink *s = must_open(f, device, true);
    g_assert_true(sink_is_device(s) && sink_can_rewrite(s));
    g_assert_cmpuint(sink_free_bytes(s), ==, DEVICE_BYTES);
    must_refuse(f, device, true, VMB_ERROR_TARGET, "in use");
    write_filled(f, s, 4096, 1);
    write_filled(f, s, 1000, 2);
    g_assert_cmpuint(sink_free_bytes(s), ==, DEVICE_BYTES - 5096);
    assert_filled(device, 0, 512, 0); /* no archive yet, neither the old one */
    assert_filled(device, 512, 3584, 1);
    uint8_t header[700];
    struct outcome o = {0};
    struct iovec pieces[] = {{header, 100}, {header + 100, 600}};
    memset(header, 3, sizeof header);
    sink_rewrite(s, 0, pieces, 2, on_outcome, &o);
    g_assert_no_error(wait_for(f, &o));
    assert_filled(device, 0, 512, 0);
    g_assert_no_error(finish(f, s));
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT); /* closed */
    assert_filled(device, 0, 700, 3);
    assert_filled(device, 700, 3396, 1);
    assert_filled(device, 4096, 1000, 2);
    assert_filled(device, 5096, 1000, OLD);
    detach(device);
}

static void test_given_up(struct fixture *f, gconstpointer data)
{
    char *device = attach(f);
    if (!device)
        return;
    struct sink *s = must_open(f, device, true);
    write_filled(f, s, 4096, 1);
    sink_abort(s, true);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_filled(device, 0, 512, 0);
    detach(device);
}

static void test_full(struct fixture *f, gconstpointer data)
{
    char *device = attach(f);
    if (!device)
        return;
    struct sink *s = must_open(f, device, true);
    g_autofree uint8_t *bytes = g_malloc0(DEVICE_BYTES + 512);
    g_autoptr(GError) error = write_bytes(f, s, bytes, DEVICE_BYTES + 512);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET); /* it will not grow: no use in waiting */
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    detach(device);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/sink-block/written", struct fixture, NULL, fixture_up, test_written, fixture_down);
    g_test_add("/sink-block/given-up", struct fixture, NULL, fixture_up, test_given_up, fixture_down);
    g_test_add("/sink-block/full", struct fixture, NULL, fixture_up, test_full, fixture_down);
    return g_test_run();
}
