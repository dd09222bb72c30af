// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sink/file_inside.h"

/* ---- on the loop ---- */

static void queue(struct file *f, uv_work_t *request, uv_work_cb work, uv_after_work_cb after)
{
    request->data = f;
    int failed = uv_queue_work(f->sink.loop, request, work, after);
    g_assert(failed == 0);
}

/* An error that is not "full" stays: whatever came after it would have a hole before it. */
static void end_op(struct file *f)
{
    GError *error = g_steal_pointer(&f->op.error);
    g_clear_pointer(&f->op.iov, g_free);
    if (error && !g_error_matches(error, SINK_ERROR, SINK_ERROR_FULL) && !f->broken)
        f->broken = g_error_copy(error);
    sink_complete(&f->sink, error);
    g_clear_error(&error);
    sink_unref(&f->sink);
}

static void on_written(uv_work_t *request, int status)
{
    struct file *f = request->data;
    if (!f->op.error)
        f->sink.written += f->op.bytes;
    end_op(f);
}

static void on_rewritten(uv_work_t *request, int status)
{
    end_op(request->data);
}

static void on_cut(uv_work_t *request, int status)
{
    struct file *f = request->data;
    if (!f->op.error)
        f->sink.written = f->op.at;
    end_op(f);
}

static void on_finished(uv_work_t *request, int status)
{
    struct file *f = request->data;
    f->sink.is_finished = !f->op.error;
    end_op(f);
}

static void on_removed(uv_work_t *request, int status)
{
    struct file *f = request->data;
    sink_unref(&f->sink);
}

static void on_closed(uv_work_t *request, int status)
{
    struct file *f = request->data;
    if (f->is_partial)
        partial_forget(&f->partial);
    g_clear_error(&f->broken);
    g_free(f);
}

static void refuse_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    f->op.error = g_error_copy(f->broken);
}

static void begin_op(struct file *f, const struct iovec *iov, unsigned n, uint64_t at, uv_work_cb work,
                     uv_after_work_cb after)
{
    f->op.iov = g_memdup2(iov, n * sizeof *iov);
    f->op.n = n;
    f->op.bytes = sink_iov_bytes(iov, n);
    f->op.at = at;
    sink_ref(&f->sink);
    queue(f, &f->op.request, f->broken ? refuse_in_pool : work, after);
}

static void file_write(struct sink *s, const struct iovec *iov, unsigned n)
{
    begin_op((struct file *)s, iov, n, s->written, file_write_in_pool, on_written);
}

static void file_rewrite(struct sink *s, uint64_t offset, const struct iovec *iov, unsigned n)
{
    begin_op((struct file *)s, iov, n, offset, file_rewrite_in_pool, on_rewritten);
}

static void file_read(struct sink *s, uint64_t offset, void *bytes, size_t len)
{
    struct iovec iov = {bytes, len};
    begin_op((struct file *)s, &iov, 1, offset, file_read_in_pool, on_rewritten);
}

static void file_punch(struct sink *s, uint64_t offset, uint64_t len)
{
    ((struct file *)s)->op.len = len;
    begin_op((struct file *)s, NULL, 0, offset, file_punch_in_pool, on_rewritten);
}

static void file_cut(struct sink *s, uint64_t length)
{
    begin_op((struct file *)s, NULL, 0, length, file_cut_in_pool, on_cut);
}

static void file_finish(struct sink *s)
{
    begin_op((struct file *)s, NULL, 0, s->written, file_finish_in_pool, on_finished);
}

/* A request of its own: the operation under way may never return. */
static void file_abort(struct sink *s, bool keep_partial)
{
    struct file *f = (struct file *)s;
    if (f->is_partial)
        partial_abandon(&f->partial);
    if (!f->is_partial || keep_partial)
        return;
    sink_ref(s);
    queue(f, &f->removal, file_remove_in_pool, on_removed);
}

/* The last close of a large file that was removed frees its blocks: not a thing for the loop. */
static void file_destroy(struct sink *s)
{
    struct file *f = (struct file *)s;
    queue(f, &f->closing, file_close_in_pool, on_closed);
}

static const struct sink_ops file_ops = {
    .write = file_write,
    .rewrite = file_rewrite,
    .read = file_read,
    .punch = file_punch,
    .cut = file_cut,
    .finish = file_finish,
    .abort = file_abort,
    .destroy = file_destroy,
};

/* ---- opening ---- */

struct sink *file_open(uv_loop_t *loop, const char *path, bool force, GError **error)
{
    struct file *f = g_new0(struct file, 1);
    if (!partial_create(&f->partial, path, force, error)) {
        g_free(f);
        return NULL;
    }
    sink_init(&f->sink, &file_ops, loop, f->partial.path);
    f->fd = f->sink.space.fd = f->partial.fd;
    f->force = force;
    f->is_partial = f->is_seekable = f->may_cut = f->sink.can_rewrite = f->sink.can_cut = true;
    return &f->sink;
}

static struct sink *take_fd(uv_loop_t *loop, int fd, const char *name)
{
    struct file *f = g_new0(struct file, 1);
    sink_init(&f->sink, &file_ops, loop, name);
    f->fd = fd;
    return &f->sink;
}

static struct sink *fail_open(const char *name, const char *what, GError **error)
{
    return vmb_null(error, VMB_ERROR_TARGET, "target %s: %s: %s", name, what, g_strerror(errno));
}

struct sink *file_open_device(uv_loop_t *loop, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail_open(path, "cannot be opened", error);
    if (isatty(fd)) {
        close(fd);
        errno = ENOTSUP;
        return fail_open(path, "a terminal; name a file", error);
    }
    return take_fd(loop, fd, path);
}

/* O_EXCL without O_CREAT: a device that is mounted, or part of something, is busy. */
struct sink *file_open_block(uv_loop_t *loop, const char *path, bool force, GError **error)
{
    uint64_t bytes;
    if (!force)
        return vmb_null(error, VMB_ERROR_TARGET, "target %s: a block device; --force writes over what it holds", path);
    int fd = open(path, O_RDWR | O_EXCL | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail_open(path,
                         errno == EBUSY ? "in use: mounted, or part of something; let it go first" : "cannot be opened",
                         error);
    if (ioctl(fd, BLKGETSIZE64, &bytes) < 0 || !bytes) {
        close(fd);
        return fail_open(path, "cannot tell its size", error);
    }
    struct sink *s = take_fd(loop, fd, path);
    s->device_bytes = bytes;
    s->can_rewrite = s->can_cut = ((struct file *)s)->is_seekable = true;
    return s;
}

struct sink *file_open_stream(uv_loop_t *loop, int fd, const char *name, GError **error)
{
    struct stat st;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0 || fstat(own, &st) < 0)
        return fail_open(name, "cannot be opened", error);
    struct sink *s = take_fd(loop, own, name);
    struct file *f = (struct file *)s;
    if (!S_ISREG(st.st_mode))
        return s;
    int flags = fcntl(own, F_GETFL);
    bool does_append = flags & O_APPEND;
    f->start = (uint64_t)(does_append ? st.st_size : lseek(own, 0, SEEK_CUR));
    f->is_seekable = true;
    f->may_cut = !does_append && f->start >= (uint64_t)st.st_size;
    s->can_rewrite = !does_append; /* Linux appends even a pwrite() then */
    s->can_cut = f->may_cut && (flags & O_ACCMODE) == O_RDWR;
    s->space.fd = own;
    return s;
}
