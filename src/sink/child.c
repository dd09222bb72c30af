// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "sink/pipe.h"

#define SAID_BYTES     512  /* of what the command said last: enough for its last line */
#define STATUS_WAIT_MS 1000 /* a broken pipe is mostly a command that ended: its status says more */
#define TERM_WAIT_MS   2000 /* before SIGKILL follows SIGTERM */

/*
 * Three handles beside the pipe, each with a reference: the process (closed when it has been reaped), what it
 * says, and a timer. The operation under way (a write, or the finish) ends in settle(), called by whatever
 * brings news.
 */
struct child {
    struct pipe pipe; /* first: a struct sink */
    uv_process_t process;
    uv_pipe_t said_pipe;
    uv_timer_t timer;
    bool is_input_closed; /* by us: it may end now */
    bool is_broken;       /* by it: a write failed */
    bool has_ended;
    int64_t exit_status;
    int term_signal;
    bool has_said_all;
    bool is_patience_over; /* nothing more is waited for */
    char said[SAID_BYTES + 1];
    size_t n_said;
    char chunk[4096];
};

static struct child *child_of(struct sink *s)
{
    return (struct child *)s;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    if (c->pipe.sink.is_aborted && handle == (uv_handle_t *)&c->timer)
        sink_cancel(&c->pipe.sink); /* a finish that had been waiting */
    sink_unref(&c->pipe.sink);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void close_all(struct child *c)
{
    close_handle((uv_handle_t *)&c->process);
    close_handle((uv_handle_t *)&c->said_pipe);
    close_handle((uv_handle_t *)&c->timer);
}

/* ---- what it said ---- */

/* Safe text of its last line that is not empty, NULL = it said nothing. */
static char *last_line(const struct child *c)
{
    g_autofree char *all = g_strndup(c->said, c->n_said);
    const char *line = g_strchomp(all);
    const char *end = strrchr(line, '\n');
    if (end)
        line = end + 1;
    return *line ? text_make_safe(line) : NULL;
}

static void remember(struct child *c, const char *bytes, size_t len)
{
    if (len > SAID_BYTES) {
        bytes += len - SAID_BYTES;
        len = SAID_BYTES;
    }
    size_t keep = MIN(c->n_said, SAID_BYTES - len);
    memmove(c->said, c->said + c->n_said - keep, keep);
    memcpy(c->said + keep, bytes, len);
    c->n_said = keep + len;
}

static GError *how_it_ended(const struct child *c)
{
    const char *name = c->pipe.sink.name;
    g_autofree char *line = last_line(c);
    g_autofree char *how = NULL;
    if (!c->has_ended)
        how = g_strdup("has closed its input");
    else if (c->term_signal)
        how = g_strdup_printf("was ended by signal %d (%s)", c->term_signal, strsignal(c->term_signal));
    else
        how = g_strdup_printf("ended %swith status %d", c->is_input_closed ? "" : "early, ", (int)c->exit_status);
    return g_error_new(VMB_ERROR, VMB_ERROR_TARGET, "target %s: %s%s%s", name, how, line ? ": " : "", line ? line : "");
}

/* ---- its end ---- */

/* Its last words are worth waiting for, but not long: a grandchild may hold its standard error for days. */
static void settle(struct child *c)
{
    struct sink *s = &c->pipe.sink;
    bool is_known = c->is_patience_over || (c->has_ended && c->has_said_all);
    if (!s->done || !is_known || !(c->has_ended || c->is_broken))
        return;
    if (c->is_input_closed && !c->has_ended)
        return; /* a finish has all the time the command needs */
    g_autoptr(GError) error = NULL;
    if (!c->is_input_closed || c->exit_status || c->term_signal)
        error = how_it_ended(c);
    if (c->pipe.iov) {
        pipe_fail(&c->pipe, error);
        return;
    }
    s->is_finished = !error;
    if (!error)
        close_all(c);
    sink_complete(s, error);
}

static void on_timer(uv_timer_t *timer)
{
    struct child *c = timer->data;
    c->is_patience_over = true;
    if (c->pipe.sink.is_aborted && !c->has_ended)
        kill(-c->process.pid, SIGKILL);
    settle(c);
}

static void be_patient(struct child *c, uint64_t ms)
{
    if (!uv_is_closing((uv_handle_t *)&c->timer) && !uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void on_exit_status(uv_process_t *process, int64_t exit_status, int term_signal)
{
    struct child *c = process->data;
    c->has_ended = true;
    c->exit_status = exit_status;
    c->term_signal = term_signal;
    close_handle((uv_handle_t *)process);
    if (c->pipe.sink.is_aborted) {
        close_all(c);
        return;
    }
    be_patient(c, STATUS_WAIT_MS);
    settle(c);
}

static void on_broken(struct pipe *p, int error_number)
{
    struct child *c = (struct child *)p;
    c->is_broken = true;
    be_patient(c, STATUS_WAIT_MS);
    settle(c);
}

static void on_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;
    *buf = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void on_said(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    if (len > 0)
        remember(c, buf->base, (size_t)len);
    if (len >= 0)
        return;
    c->has_said_all = true;
    close_handle((uv_handle_t *)stream);
    settle(c);
}

/* ---- operations ---- */

/* An operation ends from the loop, not from inside the call that began it. */
static void settle_soon(struct child *c)
{
    uv_timer_start(&c->timer, on_timer, 0, 0);
}

static void child_write(struct sink *s, const struct iovec *iov, unsigned n)
{
    struct child *c = child_of(s);
    if (c->has_ended) /* a grandchild may still read, but nobody would tell us how it fared */
        settle_soon(c);
    else
        pipe_write(s, iov, n);
}

/* The end of the pipe is what tells the command that all is there; then it may take its time. */
static void child_finish(struct sink *s)
{
    struct child *c = child_of(s);
    pipe_close(&c->pipe);
    if (c->has_ended || c->is_broken)
        settle_soon(c);
    else
        c->is_input_closed = true;
}

static void child_abort(struct sink *s, bool keep_partial)
{
    struct child *c = child_of(s);
    pipe_close(&c->pipe);
    if (c->has_ended) {
        close_all(c);
        return;
    }
    kill(-c->process.pid, SIGTERM);
    uv_timer_start(&c->timer, on_timer, TERM_WAIT_MS, 0);
}

static void child_destroy(struct sink *s)
{
    g_free(child_of(s));
}

static const struct sink_ops child_ops = {
    .write = child_write,
    .finish = child_finish,
    .abort = child_abort,
    .destroy = child_destroy,
};

/* ---- opening ---- */

/* input: what it reads; said: where its standard error goes. A session of its own: Ctrl-C at our terminal is
 * not meant for it, and it cannot stop us by reading from that terminal. 0 or a libuv error. */
static int spawn(struct child *c, uv_loop_t *loop, const char *command, int input, int said)
{
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, g_strdup(command), NULL};
    int output = isatty(STDOUT_FILENO) || fcntl(STDOUT_FILENO, F_GETFD) < 0 ? said : STDOUT_FILENO;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = input},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = said},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = "/bin/sh",
        .args = arguments,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = G_N_ELEMENTS(stdio),
        .stdio = stdio,
    };
    int status = uv_spawn(loop, &c->process, &options);
    g_free(arguments[2]);
    return status;
}

