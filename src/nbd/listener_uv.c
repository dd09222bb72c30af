// SPDX-License-Identifier: GPL-2.0-or-later
/* A listening UNIX socket on libuv, each of whose clients becomes an nbd_conn. */
#include "nbd/server_uv.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "nbd/inside_uv.h"
#include "base/error.h"

/* How long to leave clients waiting when there are no descriptors left, rather than to spin. */
#define PAUSE_MS 100

struct nbd_listener {
    uv_poll_t poll;
    uv_timer_t pause;
    unsigned n_handles; /* not closed yet */
    bool is_closing;
    int fd;
    char *path;
    dev_t dev; /* of the socket file we made: what is there at the end may be another's */
    ino_t ino;
    const struct nbd_exports *exports;
    struct nbd_conn_events events;
    void *user;
    GPtrArray *greeting; /* connections without an export yet */
};

void nbd_listener_forget(struct nbd_listener *l, struct nbd_conn *conn)
{
    g_ptr_array_remove_fast(l->greeting, conn);
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct nbd_listener *l = timer->data;

    uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

static void welcome(struct nbd_listener *l, int fd)
{
    g_autoptr(GError) error = NULL;
    struct nbd_conn *conn = nbd_conn_open(l->poll.loop, fd, l->exports, &l->events, l->user, &error);

    if (!conn) {
        g_warning("%s", error->message);
        return;
    }
    nbd_conn_set_listener(conn, l);
    g_ptr_array_add(l->greeting, conn);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct nbd_listener *l = poll->data;
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        return welcome(l, fd);
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    uv_poll_stop(poll);
    uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

static bool make_address(const char *path, struct sockaddr_un *address, GError **error)
{
    size_t len = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof address->sun_path) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_USAGE,
                    "socket %s: a path of %zu bytes, but 1 to %zu are possible; choose another", path, len,
                    sizeof address->sun_path - 1);
        return false;
    }
    memcpy(address->sun_path, path, len);
    return true;
}

static bool fail(GError **error, const char *path, const char *what)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "socket %s: %s", path, what);
    return false;
}

/* Is anybody listening at this address? Whatever cannot be asked counts as a yes. */
static bool is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused;

    if (fd < 0)
        return true;
    is_refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !is_refused;
}

/* Makes way for a new socket: only a socket on which nobody listens is removed. */
static bool remove_stale(const struct sockaddr_un *address, GError **error)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || fail(error, path, g_strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(error, path, "exists and is no socket; remove it or choose another path");
    if (is_answered(address))
        return fail(error, path, "somebody listens there already; choose another path");
    return unlink(path) == 0 || fail(error, path, g_strerror(errno));
}

/* On Linux a socket file gets the mode of its socket: so it is private from its first moment on. */
static bool bind_private(int fd, const struct sockaddr_un *address)
{
    return fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

/* A socket that listens at `path`, or -1. */
static int listen_at(const char *path, GError **error)
{
    struct sockaddr_un address;
    int fd;

    if (!make_address(path, &address, error) || !remove_stale(&address, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind_private(fd, &address) && listen(fd, SOMAXCONN) == 0)
        return fd;
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "socket %s: cannot listen: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void remember_file(struct nbd_listener *l)
{
    struct stat st;

    if (lstat(l->path, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
}

static void remove_file(const struct nbd_listener *l)
{
    struct stat st;

    if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
}

struct nbd_listener *nbd_listener_open(uv_loop_t *loop, const char *path, const struct nbd_exports *exports,
                                       const struct nbd_conn_events *events, void *user, GError **error)
{
    struct nbd_listener *l;
    int fd = listen_at(path, error), status;

    if (fd < 0)
        return NULL;
    l = g_new(struct nbd_listener, 1);
    *l = (struct nbd_listener){.fd = fd, .exports = exports, .events = *events, .user = user, .n_handles = 2};
    l->path = g_strdup(path);
    l->greeting = g_ptr_array_new();
    l->poll.data = l->pause.data = l;
    remember_file(l);
    uv_timer_init(loop, &l->pause);
    status = uv_poll_init(loop, &l->poll, fd);
    g_assert(status == 0); /* a fresh socket can be polled */
    uv_poll_start(&l->poll, UV_READABLE, on_connection);
    return l;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct nbd_listener *l = handle->data;

    if (--l->n_handles > 0)
        return;
    close(l->fd);
    g_ptr_array_unref(l->greeting);
    g_free(l->path);
    g_free(l);
}

void nbd_listener_close(struct nbd_listener *l)
{
    if (l->is_closing)
        return;
    l->is_closing = true;
    remove_file(l);
    while (l->greeting->len > 0) /* each says nbd_listener_forget() */
        nbd_conn_shutdown(l->greeting->pdata[0]);
    uv_close((uv_handle_t *)&l->poll, on_handle_closed);
    uv_close((uv_handle_t *)&l->pause, on_handle_closed);
}
