// SPDX-License-Identifier: GPL-2.0-or-later
/* The front on a real loop and a real socket, with a device in the same thread. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include "base/error.h"
#include "unit/vhost_loop.h"

static void test_whole_disk(struct fixture *f, gconstpointer unused)
{
    const uint8_t *pool = vhost_memory_pool(f->memory);

    g_assert_cmpuint(vhost_room(f->front), ==, 0);
    TURN_UNTIL(f, f->is_ready);
    g_assert_cmpuint(f->capacity, ==, DISK_BYTES);
    g_assert_cmpuint(vhost_max_clusters(f->front), ==, 16);
    g_assert_cmpuint(vhost_room(f->front), ==, 128);
    for (uint64_t at = 0; at < DISK_BYTES; at += 1 << 20)
        g_assert_true(ask(f, at, MIN(DISK_BYTES - at, 1 << 20)));
    g_assert_cmpuint(vhost_in_flight(f->front), ==, 4);
    g_assert_cmpuint(f->n_read, ==, 0);
    TURN_UNTIL(f, f->n_read == 4);
    for (uint64_t at = 0; at < DISK_BYTES; at++)
        g_assert_cmpuint(pool[at], ==, disk_byte(at));
    g_assert_cmpuint(pool[DISK_BYTES], ==, 0);
    g_assert_cmpuint(vhost_in_flight(f->front), ==, 0);
}

/* QEMU is woken once for what is asked in one turn. */
static void test_one_kick(struct fixture *f, gconstpointer unused)
{
    TURN_UNTIL(f, f->is_ready);
    for (unsigned i = 0; i < 100; i++)
        g_assert_true(ask(f, i * VHOST_CLUSTER_BYTES % (2 << 20), 512));
    TURN_UNTIL(f, f->n_read == 100);
    g_assert_cmpuint(f->device.n_kicks, ==, 1);
    ask(f, 0, 512);
    TURN_UNTIL(f, f->n_read == 101);
    g_assert_cmpuint(f->device.n_kicks, ==, 2);
}

static void test_full(struct fixture *f, gconstpointer unused)
{
    f->device.is_lazy = true;
    TURN_UNTIL(f, f->is_ready);
    while (vhost_room(f->front) > 0)
        g_assert_true(ask(f, 0, 512));
    g_assert_false(ask(f, 0, 512));
    g_assert_cmpuint(vhost_in_flight(f->front), ==, 128);
    TURN_UNTIL(f, f->device.n_kicks == 1);
    f->device.is_lazy = false;
    fake_serve(&f->device);
    TURN_UNTIL(f, f->n_read == 128);
    g_assert_cmpuint(vhost_room(f->front), ==, 128);
}

static void test_disk_error(struct fixture *f, gconstpointer unused)
{
    f->device.status = 1;
    TURN_UNTIL(f, f->is_ready);
    ask(f, 0, 65536);
    TURN_UNTIL(f, f->n_read == 1);
    g_assert_cmpuint(f->n_failed, ==, 1);
    f->device.status = 0;
    ask(f, 0, 65536);
    TURN_UNTIL(f, f->n_read == 2);
    g_assert_cmpuint(f->n_failed, ==, 1);
}

static void ask_again(struct fixture *f)
{
    if (f->n_asked < 5000)
        ask(f, f->n_asked % 32 * VHOST_CLUSTER_BYTES, 512);
}

