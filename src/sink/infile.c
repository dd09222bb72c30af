// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sink/padding.h"

static bool fail_errno(GError **error, const char *what)
{
    return vmb_fail(error, VMB_ERROR_FAILED, "%s: %s", what, g_strerror(errno));
}

bool infile_open(struct infile *in, const char *path, GError **error)
{
    struct stat st;
    *in = (struct infile){.is_borrowed = !strcmp(path, "-"), .buffer = g_malloc(INFILE_SIZE)};
    in->fd = in->is_borrowed ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (in->fd < 0 || fstat(in->fd, &st))
        return fail_errno(error, "cannot be opened");
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail_errno(error, "cannot be read");
    }
    in->is_regular = S_ISREG(st.st_mode);
    in->is_stream = !in->is_regular && !S_ISBLK(st.st_mode);
    if (in->is_regular) {
        in->size = (uint64_t)st.st_size;
        posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return true;
}

void infile_close(struct infile *in)
{
    if (!in->is_borrowed && in->fd >= 0)
        close(in->fd);
    g_free(in->buffer);
}

/* One read(2): -1 with error set. */
static ssize_t read_once(struct infile *in, uint8_t *to, size_t len, GError **error)
{
    ssize_t n = in->is_at_eof ? 0 : read(in->fd, to, len);
    if (n < 0) {
        fail_errno(error, "cannot be read");
        return -1;
    }
    in->is_at_eof = n == 0;
    in->position += (uint64_t)n;
    return n;
}

ssize_t infile_want(struct infile *in, size_t want, GError **error)
{
    if (in->at + want > INFILE_SIZE || in->at == in->len) {
        memmove(in->buffer, in->buffer + in->at, infile_held(in));
        in->len -= in->at;
        in->at = 0;
    }
    while (infile_held(in) < want && !in->is_at_eof) {
        ssize_t n = read_once(in, in->buffer + in->len, INFILE_SIZE - in->len, error);
        if (n < 0)
            return -1;
        in->len += (size_t)n;
    }
    return (ssize_t)MIN(infile_held(in), want);
}

ssize_t infile_some(struct infile *in, GError **error)
{
    ssize_t n = infile_want(in, 1, error);
    return n <= 0 ? n : (ssize_t)infile_held(in);
}

ssize_t infile_read(struct infile *in, uint8_t *to, size_t len, GError **error)
{
    size_t done = MIN(len, infile_held(in));
    memcpy(to, infile_at(in), done);
    infile_used(in, done);
    while (done < len && !in->is_at_eof) {
        ssize_t n = read_once(in, to + done, len - done, error);
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

bool infile_skip(struct infile *in, uint64_t len, GError **error)
{
    while (len) {
        ssize_t n = infile_some(in, error);
        if (n <= 0)
            return n == 0;
        size_t step = (size_t)MIN((uint64_t)n, len);
        infile_used(in, step);
        len -= step;
    }
    return true;
}

int infile_pass_zeros(struct infile *in, GError **error)
{
    ssize_t held;
    while ((held = infile_some(in, error)) > 0) {
        size_t n = padding_run(infile_at(in), (size_t)held);
        infile_used(in, n);
        if (n < (size_t)held)
            return 0;
    }
    return held < 0 ? -1 : 1;
}

bool infile_seek(struct infile *in, uint64_t offset, GError **error)
{
    if (lseek(in->fd, (off_t)offset, SEEK_SET) < 0)
        return fail_errno(error, "cannot be read");
    in->position = offset;
    in->at = in->len = 0;
    in->is_at_eof = false;
    return true;
}
