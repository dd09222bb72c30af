// SPDX-License-Identifier: GPL-2.0-or-later
#include "backup/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"
#include "model/plain.h"

#define PROGRESS_S   60
#define MAX_WAITING  (1u << 20) /* of a disk that hangs; what comes then is lost */

struct logfile {
    uv_loop_t *loop;
    int fd;
    struct plain *plain;
    GString *waiting; /* not handed to the pool yet */
    GString *writing;
    uv_work_t work;
    bool is_busy, is_closing;
};

struct logfile *logfile_open(uv_loop_t *loop, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct logfile *l;

    if (fd < 0) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "log %s: %s", path, g_strerror(errno));
        return NULL;
    }
    l = g_new0(struct logfile, 1);
    l->loop = loop;
    l->fd = fd;
    l->plain = plain_new(PROGRESS_S);
    l->waiting = g_string_new(NULL);
    l->writing = g_string_new(NULL);
    l->work.data = l;
    return l;
}

static void write_all(int fd, const GString *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t n = write(fd, text->str + done, text->len - done);
        if (n < 0 && errno != EINTR)
            return; /* a log that cannot be written must not end a backup */
        done += n > 0 ? n : 0;
    }
}

static void logfile_free(struct logfile *l)
{
    close(l->fd);
    plain_free(l->plain);
    g_string_free(l->waiting, TRUE);
    g_string_free(l->writing, TRUE);
    g_free(l);
}

static void pump(struct logfile *l);

static void write_in_worker(uv_work_t *work)
{
    struct logfile *l = work->data;

    write_all(l->fd, l->writing);
}

static void on_written(uv_work_t *work, int status)
{
    struct logfile *l = work->data;

    (void)status;
    l->is_busy = false;
    if (!l->is_closing) {
        pump(l);
        return;
    }
    write_all(l->fd, l->waiting);
    logfile_free(l);
}

static void pump(struct logfile *l)
{
    GString *empty = l->writing;

    if (l->is_busy || !l->waiting->len)
        return;
    l->writing = l->waiting;
    l->waiting = g_string_truncate(empty, 0);
    l->is_busy = true;
    uv_queue_work(l->loop, &l->work, write_in_worker, on_written);
}

void logfile_event(struct logfile *l, const struct model *m, const struct model_event *e)
{
    g_autofree char *lines = plain_event(l->plain, m, e, g_get_real_time() / G_USEC_PER_SEC);

    if (!lines || !*lines || l->waiting->len > MAX_WAITING)
        return;
    g_string_append(l->waiting, lines);
    pump(l);
}

void logfile_close(struct logfile *l)
{
    if (!l)
        return;
    l->is_closing = true;
    if (l->is_busy)
        return;
    write_all(l->fd, l->waiting);
    logfile_free(l);
}
