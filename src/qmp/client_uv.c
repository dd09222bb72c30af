// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/client_uv.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "qmp/address.h"
#include "qmp/call.h"
#include "qmp/client.h"

/*
 * The socket is our own, watched with uv_poll_t: libuv's streams can pass no descriptors but their own
 * handles. Callbacks may call anything here, qmp_close() too; so nothing is freed before the last handle has
 * closed, and after each callback is_closing is looked at.
 */

#define READ_BYTES     (64u << 10)
#define READS_PER_TURN 16  /* then others get their turn: 1 MiB */
#define RETRY_MS       100 /* a listener whose queue is full */
#define AT_ONCE        100 /* questions that are put again without a pause */
#define PAUSE_MS       5

/* One socket; localhost may need two, one after the other. */
struct link {
    uv_poll_t poll;
    struct qmp *q;
    int fd;
    int events; /* that are polled for */
    bool is_connected;
};

struct qmp {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct link *link; /* NULL before the first attempt and after the loss */
    struct qmp_client *client;
    unsigned timeout_ms;
    struct qmp_address address;
    unsigned attempt;   /* the target that is tried */
    uint64_t try_at_ms; /* when to connect; UINT64_MAX: done or given up */
    unsigned open_handles;
    bool is_closing;
    uint64_t last_heard_ms;
    struct qmp_listener listener;
    void *user;
    char inbox[READ_BYTES];
};

static void arm(struct qmp *q);

/* --- the end ------------------------------------------------------------------------------------ */

static void release(struct qmp *q)
{
    if (--q->open_handles)
        return;
    qmp_client_free(q->client);
    qmp_address_clear(&q->address);
    g_free(q);
}

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct qmp *q = link->q;

    g_free(link);
    release(q);
}

