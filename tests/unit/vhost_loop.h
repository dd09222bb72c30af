// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A loop with a front of src/vhost and a device on the other end of its socket, in the same thread:
 *
 *     fixture_open(f);
 *     TURN_UNTIL(f, f->is_ready);
 *     ask(f, 0, 65536);
 *     TURN_UNTIL(f, f->n_read == 1);
 *
 * The device answers as f->device.back.peer says, and serves a disk whose byte at n is disk_byte(n).
 */
#include <dirent.h>
#include "fake/vhost_back.h"
#include "vhost/front_uv.h"
#include "vhost/memory.h"

#define DISK_BYTES   ((3u << 20) + 512)
#define POOL_BYTES   (8u << 20)
#define POOL_BUFFERS (POOL_BYTES / VHOST_CLUSTER_BYTES)
#define DEADLINE_NS  (20 * UINT64_C(1000000000))

/* The back end on this loop, and how it behaves. */
struct fake {
    struct back back;
    uv_poll_t socket, kick;
    bool is_kick_open;
    bool is_lazy;   /* reads are not served */
    uint8_t status; /* of all reads */
    uint64_t n_kicks;
    unsigned n_served;
};

struct fixture {
    uv_loop_t loop;
    struct fake device;
    struct vhost_memory *memory;
    struct vhost_front *front;
    uint64_t capacity;
    bool is_ready, is_closed;
    void (*in_ready)(struct fixture *f), (*in_read)(struct fixture *f); /* what a test does in the event */
    unsigned n_read, n_failed, n_taken_back, n_asked, n_descriptors;
    char *why;
};

#define TURN_UNTIL(f, condition)                                                                                       \
    do {                                                                                                               \
        uint64_t until = uv_hrtime() + DEADLINE_NS;                                                                    \
        while (!(condition)) {                                                                                         \
            g_assert_cmpuint(uv_hrtime(), <, until);                                                                   \
            uv_run(&(f)->loop, UV_RUN_NOWAIT);                                                                         \
        }                                                                                                              \
    } while (0)

static inline uint8_t disk_byte(uint64_t at)
{
    return (uint8_t)(at / 512 * 31 + at);
}

/* --- the device --- */

static inline void fake_serve(struct fake *fake)
{
    struct device_read read;

    while (!fake->is_lazy && device_take(&fake->back.ring, &read)) {
        uint64_t at = read.sector * 512;
        for (unsigned i = 0; i < read.n_data; i++)
            for (uint32_t j = 0; j < read.data[i].len; j++)
                fake->back.ring.memory[read.data[i].address + j] = disk_byte(at++);
        device_end(&fake->back.ring, &read, fake->status);
        fake->n_served++;
    }
    back_call(&fake->back);
}

static inline void on_kicked(uv_poll_t *handle, int status, int events)
{
    struct fake *fake = handle->data;
    eventfd_t count;

    if (eventfd_read(fake->back.kick_fd, &count) == 0)
        fake->n_kicks += count;
    fake_serve(fake);
}

static inline void fake_hang_up(struct fake *fake)
{
    uv_poll_stop(&fake->socket);
    shutdown(fake->back.fd, SHUT_RDWR);
}

static inline void on_message(uv_poll_t *handle, int status, int events)
{
    struct fake *fake = handle->data;

    if (!back_receive(&fake->back)) {
        fake_hang_up(fake);
    } else if (fake->back.kick_fd >= 0 && !fake->is_kick_open) {
        fake->is_kick_open = true;
        uv_poll_init(fake->socket.loop, &fake->kick, fake->back.kick_fd);
        uv_poll_start(&fake->kick, UV_READABLE, on_kicked);
    }
}

static inline void fake_begin(struct fake *fake, uv_loop_t *loop, int fd)
{
    *fake = (struct fake){.back = back_of(fd)};
    fake->back.peer.capacity = DISK_BYTES / 512;
    uv_poll_init(loop, &fake->socket, fd);
    fake->socket.data = fake->kick.data = fake;
    uv_poll_start(&fake->socket, UV_READABLE, on_message);
}

