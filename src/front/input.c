// SPDX-License-Identifier: GPL-2.0-or-later
#include "front/input.h"

#include <glib.h>
#include <unistd.h>

#define MAX_LINE 1024

struct input {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } at;
    struct lines *lines;
    char buffer[MAX_LINE];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct input *in = handle->data;
    *buf = uv_buf_init(in->buffer, sizeof in->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct input *in = stream->data;
    if (n < 0)
        uv_read_stop(stream);
    else
        lines_feed(in->lines, buf->base, (size_t)n);
}

static void on_closed(uv_handle_t *handle)
{
    struct input *in = handle->data;
    lines_free(in->lines);
    g_free(in);
}

static bool open_handle(struct input *in, uv_loop_t *loop)
{
    uv_handle_type type = uv_guess_handle(STDIN_FILENO);
    if (type == UV_TTY && tcgetpgrp(STDIN_FILENO) == getpgrp())
        return uv_tty_init(loop, &in->at.tty, STDIN_FILENO, 1) == 0;
    if (type != UV_NAMED_PIPE || uv_pipe_init(loop, &in->at.pipe, 0) < 0)
        return false;
    if (uv_pipe_open(&in->at.pipe, STDIN_FILENO) == 0)
        return true;
    in->at.handle.data = in;
    uv_close(&in->at.handle, on_closed);
    return false;
}

struct input *input_open(uv_loop_t *loop, lines_on_line on_line, void *user)
{
    struct input *in = g_new0(struct input, 1);
    in->lines = lines_new(MAX_LINE, on_line, user);
    if (open_handle(in, loop)) {
        in->at.handle.data = in;
        uv_read_start(&in->at.stream, on_alloc, on_read);
        return in;
    }
    if (!in->at.handle.data) {
        lines_free(in->lines);
        g_free(in);
    }
    return NULL;
}

void input_close(struct input *in)
{
    if (in && !uv_is_closing(&in->at.handle))
        uv_close(&in->at.handle, on_closed);
}
