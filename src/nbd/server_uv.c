// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection on libuv. It polls instead of using uv_read: so it may readv() payload and the next header at
 * once, and take no more in one turn of the loop than is fair to the other connections.
 */
#include "nbd/server_uv.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "nbd/inside_uv.h"
#include "base/error.h"

/* What one connection may receive and produce in one turn of the loop: half a millisecond of copying. */
#define TURN_BYTES (1u << 20)
/* Replies waiting for a client that does not read them. A client that only reads is not read from beyond the
 * first; where others write, a guest may depend on it, so we go on, and end the connection at the second. */
#define OUTPUT_PAUSE_BYTES (4u << 20)
#define OUTPUT_DROP_BYTES  (64u << 20)
#define SEND_BUFFER_BYTES  (4 << 20)

struct nbd_conn {
    uv_poll_t poll;
    int fd;
    int watched; /* UV_READABLE, UV_WRITABLE: what poll waits for */
    struct nbd_server *server;
    const struct nbd_export *export; /* as the owner was told */
    struct nbd_conn_events events;
    void *user, *tag;
    struct nbd_listener *listener; /* which still waits for the choice of an export, or NULL */

    GByteArray *sending;   /* taken from the server, not sent completely; or NULL */
    size_t sent;           /* of it */
    bool is_mute;          /* the client does not listen any more */
    bool is_held;          /* by its owner: not read from */
    bool are_replies_kept; /* by its owner: not sent to */
    bool is_finished;      /* DISC or ABORT: only the rest of the output is to be sent */
    bool is_ending;
    bool is_clean;
    char *why;
};

static void on_conn_closed(uv_handle_t *handle)
{
    struct nbd_conn *c = handle->data;

    nbd_server_free(c->server);
    close(c->fd);
    c->events.on_closed(c->user, c, c->is_clean, c->why);
    g_clear_pointer(&c->sending, g_byte_array_unref);
    g_free(c->why);
    g_free(c);
}

static void leave_listener(struct nbd_conn *c)
{
    if (c->listener)
        nbd_listener_forget(c->listener, c);
    c->listener = NULL;
}

/* Takes ownership of why. The client sees the end now; everything else follows from the loop. */
static void conn_end(struct nbd_conn *c, bool is_clean, char *why)
{
    if (c->is_ending) {
        g_free(why);
        return;
    }
    c->is_ending = true;
    c->is_clean = is_clean;
    c->why = why;
    leave_listener(c);
    nbd_server_drop(c->server);
    shutdown(c->fd, SHUT_RDWR);
    uv_close((uv_handle_t *)&c->poll, on_conn_closed);
}

void nbd_conn_shutdown(struct nbd_conn *c)
{
    conn_end(c, false, g_strdup("connection ended by this side"));
}

static size_t output_bytes(const struct nbd_conn *c)
{
    return nbd_server_output_bytes(c->server) + (c->sending ? c->sending->len - c->sent : 0);
}

static bool take_output(struct nbd_conn *c)
{
    if (!c->sending && nbd_server_output_bytes(c->server) > 0) {
        c->sending = nbd_server_output(c->server);
        c->sent = 0;
    }
    return c->sending != NULL;
}

static void discard_output(struct nbd_conn *c)
{
    while (take_output(c))
        g_clear_pointer(&c->sending, g_byte_array_unref);
}

/* Sends what the socket takes. A client that is deaf may still have sent something worth having: go on. */
static void conn_send(struct nbd_conn *c)
{
    while (!c->is_mute && !c->are_replies_kept && take_output(c)) {
        ssize_t n = send(c->fd, c->sending->data + c->sent, c->sending->len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            c->is_mute = true;
        else if ((c->sent += n) == c->sending->len)
            g_clear_pointer(&c->sending, g_byte_array_unref);
    }
    if (c->is_mute)
        discard_output(c);
}

static void obey(struct nbd_conn *c, enum nbd_verdict verdict)
{
    switch (verdict) {
    case NBD_GOES_ON:
        return;
    case NBD_FINISHED:
        c->is_finished = true;
        return;
    case NBD_DROP:
        conn_end(c, false, g_strdup("connection dropped: no memory left for what the client sends"));
        return;
    case NBD_BROKEN:
        conn_send(c);
        conn_end(c, false, g_strdup(nbd_server_why(c->server)));
        return;
    }
}

static void conn_got(struct nbd_conn *c, size_t n)
{
    enum nbd_verdict verdict = nbd_server_got(c->server, n);

    if (!c->is_ending && !c->export && nbd_server_export(c->server)) {
        c->export = nbd_server_export(c->server);
        leave_listener(c);
        if (c->events.on_export)
            c->events.on_export(c->user, c, c->export);
    }
    if (!c->is_ending) /* by one of the callbacks */
        obey(c, verdict);
}

/* One readv(). False: nothing more to be had in this turn. */
static bool receive_once(struct nbd_conn *c, size_t *taken)
{
    struct iovec pieces[NBD_WANT_PIECES];
    unsigned count = nbd_server_want_pieces(c->server, pieces);
    size_t asked = 0;
    ssize_t n;

    if (count == 0 && !c->is_ending)
        obey(c, NBD_DROP);
    if (c->is_ending) /* the export's callback may have done it, too */
        return false;
    for (unsigned i = 0; i < count; i++)
        asked += pieces[i].iov_len;
    do
        n = readv(c->fd, pieces, count);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        conn_end(c, false,
                 n == 0 ? g_strdup("connection closed without goodbye")
                        : g_strdup_printf("connection lost: %s", g_strerror(errno)));
        return false;
    }
    *taken += n;
    conn_got(c, n);
    return (size_t)n == asked;
}

