// SPDX-License-Identifier: GPL-2.0-or-later
#include "log/textout.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <unistd.h>

#define MAX_WAITING (8u << 20)

struct textout {
    uv_loop_t *loop;
    int fd;
    bool owns_fd;
    GString *waiting; /* not handed to the pool yet */
    GString *writing;
    uv_work_t work;
    bool is_busy, is_closing;
};

struct textout *textout_new(uv_loop_t *loop, int fd, bool owns_fd)
{
    struct textout *t = g_new0(struct textout, 1);

    t->loop = loop;
    t->fd = fd;
    t->owns_fd = owns_fd;
    t->waiting = g_string_new(NULL);
    t->writing = g_string_new(NULL);
    t->work.data = t;
    return t;
}

/* The descriptor may be non-blocking: it can be shared with whoever started us. */
static void write_all(int fd, const GString *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t n = write(fd, text->str + done, text->len - done);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return;
        done += n > 0 ? n : 0;
    }
}

static void textout_free(struct textout *t)
{
    if (t->owns_fd)
        close(t->fd);
    g_string_free(t->waiting, TRUE);
    g_string_free(t->writing, TRUE);
    g_free(t);
}

static void pump(struct textout *t);

static void write_in_worker(uv_work_t *work)
{
    struct textout *t = work->data;

    write_all(t->fd, t->writing);
}

static void on_written(uv_work_t *work, int status)
{
    struct textout *t = work->data;

    t->is_busy = false;
    pump(t);
    if (t->is_closing && !t->is_busy)
        textout_free(t);
}

static void pump(struct textout *t)
{
    GString *empty = t->writing;

    if (t->is_busy || !t->waiting->len)
        return;
    t->writing = t->waiting;
    t->waiting = g_string_truncate(empty, 0);
    t->is_busy = true;
    uv_queue_work(t->loop, &t->work, write_in_worker, on_written);
}

void textout_write(struct textout *t, const char *text)
{
    if (t->waiting->len > MAX_WAITING)
        return;
    g_string_append(t->waiting, text);
    pump(t);
}

void textout_close(struct textout *t, bool may_wait)
{
    if (!t)
        return;
    while (may_wait && t->is_busy)
        uv_run(t->loop, UV_RUN_ONCE);
    t->is_closing = true;
    if (!t->is_busy) /* and so nothing waits */
        textout_free(t);
}
