// SPDX-License-Identifier: GPL-2.0-or-later
/* The monitor on a loop, against a scripted peer: replies, deadlines, descriptors, and closing at any moment.
 */
#include "unit/qmp_world.h"

/* --- conversation ------------------------------------------------------------------------------- */

static void test_conversation(void)
{
    struct world w;

    world_begin(&w);
    w.peer.on_command = world_answer_stop;
    world_open(&w, 5000);
    g_assert_false(qmp_is_ready(w.q));
    g_assert_true(qmp_can_pass_fds(w.q));
    g_assert_cmpuint(qmp_last_heard_ms(w.q), ==, 0);
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_true(qmp_is_ready(w.q));
    g_assert_cmpuint(qmp_last_heard_ms(w.q), >, 0);
    world_end(&w, "ready\nevent STOP\ndone\n");
}

static void refuse(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_reply(peer, id, "\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"no such job\"}");
}

static void test_error_reply(void)
{
    struct world w;

    world_begin(&w);
    w.peer.on_command = refuse;
    world_open(&w, 5000);
    qmp_job_pause(w.q, "bk0", world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    world_end(&w, "ready\ndone error 1\n");
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

    world_begin(&w);
    w.peer.greeting = NULL;
    w.peer.on_command = world_answer_stop;
    uv_timer_init(&w.loop, &timer);
    timer.data = &w.peer;
    uv_timer_start(&timer, on_greet_late, 60, 0);
    world_open(&w, 5000);
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    world_end(&w, "ready\nevent STOP\ndone\n");
}

static void stay_silent(struct peer *peer, int id, const char *line, int passed_fd)
{
}

static void test_deadline(void)
{
    struct world w;

    world_begin(&w);
    w.peer.on_command = stay_silent;
    world_open(&w, 500); /* qmp_capabilities has the same deadline, and must keep it on a busy machine */
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_true(qmp_is_ready(w.q));
    world_end(&w, "ready\ndone error 3\n");
}

static unsigned n_early;

static void on_early(void *user, const GError *error)
{
    g_assert_no_error(error);
    n_early++;
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

    world_begin(&w);
    w.peer.on_command = count;
    world_open(&w, 15000);
    for (unsigned i = 0; i < 20; i++)
        qmp_del_node(w.q, name, i < 19 ? on_early : world_on_done, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_cmpuint(n_early, ==, 19);
    world_end(&w, "ready\ndone\n");
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

    world_begin(&w);
    w.peer.on_command = hang_up;
    world_open(&w, 5000);
    qmp_stop(w.q, world_on_done, &w);
    qmp_cont(w.q, world_on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_GONE);
    g_assert_true(g_str_has_prefix(w.seen->str, "ready\nevent SHUTDOWN\ndone error 4\ndone error 4\nlost "));

    g_string_truncate(w.seen, 0); /* a command for a monitor that is gone */
    w.n_done = 0;
    qmp_stop(w.q, world_on_done, &w);
    g_assert_cmpstr(w.seen->str, ==, "");
    run_until(&w.loop, &w.n_done);
    world_end(&w, "done error 4\n");
}

static void babble(struct peer *peer, int id, const char *line, int passed_fd)
{
    peer_say(peer, "\x01\xfe random \xff bytes");
}

static void test_random_bytes(void)
{
    struct world w;

    world_begin(&w);
    w.peer.on_command = babble;
    world_open(&w, 5000);
    qmp_stop(w.q, world_on_done, &w);
    run_until(&w.loop, &w.is_lost);
    g_assert_cmpint(w.lost_code, ==, QMP_ERROR_NOT_QMP);
    g_assert_true(g_str_has_prefix(w.seen->str, "ready\ndone error 4\nlost "));
    world_end(&w, NULL);
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
        {"ready", "ready\n", world_answer_stop},
        {"event", "ready\nevent STOP\n", world_answer_stop},
        {"done", "ready\nevent STOP\ndone\n", world_answer_stop},
        {"done error", "ready\nevent SHUTDOWN\ndone error 4\n", hang_up},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct world w;
        world_begin(&w);
        w.close_at = cases[i].moment;
        w.peer.on_command = cases[i].on_command;
        world_open(&w, 5000);
        qmp_stop(w.q, world_on_done, &w);
        qmp_stop(w.q, on_dropped, &w);
        run_until(&w.loop, &w.n_done);
        g_assert_null(w.q);
        world_end(&w, cases[i].seen);
    }
}

static void test_close_when_lost(void)
{
    struct world w;

    world_begin(&w);
    w.close_at = "lost";
    w.peer.greeting = "nonsense";
    world_open(&w, 5000);
    run_until(&w.loop, &w.is_lost);
    g_assert_null(w.q);
    world_end(&w, NULL);
}

static void test_close_at_once(void)
{
    struct world w;

    world_begin(&w);
    world_open(&w, 5000);
    qmp_stop(w.q, world_on_done, &w);
    qmp_query_unsavable(w.q, NULL, &w);
    qmp_close(g_steal_pointer(&w.q));
    qmp_close(NULL);
    world_end(&w, "");
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

    world_begin(&w);
    w.peer.on_command = take_descriptor;
    world_open(&w, 5000);
    qmp_getfd(w.q, "vmb-1", first = world_pipe("one"), on_nothing, &w);
    qmp_getfd(w.q, "vmb-2", second = world_pipe("two"), on_nothing, &w);
    qmp_stop(w.q, on_nothing, &w);
    qmp_getfd(w.q, "vmb-3", world_pipe("three"), on_all, &w);
    run_until(&w.loop, &w.n_done);
    g_assert_cmpint(fcntl(first, F_GETFD), ==, -1); /* ours are closed */
    g_assert_cmpint(fcntl(second, F_GETFD), ==, -1);
    world_end(&w, "ready\ngot one\ngot two\ngot \ngot three\n");
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
    g_test_add_func("/qmp/client-uv/close-within", test_close_within);
    g_test_add_func("/qmp/client-uv/close-when-lost", test_close_when_lost);
    g_test_add_func("/qmp/client-uv/close-at-once", test_close_at_once);
    g_test_add_func("/qmp/client-uv/pass-descriptors", test_pass_descriptors);
    return g_test_run();
}
