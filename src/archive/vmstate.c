// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/vmstate.h"

#include <string.h>
#include "base/error.h"
#include "base/listening.h"
#include "vma/format.h"

struct vmstate {
    struct vmstate_owner owner;
    struct writer_lane *lane;
    uv_pipe_t pipe;
    uv_pipe_t door;              /* listens until QEMU has come in */
    struct listening *listening; /* while the door is open */
    unsigned n_handles;          /* open ones: the last that closes frees */
    bool is_open, is_reading, is_at_end, is_closing;
    uint8_t *buffer; /* the cluster that is filling */
    uint32_t filled;
    uint32_t cluster; /* its number */
    uint64_t bytes;
    uint64_t blocked_since_ms;
};

struct vmstate *vmstate_new(const struct vmstate_owner *owner)
{
    struct vmstate *v = g_new0(struct vmstate, 1);

    v->owner = *owner;
    return v;
}

static void count_handle(struct vmstate *v)
{
    v->n_handles++;
    ++*v->owner.n_open_handles;
}

static void give_cluster(struct vmstate *v)
{
    if (!v->buffer)
        return;
    memset(v->buffer + v->filled, 0, VMA_CLUSTER_SIZE - v->filled);
    writer_add(v->lane, v->cluster++, g_steal_pointer(&v->buffer));
    v->filled = 0;
}

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct vmstate *v = handle->data;

    (void)suggested;
    if (!v->buffer && !writer_is_ram_blocked(v->owner.writer))
        v->buffer = pool_take(v->owner.pool, POOL_FOR_RAM);
    if (v->buffer)
        *buf = uv_buf_init((char *)v->buffer + v->filled, VMA_CLUSTER_SIZE - v->filled);
    else
        *buf = uv_buf_init(NULL, 0); /* on_read gets UV_ENOBUFS */
}

static void pause_reading(struct vmstate *v)
{
    uv_read_stop((uv_stream_t *)&v->pipe);
    v->is_reading = false;
    if (!v->blocked_since_ms)
        v->blocked_since_ms = uv_now(v->owner.loop);
    v->owner.on_blocked(v->owner.user);
}

static void take_end(struct vmstate *v)
{
    uv_read_stop((uv_stream_t *)&v->pipe);
    v->is_reading = false;
    v->is_at_end = true;
    if (v->filled)
        give_cluster(v);
    pool_give(v->owner.pool, g_steal_pointer(&v->buffer));
    writer_flush_lane(v->lane);
    v->owner.on_moved(v->owner.user);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct vmstate *v = stream->data;
    bool was_small = v->bytes <= VMA_CLUSTER_SIZE;

    (void)buf;
    if (n == UV_ENOBUFS) {
        pause_reading(v);
    } else if (n < 0) { /* the end; a broken stream is for the migration's status to tell */
        take_end(v);
    } else if (n > 0) {
        v->blocked_since_ms = 0;
        v->filled += n;
        v->bytes += n;
        if (v->filled == VMA_CLUSTER_SIZE)
            give_cluster(v);
        if (was_small)
            v->owner.on_moved(v->owner.user);
    }
}

void vmstate_pump(struct vmstate *v)
{
    if (!v->is_open || v->is_closing || v->is_at_end || v->is_reading || writer_is_ram_blocked(v->owner.writer))
        return;
    v->is_reading = true;
    uv_read_start((uv_stream_t *)&v->pipe, on_room_wanted, on_read);
}

uint64_t vmstate_bytes(const struct vmstate *v)
{
    return v->bytes;
}

bool vmstate_is_at_end(const struct vmstate *v)
{
    return v->is_at_end;
}

uint64_t vmstate_blocked_since_ms(const struct vmstate *v)
{
    return v->is_at_end ? 0 : v->blocked_since_ms;
}

static void on_closed(uv_handle_t *handle)
{
    struct vmstate *v = handle->data;

    --*v->owner.n_open_handles;
    if (--v->n_handles == 0 && v->is_closing)
        g_free(v);
}

static void close_door(struct vmstate *v)
{
    if (!v->listening)
        return;
    listening_close(g_steal_pointer(&v->listening));
    uv_close((uv_handle_t *)&v->door, on_closed);
}

static void on_knock(uv_stream_t *door, int status)
{
    struct vmstate *v = door->data;

    if (status < 0 || v->is_open || v->is_closing)
        return;
    uv_pipe_init(v->owner.loop, &v->pipe, 0);
    v->pipe.data = v;
    v->is_open = true;
    count_handle(v);
    uv_accept(door, (uv_stream_t *)&v->pipe);
    close_door(v);
    vmstate_pump(v);
}

struct listening *vmstate_listen(struct vmstate *v, struct writer_lane *lane, const char *path, GError **error)
{
    int status;

    v->lane = lane;
    v->listening = listening_open(path, error);
    if (!v->listening)
        return NULL;
    uv_pipe_init(v->owner.loop, &v->door, 0);
    v->door.data = v;
    count_handle(v);
    status = uv_pipe_open(&v->door, listening_fd(v->listening));
    if (status == 0) /* else it is still the listener's to close */
        listening_take_fd(v->listening);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&v->door, 1, on_knock);
    if (status < 0)
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "socket %s: %s", path, uv_strerror(status));
    return status == 0 ? v->listening : NULL;
}

void vmstate_close(struct vmstate *v)
{
    if (!v || v->is_closing)
        return;
    v->is_closing = true;
    pool_give(v->owner.pool, g_steal_pointer(&v->buffer));
    close_door(v);
    if (v->is_open)
        uv_close((uv_handle_t *)&v->pipe, on_closed);
    else if (!v->n_handles)
        g_free(v);
}
