// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

struct newfile {
    char *path, *partial;
    int fd;
    bool is_published;
};

bool newfile_fail(const struct newfile *f, const char *what, GError **error)
{
    return vmb_fail(error, VMB_ERROR_TARGET, "file %s: %s: %s", f->path, what, g_strerror(errno));
}

static bool fail_exists(const char *path, const char *remedy, GError **error)
{
    return vmb_fail(error, VMB_ERROR_TARGET, "file %s: exists already; %s", path, remedy);
}

static bool create(struct newfile *f, GError **error)
{
    if (faccessat(AT_FDCWD, f->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return fail_exists(f->path, "nothing is overwritten: move it away, or choose another place", error);
    f->fd = open(f->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->fd >= 0)
        return true;
    if (errno == EEXIST)
        return fail_exists(f->partial, "another extraction is running, or died here: remove it", error);
    return newfile_fail(f, "cannot be created", error);
}

struct newfile *newfile_create(const char *path, GError **error)
{
    g_autoptr(newfile_t) f = g_new0(struct newfile, 1);
    f->fd = -1;
    f->path = g_strdup(path);
    f->partial = g_strconcat(path, ".partial", NULL);
    return create(f, error) ? g_steal_pointer(&f) : NULL;
}

void newfile_free(struct newfile *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->fd >= 0 && !f->is_published)
        unlink(f->partial);
    g_free(f->path);
    g_free(f->partial);
    g_free(f);
}

int newfile_fd(const struct newfile *f)
{
    return f->fd;
}

const char *newfile_path(const struct newfile *f)
{
    return f->path;
}

const char *newfile_partial(const struct newfile *f)
{
    return f->partial;
}

bool newfile_sync(struct newfile *f, GError **error)
{
    return fsync(f->fd) == 0 || newfile_fail(f, "cannot be written", error);
}

bool newfile_publish(struct newfile *f, GError **error)
{
    int result = renameat2(AT_FDCWD, f->partial, AT_FDCWD, f->path, RENAME_NOREPLACE);
    if (result && (errno == EINVAL || errno == ENOSYS)) { /* not every file system knows the flag (NFS) */
        result = link(f->partial, f->path);
        if (!result)
            unlink(f->partial);
    }
    f->is_published = !result;
    return f->is_published || newfile_fail(f, "cannot be given its name", error);
}
