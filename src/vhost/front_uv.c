// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost/front_uv.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/listening.h"
#include "vhost/memory.h"
#include "vhost/message.h"
#include "vhost/ring.h"

struct vhost_front {
    uv_poll_t socket, call;
    uv_idle_t kick; /* active when something was asked for in this turn */
    uv_handle_t *open[3];
    unsigned n_open;
    int fd, kick_fd, call_fd;
    struct vhost_memory *memory;
    struct vhost_message *message;
    struct vhost_ring *ring;
    struct vhost_events events;
    void *user;
    bool is_ready, is_broken, is_closing;
};

static void front_free(struct vhost_front *f)
{
    close(f->fd);
    if (f->kick_fd >= 0)
        close(f->kick_fd);
    if (f->call_fd >= 0)
        close(f->call_fd);
    vhost_message_free(f->message);
    vhost_ring_free(f->ring);
    g_free(f);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct vhost_front *f = handle->data;

    if (--f->n_open > 0)
        return;
    if (f->events.on_closed)
        f->events.on_closed(f->user);
    front_free(f);
}

/* The last handle frees it, from the loop. */
static void front_close(struct vhost_front *f)
{
    if (f->n_open == 0)
        front_free(f);
    else
        for (unsigned i = f->n_open; i > 0; i--)
            uv_close(f->open[i - 1], on_handle_closed);
}

static void G_GNUC_PRINTF(2, 3) front_break(struct vhost_front *f, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list arguments;

    if (f->is_broken || f->is_closing)
        return;
    f->is_broken = true;
    f->is_ready = false;
    uv_poll_stop(&f->socket);
    uv_poll_stop(&f->call);
    uv_idle_stop(&f->kick);
    va_start(arguments, format);
    error = g_error_new_valist(VMB_ERROR, VMB_ERROR_FAILED, format, arguments);
    va_end(arguments);
    f->events.on_broken(f->user, error);
}

static bool is_over(const struct vhost_front *f)
{
    return f->is_broken || f->is_closing;
}

/* --- the ring ----------------------------------------------------------------------------------- */

/* No more in one turn than can have ended before it began: for what ends meanwhile, QEMU calls again. */
static void take_done(struct vhost_front *f)
{
    for (unsigned n = 0; n < VHOST_RING_SLOTS && !is_over(f); n++) {
        struct vhost_ring_done done;
        enum vhost_ring_verdict verdict = vhost_ring_next_done(f->ring, &done);

        if (verdict == VHOST_RING_EMPTY)
            return;
        if (verdict == VHOST_RING_DONE)
            f->events.on_read(f->user, done.tag, done.error);
        else
            front_break(f, "QEMU's export does what it must not: %s", vhost_ring_why(f->ring));
    }
}

static void on_call(uv_poll_t *handle, int status, int events)
{
    struct vhost_front *f = handle->data;
    eventfd_t count;

    if (status < 0) {
        front_break(f, "cannot wait for QEMU's export: %s", uv_strerror(status));
        return;
    }
    eventfd_read(f->call_fd, &count); /* before the ring is looked at */
    take_done(f);
}

static void on_kick(uv_idle_t *handle)
{
    struct vhost_front *f = handle->data;

    uv_idle_stop(&f->kick);
    if (vhost_ring_wants_kick(f->ring))
        eventfd_write(f->kick_fd, 1);
}

/* --- the socket --------------------------------------------------------------------------------- */

static int descriptor(const struct vhost_front *f, enum vhost_message_fd which)
{
    switch (which) {
    case VHOST_FD_MEMORY:
        return vhost_memory_fd(f->memory);
    case VHOST_FD_KICK:
        return f->kick_fd;
    case VHOST_FD_CALL:
        return f->call_fd;
    default:
        return -1;
    }
}

/* The bytes, and `with` along with the first of them unless it is -1. */
static ssize_t send_with(int fd, const uint8_t *bytes, size_t len, int with)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof with), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t n;

    if (with >= 0) {
        memcpy(CMSG_DATA(&control.header), &with, sizeof with);
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
    }
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n;
}

static void on_socket(uv_poll_t *handle, int status, int events);

/* Sends what there is, a message at a time: QEMU 10 would lose one that is drained in the middle of its header. */
static void front_send(struct vhost_front *f)
{
    enum vhost_message_fd which;
    const uint8_t *bytes;
    size_t len;

    while (!is_over(f) && (bytes = vhost_message_output(f->message, &len, &which))) {
        ssize_t n = send_with(f->fd, bytes, len, descriptor(f, which));

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            front_break(f, "cannot send to QEMU's export: %s", g_strerror(errno));
        else
            vhost_message_sent(f->message, n);
    }
    if (!is_over(f))
        uv_poll_start(&f->socket, bytes ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_socket);
}

static void take_input(struct vhost_front *f, const uint8_t *bytes, size_t len)
{
    switch (vhost_message_input(f->message, bytes, len)) {
    case VHOST_MESSAGE_GOES_ON:
        break;
    case VHOST_MESSAGE_READY:
        f->is_ready = true;
        f->events.on_ready(f->user, vhost_message_capacity(f->message));
        break;
    case VHOST_MESSAGE_BROKEN:
        front_break(f, "QEMU's export cannot be used: %s", vhost_message_why(f->message));
        break;
    }
}

