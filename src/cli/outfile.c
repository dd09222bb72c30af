// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

struct outfile {
    char *path, *partial;
    int fd;
    bool is_published;
};

static bool fail(const struct outfile *o, const char *what, GError **error)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "file %s: %s: %s", o->path, what, g_strerror(errno));
    return false;
}

static bool fail_exists(const char *path, const char *remedy, GError **error)
{
    g_set_error(error, VMB_ERROR, VMB_ERROR_TARGET, "file %s: exists already; %s", path, remedy);
    return false;
}

static bool create(struct outfile *o, GError **error)
{
    if (faccessat(AT_FDCWD, o->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return fail_exists(o->path, "nothing is overwritten: move it away, or choose another directory",
                           error);
    o->fd = open(o->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (o->fd >= 0)
        return true;
    if (errno == EEXIST)
        return fail_exists(o->partial, "another extraction is running, or died here: remove it", error);
    return fail(o, "cannot be created", error);
}

struct outfile *outfile_open(const char *directory, const char *name, GError **error)
{
    g_autoptr(outfile_t) o = g_new0(struct outfile, 1);
    o->fd = -1;
    o->path = g_build_filename(directory, name, NULL);
    o->partial = g_strconcat(o->path, ".partial", NULL);
    return create(o, error) ? g_steal_pointer(&o) : NULL;
}

void outfile_free(struct outfile *o)
{
    if (!o)
        return;
    if (o->fd >= 0)
        close(o->fd);
    if (o->fd >= 0 && !o->is_published)
        unlink(o->partial);
    g_free(o->path);
    g_free(o->partial);
    g_free(o);
}

bool outfile_write(struct outfile *o, const uint8_t *bytes, size_t len, uint64_t offset, GError **error)
{
    while (len) {
        ssize_t n = pwrite(o->fd, bytes, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(o, "cannot be written", error);
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

bool outfile_finish(struct outfile *o, uint64_t size, GError **error)
{
    if (ftruncate(o->fd, (off_t)size))
        return fail(o, "cannot be given its size", error);
    return fsync(o->fd) == 0 || fail(o, "cannot be written", error);
}

bool outfile_publish(struct outfile *o, GError **error)
{
    int result = renameat2(AT_FDCWD, o->partial, AT_FDCWD, o->path, RENAME_NOREPLACE);
    if (result && (errno == EINVAL || errno == ENOSYS)) { /* not every file system knows the flag (NFS) */
        result = link(o->partial, o->path);
        if (!result)
            unlink(o->partial);
    }
    o->is_published = !result;
    return o->is_published || fail(o, "cannot be given its name", error);
}