static void conn_receive(struct nbd_conn *c)
{
    size_t taken = 0, before = nbd_server_output_bytes(c->server);

    while (receive_once(c, &taken) && !c->is_ending && !c->is_finished && !c->is_held &&
           taken + nbd_server_output_bytes(c->server) - before < TURN_BYTES)
        continue;
}

static bool may_receive(const struct nbd_conn *c)
{
    bool may_write = c->export && !c->export->read_only;

    return !c->is_finished && !c->is_held &&
           (may_write || output_bytes(c) + nbd_server_reading_bytes(c->server) < OUTPUT_PAUSE_BYTES);
}

static void on_conn_event(uv_poll_t *poll, int status, int events);

static void conn_watch(struct nbd_conn *c)
{
    int events = (may_receive(c) ? UV_READABLE : 0) | (output_bytes(c) > 0 && !c->are_replies_kept ? UV_WRITABLE : 0);

    if (events != c->watched && uv_poll_start(&c->poll, events, on_conn_event) == 0)
        c->watched = events;
}

/* After whatever has happened: sends, ends what is to be ended, waits for what comes next. */
static void conn_settle(struct nbd_conn *c)
{
    if (!c->is_ending)
        conn_send(c);
    if (!c->is_ending && output_bytes(c) > OUTPUT_DROP_BYTES)
        conn_end(c, false, g_strdup("connection dropped: the client does not read its replies"));
    if (!c->is_ending && c->is_finished && output_bytes(c) == 0)
        conn_end(c, true, g_strdup("client said goodbye"));
    if (!c->is_ending)
        conn_watch(c);
}

void nbd_conn_hold(struct nbd_conn *c, bool is_held)
{
    c->is_held = is_held;
    if (!c->is_ending)
        conn_watch(c);
}

void nbd_conn_keep_replies(struct nbd_conn *c, bool are_kept)
{
    c->are_replies_kept = are_kept;
    if (!are_kept)
        conn_settle(c);
}

/* A read was answered later. */
static void on_conn_output(void *user)
{
    conn_settle(user);
}

static void on_conn_event(uv_poll_t *poll, int status, int events)
{
    struct nbd_conn *c = poll->data;

    if (status < 0) /* an error is pending: libuv has stopped polling; what was sent before it can be read */
        c->watched = 0;
    if ((status < 0 || events & UV_READABLE) && may_receive(c))
        conn_receive(c);
    conn_settle(c);
}

/* FORCE goes beyond net.core.wmem_max, for those who may. Too small a buffer only costs speed. */
static void enlarge_send_buffer(int fd)
{
    int bytes = SEND_BUFFER_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

struct nbd_conn *nbd_conn_open(uv_loop_t *loop, int fd, const struct nbd_exports *exports,
                               const struct nbd_conn_events *events, void *user, GError **error)
{
    struct nbd_conn *c = g_new0(struct nbd_conn, 1);
    int status = is_stream_socket(fd) ? uv_poll_init(loop, &c->poll, fd) : UV_ENOTSOCK;

    if (status != 0) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "NBD connection: cannot be served: %s", uv_strerror(status));
        close(fd);
        g_free(c);
        return NULL;
    }
    enlarge_send_buffer(fd);
    c->poll.data = c;
    c->fd = fd;
    c->events = *events;
    c->user = user;
    c->server = nbd_server_new(exports);
    nbd_server_on_output(c->server, on_conn_output, c);
    conn_watch(c);
    return c;
}

const struct nbd_export *nbd_conn_export(const struct nbd_conn *c)
{
    return c->export;
}

void nbd_conn_set_tag(struct nbd_conn *c, void *tag)
{
    c->tag = tag;
}

void *nbd_conn_tag(const struct nbd_conn *c)
{
    return c->tag;
}

void nbd_conn_set_listener(struct nbd_conn *c, struct nbd_listener *listener)
{
    c->listener = listener;
}
