// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

/* Two runs that start at once may each find the other's file dead for a moment. */
#define MAX_TRIES 8

static bool fail(const struct partial *p, GError **error, const char *what, int error_number)
{
    g_autofree char *safe = text_make_safe(p->path);
    return vmb_fail(error, VMB_ERROR_TARGET, "target %s: %s: %s", safe, what, g_strerror(error_number));
}

static bool refuse(const struct partial *p, GError **error, enum vmb_error code, const char *why)
{
    g_autofree char *safe = text_make_safe(p->path);
    return vmb_fail(error, code, "target %s: %s", safe, why);
}

/* ---- its place ---- */

/* Sets path (as far as it is known), name and dir_fd. */
static bool open_directory(struct partial *p, const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    p->name = g_path_get_basename(path);
    p->partial_name = g_strconcat(p->name, ".partial", NULL);
    p->path = g_strdup(path);
    char *resolved = realpath(directory, NULL);
    p->dir_fd = resolved ? open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (p->dir_fd < 0) {
        fail(p, error, "cannot open its directory", errno);
        free(resolved);
        return false;
    }
    g_free(p->path);
    p->path = g_build_filename(resolved, p->name, NULL);
    free(resolved);
    return true;
}

/* The file behind a symbolic link is what is meant, as with a shell's redirection. */
static char *follow_link(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        return g_strdup(path);
    char *resolved = realpath(path, NULL);
    char *copy = g_strdup(resolved);
    free(resolved);
    return copy;
}

static bool locate(struct partial *p, const char *path, GError **error)
{
    g_autofree char *followed = follow_link(path);
    if (!followed) {
        p->path = g_strdup(path);
        return refuse(p, error, VMB_ERROR_TARGET, "a symbolic link that leads nowhere; remove it");
    }
    if (g_str_has_suffix(followed, "/")) {
        p->path = g_strdup(path);
        return refuse(p, error, VMB_ERROR_TARGET, "a directory; name a file in it");
    }
    return open_directory(p, followed, error);
}