static void init_handles(struct child *c, uv_loop_t *loop, int said)
{
    struct sink *s = &c->pipe.sink;
    uv_timer_init(loop, &c->timer);
    uv_pipe_init(loop, &c->said_pipe, 0);
    c->process.data = c->said_pipe.data = c->timer.data = c;
    for (unsigned handles = 3; handles; handles--)
        sink_ref(s);
    c->pipe.on_failed = on_broken;
    uv_pipe_open(&c->said_pipe, said);
    uv_read_start((uv_stream_t *)&c->said_pipe, on_chunk, on_said);
}

static struct sink *fail_open(const char *command, int error_number, GError **error)
{
    g_autofree char *safe = text_make_safe(command);
    return vmb_null(error, VMB_ERROR_TARGET, "target |%s: cannot be started: %s", safe, g_strerror(error_number));
}

/* Both pipes, close-on-exec; our end of the first non-blocking. False with errno. */
static bool make_pipes(int input[2], int said[2])
{
    if (pipe2(input, O_CLOEXEC) < 0)
        return false;
    if (pipe2(said, O_CLOEXEC) == 0) {
        fcntl(input[1], F_SETFL, O_NONBLOCK);
        return true;
    }
    close(input[0]);
    close(input[1]);
    return false;
}

struct sink *child_open(uv_loop_t *loop, const char *command, GError **error)
{
    int input[2], said[2];
    if (!make_pipes(input, said))
        return fail_open(command, errno, error);
    struct child *c = g_new0(struct child, 1);
    g_autofree char *name = g_strconcat("|", command, NULL);
    if (!pipe_init(&c->pipe, &child_ops, loop, input[1], false, name)) {
        fail_open(command, errno, error);
        close(input[0]);
        close(said[0]);
        close(said[1]);
        g_free(c);
        return NULL;
    }
    init_handles(c, loop, said[0]);
    int status = spawn(c, loop, command, input[0], said[1]);
    close(input[0]);
    close(said[1]);
    if (status == 0)
        return &c->pipe.sink;
    c->has_ended = true; /* its handle is there all the same and is closed with the others */
    sink_free(&c->pipe.sink);
    return fail_open(command, -status, error);
}
