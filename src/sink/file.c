// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sink/partial.h"

/* Writing back is begun for each WINDOW, and the one LAG behind is waited for. So at most LAG + WINDOW of
 * ours are dirty: the last fsync takes no minute, a slow disk shows at once as a slow write (not after
 * gigabytes of page cache), and the guests' own writes are not throttled together with ours. O_DIRECT instead took 1.4
 * times as long and as much processor time: headers of 512 bytes set all payload off its pages, and between two
 * writes the disk has nothing to do. */
#define WINDOW (UINT64_C(8) << 20)
#define LAG    (UINT64_C(64) << 20)

/* The first bytes on a block device stay zeros until all else is durable: what was cut short is no archive. */
#define HELD_BYTES 512u

struct file {
    struct sink sink;
    int fd;
    bool force;
    bool is_partial;  /* has a name to be given at the end */
    bool is_seekable; /* a regular file */
    bool may_cut;     /* nothing of anybody else stands behind what we write */
    uint64_t start;   /* where our byte 0 is in it */
    uint64_t written_back;
    struct partial partial;
    GError *broken;           /* after this nothing more is written */
    uint8_t held[HELD_BYTES]; /* of a block device */
    struct {
        uv_work_t request;
        struct iovec *iov;
        unsigned n;
        size_t bytes;
        uint64_t at;  /* our offset */
        uint64_t len; /* to be punched */
        GError *error;
    } op;
    uv_work_t removal, closing;
};

static struct file *file_of(uv_work_t *request)
{
    return request->data;
}

/* ---- in the pool ---- */

/* A device or a socket may have been made non-blocking by somebody else. */
static void wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    poll(&p, 1, -1);
}

/* 0 or an errno; *done: bytes that were written either way. at < 0: where the descriptor stands. */
static int write_fully(int fd, struct iovec *iov, unsigned n, int64_t at, size_t *done)
{
    *done = 0;
    for (iov = sink_iov_advance(iov, &n, 0); n;) {
        int count = (int)MIN(n, IOV_MAX);
        ssize_t bytes = at < 0 ? writev(fd, iov, count) : pwritev(fd, iov, count, at + (int64_t)*done);
        if (bytes < 0 && errno == EAGAIN)
            wait_writable(fd);
        else if (bytes < 0 && errno != EINTR)
            return errno;
        else if (bytes == 0)
            return EIO; /* no device may do that; without this we would turn for ever */
        if (bytes > 0) {
            *done += (size_t)bytes;
            iov = sink_iov_advance(iov, &n, (size_t)bytes);
        }
    }
    return 0;
}

static bool is_full(int error_number)
{
    return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

/* Back to where the write began, so that it can be tried again. */
static bool undo(const struct file *f, uint64_t at, size_t written)
{
    if (!written)
        return true;
    off_t end = (off_t)(f->start + at);
    return f->may_cut && ftruncate(f->fd, end) == 0 && lseek(f->fd, end, SEEK_SET) == end;
}

static GError *write_error(struct file *f, int error_number, bool is_undone)
{
    if (is_full(error_number) && is_undone)
        return g_error_new(SINK_ERROR, SINK_ERROR_FULL, "target %s: full (%s); free some space", f->sink.name,
                           g_strerror(error_number));
    return sink_error_new(&f->sink, "cannot be written", error_number);
}

/* sync_file_range() takes the error of a failed write-back away from the fsync() to come, so it must be
 * heeded. */
static int write_back(struct file *f, uint64_t end)
{
    const unsigned wait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    for (; f->is_seekable && f->written_back + WINDOW <= end; f->written_back += WINDOW) {
        off_t at = (off_t)(f->start + f->written_back);
        int failed = sync_file_range(f->fd, at, WINDOW, SYNC_FILE_RANGE_WRITE);
        if (!failed && f->written_back >= LAG)
            failed = sync_file_range(f->fd, at - (off_t)LAG, WINDOW, wait);
        if (failed && (errno == EIO || is_full(errno)))
            return errno;
        if (f->written_back >= LAG) /* on the disk: the guests' own pages are worth more than these */
            posix_fadvise(f->fd, at - (off_t)LAG, WINDOW, POSIX_FADV_DONTNEED);
    }
    return 0;
}

/* Keeps those of the bytes to be written that are not to be seen yet; there are zeros in their place. */
static void hold_back(struct file *f, uint64_t at)
{
    struct iovec *iov = f->op.iov;
    for (unsigned i = 0; i < f->op.n && at < HELD_BYTES; at += iov[i++].iov_len) {
        size_t n = MIN(iov[i].iov_len, HELD_BYTES - at);
        memcpy(f->held + at, iov[i].iov_base, n);
    }
}

/* On a block device; the rest goes where it belongs. */
static int write_block(struct file *f, size_t *done)
{
    static const uint8_t zeros[HELD_BYTES];
    struct iovec nothing = {(void *)(uintptr_t)zeros, sizeof zeros}, *iov = f->op.iov;
    uint64_t skip = f->op.at < HELD_BYTES ? MIN(HELD_BYTES - f->op.at, f->op.bytes) : 0;
    unsigned n = f->op.n;
    if (skip) {
        hold_back(f, f->op.at);
        int failed = write_fully(f->fd, &nothing, 1, 0, done);
        if (failed)
            return failed;
    }
    iov = sink_iov_advance(iov, &n, skip);
    return write_fully(f->fd, iov, n, (int64_t)(f->op.at + skip), done);
}

static int write_op(struct file *f, int64_t at, size_t *done)
{
    return f->sink.device_bytes ? write_block(f, done) : write_fully(f->fd, f->op.iov, f->op.n, at, done);
}

static void write_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    size_t done;
    int failed = write_op(f, -1, &done);
    if (failed) {
        f->op.error = write_error(f, failed, is_full(failed) && undo(f, f->op.at, done));
        return;
    }
    failed = write_back(f, f->op.at + f->op.bytes);
    if (failed)
        f->op.error = write_error(f, failed, false);
}