static bool may_replace(const struct partial *p, bool force, GError **error)
{
    struct stat st;
    if (fstatat(p->dir_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || fail(p, error, "cannot look at it", errno);
    if (S_ISDIR(st.st_mode))
        return refuse(p, error, VMB_ERROR_TARGET, "a directory; name a file in it");
    if (!S_ISREG(st.st_mode))
        return refuse(p, error, VMB_ERROR_TARGET, "neither a file nor a FIFO; choose another name");
    return force || refuse(p, error, VMB_ERROR_TARGET, "exists; choose another name or use --force");
}

/* ---- the lock ---- */

/* 0, or EWOULDBLOCK when another process holds it. File systems without locks go without. */
static int lock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? EWOULDBLOCK : 0;
    return 0;
}

/* Does the name stand for this file? */
static bool is_named(const struct partial *p, dev_t dev, ino_t ino)
{
    struct stat st;
    return fstatat(p->dir_fd, p->partial_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == ino && st.st_dev == dev;
}

static GSList *abandoned; /* of struct partial *, still locked by this process */

void partial_abandon(struct partial *p)
{
    abandoned = g_slist_prepend(abandoned, p);
}

void partial_forget(struct partial *p)
{
    abandoned = g_slist_remove(abandoned, p);
    g_mutex_clear(&p->removal);
}

static struct partial *find_abandoned(const struct stat *st)
{
    for (const GSList *at = abandoned; at; at = at->next) {
        struct partial *p = at->data;
        if (p->dev == st->st_dev && p->ino == st->st_ino)
            return p;
    }
    return NULL;
}

/* Takes the name away if it stands for this file. 0 or an errno. */
static int unlink_if_named(const struct partial *p, dev_t dev, ino_t ino)
{
    bool is_gone = !is_named(p, dev, ino) || unlinkat(p->dir_fd, p->partial_name, 0) == 0 || errno == ENOENT;
    return is_gone ? 0 : errno;
}

/* Between a look of the pool's at the name and its removal, nobody else may put another file there. */
static int unlink_abandoned(const struct partial *p, struct partial *old)
{
    g_mutex_lock(&old->removal);
    int failed = unlink_if_named(p, old->dev, old->ino);
    g_mutex_unlock(&old->removal);
    return failed;
}

/* Takes away what a dead run left. True: try again to create. */
static bool remove_dead(struct partial *p, GError **error)
{
    /* O_NONBLOCK: somebody may have put a FIFO there. */
    int fd = openat(p->dir_fd, p->partial_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || fail(p, error, "cannot look at what an earlier run left (.partial)", errno);
    struct stat st;
    struct partial *old = NULL;
    bool ok = true;
    int failed = 0;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        ok = refuse(p, error, VMB_ERROR_TARGET, "its .partial is not a file; remove it");
    else if (lock(fd) == EWOULDBLOCK && !(old = find_abandoned(&st)))
        ok = refuse(p, error, VMB_ERROR_HELD, "is being written by another backup; choose another name");
    else
        failed = old ? unlink_abandoned(p, old) : unlink_if_named(p, st.st_dev, st.st_ino);
    if (failed)
        ok = fail(p, error, "cannot remove what an earlier run left (.partial)", failed);
    close(fd);
    return ok;
}

/* Another run may open, lock and unlink the new file before we hold its lock: then it is not ours. */
static bool is_won(struct partial *p)
{
    struct stat st;
    if (lock(p->fd) == 0 && fstat(p->fd, &st) == 0 && is_named(p, st.st_dev, st.st_ino)) {
        p->dev = st.st_dev;
        p->ino = st.st_ino;
        return true;
    }
    close(p->fd);
    p->fd = -1;
    return false;
}

static bool create(struct partial *p, GError **error)
{
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        p->fd = openat(p->dir_fd, p->partial_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (p->fd >= 0 && is_won(p))
            return true;
        if (p->fd < 0 && errno != EEXIST)
            return fail(p, error, "cannot create its .partial", errno);
        if (!remove_dead(p, error))
            return false;
    }
    return refuse(p, error, VMB_ERROR_HELD, "is being written by another backup; choose another name");
}

bool partial_create(struct partial *p, const char *path, bool force, GError **error)
{
    *p = (struct partial){.fd = -1, .dir_fd = -1};
    if (locate(p, path, error) && may_replace(p, force, error) && create(p, error)) {
        g_mutex_init(&p->removal);
        return true;
    }
    partial_close(p);
    return false;
}

/* ---- its end ---- */

/* For file systems without RENAME_NOREPLACE (NFS, older FUSE): 0 or an errno. */
static int name_by_link(const struct partial *p)
{
    struct stat st;
    if (linkat(p->dir_fd, p->partial_name, p->dir_fd, p->name, 0) == 0) {
        unlinkat(p->dir_fd, p->partial_name, 0);
        return 0;
    }
    if (errno == EEXIST)
        return EEXIST;
    /* Not even hard links (FAT): somebody who creates the name between these two calls loses his file. */
    if (fstatat(p->dir_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    return renameat(p->dir_fd, p->partial_name, p->dir_fd, p->name) == 0 ? 0 : errno;
}

static int give_name(const struct partial *p, bool force)
{
    if (force)
        return renameat(p->dir_fd, p->partial_name, p->dir_fd, p->name) == 0 ? 0 : errno;
    if (renameat2(p->dir_fd, p->partial_name, p->dir_fd, p->name, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? name_by_link(p) : errno;
}

/* Some file systems know no fsync of a directory: they say EINVAL. */
static bool sync_fd(const struct partial *p, int fd, const char *what, GError **error)
{
    while (fsync(fd) < 0) {
        if (errno == EINVAL)
            return true;
        if (errno != EINTR)
            return fail(p, error, what, errno);
    }
    return true;
}

bool partial_publish(struct partial *p, bool force, GError **error)
{
    if (!sync_fd(p, p->fd, "cannot be made durable (fsync)", error))
        return false;
    if (!is_named(p, p->dev, p->ino))
        return refuse(p, error, VMB_ERROR_TARGET, "its .partial was removed or replaced while it was written");
    p->is_complete = true;
    int failed = give_name(p, force);
    if (failed == EEXIST)
        return refuse(p, error, VMB_ERROR_TARGET,
                      "was created by somebody else meanwhile; "
                      "the archive is complete in its .partial: rename that");
    if (failed)
        return fail(p, error, "the archive is complete in its .partial, but cannot be renamed", failed);
    return sync_fd(p, p->dir_fd, "cannot make its name durable (fsync of the directory)", error);
}

void partial_remove(struct partial *p)
{
    g_mutex_lock(&p->removal);
    if (p->fd >= 0 && !p->is_complete)
        unlink_if_named(p, p->dev, p->ino);
    g_mutex_unlock(&p->removal);
}

void partial_close(struct partial *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->dir_fd >= 0)
        close(p->dir_fd);
    g_free(p->path);
    g_free(p->name);
    g_free(p->partial_name);
    p->fd = p->dir_fd = -1;
    p->path = p->name = p->partial_name = NULL;
}
