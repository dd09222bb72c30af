// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "sink/file.h"

/* A full pipe of this size still is drained in a fraction of a millisecond, and we wake a sixteenth as often.
 */
#define PIPE_BYTES (1 << 20)

static struct pipe *pipe_of(struct sink *s)
{
    return (struct pipe *)s;
}

/* ---- writing ---- */

static ssize_t send_some(const struct pipe *p)
{
    size_t count = MIN(p->n, IOV_MAX);
    if (!p->is_socket)
        return writev(p->fd, p->at, (int)count);
    struct msghdr message = {.msg_iov = p->at, .msg_iovlen = count};
    return sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void end_write(struct pipe *p, const GError *error)
{
    uv_poll_stop(&p->poll);
    g_clear_pointer(&p->iov, g_free);
    p->n = 0;
    sink_complete(&p->sink, error);
}

void pipe_fail(struct pipe *p, const GError *error)
{
    if (p->iov)
        end_write(p, error);
}

static void failed(struct pipe *p, int error_number)
{
    g_autoptr(GError) error = NULL;
    if (p->on_failed) {
        uv_poll_stop(&p->poll);
        p->on_failed(p, error_number);
        return;
    }
    if (error_number == EPIPE || error_number == ECONNRESET)
        error = g_error_new(VMB_ERROR, VMB_ERROR_TARGET, "target %s: closed by its reader", p->sink.name);
    else
        error = sink_error_new(&p->sink, "cannot be written", error_number);
    end_write(p, error);
}

static void on_writable(uv_poll_t *poll, int status, int events);

static void watch(struct pipe *p)
{
    uv_poll_start(&p->poll, p->epoll >= 0 ? UV_READABLE : UV_WRITABLE, on_writable);
}

/* One call per turn of the loop: at most a pipe full, so that nobody else waits long. status < 0 says that
 * the pipe is broken and that libuv has stopped watching it; the call will say the same, and more exactly. */
static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct pipe *p = poll->data;
    ssize_t bytes = p->n ? send_some(p) : 0;
    if (bytes < 0) {
        if (errno != EAGAIN && errno != EINTR)
            failed(p, errno);
        else if (status < 0)
            watch(p);
        return;
    }
    p->sink.written += (uint64_t)bytes;
    p->at = sink_iov_advance(p->at, &p->n, (size_t)bytes);
    if (!p->n)
        end_write(p, NULL);
}

void pipe_write(struct sink *s, const struct iovec *iov, unsigned n)
{
    struct pipe *p = pipe_of(s);
    p->iov = g_new(struct iovec, n + 1);
    memcpy(p->iov, iov, n * sizeof *iov);
    p->n = n;
    p->at = sink_iov_advance(p->iov, &p->n, 0);
    watch(p);
}

/* ---- closing ---- */

static void on_poll_closed(uv_handle_t *handle)
{
    struct pipe *p = handle->data;
    if (p->is_finishing) {
        p->sink.is_finished = true;
        sink_complete(&p->sink, NULL);
    } else if (p->sink.is_aborted) {
        sink_cancel(&p->sink);
    }
    sink_unref(&p->sink);
}

void pipe_close(struct pipe *p)
{
    if (!p->has_poll)
        return;
    p->has_poll = false;
    g_clear_pointer(&p->iov, g_free);
    uv_poll_stop(&p->poll); /* before the descriptor is closed: libuv takes it out of its epoll set */
    uv_close((uv_handle_t *)&p->poll, on_poll_closed);
    close(p->fd);
    if (p->epoll >= 0)
        close(p->epoll);
    p->fd = p->epoll = -1;
}

static void pipe_finish(struct sink *s)
{
    pipe_of(s)->is_finishing = true;
    pipe_close(pipe_of(s));
}

static void pipe_abort(struct sink *s, bool keep_partial)
{
    pipe_close(pipe_of(s));
}

static void pipe_destroy(struct sink *s)
{
    g_free(pipe_of(s));
}

static const struct sink_ops pipe_ops = {
    .write = pipe_write,
    .finish = pipe_finish,
    .abort = pipe_abort,
    .destroy = pipe_destroy,
};

/* ---- opening ---- */

/* libuv makes what it polls non-blocking. That would reach everybody who shares a socket, so it gets to see
 * an epoll set that has the socket in it: readable means that the socket is writable. */
static int watch_socket(int fd)
{
    struct epoll_event want = {.events = EPOLLOUT};
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &want) < 0) {
        close(set);
        set = -1;
    }
    return set;
}

bool pipe_init(struct pipe *p, const struct sink_ops *ops, uv_loop_t *loop, int fd, bool is_socket, const char *name)
{
    p->fd = fd;
    p->is_socket = is_socket;
    p->epoll = is_socket ? watch_socket(fd) : -1;
    int watched = is_socket ? p->epoll : fd;
    int status = watched < 0 ? -errno : uv_poll_init(loop, &p->poll, watched);
    if (status < 0) {
        close(fd);
        if (p->epoll >= 0)
            close(p->epoll);
        errno = -status;
        return false;
    }
    if (!is_socket)
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* only faster: an unprivileged user may have too many pipes */
    sink_init(&p->sink, ops, loop, name);
    sink_ref(&p->sink); /* the handle's */
    p->poll.data = p;
    p->has_poll = true;
    return true;
}

static struct sink *take(uv_loop_t *loop, int fd, bool is_socket, const char *name, GError **error)
{
    struct pipe *p = g_new0(struct pipe, 1);
    if (pipe_init(p, &pipe_ops, loop, fd, is_socket, name))
        return &p->sink;
    g_free(p);
    return vmb_null(error, VMB_ERROR_TARGET, "target %s: cannot be watched: %s", name, g_strerror(errno));
}

struct sink *pipe_open_fifo(uv_loop_t *loop, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        g_autofree char *name = g_canonicalize_filename(path, NULL);
        return take(loop, fd, false, name, error);
    }
    const char *why = errno == ENXIO ? "nobody reads this FIFO; start its reader first" : g_strerror(errno);
    g_autofree char *safe = text_make_safe(path);
    return vmb_null(error, VMB_ERROR_TARGET, "target %s: %s", safe, why);
}

struct sink *pipe_open_fd(uv_loop_t *loop, int fd, const char *name, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
        return take(loop, fcntl(fd, F_DUPFD_CLOEXEC, 3), true, name, error);
    /* Opened anew, the pipe is ours to be made non-blocking. */
    g_autofree char *again = g_strdup_printf("/proc/self/fd/%d", fd);
    int own = open(again, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own >= 0)
        return take(loop, own, false, name, error);
    return file_open_stream(loop, fd, name, error); /* no /proc, or another user's pipe: the pool may block */
}
