// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/listening.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

struct listening {
    int fd; /* -1: given away */
    char *path;
    dev_t dev; /* of the socket file we made: what is there at the end may be another's */
    ino_t ino;
};

static bool make_address(const char *path, struct sockaddr_un *address, GError **error)
{
    size_t len = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof address->sun_path)
        return vmb_fail(error, VMB_ERROR_USAGE,
                        "socket %s: a path of %zu bytes, but 1 to %zu are possible; choose another", path, len,
                        sizeof address->sun_path - 1);
    memcpy(address->sun_path, path, len);
    return true;
}

static bool fail(GError **error, const char *path, const char *what)
{
    return vmb_fail(error, VMB_ERROR_FAILED, "socket %s: %s", path, what);
}

/* Is anybody listening at this address? Whatever cannot be asked counts as a yes. */
static bool is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused;

    if (fd < 0)
        return true;
    is_refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !is_refused;
}

/* Makes way for a new socket: only a socket on which nobody listens is removed. */
static bool remove_stale(const struct sockaddr_un *address, GError **error)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || fail(error, path, g_strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(error, path, "exists and is no socket; remove it or choose another path");
    if (is_answered(address))
        return fail(error, path, "somebody listens there already; choose another path");
    return unlink(path) == 0 || fail(error, path, g_strerror(errno));
}

/* On Linux a socket file gets the mode of its socket: so it is private from its first moment on. */
static bool bind_private(int fd, const struct sockaddr_un *address)
{
    return fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

/* A socket that listens there, or -1. */
static int listen_at(const char *path, GError **error)
{
    struct sockaddr_un address;
    int fd;

    if (!make_address(path, &address, error) || !remove_stale(&address, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind_private(fd, &address) && listen(fd, SOMAXCONN) == 0)
        return fd;
    g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "socket %s: cannot listen: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listening *listening_open(const char *path, GError **error)
{
    int fd = listen_at(path, error);
    struct listening *l;
    struct stat st = {0};

    if (fd < 0)
        return NULL;
    l = g_new0(struct listening, 1);
    l->fd = fd;
    l->path = g_strdup(path);
    if (lstat(path, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    return l;
}

int listening_fd(const struct listening *l)
{
    return l->fd;
}

const char *listening_path(const struct listening *l)
{
    return l->path;
}

int listening_take_fd(struct listening *l)
{
    int fd = l->fd;

    l->fd = -1;
    return fd;
}

bool listening_admit_all(const struct listening *l, GError **error)
{
    return chmod(l->path, 0666) == 0 || fail(error, l->path, g_strerror(errno));
}

void listening_remove(struct listening *l)
{
    struct stat st;

    if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
    g_clear_pointer(&l->path, g_free);
}

void listening_close(struct listening *l)
{
    if (!l)
        return;
    listening_remove(l);
    if (l->fd >= 0)
        close(l->fd);
    g_free(l);
}
