// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A back end of vhost-user-blk, for tests: one connection of a front end, without a loop. See vhost_peer.h for its
 * answers, vhost_device.h for its ring.
 *
 *     struct back back = back_of(fd);                              // poll fd; and kick_fd when that is there
 *     if (!back_receive(&back)) …the front has gone…
 *     while (back_has_ring(&back) && device_take(&back.ring, &read)) …
 *     back_call(&back);
 *     back_end(&back);
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fake/vhost_device.h"
#include "fake/vhost_peer.h"

struct back {
    struct peer peer;
    struct device ring;
    int fd, kick_fd, call_fd; /* -1: not yet */
    size_t memory_bytes;
    uint32_t hangs_up_at; /* this request; 0: none */
    bool is_silent;       /* nothing is answered */
};

static inline struct back back_of(int fd)
{
    return (struct back){.peer = peer_of_qemu(), .fd = fd, .kick_fd = -1, .call_fd = -1};
}

static inline bool back_has_ring(const struct back *back)
{
    return back->ring.memory && back->ring.avail && back->kick_fd >= 0 && back->call_fd >= 0;
}

static inline void back_call(struct back *back)
{
    eventfd_write(back->call_fd, 1);
}

static inline void back_take_memory(struct back *back, uint64_t bytes, int fd)
{
    back->memory_bytes = bytes;
    back->ring.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(back->ring.memory != MAP_FAILED);
    close(fd);
}

static inline void back_answer(struct back *back, uint32_t request)
{
    g_autoptr(GByteArray) reply = g_byte_array_new();

    peer_reply(&back->peer, request, reply);
    if (!back->is_silent)
        g_assert_cmpint(send(back->fd, reply->data, reply->len, MSG_NOSIGNAL), ==, reply->len);
}

static inline void back_take_message(struct back *back, uint32_t request, const uint8_t *payload, int fd)
{
    g_assert_true((fd >= 0) == (request == SET_MEM_TABLE || request == SET_VRING_KICK || request == SET_VRING_CALL));
    if (request == SET_MEM_TABLE) {
        back_take_memory(back, le64_get(payload + 16), fd);
    } else if (request == SET_VRING_ADDR) {
        back->ring.descriptors = le64_get(payload + 8);
        back->ring.used = le64_get(payload + 16);
        back->ring.avail = le64_get(payload + 24);
    } else if (request == SET_VRING_KICK) {
        back->kick_fd = fd;
    } else if (request == SET_VRING_CALL) {
        back->call_fd = fd;
    } else if (request == GET_FEATURES || request == GET_PROTOCOL_FEATURES || request == GET_CONFIG) {
        back_answer(back, request);
    }
}

/* `len` bytes, and what comes along. */
static inline bool back_read(struct back *back, uint8_t *to, size_t len, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {.iov_base = to, .iov_len = len};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n = len ? recvmsg(back->fd, &message, MSG_CMSG_CLOEXEC) : 0;

    if (n > 0 && message.msg_controllen > 0)
        memcpy(fd, CMSG_DATA(&control.header), sizeof *fd);
    return n == (ssize_t)len;
}

/* One message; false: the front has gone, or this is where it shall hang up. */
static inline bool back_receive(struct back *back)
{
    uint8_t header[12], payload[64] = {0};
    int fd = -1;

    if (!back_read(back, header, sizeof header, &fd) || le32_get(header) == back->hangs_up_at) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    g_assert_cmpuint(le32_get(header + 8), <=, sizeof payload);
    g_assert_true(back_read(back, payload, le32_get(header + 8), &fd));
    back_take_message(back, le32_get(header), payload, fd);
    return true;
}

static inline void back_end(struct back *back)
{
    if (back->kick_fd >= 0)
        close(back->kick_fd);
    if (back->call_fd >= 0)
        close(back->call_fd);
    if (back->ring.memory)
        munmap(back->ring.memory, back->memory_bytes);
    close(back->fd);
}
