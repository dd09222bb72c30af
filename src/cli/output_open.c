// SPDX-License-Identifier: GPL-2.0-or-later
/* A block device, or a raw file that is there already, written in place. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "cli/output.h"

#define SMALL_ZERO_BYTES (64u << 10) /* below it zeros are written */

/* QEMU locks an image by bytes of it: from 100 on what it does, from 200 on what it lets nobody else do. */
#define QEMU_LOCK_FIRST 100
#define QEMU_LOCK_BYTES 164

struct opened {
    struct output output;
    char *path;
    int fd;
    bool is_device;
};

static bool fail(const struct opened *o, const char *what, GError **error)
{
    return vmb_fail(error, VMB_ERROR_TARGET, "target %s: %s: %s", o->path, what, g_strerror(errno));
}

static bool refuse(const struct opened *o, const char *why, GError **error)
{
    return vmb_fail(error, VMB_ERROR_TARGET, "target %s: %s", o->path, why);
}

/* ---- writing ---- */

static bool opened_write(struct output *output, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct opened *o = (struct opened *)output;
    return output_pwrite(o->fd, offset, bytes, len) || fail(o, "cannot be written", error);
}

static bool write_zeros(struct opened *o, uint64_t offset, uint64_t len, GError **error)
{
    static const uint8_t zeros[SMALL_ZERO_BYTES];
    while (len) {
        size_t n = MIN(len, sizeof zeros);
        if (!opened_write(&o->output, offset, zeros, n, error))
            return false;
        offset += n;
        len -= n;
    }
    return true;
}

static bool opened_zero(struct output *output, uint64_t offset, uint64_t len, GError **error)
{
    struct opened *o = (struct opened *)output;
    if (len >= SMALL_ZERO_BYTES &&
        fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len) == 0)
        return true;
    return write_zeros(o, offset, len, error);
}

static bool opened_finish(struct output *output, uint64_t size, GError **error)
{
    struct opened *o = (struct opened *)output;
    return fsync(o->fd) == 0 || fail(o, "cannot be written", error);
}

static void opened_free(struct output *output)
{
    struct opened *o = (struct opened *)output;
    if (o->fd >= 0)
        close(o->fd);
    g_free(o->path);
    g_free(o);
}

/* ---- opening ---- */

/* Keeps QEMU from opening it, too, as long as it is open here. */
static bool lock(struct opened *o, GError **error)
{
    struct flock range = {.l_type = F_WRLCK, .l_start = QEMU_LOCK_FIRST, .l_len = QEMU_LOCK_BYTES};
    if (fcntl(o->fd, F_OFD_SETLK, &range) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        return refuse(o, "a running guest uses it; shut it down first, or restore elsewhere", error);
    return errno == EINVAL || errno == ENOLCK || fail(o, "cannot be locked", error);
}

static bool find_size(struct opened *o, const struct stat *st, uint64_t *size, GError **error)
{
    if (!o->is_device)
        *size = (uint64_t)st->st_size;
    else if (ioctl(o->fd, BLKGETSIZE64, size))
        return fail(o, "cannot tell its size", error);
    return true;
}

static bool check_format(struct opened *o, GError **error)
{
    static const struct {
        const char *magic;
        size_t len;
    } formats[] = {{"QFI\xfb", 4}, {"KDMV", 4}, {"conectix", 8}, {"vhdxfile", 8}, {"QED\0", 4}};
    char start[8] = {0};
    if (pread(o->fd, start, sizeof start, 0) < 0)
        return fail(o, "cannot be read", error);
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
        if (!o->is_device && !memcmp(start, formats[i].magic, formats[i].len))
            return refuse(o,
                          "it is no raw image; export it (qemu-nbd -f FORMAT -k SOCKET FILE) and restore to "
                          "nbd+unix:///?socket=SOCKET",
                          error);
    return true;
}

static bool check(struct opened *o, uint64_t size, GError **error)
{
    struct stat st;
    uint64_t there;
    if (fstat(o->fd, &st))
        return fail(o, "cannot be opened", error);
    o->is_device = S_ISBLK(st.st_mode);
    if (!o->is_device && !S_ISREG(st.st_mode))
        return refuse(o, "it is neither a file nor a block device", error);
    if (!lock(o, error) || !check_format(o, error) || !find_size(o, &st, &there, error))
        return false;
    if (there >= size)
        return true;
    return vmb_fail(error, VMB_ERROR_TARGET,
                    "target %s: too small: %" G_GUINT64_FORMAT " bytes, the drive has %" G_GUINT64_FORMAT, o->path,
                    there, size);
}

struct output *output_open_raw(const char *path, uint64_t size, GError **error)
{
    static const struct output_ops ops = {
        .write = opened_write, .zero = opened_zero, .finish = opened_finish, .free = opened_free};
    struct opened *o = g_new0(struct opened, 1);
    struct stat st;
    o->output.ops = &ops;
    o->path = g_strdup(path);
    bool is_device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
    /* O_EXCL without O_CREAT: a device that is mounted, or part of something, is busy. */
    o->fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | (is_device ? O_EXCL : 0));
    if (o->fd >= 0 ? check(o, size, error) : fail(o, "cannot be opened for writing", error))
        return &o->output;
    opened_free(&o->output);
    return NULL;
}