static void rewrite_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    size_t done;
    int failed = write_op(f, (int64_t)(f->start + f->op.at), &done);
    if (failed) /* to write the same bytes again is all that undoing would do */
        f->op.error = write_error(f, failed, true);
}

static void read_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    uint8_t *to = f->op.iov->iov_base;
    size_t done = 0;
    while (done < f->op.bytes) {
        ssize_t n = pread(f->fd, to + done, f->op.bytes - done, (off_t)(f->start + f->op.at + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR) {
            f->op.error = sink_error_new(&f->sink, "cannot be read back", n ? errno : EIO);
            return;
        }
    }
}

/* Where it cannot be done the blocks stay: no harm. */
static void punch_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(f->start + f->op.at), (off_t)f->op.len);
}

static void cut_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    off_t end = (off_t)(f->start + f->op.at);
    bool is_cut = f->sink.device_bytes || (ftruncate(f->fd, end) == 0 && lseek(f->fd, end, SEEK_SET) == end);
    if (!is_cut)
        f->op.error = sink_error_new(&f->sink, "cannot be cut", errno);
    f->written_back = MIN(f->written_back, f->op.at / WINDOW * WINDOW);
}

/* What was held back makes it an archive. */
static void finish_block(struct file *f)
{
    struct iovec held = {f->held, (size_t)MIN(f->op.at, HELD_BYTES)};
    size_t done;
    int failed = fsync(f->fd) < 0 ? errno : write_fully(f->fd, &held, 1, 0, &done);
    if (failed || fsync(f->fd) < 0)
        f->op.error = sink_error_new(&f->sink, "cannot be made durable", failed ? failed : errno);
}

static void finish_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    if (f->sink.device_bytes)
        finish_block(f);
    else if (f->is_partial)
        partial_publish(&f->partial, f->force, &f->op.error);
    else if (fsync(f->fd) < 0 && errno != EINVAL && errno != ENOTSUP)
        f->op.error = sink_error_new(&f->sink, "cannot be made durable (fsync)", errno);
    if (f->is_seekable && !f->op.error)
        posix_fadvise(f->fd, (off_t)f->start, 0, POSIX_FADV_DONTNEED);
}

static void remove_in_pool(uv_work_t *request)
{
    partial_remove(&file_of(request)->partial);
}

static void close_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
    if (f->is_partial)
        partial_close(&f->partial);
    else
        close(f->fd);
}

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
    struct file *f = file_of(request);
    if (!f->op.error)
        f->sink.written += f->op.bytes;
    end_op(f);
}

static void on_rewritten(uv_work_t *request, int status)
{
    end_op(file_of(request));
}

static void on_cut(uv_work_t *request, int status)
{
    struct file *f = file_of(request);
    if (!f->op.error)
        f->sink.written = f->op.at;
    end_op(f);
}

static void on_finished(uv_work_t *request, int status)
{
    struct file *f = file_of(request);
    f->sink.is_finished = !f->op.error;
    end_op(f);
}

static void on_removed(uv_work_t *request, int status)
{
    sink_unref(&file_of(request)->sink);
}

static void on_closed(uv_work_t *request, int status)
{
    struct file *f = file_of(request);
    if (f->is_partial)
        partial_forget(&f->partial);
    g_clear_error(&f->broken);
    g_free(f);
}

static void refuse_in_pool(uv_work_t *request)
{
    struct file *f = file_of(request);
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
    begin_op((struct file *)s, iov, n, s->written, write_in_pool, on_written);
}

static void file_rewrite(struct sink *s, uint64_t offset, const struct iovec *iov, unsigned n)
{
    begin_op((struct file *)s, iov, n, offset, rewrite_in_pool, on_rewritten);
}

static void file_read(struct sink *s, uint64_t offset, void *bytes, size_t len)
{
    struct iovec iov = {bytes, len};
    begin_op((struct file *)s, &iov, 1, offset, read_in_pool, on_rewritten);
}

static void file_punch(struct sink *s, uint64_t offset, uint64_t len)
{
    ((struct file *)s)->op.len = len;
    begin_op((struct file *)s, NULL, 0, offset, punch_in_pool, on_rewritten);
}

static void file_cut(struct sink *s, uint64_t length)
{
    begin_op((struct file *)s, NULL, 0, length, cut_in_pool, on_cut);
}

static void file_finish(struct sink *s)
{
    begin_op((struct file *)s, NULL, 0, s->written, finish_in_pool, on_finished);
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
    queue(f, &f->removal, remove_in_pool, on_removed);
}

/* The last close of a large file that was removed frees its blocks: not a thing for the loop. */
static void file_destroy(struct sink *s)
{
    struct file *f = (struct file *)s;
    queue(f, &f->closing, close_in_pool, on_closed);
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
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "target %s: %s: %s", name, what, g_strerror(errno));
    return NULL;
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
    if (!force) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "target %s: a block device; --force writes over what it holds",
                    path);
        return NULL;
    }
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