static void close_link(struct qmp *q)
{
    struct link *link = g_steal_pointer(&q->link);

    if (!link)
        return;
    uv_close((uv_handle_t *)&link->poll, on_link_closed);
    close(link->fd);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void qmp_close(struct qmp *q)
{
    if (!q || q->is_closing)
        return;
    q->is_closing = true;
    close_link(q);
    uv_close((uv_handle_t *)&q->timer, on_timer_closed);
}

static void lose(struct qmp *q, GError *error)
{
    qmp_client_end(q->client, error);
}

static void lose_because_gone(struct qmp *q)
{
    lose(q, g_error_new(QMP_ERROR, QMP_ERROR_GONE,
                        qmp_client_is_ready(q->client) ? "%s: QEMU has closed the connection; has the guest ended?"
                                                       : "%s: the connection was closed before it was ready; try again",
                        q->address.text));
}

/* --- bytes -------------------------------------------------------------------------------------- */

static ssize_t send_with_fd(int socket, const char *bytes, size_t n, int fd)
{
    struct iovec iov = {.iov_base = (char *)bytes, .iov_len = n};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        *CMSG_FIRSTHDR(&message) =
            (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

static void write_output(struct qmp *q)
{
    const char *bytes;
    size_t n;
    int fd;

    while (q->link && q->link->is_connected && qmp_client_output(q->client, &bytes, &n, &fd)) {
        ssize_t sent = send_with_fd(q->link->fd, bytes, n, fd);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            lose_because_gone(q); /* what QEMU still said before is read first: the timer, at once */
            return;
        }
        qmp_client_sent(q->client, (size_t)sent);
    }
}

static void dispatch(struct qmp *q, const struct qmp_item *item)
{
    switch (item->type) {
    case QMP_ITEM_WAITING:
        if (q->listener.on_waiting)
            q->listener.on_waiting(q->user, item->error);
        break;
    case QMP_ITEM_READY:
        if (q->listener.on_ready)
            q->listener.on_ready(q->user);
        break;
    case QMP_ITEM_EVENT:
        if (q->listener.on_event)
            q->listener.on_event(q->user, &item->event);
        break;
    case QMP_ITEM_REPLY:
        item->callback.handler(q, item->callback.data, item->value, item->error);
        break;
    case QMP_ITEM_LOST:
        q->try_at_ms = UINT64_MAX;
        close_link(q);
        if (q->listener.on_lost)
            q->listener.on_lost(q->user, item->error);
        break;
    case QMP_ITEM_NONE:
        break;
    }
}

static void pump(struct qmp *q)
{
    struct qmp_item item;

    while (!q->is_closing && qmp_client_next(q->client, uv_now(q->loop), &item)) {
        dispatch(q, &item);
        qmp_item_clear(&item);
    }
    if (q->is_closing)
        return;
    write_output(q);
    arm(q);
}

/* Reads what is there, pumping after each piece so that only one is ever held. True: there is no more. */
static bool read_input(struct qmp *q)
{
    for (unsigned i = 0; i < READS_PER_TURN && !q->is_closing && q->link && q->link->is_connected; i++) {
        ssize_t n = recv(q->link->fd, q->inbox, sizeof q->inbox, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return errno == EAGAIN;
        if (n <= 0) {
            lose_because_gone(q);
            return true;
        }
        q->last_heard_ms = uv_now(q->loop);
        qmp_client_feed(q->client, q->inbox, (size_t)n);
        pump(q);
    }
    return false;
}

/* --- connecting --------------------------------------------------------------------------------- */

static void try_connect(struct qmp *q);

static void connect_failed(struct qmp *q, int number)
{
    close_link(q);
    if (number == ECONNREFUSED && q->attempt + 1 < q->address.n) {
        q->attempt++;
        try_connect(q);
        return;
    }
    lose(q, qmp_address_explain(&q->address, number));
}

static int socket_error(int fd)
{
    int number = 0;
    socklen_t len = sizeof number;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 ? number : errno;
}

static void finish_connect(struct link *link)
{
    int number = socket_error(link->fd);

    if (number)
        connect_failed(link->q, number);
    else
        link->is_connected = true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    struct qmp *q = link->q;

    if (status < 0)
        link->events = 0; /* libuv takes POLLERR for a bad descriptor and stops; the socket knows better */
    if (!link->is_connected)
        finish_connect(link);
    else if ((status < 0 || events & UV_READABLE) && read_input(q) && status < 0 && q->link)
        lose_because_gone(q);
    if (!q->is_closing)
        pump(q);
}

/* Watches fd, which becomes the link's. */
static bool add_link(struct qmp *q, int fd, bool is_connected)
{
    struct link *link = g_new0(struct link, 1);

    if (uv_poll_init(q->loop, &link->poll, fd) != 0) {
        g_free(link);
        return false;
    }
    link->poll.data = link;
    link->q = q;
    link->fd = fd;
    link->is_connected = is_connected;
    q->link = link;
    q->open_handles++;
    return true;
}

static void try_connect(struct qmp *q)
{
    const struct sockaddr *target = (const struct sockaddr *)&q->address.target[q->attempt];
    int fd = socket(target->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int number = 0;

    q->try_at_ms = UINT64_MAX;
    if (fd < 0 || connect(fd, target, q->address.target_len[q->attempt]) != 0)
        number = errno;
    if ((number == 0 || number == EINPROGRESS) && add_link(q, fd, number == 0))
        return;
    if (fd >= 0)
        close(fd);
    /* EAGAIN: QEMU serves another client and its queue is full. Tried again until the greeting is overdue. */
    if (number == EAGAIN)
        q->try_at_ms = uv_now(q->loop) + RETRY_MS;
    else
        connect_failed(q, number == 0 || number == EINPROGRESS ? ENOMEM : number);
}

static void on_timer(uv_timer_t *timer)
{
    struct qmp *q = timer->data;

    if (uv_now(q->loop) >= q->try_at_ms)
        try_connect(q);
    /* If we were the ones held up, the answers lie there unread: they count, late or not. */
    read_input(q);
    if (!q->is_closing)
        pump(q);
}

/* --- waiting ------------------------------------------------------------------------------------ */

static void poll_for(struct link *link, int events)
{
    if (link->events == events)
        return;
    link->events = events;
    uv_poll_start(&link->poll, events, on_poll);
}

/* Wait for what can come next: bytes, room for bytes, a deadline. */
static void arm(struct qmp *q)
{
    uint64_t at_ms = MIN(qmp_client_deadline(q->client), q->try_at_ms), now_ms = uv_now(q->loop);
    const char *bytes;
    size_t n;
    int fd;

    if (q->link && !q->link->is_connected)
        poll_for(q->link, UV_WRITABLE);
    else if (q->link)
        poll_for(q->link, UV_READABLE | (qmp_client_output(q->client, &bytes, &n, &fd) ? UV_WRITABLE : 0));
    if (at_ms == UINT64_MAX)
        uv_timer_stop(&q->timer);
    else
        uv_timer_start(&q->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* --- from outside ------------------------------------------------------------------------------- */

static struct qmp *new_monitor(uv_loop_t *loop, const char *subject, unsigned timeout_ms,
                               const struct qmp_listener *listener, void *user)
{
    struct qmp *q = g_new0(struct qmp, 1);

    q->loop = loop;
    q->listener = *listener;
    q->user = user;
    q->try_at_ms = UINT64_MAX;
    uv_update_time(loop); /* the caller may have been busy, and the time for the greeting runs from now */
    uv_timer_init(loop, &q->timer);
    q->timer.data = q;
    q->open_handles = 1;
    q->timeout_ms = timeout_ms;
    q->client = qmp_client_new(subject, timeout_ms, uv_now(loop));
    return q;
}

struct qmp *qmp_open(uv_loop_t *loop, const char *address, unsigned timeout_ms, const struct qmp_listener *listener,
                     void *user)
{
    struct qmp *q = new_monitor(loop, address, timeout_ms, listener, user);
    GError *error = NULL;

    if (qmp_address_parse(&q->address, address, &error))
        q->try_at_ms = uv_now(loop);
    else
        lose(q, error);
    arm(q);
    return q;
}

void qmp_send(struct qmp *q, const char *command, struct json_object *args, int fd, struct qmp_callback callback)
{
    if (fd >= 0 && !q->address.is_unix) {
        close(fd);
        json_object_put(args);
        qmp_client_refuse(
            q->client, command,
            g_error_new(QMP_ERROR, QMP_ERROR_COMMAND, "%s: only a UNIX socket can pass descriptors", q->address.text),
            callback);
    } else {
        qmp_client_send(q->client, command, args, fd, uv_now(q->loop), callback);
    }
    if (q->is_closing)
        return;
    write_output(q);
    arm(q);
}

struct asking {
    void (*ask)(void *user);
    void *user;
};

static void on_paused(struct qmp *q, void *data, struct json_object *value, const GError *error)
{
    const struct asking *a = data;

    a->ask(a->user);
}

bool qmp_again(struct qmp *q, struct qmp_again *again, void (*ask)(void *user), void *user)
{
    struct asking a = {ask, user};
    uint64_t now_ms = uv_now(q->loop);

    if (!again->n++)
        again->since_ms = now_ms;
    if (q->timeout_ms && now_ms - again->since_ms > q->timeout_ms)
        return false;
    if (again->n < AT_ONCE) {
        ask(user);
    } else {
        qmp_client_pause(q->client, now_ms + PAUSE_MS,
                         (struct qmp_callback){on_paused, g_memdup2(&a, sizeof a), g_free});
        arm(q);
    }
    return true;
}

bool qmp_is_ready(const struct qmp *q)
{
    return !q->is_closing && qmp_client_is_ready(q->client);
}

bool qmp_can_pass_fds(const struct qmp *q)
{
    return q->address.is_unix;
}

int qmp_peer_pid(const struct qmp *q)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;

    if (!q->link || !q->address.is_unix || getsockopt(q->link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return 0;
    return peer.pid;
}

uint64_t qmp_last_heard_ms(const struct qmp *q)
{
    return q->last_heard_ms;
}