static void front_receive(struct vhost_front *f)
{
    uint8_t bytes[256];
    ssize_t n = recv(f->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0) {
        take_input(f, bytes, n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        take_done(f); /* what ended before it */
        front_break(f, "QEMU has ended the connection of its export");
    }
}

static void on_socket(uv_poll_t *handle, int status, int events)
{
    struct vhost_front *f = handle->data;

    if (status < 0)
        front_break(f, "cannot wait for QEMU's export: %s", uv_strerror(status));
    else if (events & UV_READABLE)
        front_receive(f);
    if (!is_over(f))
        front_send(f);
}

/* --- what others see ---------------------------------------------------------------------------- */

static int open_poll(struct vhost_front *f, uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    int status = uv_poll_init(loop, poll, fd);

    if (status == 0)
        f->open[f->n_open++] = (uv_handle_t *)poll;
    poll->data = f;
    return status;
}

static int open_handles(struct vhost_front *f, uv_loop_t *loop)
{
    int status;

    if (f->kick_fd < 0 || f->call_fd < 0)
        return UV_EMFILE;
    status = open_poll(f, loop, &f->socket, f->fd);
    if (status == 0)
        status = open_poll(f, loop, &f->call, f->call_fd);
    if (status != 0)
        return status;
    uv_idle_init(loop, &f->kick);
    f->kick.data = f;
    f->open[f->n_open++] = (uv_handle_t *)&f->kick;
    uv_poll_start(&f->socket, UV_READABLE | UV_WRITABLE, on_socket);
    uv_poll_start(&f->call, UV_READABLE, on_call);
    return 0;
}

static struct vhost_message *message_for(struct vhost_memory *memory, const struct vhost_ring *ring)
{
    return vhost_message_new(&(struct vhost_message_setup){.memory_bytes = vhost_memory_bytes(memory),
                                                           .descriptors = vhost_ring_descriptors(ring),
                                                           .avail = vhost_ring_avail(ring),
                                                           .used = vhost_ring_used(ring),
                                                           .n_slots = VHOST_RING_SLOTS});
}

struct vhost_front *vhost_open(uv_loop_t *loop, struct vhost_memory *memory, unsigned queue, int fd,
                               const struct vhost_events *events, void *user, GError **error)
{
    struct vhost_front *f = g_new0(struct vhost_front, 1);
    int status;

    *f = (struct vhost_front){.memory = memory, .fd = fd, .events = *events, .user = user};
    f->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->ring = vhost_ring_new(vhost_memory_base(memory), vhost_memory_queue(memory, queue));
    f->message = message_for(memory, f->ring);
    status = open_handles(f, loop);
    if (status == 0)
        return f;
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "cannot talk to QEMU's export: %s", uv_strerror(status));
    f->events.on_closed = NULL; /* nobody knows it */
    front_close(f);
    return NULL;
}

bool vhost_read(struct vhost_front *f, uint64_t offset, uint32_t len, uint8_t *const *buffers, void *tag)
{
    if (!f->is_ready)
        return false;
    g_assert(len <= vhost_max_clusters(f) * VHOST_CLUSTER_BYTES);
    for (uint32_t done = 0; done < len; done += VHOST_CLUSTER_BYTES)
        g_assert(vhost_memory_owns(f->memory, buffers[done / VHOST_CLUSTER_BYTES], VHOST_CLUSTER_BYTES));
    if (!vhost_ring_read(f->ring, offset, len, buffers, tag))
        return false;
    uv_idle_start(&f->kick, on_kick);
    return true;
}

unsigned vhost_room(const struct vhost_front *f)
{
    return f->is_ready ? vhost_ring_room(f->ring) : 0;
}

unsigned vhost_max_clusters(const struct vhost_front *f)
{
    return MIN(vhost_message_max_segments(f->message), VHOST_REQUEST_CLUSTERS);
}

unsigned vhost_in_flight(const struct vhost_front *f)
{
    return vhost_ring_in_flight(f->ring);
}

void vhost_close(struct vhost_front *f, void (*taken_back)(void *user, void *tag))
{
    g_assert(!f->is_closing);
    f->is_closing = true;
    f->is_ready = false;
    if (taken_back)
        vhost_ring_take_back(f->ring, taken_back, f->user);
    front_close(f);
}

/* --- the socket that is handed to QEMU ---------------------------------------------------------- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A connection is made before anybody accepts it: so the path is gone again when QEMU gets the socket, and nobody else
 * has come in. */
bool vhost_socket_pair(const char *path, int *listening, int *connected, GError **error)
{
    struct listening *socket = listening_open(path, error);

    if (!socket)
        return false;
    *connected = connect_to(path);
    if (*connected < 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "socket %s: cannot connect: %s", path, g_strerror(errno));
    else
        *listening = listening_take_fd(socket);
    listening_close(socket);
    return *connected >= 0;
}
