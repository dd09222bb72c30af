// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets that are pipes: FIFOs, standard output, commands. A reader that stalls must not stop the loop. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "sink/backend.h"
#include "unit/sink_fixture.h"

#define MEGABYTES (5u << 20)

static void no_error(GError *error)
{
    g_assert_no_error(error);
}

static void assert_says(GError *error, const char *words)
{
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    if (!strstr(error->message, words))
        g_error("'%s' does not say '%s'", error->message, words);
    g_error_free(error);
}

/* Bytes that tell where they are. */
static char *pattern(void)
{
    char *bytes = g_malloc(MEGABYTES);
    for (size_t i = 0; i < MEGABYTES; i++)
        bytes[i] = (char)(i * 31 >> 7 ^ i);
    return bytes;
}

static void drop(struct fixture *f, struct sink *s)
{
    sink_abort(s, false);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
}

/* ---- FIFOs ---- */

struct reader {
    uv_idle_t idle;
    int fd;
    GByteArray *got;
    bool has_ended;
};

static void read_some(uv_idle_t *idle)
{
    struct reader *r = idle->data;
    guint8 bytes[65536];
    ssize_t len = read(r->fd, bytes, sizeof bytes);
    if (len > 0)
        g_byte_array_append(r->got, bytes, (guint)len);
    r->has_ended = len == 0;
    if (r->has_ended)
        uv_close((uv_handle_t *)idle, NULL);
}

static void start_reader(struct fixture *f, struct reader *r, int fd)
{
    *r = (struct reader){.fd = fd, .got = g_byte_array_new()};
    r->idle.data = r;
    uv_idle_init(&f->loop, &r->idle);
    uv_idle_start(&r->idle, read_some);
}

static void assert_read(struct fixture *f, struct reader *r, const char *bytes, size_t len)
{
    while (!r->has_ended)
        uv_run(&f->loop, UV_RUN_ONCE);
    g_assert_cmpmem(r->got->data, r->got->len, bytes, len);
    g_byte_array_unref(r->got);
    close(r->fd);
}

static int make_fifo(struct fixture *f)
{
    g_assert_cmpint(mkfifo(f->path, 0600), ==, 0);
    must_refuse(f, f->path, false, VMB_ERROR_TARGET, "start its reader first");
    return open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void test_fifo(struct fixture *f, gconstpointer data)
{
    int fd = make_fifo(f);
    g_autofree char *bytes = pattern();
    struct sink *s = must_open(f, f->path, false);
    struct reader r;
    g_assert_false(sink_can_rewrite(s));
    g_assert_cmpuint(sink_free_bytes(s), ==, UINT64_MAX);
    start_reader(f, &r, fd);
    no_error(write_bytes(f, s, bytes, MEGABYTES - 7));
    no_error(write_bytes(f, s, "", 0));
    no_error(write_bytes(f, s, bytes + MEGABYTES - 7, 7));
    g_assert_cmpuint(sink_written(s), ==, MEGABYTES);
    no_error(finish(f, s));
    sink_free(s);
    assert_read(f, &r, bytes, MEGABYTES);
}

static void on_tick(uv_timer_t *timer)
{
    ++*(unsigned *)timer->data;
}

/* Nobody reads: the loop turns, the sink says that it is stuck, an abort ends it at once. */
static void test_stalled(struct fixture *f, gconstpointer data)
{
    int fd = make_fifo(f);
    g_autofree char *bytes = pattern();
    struct sink *s = must_open(f, f->path, false);
    struct iovec iov = {bytes, MEGABYTES};
    struct outcome o = {0};
    unsigned ticks = 0;
    uv_timer_t timer = {.data = &ticks};
    uv_timer_init(&f->loop, &timer);
    uv_timer_start(&timer, on_tick, 1, 1);
    sink_write(s, &iov, 1, on_outcome, &o);
    uint64_t began = uv_hrtime();
    while (ticks < 20)
        uv_run(&f->loop, UV_RUN_ONCE);
    g_assert_cmpuint((uv_hrtime() - began) / 1000000, <, 5000);
    g_assert_cmpuint(o.calls, ==, 0);
    g_assert_cmpuint(sink_written(s), >, 0);
    g_assert_cmpuint(sink_written(s), <, MEGABYTES);
    g_assert_cmpuint(sink_stuck_ms(s), ==, 0);
    s->began_ms -= SINK_STUCK_MS + 1;
    g_assert_cmpuint(sink_stuck_ms(s), >, SINK_STUCK_MS);
    uv_close((uv_handle_t *)&timer, NULL);
    g_assert_cmpuint(o.calls, ==, 0);
    drop(f, s);
    g_assert_cmpuint(o.calls, ==, 1);
    g_assert_error(o.error, VMB_ERROR, VMB_ERROR_CANCELLED);
    g_error_free(o.error);
    close(fd);
}

static void test_reader_leaves(struct fixture *f, gconstpointer data)
{
    int fd = make_fifo(f);
    g_autofree char *bytes = pattern();
    struct sink *s = must_open(f, f->path, false);
    struct iovec iov = {bytes, MEGABYTES};
    struct outcome o = {0};
    sink_write(s, &iov, 1, on_outcome, &o);
    while (!sink_written(s))
        uv_run(&f->loop, UV_RUN_ONCE);
    close(fd);
    assert_says(wait_for(f, &o), "closed by its reader");
    drop(f, s);
}

/* ---- standard output ---- */

/* Lends fd as standard output for one sink_open(). */
static struct sink *open_stdout(struct fixture *f, int fd, GError **error)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    struct sink *s = sink_open(&f->loop, "-", NULL, error);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    return s;
}

