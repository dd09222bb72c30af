// SPDX-License-Identifier: GPL-2.0-or-later
/* A listening UNIX socket on libuv, each of whose clients becomes an nbd_conn. */
#include "nbd/server_uv.h"
#include <errno.h>
#include <sys/socket.h>
#include "base/error.h"
#include "base/listening.h"
#include "nbd/inside_uv.h"

/* How long to leave clients waiting when there are no descriptors left, rather than to spin. */
#define PAUSE_MS 100

struct nbd_listener {
    uv_poll_t poll;
    uv_timer_t pause;
    unsigned n_handles; /* not closed yet */
    bool is_closing;
    struct listening *socket;
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
    int fd = accept4(listening_fd(l->socket), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        return welcome(l, fd);
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    uv_poll_stop(poll);
    uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

struct nbd_listener *nbd_listener_open(uv_loop_t *loop, const char *path, const struct nbd_exports *exports,
                                       const struct nbd_conn_events *events, void *user, GError **error)
{
    struct nbd_listener *l;
    struct listening *listening = listening_open(path, error);
    int status;

    if (!listening)
        return NULL;
    l = g_new(struct nbd_listener, 1);
    *l =
        (struct nbd_listener){.socket = listening, .exports = exports, .events = *events, .user = user, .n_handles = 2};
    l->greeting = g_ptr_array_new();
    l->poll.data = l->pause.data = l;
    uv_timer_init(loop, &l->pause);
    status = uv_poll_init(loop, &l->poll, listening_fd(listening));
    g_assert(status == 0); /* a fresh socket can be polled */
    uv_poll_start(&l->poll, UV_READABLE, on_connection);
    return l;
}

struct listening *nbd_listener_socket(struct nbd_listener *l)
{
    return l->socket;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct nbd_listener *l = handle->data;

    if (--l->n_handles > 0)
        return;
    listening_close(l->socket);
    g_ptr_array_unref(l->greeting);
    g_free(l);
}

void nbd_listener_close(struct nbd_listener *l)
{
    if (l->is_closing)
        return;
    l->is_closing = true;
    listening_remove(l->socket);
    while (l->greeting->len > 0) /* each says nbd_listener_forget() */
        nbd_conn_shutdown(l->greeting->pdata[0]);
    uv_close((uv_handle_t *)&l->poll, on_handle_closed);
    uv_close((uv_handle_t *)&l->pause, on_handle_closed);
}
