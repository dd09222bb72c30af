// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A QEMU that says what the test wants, on a UNIX listener in the same loop. It greets and grants
 * qmp_capabilities by itself unless told otherwise; every other command goes to on_command.
 *
 *     struct peer peer;
 *     peer_listen(&peer, loop);
 *     peer.on_command = answer;               // peer_reply(&peer, id, "\"return\":{}") …
 *     q = qmp_open(loop, peer.path, …);
 *     run_until(loop, &done);
 *     peer_close(&peer); … run the loop once more, uv_loop_close() …
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <uv.h>

#define PEER_GREETING                                                                                                  \
    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":0,\"major\":10}},\"capabilities\":[]}}\r\n"

struct peer {
    uv_loop_t *loop;
    char *folder, *path;
    int listener, fd; /* fd: the connection, or -1 */
    uv_poll_t listener_poll, poll;
    GString *input;
    const char *greeting; /* NULL: silent */
    void (*on_command)(struct peer *peer, int id, const char *line, int passed_fd /* or -1, yours */);
    void *user;
};

static inline void peer_say(struct peer *peer, const char *text)
{
    for (size_t at = 0; text[at];) { /* short texts: the socket's buffer takes them */
        ssize_t n = send(peer->fd, text + at, strlen(text + at), MSG_NOSIGNAL);
        if (n < 0)
            return; /* the client has gone, which some tests want */
        at += (size_t)n;
    }
}

/* result: "\"return\":{}" or "\"error\":{…}" */
static inline void peer_reply(struct peer *peer, int id, const char *result)
{
    g_autofree char *text = g_strdup_printf("{%s,\"id\":%d}\r\n", result, id);

    peer_say(peer, text);
}

static inline void peer_hang_up(struct peer *peer)
{
    if (peer->fd < 0)
        return;
    uv_close((uv_handle_t *)&peer->poll, NULL);
    close(peer->fd);
    peer->fd = -1;
}

static inline void peer_take_line(struct peer *peer, const char *line, int passed_fd)
{
    const char *id = g_strrstr(line, "\"id\":"); /* ours comes last; arguments may have one too */

    g_assert_nonnull(id);
    if (strstr(line, "qmp_capabilities"))
        peer_reply(peer, atoi(id + 5), "\"return\":{}");
    else if (peer->on_command)
        peer->on_command(peer, atoi(id + 5), line, passed_fd);
    else if (passed_fd >= 0)
        close(passed_fd);
}

/* One byte at a time, as QEMU reads its monitor: that shows with which byte a descriptor came. */
static inline void peer_on_bytes(uv_poll_t *poll, int status, int events)
{
    struct peer *peer = poll->data;
    int passed_fd = -1;

    while (peer->fd >= 0) {
        char byte, space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
        struct iovec iov = {.iov_base = &byte, .iov_len = 1};
        struct msghdr message = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
        ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            peer_hang_up(peer);
            return;
        }
        if (message.msg_controllen && CMSG_FIRSTHDR(&message)) {
            g_assert_cmpuint(peer->input->len, ==, 0); /* with the first byte of its command */
            memcpy(&passed_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed_fd);
        }
        if (byte != '\n') {
            g_string_append_c(peer->input, byte);
            continue;
        }
        g_autofree char *line = g_strdup(peer->input->str);
        g_string_truncate(peer->input, 0);
        peer_take_line(peer, line, passed_fd);
        passed_fd = -1;
    }
}

static inline void peer_on_client(uv_poll_t *poll, int status, int events)
{
    struct peer *peer = poll->data;
    int fd = accept(peer->listener, NULL, NULL);

    g_assert_true(fd >= 0 && peer->fd < 0);
    peer->fd = fd;
    peer->poll.data = peer;
    g_assert_cmpint(uv_poll_init(peer->loop, &peer->poll, fd), ==, 0);
    uv_poll_start(&peer->poll, UV_READABLE, peer_on_bytes);
    if (peer->greeting)
        peer_say(peer, peer->greeting);
}

static inline void peer_listen(struct peer *peer, uv_loop_t *loop)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *peer = (struct peer){.loop = loop, .fd = -1, .greeting = PEER_GREETING, .input = g_string_new(NULL)};
    peer->folder = g_dir_make_tmp("qmp-XXXXXX", NULL);
    peer->path = g_build_filename(peer->folder, "m.sock", NULL);
    g_strlcpy(address.sun_path, peer->path, sizeof address.sun_path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(peer->listener, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(peer->listener, 0), ==, 0);
    g_assert_cmpint(uv_poll_init(loop, &peer->listener_poll, peer->listener), ==, 0);
    peer->listener_poll.data = peer;
    uv_poll_start(&peer->listener_poll, UV_READABLE, peer_on_client);
}

static inline void peer_close(struct peer *peer)
{
    peer_hang_up(peer);
    uv_close((uv_handle_t *)&peer->listener_poll, NULL);
    close(peer->listener);
    g_unlink(peer->path);
    g_rmdir(peer->folder);
    g_free(peer->path);
    g_free(peer->folder);
    g_string_free(peer->input, TRUE);
}

static inline void peer_on_tick(uv_timer_t *timer)
{
    if (g_get_monotonic_time() > *(gint64 *)timer->data)
        g_error("waited 20 s for nothing");
}

/* Runs the loop until *done is not zero. A turn of the loop may wait after *done was set: the tick ends that.
 */
static inline void run_until(uv_loop_t *loop, const int *done)
{
    gint64 deadline_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    uv_timer_t tick;

    uv_timer_init(loop, &tick);
    tick.data = &deadline_us;
    uv_timer_start(&tick, peer_on_tick, 0, 5);
    while (!*done)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}
