// SPDX-License-Identifier: GPL-2.0-or-later
/* Reaching a monitor: every way to name one, and the sentence for every way to fail. */
#include <netinet/in.h>
#include <sys/stat.h>
#include "unit/qmp_world.h"

static void expect_greeted(const char *greeting, int code, const char *words)
{
    struct world w;

    world_begin(&w);
    w.peer.greeting = greeting;
    world_open(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, code);
    g_assert_nonnull(strstr(w.seen->str, w.peer.path));
    g_assert_nonnull(strstr(w.seen->str, words));
    world_end(&w, NULL);
}

static void test_greeted_by_others(void)
{
    expect_greeted("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", QMP_ERROR_HMP,
                   "human monitor (HMP); start QEMU with -qmp ");
    expect_greeted("220 ftp ready\r\n", QMP_ERROR_NOT_QMP, "does not speak QMP");
}

static void test_busy(void)
{
    struct world w;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int others[2];

    world_begin(&w);
    w.peer.greeting = NULL;
    uv_poll_stop(&w.peer.listener_poll); /* nobody is accepted any more; one more fills the queue */
    g_strlcpy(address.sun_path, w.peer.path, sizeof address.sun_path);
    for (unsigned i = 0; i < 2; i++) {
        others[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(others[i], (struct sockaddr *)&address, sizeof address) != 0)
            g_assert_cmpint(errno, ==, EAGAIN);
    }
    world_open(&w, 2500);
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_BUSY);
    g_assert_true(g_str_has_prefix(w.seen->str, "waiting ")); /* the word, before the loss */
    g_assert_nonnull(strstr(w.seen->str, "another program holds this monitor"));
    close(others[0]);
    close(others[1]);
    world_end(&w, NULL);
}

/* --- addresses ---------------------------------------------------------------------------------- */

static void expect_unreachable(const char *address, int code, const char *words)
{
    struct world w;

    world_begin(&w);
    world_open_at(&w, address, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, code);
    g_assert_true(g_str_has_prefix(w.seen->str, "lost "));
    g_assert_nonnull(strstr(w.seen->str, words));
    world_end(&w, NULL);
}

static void test_unreachable(void)
{
    g_autofree char *folder = g_dir_make_tmp("qmp-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "file", NULL), *missing = g_build_filename(folder, "no", NULL);
    g_autofree char *below_file = g_build_filename(file, "x", NULL), *long_path = g_strnfill(200, 'x');

    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    expect_unreachable(missing, QMP_ERROR_NOT_THERE, "is the guest running?");
    expect_unreachable(below_file, QMP_ERROR_NOT_THERE, "no such socket");
    expect_unreachable(file, QMP_ERROR_NOT_SOCKET, "is no socket");
    expect_unreachable(folder, QMP_ERROR_NOT_SOCKET, "is no socket");
    expect_unreachable(long_path, QMP_ERROR_NOT_SOCKET, "107 bytes");
    expect_unreachable("unix:", QMP_ERROR_NOT_SOCKET, "no path");
    expect_unreachable("", QMP_ERROR_NOT_SOCKET, "no path");
    expect_unreachable("tcp:localhost", QMP_ERROR_NOT_SOCKET, "no port");
    expect_unreachable("tcp:localhost:x1", QMP_ERROR_NOT_SOCKET, "no port");
    expect_unreachable("localhost:99999", QMP_ERROR_NOT_SOCKET, "1 to 65535");
    expect_unreachable("192.0.2.1:4444", QMP_ERROR_NOT_SOCKET, "this machine");
    expect_unreachable("example.org:4444", QMP_ERROR_NOT_SOCKET, "this machine");
    g_unlink(file);
    g_rmdir(folder);
}

static void test_nobody_listens(void)
{
    struct world w;

    world_begin(&w);
    shutdown(w.peer.listener, SHUT_RDWR);
    uv_poll_stop(&w.peer.listener_poll);
    world_open(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_REFUSED);
    world_end(&w, NULL);
}

static void test_permission(void)
{
    struct world w;

    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
        g_test_skip("cannot be anyone but root");
        return;
    }
    world_begin(&w);
    g_assert_cmpint(chmod(w.peer.path, 0), ==, 0);
    world_open(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_PERMISSION);
    world_end(&w, NULL);
    if (getuid() == 0)
        g_assert_true(seteuid(0) == 0 && setegid(0) == 0);
}

/* --- TCP ---------------------------------------------------------------------------------------- */

static int listen_on_tcp(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (bind(fd, address, len) != 0 || listen(fd, 1) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The peer moves from its UNIX listener to this one. Returns the port, or 0. */
static unsigned move_to_tcp(struct world *w, const struct sockaddr *address, socklen_t len)
{
    int fd = listen_on_tcp(address, len);
    struct sockaddr_in6 bound;
    socklen_t bound_len = sizeof bound;

    if (fd < 0)
        return 0;
    uv_poll_stop(&w->peer.listener_poll);
    g_assert_cmpint(dup2(fd, w->peer.listener), ==, w->peer.listener);
    close(fd);
    uv_poll_start(&w->peer.listener_poll, UV_READABLE, peer_on_client);
    g_assert_cmpint(getsockname(w->peer.listener, (struct sockaddr *)&bound, &bound_len), ==, 0);
    return ntohs(bound.sin6_port); /* at the same place as sin_port */
}

static void converse_over_tcp(const struct sockaddr *address, socklen_t len, const char *host)
{
    g_autofree char *text = NULL;
    struct world w;
    unsigned port;
    int fd = world_pipe("x");

    world_begin(&w);
    w.peer.on_command = world_answer_stop;
    port = move_to_tcp(&w, address, len);
    if (port) {
        text = g_strdup_printf("%s:%u", host, port);
        world_open_at(&w, text, 5000);
        g_assert_false(qmp_can_pass_fds(w.q));
        qmp_stop(w.q, world_on_done, &w);
        run_until(&w.loop, &w.n_done);
        g_assert_cmpstr(w.seen->str, ==, "ready\nevent STOP\ndone\n");
        w.n_done = 0;
        qmp_getfd(w.q, "vmb", fd, world_on_done, &w);
        g_assert_cmpint(w.n_done, ==, 0);
        run_until(&w.loop, &w.n_done);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
        world_end(&w, "ready\nevent STOP\ndone\ndone error 0\n");
    } else {
        close(fd);
        world_end(&w, "");
    }
}

static void test_tcp(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    converse_over_tcp((struct sockaddr *)&in, sizeof in, "127.0.0.1");
    converse_over_tcp((struct sockaddr *)&in, sizeof in, "tcp:localhost");
    converse_over_tcp((struct sockaddr *)&in, sizeof in, "tcp:");
    converse_over_tcp((struct sockaddr *)&in6, sizeof in6, "[::1]");     /* passes too where there is no IPv6 */
    converse_over_tcp((struct sockaddr *)&in6, sizeof in6, "localhost"); /* after 127.0.0.1 has refused */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/connect/greeted-by-others", test_greeted_by_others);
    g_test_add_func("/qmp/connect/busy", test_busy);
    g_test_add_func("/qmp/connect/unreachable", test_unreachable);
    g_test_add_func("/qmp/connect/nobody-listens", test_nobody_listens);
    g_test_add_func("/qmp/connect/permission", test_permission);
    g_test_add_func("/qmp/connect/tcp", test_tcp);
    return g_test_run();
}
