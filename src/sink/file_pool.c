// SPDX-License-Identifier: GPL-2.0-or-later
/* What blocks, and so is done to a file by the thread pool. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/transfer.h"
#include "sink/file_inside.h"

/* Writing back is begun for each WINDOW, and the one LAG behind is waited for. So at most LAG + WINDOW of
 * ours are dirty: the last fsync takes no minute, a slow disk shows at once as a slow write (not after
 * gigabytes of page cache), and the guests' own writes are not throttled together with ours. O_DIRECT instead took 1.4
 * times as long and as much processor time: headers of 512 bytes set all payload off its pages, and between two
 * writes the disk has nothing to do. */
#define WINDOW (UINT64_C(8) << 20)
#define LAG    (UINT64_C(64) << 20)

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

void file_write_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
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

void file_rewrite_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    size_t done;
    int failed = write_op(f, (int64_t)(f->start + f->op.at), &done);
    if (failed) /* to write the same bytes again is all that undoing would do */
        f->op.error = write_error(f, failed, true);
}

void file_read_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    int failed = transfer_read(f->fd, f->op.iov->iov_base, f->op.bytes, f->start + f->op.at);
    if (failed)
        f->op.error = sink_error_new(&f->sink, "cannot be read back", failed);
}

/* Where it cannot be done the blocks stay: no harm. */
void file_punch_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(f->start + f->op.at), (off_t)f->op.len);
}

void file_cut_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
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

void file_finish_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    if (f->sink.device_bytes)
        finish_block(f);
    else if (f->is_partial)
        partial_publish(&f->partial, f->force, &f->op.error);
    else if (fsync(f->fd) < 0 && errno != EINVAL && errno != ENOTSUP)
        f->op.error = sink_error_new(&f->sink, "cannot be made durable (fsync)", errno);
    if (f->is_seekable && !f->op.error)
        posix_fadvise(f->fd, (off_t)f->start, 0, POSIX_FADV_DONTNEED);
}

void file_remove_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    partial_remove(&f->partial);
}

void file_close_in_pool(uv_work_t *request)
{
    struct file *f = request->data;
    if (f->is_partial)
        partial_close(&f->partial);
    else
        close(f->fd);
}
