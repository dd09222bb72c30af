// SPDX-License-Identifier: GPL-2.0-or-later
/* The monitor on a loop, against a scripted peer: connecting, its faults, and closing at any moment. */
#include <netinet/in.h>
#include <sys/stat.h>
#include "qmp/calls.h"
#include "unit/qmp_peer.h"

struct world {
    uv_loop_t loop;
    struct peer peer;
    struct qmp *q;
    GString *seen;      /* a line for each callback */
    int is_ready, is_lost, n_done, n_early;
    int lost_code;
    const char *close_at; /* qmp_close() from within the callback whose line begins so */
};

static void note(struct world *w, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(struct world *w, const char *format, ...)
{
    size_t start = w->seen->len;
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(w->seen, format, args);
    va_end(args);
    g_string_append_c(w->seen, '\n');
    if (w->close_at && g_str_has_prefix(w->seen->str + start, w->close_at)) {
        qmp_close(g_steal_pointer(&w->q));
        w->n_done = w->is_ready = w->is_lost = 1;
    }
}

static void on_ready(void *user)
{
    struct world *w = user;

    w->is_ready = 1;
    note(w, "ready");
}

static void on_event(void *user, const struct qmp_event *event)
{
    note(user, "event %s", event->name);
}

static void on_lost(void *user, const GError *error)
{
    struct world *w = user;

    w->is_lost = 1;
    w->lost_code = error->code;
    g_assert_true(error->domain == QMP_ERROR);
    note(w, "lost %s", error->message);
}

static void on_done(void *user, const GError *error)
{
    struct world *w = user;

    w->n_done++;
    if (error)
        note(w, "done error %d", error->code);
    else
        note(w, "done");
}

static const struct qmp_listener listener = {on_ready, on_event, on_lost};

static void begin(struct world *w)
{
    *w = (struct world){.seen = g_string_new(NULL)};
    uv_loop_init(&w->loop);
    peer_listen(&w->peer, &w->loop);
    w->peer.user = w;
}

static void open_monitor(struct world *w, unsigned timeout_ms)
{
    w->q = qmp_open(&w->loop, w->peer.path, timeout_ms, &listener, w);
}

/* Whatever happened, the loop must come to rest and close. */
static void end(struct world *w, const char *expected)
{
    if (expected)
        g_assert_cmpstr(w->seen->str, ==, expected);
    qmp_close(w->q);
    peer_close(&w->peer);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&w->loop), ==, 0);
    g_string_free(w->seen, TRUE);
}

/* --- conversation ------------------------------------------------------------------------------- */

static void answer_stop(struct peer *peer, int id, const char *line, int passed_fd)
{
    g_assert_nonnull(strstr(line, "{\"execute\":\"stop\",\"id\":"));
    peer_say(peer, "{\"event\":\"STOP\"}");
    peer_reply(peer, id, "\"return\":{}");
}

