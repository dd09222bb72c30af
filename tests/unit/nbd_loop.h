// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A loop with an export "d" that is served over real sockets, whose client sits in the same thread:
 *
 *     open_conn(f, &f->client);
 *     say(f, f->client, begin_conversation());
 *     TURN_UNTIL(f, f->n_exports == 1);
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "unit/nbd_peer.h"
#include "nbd/server_uv.h"

#define DISK_BYTES  (16u << 20)
#define DEADLINE_NS (20 * UINT64_C(1000000000))

struct fixture {
    uv_loop_t loop;
    struct recorder r;
    struct nbd_exports *exports;
    struct nbd_conn *conn; /* the last that chose an export */
    unsigned n_exports, n_closed, n_clean;
    unsigned n_owed; /* WRITEs not ended when the last was closed */
    char *why;       /* of the last that was closed */
    int client;
    GByteArray *hears;
};

static inline void on_export(void *user, struct nbd_conn *conn, const struct nbd_export *export)
{
    struct fixture *f = user;

    g_assert_true(nbd_conn_export(conn) == export);
    f->conn = conn;
    f->n_exports++;
}

static inline void on_closed(void *user, struct nbd_conn *conn, bool clean, const char *why)
{
    struct fixture *f = user;

    nbd_conn_shutdown(conn); /* allowed, does nothing */
    f->n_owed = f->r.n_begun - f->r.n_ended;
    f->n_closed++;
    f->n_clean += clean;
    g_free(f->why);
    f->why = g_strdup(why);
}

static const struct nbd_conn_events events = {.on_export = on_export, .on_closed = on_closed};

static inline struct nbd_conn *open_conn(struct fixture *f, int *client)
{
    g_autoptr(GError) error = NULL;
    struct nbd_conn *conn;
    int fds[2], bytes = 4 << 20; /* on a UNIX socket the sender's buffer counts */

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    conn = nbd_conn_open(&f->loop, fds[0], f->exports, &events, f, &error);
    g_assert_no_error(error);
    g_assert_cmpint(fcntl(fds[1], F_SETFL, O_NONBLOCK), ==, 0);
    *client = fds[1];
    return conn;
}

static inline void set_up(struct fixture *f, gconstpointer read_only)
{
    *f = (struct fixture){.client = -1};
    uv_loop_init(&f->loop);
    recorder_init(&f->r, DISK_BYTES);
    f->exports = nbd_exports_new();
    nbd_exports_add(f->exports, &(struct nbd_export){.name = (char *)"d",
                                                     .size = DISK_BYTES,
                                                     .read_only = read_only != NULL,
                                                     .ops = &recorder_ops,
                                                     .user = &f->r});
    f->hears = g_byte_array_new();
}

static inline void tear_down(struct fixture *f, gconstpointer read_only)
{
    if (f->client >= 0)
        close(f->client);
    uv_run(&f->loop, UV_RUN_DEFAULT); /* nothing may be left that keeps it alive */
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    nbd_exports_free(f->exports);
    recorder_clear(&f->r);
    g_byte_array_unref(f->hears);
    g_free(f->why);
}

/* Receives whatever is there. */
static inline void hear(struct fixture *f)
{
    uint8_t buffer[65536];
    ssize_t n;

    while ((n = recv(f->client, buffer, sizeof buffer, 0)) > 0)
        g_byte_array_append(f->hears, buffer, n);
}

/* Turns the loop until `condition`, at most until the deadline. */
#define TURN_UNTIL(f, condition)                                                                                       \
    do {                                                                                                               \
        uint64_t end_ns = uv_hrtime() + DEADLINE_NS;                                                                   \
        while (!(condition)) {                                                                                         \
            g_assert_cmpuint(uv_hrtime(), <, end_ns);                                                                  \
            uv_run(&(f)->loop, UV_RUN_NOWAIT);                                                                         \
        }                                                                                                              \
    } while (0)

/* Sends all of it, turning the loop while the socket is full. False: the connection is gone. */
static inline bool say(struct fixture *f, int fd, const GByteArray *says)
{
    for (size_t at = 0; at < says->len;) {
        ssize_t n = send(fd, says->data + at, says->len - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0)
            at += n;
        else
            uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return true;
}

static inline GByteArray *begin_conversation(void)
{
    GByteArray *says = g_byte_array_new();

    peer_flags(says, 3);
    peer_export_name(says, "d");
    return says;
}