static inline void fake_end(struct fake *fake)
{
    uv_close((uv_handle_t *)&fake->socket, NULL);
    if (fake->is_kick_open)
        uv_close((uv_handle_t *)&fake->kick, NULL);
    back_end(&fake->back);
}

/* --- the front --- */

static inline void on_taken_back(void *user, void *tag)
{
    struct fixture *f = user;

    f->n_taken_back++;
}

static inline void fixture_close(struct fixture *f)
{
    vhost_close(f->front, on_taken_back);
    f->front = NULL;
}

static inline void on_ready(void *user, uint64_t capacity)
{
    struct fixture *f = user;

    g_assert_false(f->is_ready);
    f->is_ready = true;
    f->capacity = capacity;
    if (f->in_ready)
        f->in_ready(f);
}

static inline uint8_t *buffer(struct fixture *f, unsigned i)
{
    return (uint8_t *)vhost_memory_pool(f->memory) + (size_t)(i % POOL_BUFFERS) * VHOST_CLUSTER_BYTES;
}

/* Tags are offsets + 1; the buffers of an offset are its own. */
static inline void on_read(void *user, void *tag, int error)
{
    struct fixture *f = user;
    uint64_t offset = GPOINTER_TO_SIZE(tag) - 1;
    const uint8_t *got = buffer(f, offset / VHOST_CLUSTER_BYTES);

    f->n_read++;
    f->n_failed += error != 0;
    for (unsigned i = 0; i < 512 && !error; i++)
        g_assert_cmpuint(got[i], ==, disk_byte(offset + i));
    if (f->in_read)
        f->in_read(f);
}

static inline void on_broken(void *user, const GError *why)
{
    struct fixture *f = user;

    g_assert_null(f->why);
    f->why = g_strdup(why->message);
}

static inline void on_closed(void *user)
{
    struct fixture *f = user;

    f->is_closed = true;
}

static inline bool ask(struct fixture *f, uint64_t offset, uint32_t len)
{
    uint8_t *buffers[VHOST_REQUEST_CLUSTERS];
    bool is_taken;

    for (unsigned i = 0; i < VHOST_REQUEST_CLUSTERS; i++)
        buffers[i] = buffer(f, offset / VHOST_CLUSTER_BYTES + i);
    is_taken = vhost_read(f->front, offset, len, buffers, GSIZE_TO_POINTER(offset + 1));
    f->n_asked += is_taken;
    return is_taken;
}

static inline void fixture_open(struct fixture *f)
{
    static const struct vhost_events events = {on_ready, on_read, on_broken, on_closed};
    g_autoptr(GError) error = NULL;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    fake_begin(&f->device, &f->loop, fds[1]);
    f->front = vhost_open(&f->loop, f->memory, 1, fds[0], &events, f, &error);
    g_assert_no_error(error);
    g_assert_false(f->is_ready);
}

static inline unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static inline void fixture_up(struct fixture *f, gconstpointer unused)
{
    f->n_descriptors = open_descriptors();
    g_assert_cmpint(uv_loop_init(&f->loop), ==, 0);
    f->memory = vhost_memory_new(POOL_BYTES, 2, NULL);
    fixture_open(f);
}

/* All that was asked for has come back; nothing is left on the loop, no descriptor open. */
static inline void fixture_down(struct fixture *f, gconstpointer unused)
{
    if (f->front)
        fixture_close(f);
    TURN_UNTIL(f, f->is_closed);
    g_assert_cmpuint(f->n_read + f->n_taken_back, ==, f->n_asked);
    fake_end(&f->device);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    vhost_memory_free(f->memory);
    g_assert_cmpuint(open_descriptors(), ==, f->n_descriptors);
    g_free(f->why);
}
