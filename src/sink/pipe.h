// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Targets that are written by the loop, without blocking: FIFOs, standard output as a pipe or socket, and the
 * pipe into a command (sink/child.h), which builds on this by the second half of the header.
 */
#include "sink/backend.h"

struct sink *pipe_open_fifo(uv_loop_t *loop, const char *path, GError **error);
/* A pipe or socket somebody else may share: its flags stay as they are. */
struct sink *pipe_open_fd(uv_loop_t *loop, int fd, const char *name, GError **error);

struct pipe {
    struct sink sink;
    int fd;    /* ours, -1 when closed */
    int epoll; /* of a socket; else -1 */
    bool is_socket;
    uv_poll_t poll;
    bool has_poll; /* initialised, not yet closed */
    bool is_finishing;
    struct iovec *iov, *at;
    unsigned n;
    /* What a write error means, before the operation is ended by it: NULL = end it. */
    void (*on_failed)(struct pipe *p, int error_number);
};

/* Takes fd (non-blocking unless it is a socket); false with errno when it cannot be polled, fd is closed then. */
bool pipe_init(struct pipe *p, const struct sink_ops *ops, uv_loop_t *loop, int fd, bool is_socket, const char *name);
void pipe_write(struct sink *s, const struct iovec *iov, unsigned n);
/* Ends the operation, if there is one. */
void pipe_fail(struct pipe *p, const GError *error);
/* Closes the descriptor at once, the handle in its time (it holds a reference until then). */
void pipe_close(struct pipe *p);