/* What is asked for in an event is served as well, and events come from the loop alone. */
static void test_asks_in_events(struct fixture *f, gconstpointer unused)
{
    f->in_read = f->in_ready = ask_again;
    TURN_UNTIL(f, f->n_read == 5000);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void test_close_at_once(struct fixture *f, gconstpointer unused)
{
    fixture_close(f);
    TURN_UNTIL(f, f->is_closed);
    g_assert_false(f->is_ready);
}

static void test_close_in_ready(struct fixture *f, gconstpointer unused)
{
    f->in_ready = fixture_close;
    TURN_UNTIL(f, f->is_closed);
}

static void close_at_third(struct fixture *f)
{
    if (f->n_read == 3)
        fixture_close(f);
}

static void test_close_in_read(struct fixture *f, gconstpointer unused)
{
    TURN_UNTIL(f, f->is_ready);
    f->in_read = close_at_third;
    for (unsigned i = 0; i < 10; i++)
        ask(f, i * VHOST_CLUSTER_BYTES, 512);
    TURN_UNTIL(f, f->is_closed);
    g_assert_cmpuint(f->n_read, ==, 3);
    g_assert_cmpuint(f->n_taken_back, ==, 7);
}

/* QEMU ends it while reads are in flight: what had ended before still counts, the rest is taken back. */
static void test_hang_up(struct fixture *f, gconstpointer unused)
{
    struct device_read read;

    f->device.is_lazy = true;
    TURN_UNTIL(f, f->is_ready);
    for (unsigned i = 0; i < 10; i++)
        ask(f, 0, 512);
    f->device.status = 1; /* so that nobody looks for data */
    for (unsigned i = 0; i < 4; i++) {
        g_assert_true(device_take(&f->device.back.ring, &read));
        device_end(&f->device.back.ring, &read, 1);
    }
    fake_hang_up(&f->device);
    TURN_UNTIL(f, f->why);
    g_assert_cmpstr(f->why, ==, "QEMU has ended the connection of its export");
    g_assert_cmpuint(f->n_read, ==, 4);
    g_assert_cmpuint(vhost_in_flight(f->front), ==, 6);
    g_assert_cmpuint(vhost_room(f->front), ==, 0);
    g_assert_false(ask(f, 0, 512));
    fixture_close(f);
    g_assert_cmpuint(f->n_taken_back, ==, 6);
}

static void test_hang_up_early(struct fixture *f, gconstpointer data)
{
    f->device.back.hangs_up_at = GPOINTER_TO_UINT(data);
    TURN_UNTIL(f, f->why);
    g_assert_false(f->is_ready);
    g_assert_true(strstr(f->why, "QEMU has ended the connection of its export") ||
                  strstr(f->why, "cannot send to QEMU's export: Broken pipe") ||
                  strstr(f->why, "cannot wait for QEMU's export"));
}

/* --- lies --------------------------------------------------------------------------------------- */

static void test_lie_in_handshake(struct fixture *f, gconstpointer unused)
{
    f->device.back.peer.capacity = 0;
    TURN_UNTIL(f, f->why);
    g_assert_cmpstr(f->why, ==, "QEMU's export cannot be used: its disk has 0 sectors");
    g_assert_false(f->is_ready);
}

static void test_lie_in_ring(struct fixture *f, gconstpointer unused)
{
    f->device.is_lazy = true;
    TURN_UNTIL(f, f->is_ready);
    ask(f, 0, 512);
    ask(f, 0, 512);
    device_say(&f->device.back.ring, 77, 513);
    eventfd_write(f->device.back.call_fd, 1);
    TURN_UNTIL(f, f->why);
    g_assert_cmpstr(f->why, ==, "QEMU's export does what it must not: read number 77 ended, which was not in flight");
    g_assert_cmpuint(f->n_read, ==, 0);
}

static void test_chatter(struct fixture *f, gconstpointer unused)
{
    TURN_UNTIL(f, f->is_ready);
    g_assert_cmpint(send(f->device.back.fd, "x", 1, MSG_NOSIGNAL), ==, 1);
    TURN_UNTIL(f, f->why);
    g_assert_cmpstr(f->why, ==, "QEMU's export cannot be used: it sends what nobody has asked for");
}

/* It calls all the time, with nothing done: no event, no crash. */
static void test_false_alarm(struct fixture *f, gconstpointer unused)
{
    f->device.is_lazy = true;
    TURN_UNTIL(f, f->is_ready);
    ask(f, 0, 512);
    for (unsigned i = 0; i < 50; i++) {
        eventfd_write(f->device.back.call_fd, 1);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    g_assert_null(f->why);
    g_assert_cmpuint(f->n_read, ==, 0);
}

/* --- sockets ------------------------------------------------------------------------------------ */

static void test_no_socket(void)
{
    g_autoptr(GError) error = NULL;
    struct vhost_memory *memory = vhost_memory_new(POOL_BYTES, 1, NULL);
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    uv_loop_t loop;

    uv_loop_init(&loop);
    g_assert_null(vhost_open(&loop, memory, 0, fd, &(struct vhost_events){0}, NULL, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1); /* taken over all the same */
    uv_run(&loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&loop), ==, 0);
    vhost_memory_free(memory);
}

static void test_socket_pair(void)
{
    g_autofree char *dir = g_dir_make_tmp("vhost-XXXXXX", NULL), *path = g_build_filename(dir, "v", NULL);
    g_autofree char *nowhere = g_build_filename(dir, "no", "v", NULL);
    g_autoptr(GError) error = NULL;
    int listening, connected, accepted;
    char byte;

    g_assert_true(vhost_socket_pair(path, &listening, &connected, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    accepted = accept(listening, NULL, NULL);
    g_assert_cmpint(accepted, >=, 0);
    g_assert_cmpint(send(connected, "x", 1, 0), ==, 1);
    g_assert_cmpint(recv(accepted, &byte, 1, 0), ==, 1);
    g_assert_cmpint(accept(listening, NULL, NULL), ==, -1);
    close(accepted), close(connected), close(listening);
    g_assert_false(vhost_socket_pair(nowhere, &listening, &connected, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void add_test(const char *name, gconstpointer data, void (*test)(struct fixture *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf("/vhost/uv/%s", name);

    g_test_add(path, struct fixture, data, fixture_up, test, fixture_down);
}

int main(int argc, char **argv)
{
    static const unsigned requests[] = {GET_FEATURES,  GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES,
                                        SET_MEM_TABLE, SET_VRING_KICK,        SET_VRING_ENABLE,
                                        GET_CONFIG};

    uv_loop_t loop;

    g_test_init(&argc, &argv, NULL);
    uv_loop_init(&loop); /* the first one opens descriptors for good */
    uv_loop_close(&loop);
    add_test("whole disk", NULL, test_whole_disk);
    add_test("one kick", NULL, test_one_kick);
    add_test("full", NULL, test_full);
    add_test("disk error", NULL, test_disk_error);
    add_test("asks in events", NULL, test_asks_in_events);
    add_test("close at once", NULL, test_close_at_once);
    add_test("close in ready", NULL, test_close_in_ready);
    add_test("close in read", NULL, test_close_in_read);
    add_test("hang up", NULL, test_hang_up);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autofree char *name = g_strdup_printf("hang up at %u", requests[i]);
        add_test(name, GUINT_TO_POINTER(requests[i]), test_hang_up_early);
    }
    add_test("lie in handshake", NULL, test_lie_in_handshake);
    add_test("lie in ring", NULL, test_lie_in_ring);
    add_test("chatter", NULL, test_chatter);
    add_test("false alarm", NULL, test_false_alarm);
    g_test_add_func("/vhost/uv/no socket", test_no_socket);
    g_test_add_func("/vhost/uv/socket pair", test_socket_pair);
    return g_test_run();
}