static void test_conversation(void)
{
    struct world w;

    begin(&w);
    w.peer.on_command = answer_stop;
    open_monitor(&w, 5000);
    g_assert_false(qmp_is_ready(w.q));
    g_assert_true(qmp_can_pass_fds(w.q));
    g_assert_cmpuint(qmp_last_heard_ms(w.q), ==, 0);
    qmp_stop(w.q, on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_true(qmp_is_ready(w.q));
    g_assert_cmpuint(qmp_last_heard_ms(w.q), >, 0);
    end(&w, "ready\nevent STOP\ndone\n");
}

static void refuse(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_reply(peer, id, "\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"no such job\"}");
}

static void test_error_reply(void)
{
    struct world w;

    begin(&w);
    w.peer.on_command = refuse;
    open_monitor(&w, 5000);
    qmp_job_pause(w.q, "bk0", on_done, &w);
    run_until(&w.loop, &w.n_done);
    end(&w, "ready\ndone error 1\n");
}

static void on_greet_late(uv_timer_t *timer)
{
    struct peer *peer = timer->data;

    peer_say(peer, PEER_GREETING);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_late_greeting(void)
{
    struct world w;
    uv_timer_t timer;

    begin(&w);
    w.peer.greeting = NULL;
    w.peer.on_command = answer_stop;
    uv_timer_init(&w.loop, &timer);
    timer.data = &w.peer;
    uv_timer_start(&timer, on_greet_late, 60, 0);
    open_monitor(&w, 5000);
    qmp_stop(w.q, on_done, &w);
    run_until(&w.loop, &w.n_done);
    end(&w, "ready\nevent STOP\ndone\n");
}

static void stay_silent(struct peer *peer, int id, const char *line, int passed_fd)
{
}

static void test_deadline(void)
{
    struct world w;

    begin(&w);
    w.peer.on_command = stay_silent;
    open_monitor(&w, 30);
    qmp_stop(w.q, on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_true(qmp_is_ready(w.q));
    end(&w, "ready\ndone error 3\n");
}

static void on_nothing_yet(void *user, const GError *error)
{
    struct world *w = user;

    g_assert_no_error(error);
    w->n_early++;
}

/* More than a socket holds: nobody blocks, nothing is lost, and the order stays. */
static void count(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_reply(peer, id, "\"return\":{}");
}

static void test_many_commands(void)
{
    g_autofree char *name = g_strnfill(20000, 'x');
    struct world w;

    begin(&w);
    w.peer.on_command = count;
    open_monitor(&w, 15000);
    for (unsigned i = 0; i < 50; i++)
        qmp_del_node(w.q, name, i < 49 ? on_nothing_yet : on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_cmpint(w.n_early, ==, 49);
    end(&w, "ready\ndone\n");
}

/* --- ends --------------------------------------------------------------------------------------- */

static void hang_up(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_say(peer, "{\"event\":\"SHUTDOWN\"}{\"ret");
    peer_hang_up(peer);
}

static void test_hang_up(void)
{
    struct world w;

    begin(&w);
    w.peer.on_command = hang_up;
    open_monitor(&w, 5000);
    qmp_stop(w.q, on_done, &w);
    qmp_cont(w.q, on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_GONE);
    g_assert_true(g_str_has_prefix(w.seen->str, "ready\nevent SHUTDOWN\ndone error 4\ndone error 4\nlost "));

    g_string_truncate(w.seen, 0); /* a command for a monitor that is gone */
    w.n_done = 0;
    qmp_stop(w.q, on_done, &w);
    g_assert_cmpstr(w.seen->str, ==, "");
    run_until(&w.loop, &w.n_done);
    end(&w, "done error 4\n");
}

static void babble(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_say(peer, "\x01\xfe random \xff bytes");
}

static void test_random_bytes(void)
{
    struct world w;

    begin(&w);
    w.peer.on_command = babble;
    open_monitor(&w, 5000);
    qmp_stop(w.q, on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_NOT_QMP);
    g_assert_true(g_str_has_prefix(w.seen->str, "ready\ndone error 4\nlost "));
    end(&w, NULL);
}

static void expect_greeted(const char *greeting, int code, const char *words)
{
    struct world w;

    begin(&w);
    w.peer.greeting = greeting;
    open_monitor(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, code);
    g_assert_nonnull(strstr(w.seen->str, w.peer.path));
    g_assert_nonnull(strstr(w.seen->str, words));
    end(&w, NULL);
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

    begin(&w);
    w.peer.greeting = NULL;
    uv_poll_stop(&w.peer.listener_poll); /* nobody is accepted any more; one more fills the queue */
    g_strlcpy(address.sun_path, w.peer.path, sizeof address.sun_path);
    for (unsigned i = 0; i < 2; i++) {
        others[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(others[i], (struct sockaddr *)&address, sizeof address) != 0)
            g_assert_cmpint(errno, ==, EAGAIN);
    }
    open_monitor(&w, 5000);
    qmp_stop(w.q, on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_BUSY);
    g_assert_nonnull(strstr(w.seen->str, "another program holds this monitor"));
    close(others[0]);
    close(others[1]);
    end(&w, NULL);
}

static void on_dropped(void *user, const GError *error)
{
    g_assert_not_reached();
}

/* qmp_close() from within every kind of callback: what is pending is dropped, nothing is called any more. */
static void test_close_within(void)
{
    static const struct {
        const char *moment, *seen;
        void (*on_command)(struct peer *peer, int id, const char *line, int passed_fd);
    } cases[] = {
        {"ready", "ready\n", answer_stop},
        {"event", "ready\nevent STOP\n", answer_stop},
        {"done", "ready\nevent STOP\ndone\n", answer_stop},
        {"done error", "ready\nevent SHUTDOWN\ndone error 4\n", hang_up},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct world w;
        begin(&w);
        w.close_at = cases[i].moment;
        w.peer.on_command = cases[i].on_command;
        open_monitor(&w, 5000);
        qmp_stop(w.q, on_done, &w);
        qmp_stop(w.q, on_dropped, &w);
        run_until(&w.loop, &w.n_done);
        g_assert_null(w.q);
        end(&w, cases[i].seen);
    }
}

static void test_close_when_lost(void)
{
    struct world w;

    begin(&w);
    w.close_at = "lost";
    w.peer.greeting = "nonsense";
    open_monitor(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_null(w.q);
    end(&w, NULL);
}

static void test_close_at_once(void)
{
    struct world w;

    begin(&w);
    open_monitor(&w, 5000);
    qmp_stop(w.q, on_done, &w);
    qmp_query_unsavable(w.q, NULL, &w);
    qmp_close(g_steal_pointer(&w.q));
    qmp_close(NULL);
    end(&w, "");
}

/* --- descriptors -------------------------------------------------------------------------------- */

static void take_descriptor(struct peer *peer, int id, const char *line, int passed_fd)
{
    struct world *w = peer->user;
    char text[8] = "";

    g_assert_true((passed_fd >= 0) == (strstr(line, "\"getfd\"") != NULL));
    if (passed_fd >= 0) {
        g_assert_cmpint(read(passed_fd, text, sizeof text - 1), >, 0);
        close(passed_fd);
    }
    g_string_append_printf(w->seen, "got %s\n", text);
    peer_reply(peer, id, "\"return\":{}");
}

static int pipe_with(const char *text)
{
    int ends[2];

    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_assert_cmpint(write(ends[1], text, strlen(text)), ==, (int)strlen(text));
    close(ends[1]);
    return ends[0];
}

static void on_all(void *user, const GError *error)
{
    struct world *w = user;

    g_assert_no_error(error);
    w->n_done = 1;
}

static void on_nothing(void *user, const GError *error)
{
    g_assert_no_error(error);
}

static void test_pass_descriptors(void)
{
    struct world w;
    int first, second;

    begin(&w);
    w.peer.on_command = take_descriptor;
    open_monitor(&w, 5000);
    qmp_getfd(w.q, "vmb-1", first = pipe_with("one"), on_nothing, &w);
    qmp_getfd(w.q, "vmb-2", second = pipe_with("two"), on_nothing, &w);
    qmp_stop(w.q, on_nothing, &w);
    qmp_getfd(w.q, "vmb-3", pipe_with("three"), on_all, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_cmpint(fcntl(first, F_GETFD), ==, -1); /* ours are closed */
    g_assert_cmpint(fcntl(second, F_GETFD), ==, -1);
    end(&w, "ready\ngot one\ngot two\ngot \ngot three\n");
}

/* --- addresses ---------------------------------------------------------------------------------- */

static void expect_unreachable(const char *address, int code, const char *words)
{
    struct world w;

    begin(&w);
    w.q = qmp_open(&w.loop, address, 5000, &listener, &w);
    g_assert_cmpstr(w.seen->str, ==, ""); /* never from within qmp_open() */
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, code);
    g_assert_true(g_str_has_prefix(w.seen->str, "lost "));
    g_assert_nonnull(strstr(w.seen->str, words));
    end(&w, NULL);
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

    begin(&w);
    shutdown(w.peer.listener, SHUT_RDWR);
    uv_poll_stop(&w.peer.listener_poll);
    open_monitor(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_REFUSED);
    end(&w, NULL);
}

static void test_permission(void)
{
    struct world w;

    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
        g_test_skip("cannot be anyone but root");
        return;
    }
    begin(&w);
    g_assert_cmpint(chmod(w.peer.path, 0), ==, 0);
    open_monitor(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_PERMISSION);
    end(&w, NULL);
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
    int fd = pipe_with("x");

    begin(&w);
    w.peer.on_command = answer_stop;
    port = move_to_tcp(&w, address, len);
    if (port) {
        text = g_strdup_printf("%s:%u", host, port);
        w.q = qmp_open(&w.loop, text, 5000, &listener, &w);
        g_assert_false(qmp_can_pass_fds(w.q));
        qmp_stop(w.q, on_done, &w);
        run_until(&w.loop, &w.n_done);
        g_assert_cmpstr(w.seen->str, ==, "ready\nevent STOP\ndone\n");
        w.n_done = 0;
        qmp_getfd(w.q, "vmb", fd, on_done, &w);
        g_assert_cmpint(w.n_done, ==, 0);
        run_until(&w.loop, &w.n_done);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
        end(&w, "ready\nevent STOP\ndone\ndone error 0\n");
    } else {
        close(fd);
        end(&w, "");
    }
}

static void test_tcp(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    converse_over_tcp((struct sockaddr *)&in, sizeof in, "127.0.0.1");
    converse_over_tcp((struct sockaddr *)&in, sizeof in, "tcp:localhost");
    converse_over_tcp((struct sockaddr *)&in, sizeof in, "tcp:");
    converse_over_tcp((struct sockaddr *)&in6, sizeof in6, "[::1]"); /* passes too where there is no IPv6 */
    converse_over_tcp((struct sockaddr *)&in6, sizeof in6, "localhost"); /* after 127.0.0.1 has refused */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/client-uv/conversation", test_conversation);
    g_test_add_func("/qmp/client-uv/error-reply", test_error_reply);
    g_test_add_func("/qmp/client-uv/late-greeting", test_late_greeting);
    g_test_add_func("/qmp/client-uv/deadline", test_deadline);
    g_test_add_func("/qmp/client-uv/many-commands", test_many_commands);
    g_test_add_func("/qmp/client-uv/hang-up", test_hang_up);
    g_test_add_func("/qmp/client-uv/random-bytes", test_random_bytes);
    g_test_add_func("/qmp/client-uv/greeted-by-others", test_greeted_by_others);
    g_test_add_func("/qmp/client-uv/busy", test_busy);
    g_test_add_func("/qmp/client-uv/close-within", test_close_within);
    g_test_add_func("/qmp/client-uv/close-when-lost", test_close_when_lost);
    g_test_add_func("/qmp/client-uv/close-at-once", test_close_at_once);
    g_test_add_func("/qmp/client-uv/pass-descriptors", test_pass_descriptors);
    g_test_add_func("/qmp/client-uv/unreachable", test_unreachable);
    g_test_add_func("/qmp/client-uv/nobody-listens", test_nobody_listens);
    g_test_add_func("/qmp/client-uv/permission", test_permission);
    g_test_add_func("/qmp/client-uv/tcp", test_tcp);
    return g_test_run();
}
