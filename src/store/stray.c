// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/stray.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "store/durable.h"
#include "store/snapshot.h"

#define LINK     "a symbolic link: snapshots behind it are not known; mount that folder here, or remove the link"
#define SNAPSHOT "a snapshot that is not listed; move it to STORE/GUEST/TIME, or out of the store"

/* Looks at one name in a folder; false: it is a stray. */
typedef bool (*look)(int fd, const char *folder, const char *name, GError **error);

static bool is_stray(const char *folder, const char *name, const char *what, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL), *safe = text_make_safe(path);
    return vmb_fail(error, VMB_ERROR_FAILED, "%s: %s", safe, what);
}

static bool each_name(int above, const char *path, const char *name, look look_at, GError **error)
{
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : durable_names(fd, path, error);
    bool ok = names || (fd < 0 && durable_fail(error, path, NULL, "cannot be opened", errno));
    for (unsigned i = 0; ok && i < names->len; i++)
        ok = look_at(fd, path, g_ptr_array_index(names, i), error);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool look_inside(int fd, const char *folder, const char *name, look look_at, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return each_name(fd, path, name, look_at, error);
}

/* `latest`, and what else points at its neighbour, adds nothing. */
static bool is_link_elsewhere(int fd, const char *name)
{
    char to[PATH_MAX];
    struct stat st;
    ssize_t n = readlinkat(fd, name, to, sizeof to);
    return n >= 0 && memchr(to, '/', (size_t)n) && (fstatat(fd, name, &st, 0) < 0 || S_ISDIR(st.st_mode));
}

static bool is_folder(int fd, const char *name)
{
    struct stat st;
    return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && strcmp(name, "lost+found");
}

static bool look_in_other(int fd, const char *folder, const char *name, GError **error)
{
    return !snapshot_is_at(fd, name) || is_stray(folder, name, SNAPSHOT, error);
}

static bool look_in_guest(int fd, const char *folder, const char *name, GError **error)
{
    if (is_link_elsewhere(fd, name))
        return is_stray(folder, name, LINK, error);
    if (!is_folder(fd, name) || snapshot_is_leftover(name))
        return true;
    if (snapshot_is_at(fd, name))
        return *name != '.' || is_stray(folder, name, SNAPSHOT, error);
    return look_inside(fd, folder, name, look_in_other, error);
}

static bool look_in_store(int fd, const char *folder, const char *name, GError **error)
{
    if (!strcmp(name, STORE_CHUNKS))
        return true;
    if (is_link_elsewhere(fd, name))
        return is_stray(folder, name, LINK, error);
    if (!is_folder(fd, name))
        return true;
    if (snapshot_is_at(fd, name))
        return is_stray(folder, name, SNAPSHOT, error);
    return look_inside(fd, folder, name, store_is_guest_name(name) ? look_in_guest : look_in_other, error);
}

bool stray_check(struct store *s, GError **error)
{
    return each_name(AT_FDCWD, s->path, s->path, look_in_store, error);
}
