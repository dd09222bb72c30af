// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ramfeed.h"

#include <stdio.h>

#define PIECE_BYTES (1u << 20)

struct ramfeed {
    struct cli_indexed *archive;
    int dev_id;
    uint64_t at, size;
    uv_pipe_t pipe; /* our end */
    uv_write_t write;
    uint8_t *piece;
    size_t piece_len;
};

struct ramfeed *ramfeed_new(uv_loop_t *loop, struct cli_indexed *archive, int dev_id)
{
    struct ramfeed *f = g_new0(struct ramfeed, 1);
    f->archive = archive;
    f->dev_id = dev_id;
    f->size = cli_indexed_size(archive, dev_id);
    f->piece = g_malloc(PIECE_BYTES);
    uv_pipe_init(loop, &f->pipe, 0);
    f->pipe.data = f->write.data = f;
    return f;
}

uv_stdio_container_t ramfeed_stdio(struct ramfeed *f)
{
    return (uv_stdio_container_t){.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&f->pipe};
}

void ramfeed_stop(struct ramfeed *f)
{
    if (!uv_is_closing((uv_handle_t *)&f->pipe))
        uv_close((uv_handle_t *)&f->pipe, NULL);
}

void ramfeed_free(struct ramfeed *f)
{
    g_free(f->piece);
    g_free(f);
}

/* status: QEMU says itself why it did not want more. */
static void on_written(uv_write_t *write, int status)
{
    struct ramfeed *f = write->data;
    f->at += f->piece_len;
    if (status < 0)
        ramfeed_stop(f);
    else
        ramfeed_start(f);
}

static void on_read(void *user, int error)
{
    struct ramfeed *f = user;
    uv_buf_t buffer = uv_buf_init((char *)f->piece, (unsigned)f->piece_len);
    if (error)
        fputs("vmabackup: the RAM state cannot be read from the archive; QEMU is left without it\n", stderr);
    if (error || uv_is_closing((uv_handle_t *)&f->pipe) ||
        uv_write(&f->write, (uv_stream_t *)&f->pipe, &buffer, 1, on_written) != 0)
        ramfeed_stop(f);
}

/* One piece after the other; the end of the stream is that of the pipe. */
void ramfeed_start(struct ramfeed *f)
{
    f->piece_len = (size_t)MIN(f->size - f->at, PIECE_BYTES);
    if (f->piece_len)
        cli_indexed_read(f->archive, f->dev_id, f->at, f->piece, f->piece_len, on_read, f);
    else
        ramfeed_stop(f);
}