static void test_stdout_pipe(struct fixture *f, gconstpointer data)
{
    int fds[2];
    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    g_autofree char *bytes = pattern();
    g_autoptr(GError) error = NULL;
    struct sink *s = open_stdout(f, fds[1], &error);
    g_assert_no_error(error);
    g_assert_cmpstr(sink_name(s), ==, "standard output");
    g_assert_false(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
    close(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct reader r;
    start_reader(f, &r, fds[0]);
    no_error(write_bytes(f, s, bytes, MEGABYTES));
    no_error(finish(f, s));
    sink_free(s);
    assert_read(f, &r, bytes, MEGABYTES);
}

/* As under sshd: the description is shared with somebody who wants it blocking. */
static void test_stdout_socket(struct fixture *f, gconstpointer data)
{
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    g_autofree char *bytes = pattern();
    struct sink *s = open_stdout(f, fds[1], NULL);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct reader r;
    start_reader(f, &r, fds[0]);
    no_error(write_bytes(f, s, bytes, MEGABYTES));
    g_assert_false(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
    close(fds[1]);
    no_error(finish(f, s));
    sink_free(s);
    assert_read(f, &r, bytes, MEGABYTES);
}

static void test_stdout_file(struct fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(write(fd, "before:", 7), ==, 7);
    struct sink *s = open_stdout(f, fd, &error);
    g_assert_no_error(error);
    g_assert_true(sink_can_rewrite(s));
    no_error(write_bytes(f, s, "header.body", 11));
    struct outcome o = {0};
    struct iovec header = {(char[]){"HEADER"}, 6};
    sink_rewrite(s, 0, &header, 1, on_outcome, &o);
    no_error(wait_for(f, &o));
    no_error(finish(f, s));
    sink_free(s);
    g_assert_cmpint(write(fd, ":after", 6), ==, 6); /* the shell's next command goes on behind it */
    close(fd);
    assert_contents(f->path, "before:HEADER.body:after");
}

static void test_stdout_append(struct fixture *f, gconstpointer data)
{
    g_assert_true(g_file_set_contents(f->path, "log:", -1, NULL));
    int fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct sink *s = open_stdout(f, fd, NULL);
    g_assert_false(sink_can_rewrite(s)); /* Linux would append the header */
    no_error(write_bytes(f, s, "body", 4));
    no_error(finish(f, s));
    sink_free(s);
    close(fd);
    assert_contents(f->path, "log:body");
}

static void test_stdout_refused(struct fixture *f, gconstpointer data)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    g_assert_cmpint(terminal, >=, 0);
    g_autoptr(GError) error = NULL;
    g_assert_null(open_stdout(f, terminal, &error));
    close(terminal);
    assert_says(g_steal_pointer(&error), "is a terminal; redirect it");
}

/* ---- commands ---- */

static struct sink *open_command(struct fixture *f, const char *format)
{
    g_autofree char *target = g_strdup_printf("|%s", format);
    return must_open(f, target, false);
}

static void test_command(struct fixture *f, gconstpointer data)
{
    g_autofree char *bytes = pattern();
    g_autofree char *command = g_strdup_printf("cat > '%s'", f->path);
    struct sink *s = open_command(f, command);
    no_error(write_bytes(f, s, bytes, MEGABYTES));
    no_error(finish(f, s));
    sink_free(s);
    g_autofree char *have = NULL;
    size_t len;
    g_assert_true(g_file_get_contents(f->path, &have, &len, NULL));
    g_assert_cmpmem(have, len, bytes, MEGABYTES);
}

static void test_command_fails(struct fixture *f, gconstpointer data)
{
    struct sink *s = open_command(f, "cat >/dev/null; echo first >&2; printf 'no\\033[2J room\\n\\n' >&2; exit 7");
    no_error(write_bytes(f, s, "x", 1));
    assert_says(finish(f, s), "ended with status 7: no?[2J room");
    drop(f, s);
    s = open_command(f, "cat >/dev/null; kill -9 $$");
    assert_says(finish(f, s), "was ended by signal 9");
    drop(f, s);
    s = open_command(f, "exec /nonexistent/command");
    assert_says(finish(f, s), "status 127");
    drop(f, s);
}

/* Whatever it reports for itself: it has not read everything. */
static void test_command_ends_early(struct fixture *f, gconstpointer data)
{
    g_autofree char *bytes = pattern();
    struct sink *s = open_command(f, "head -c 1000 >/dev/null; echo enough >&2");
    assert_says(write_bytes(f, s, bytes, MEGABYTES), "ended early, with status 0: enough");
    assert_says(write_bytes(f, s, bytes, 1), "ended early");
    assert_says(finish(f, s), "ended early");
    drop(f, s);
}

static void test_command_closes_input(struct fixture *f, gconstpointer data)
{
    g_autofree char *bytes = pattern();
    struct sink *s = open_command(f, "exec <&-; exec sleep 1000");
    assert_says(write_bytes(f, s, bytes, MEGABYTES), "has closed its input");
    drop(f, s);
}

/* The process whose number stands in the file. */
static pid_t pid_in(const char *path)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return (pid_t)atoi(text);
}

/* One that reads nothing and has a child: the abort ends the whole group, and at once. */
static void test_command_aborted(struct fixture *f, gconstpointer data)
{
    g_autofree char *bytes = pattern();
    g_autofree char *command =
        g_strdup_printf("sleep 1000 & echo $! > '%s.new'; mv '%s.new' '%s'; wait", f->path, f->path, f->path);
    struct sink *s = open_command(f, command);
    struct iovec iov = {bytes, MEGABYTES};
    struct outcome o = {0};
    sink_write(s, &iov, 1, on_outcome, &o);
    while (!exists(f->path))
        uv_run(&f->loop, UV_RUN_NOWAIT);
    uint64_t began = uv_hrtime();
    drop(f, s);
    g_assert_cmpuint((uv_hrtime() - began) / 1000000, <, 1500);
    g_assert_cmpuint(o.calls, ==, 1);
    g_assert_error(o.error, VMB_ERROR, VMB_ERROR_CANCELLED);
    g_error_free(o.error);
    pid_t pid = pid_in(f->path);
    while (kill(pid, 0) == 0) { /* until init has reaped it */
        g_autofree char *stat_path = g_strdup_printf("/proc/%d/stat", pid);
        g_autofree char *state = NULL;
        g_assert_cmpuint((uv_hrtime() - began) / 1000000, <, DEADLINE_MS);
        if (g_file_get_contents(stat_path, &state, NULL, NULL) && strstr(state, ") Z "))
            break;
    }
}

/* It ignores SIGTERM. */
static void test_command_killed(struct fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("trap '' TERM; touch '%s'; while :; do sleep 1000; done", f->path);
    struct sink *s = open_command(f, command);
    while (!exists(f->path))
        uv_run(&f->loop, UV_RUN_NOWAIT);
    struct outcome o = {0};
    sink_finish(s, on_outcome, &o);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    drop(f, s); /* ends the loop only when it has been reaped */
    g_assert_cmpuint(o.calls, ==, 1);
    g_assert_error(o.error, VMB_ERROR, VMB_ERROR_CANCELLED);
    g_error_free(o.error);
}

/* The shell has ended, and what still reads will tell nobody how it fared: no write may count on it. */
static void test_command_deserts(struct fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf(
        "exec 3<&0; cat <&3 >/dev/null 2>&1 & echo $$ > '%s.new'; mv '%s.new' '%s'", f->path, f->path, f->path);
    struct sink *s = open_command(f, command);
    while (!exists(f->path))
        uv_run(&f->loop, UV_RUN_NOWAIT);
    pid_t shell = pid_in(f->path);
    while (kill(shell, 0) == 0) /* until libuv has reaped it */
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_says(write_bytes(f, s, "x", 1), "ended early, with status 0");
    drop(f, s);
}

/* The shell has ended well, but not all that it started: a finish does not wait for that one's standard
 * error. */
static void test_command_grandchild(struct fixture *f, gconstpointer data)
{
    struct sink *s = open_command(f, "cat >/dev/null; sleep 8 >/dev/null & exit 0");
    uint64_t began = uv_hrtime();
    no_error(write_bytes(f, s, "x", 1));
    no_error(finish(f, s));
    g_assert_cmpuint((uv_hrtime() - began) / 1000000, <, 7000);
    sink_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/sink/" name, struct fixture, NULL, fixture_up, function, fixture_down)
    ADD("fifo", test_fifo);
    ADD("stalled", test_stalled);
    ADD("reader-leaves", test_reader_leaves);
    ADD("stdout-pipe", test_stdout_pipe);
    ADD("stdout-socket", test_stdout_socket);
    ADD("stdout-file", test_stdout_file);
    ADD("stdout-append", test_stdout_append);
    ADD("stdout-refused", test_stdout_refused);
    ADD("command", test_command);
    ADD("command-fails", test_command_fails);
    ADD("command-ends-early", test_command_ends_early);
    ADD("command-closes-input", test_command_closes_input);
    ADD("command-aborted", test_command_aborted);
    ADD("command-killed", test_command_killed);
    ADD("command-deserts", test_command_deserts);
    ADD("command-grandchild", test_command_grandchild);
    return g_test_run();
}
