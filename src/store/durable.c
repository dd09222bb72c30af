// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/each.h"
#include "base/error.h"
#include "base/text.h"
#include "sink/sink.h"

static char *shown(const char *folder, const char *name)
{
    g_autofree char *path = name ? g_build_filename(folder, name, NULL) : g_strdup(folder);
    return text_make_safe(path);
}

bool durable_fail(GError **error, const char *folder, const char *name, const char *what, int error_number)
{
    g_autofree char *path = shown(folder, name);
    if (error_number != ENOSPC && error_number != EDQUOT && error_number != EFBIG)
        return vmb_fail(error, VMB_ERROR_TARGET, "%s: %s: %s", path, what, g_strerror(error_number));
    g_set_error(error, SINK_ERROR, SINK_ERROR_FULL, "%s: full (%s); free some space", path, g_strerror(error_number));
    return false;
}

int durable_open_folder(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        durable_fail(error, path, NULL, "cannot be opened", errno);
    return fd;
}

bool durable_make_folder(int folder_fd, const char *folder, const char *name, unsigned mode, GError **error)
{
    return mkdirat(folder_fd, name, mode) == 0 || errno == EEXIST ||
           durable_fail(error, folder, name, "cannot be made", errno);
}

/* ---- files ---- */

int durable_write_all(int fd, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* What a dead run has left under this name goes. */
static int create(int folder_fd, const char *name, unsigned mode)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd = openat(folder_fd, name, flags, mode);

    if (fd >= 0 || errno != EEXIST)
        return fd;
    unlinkat(folder_fd, name, 0);
    return openat(folder_fd, name, flags, mode);
}

bool durable_write(int folder_fd, const char *folder, const char *name, unsigned mode, const void *bytes, size_t len,
                   GError **error)
{
    int fd = create(folder_fd, name, mode);
    if (fd < 0)
        return durable_fail(error, folder, name, "cannot be created", errno);
    int failed = durable_write_all(fd, bytes, len);
    if (close(fd) < 0 && !failed) /* some file systems say only now that there is no room */
        failed = errno;
    if (failed)
        unlinkat(folder_fd, name, 0);
    return !failed || durable_fail(error, folder, name, "cannot be written", failed);
}

bool durable_sync_all(int folder_fd, const char *folder, GError **error)
{
    return syncfs(folder_fd) == 0 || durable_fail(error, folder, NULL, "cannot be made durable (syncfs)", errno);
}

bool durable_sync_file(int folder_fd, const char *folder, const char *name, GError **error)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return !failed || durable_fail(error, folder, name, "cannot be made durable (fsync)", failed);
}

bool durable_sync_folder(int folder_fd, const char *folder, GError **error)
{
    while (fsync(folder_fd) < 0) {
        if (errno == EINVAL) /* some file systems know no fsync of a folder */
            return true;
        if (errno != EINTR)
            return durable_fail(error, folder, NULL, "cannot be made durable (fsync of the folder)", errno);
    }
    return true;
}

bool durable_rename(int folder_fd, const char *folder, const char *from, const char *to, GError **error)
{
    return renameat(folder_fd, from, folder_fd, to) == 0 ||
           durable_fail(error, folder, from, "cannot be renamed", errno);
}

/* ---- folders ---- */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *durable_names(int folder_fd, const char *folder, GError **error)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const struct dirent *entry;

    if (!dir) {
        durable_fail(error, folder, NULL, "cannot be listed", errno);
        g_ptr_array_unref(names);
        return NULL;
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(dir);
    g_ptr_array_sort(names, compare_names);
    return names;
}

/* By its device, too: only since Linux 5.8 a bind mount can be told. */
static bool is_mount(int folder_fd, int fd)
{
    struct statx above, st;
    return statx(folder_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &above) < 0 ||
           statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0 || (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) ||
           above.stx_dev_major != st.stx_dev_major || above.stx_dev_minor != st.stx_dev_minor;
}

static bool remove_folder(int folder_fd, const char *folder, const char *name, GError **error)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return durable_fail(error, folder, name, "cannot be removed", errno);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GPtrArray) names = is_mount(folder_fd, fd) ? NULL : durable_names(fd, path, NULL);
    bool ok = true;
    for (unsigned i = 0; names && i < names->len; i++)
        ok &= durable_remove(fd, path, g_ptr_array_index(names, i), ok ? error : NULL);
    close(fd);
    return ok && (unlinkat(folder_fd, name, AT_REMOVEDIR) == 0 ||
                  durable_fail(error, folder, name, "cannot be removed", errno));
}

bool durable_remove(int folder_fd, const char *folder, const char *name, GError **error)
{
    if (unlinkat(folder_fd, name, 0) == 0 || errno == ENOENT)
        return true;
    return errno == EISDIR || errno == EPERM ? remove_folder(folder_fd, folder, name, error)
                                             : durable_fail(error, folder, name, "cannot be removed", errno);
}
