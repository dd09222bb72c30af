// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD: a record of what a program does to the files below the folder $RECORD_BELOW, in its order, appended to
 * $RECORD_TO: a line for each call, "what TAB path TAB other path or bytes in hexadecimal". After $RECORD_KILL of them
 * the program is killed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the order of the record is that of the calls */

static void path_of_fd(int fd, char path[4096])
{
    char link[64];
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    path[n < 0 ? 0 : n] = '\0';
}

static void path_at(int folder, const char *name, char path[4096])
{
    char above[4096];
    if (*name == '/') {
        snprintf(path, 4096, "%s", name);
        return;
    }
    path_of_fd(folder, above);
    if (snprintf(path, 4096, "%s/%s", above, name) >= 4096)
        abort();
}

static void put(int fd, const char *text, size_t len)
{
    while (len) {
        long n = syscall(SYS_write, fd, text, len);
        if (n <= 0)
            abort();
        text += n;
        len -= (size_t)n;
    }
}

static void record(const char *what, const char *path, const char *other)
{
    const char *to = getenv("RECORD_TO"), *below = getenv("RECORD_BELOW"), *kill_after = getenv("RECORD_KILL");
    int saved = errno;
    if (!to || !below || strncmp(path, below, strlen(below)))
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CREAT, 0600);
    put(fd, what, strlen(what));
    put(fd, "\t", 1);
    put(fd, path, strlen(path));
    put(fd, "\t", 1);
    put(fd, other, strlen(other));
    put(fd, "\n", 1);
    syscall(SYS_close, fd);
    static int n;
    if (kill_after && ++n == atoi(kill_after))
        kill(getpid(), SIGKILL);
    errno = saved;
}

static void record_fd(const char *what, int fd, const char *other)
{
    char path[4096];
    path_of_fd(fd, path);
    record(what, path, other);
}

static void record_at(const char *what, int folder, const char *name, const char *other)
{
    char path[4096];
    path_at(folder, name, path);
    record(what, path, other);
}

/* ---- files ---- */

static int open_recorded(int folder, const char *name, int flags, unsigned mode)
{
    pthread_mutex_lock(&lock);
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && flags & (O_CREAT | O_TRUNC))
        record_at(flags & O_TRUNC ? "truncate" : "create", folder, name, "");
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(function)                                                                                                 \
    int function(const char *name, int flags, ...)                                                                     \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        unsigned mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;                                                  \
        va_end(more);                                                                                                  \
        return open_recorded(AT_FDCWD, name, flags, mode);                                                             \
    }
#define OPENAT(function)                                                                                               \
    int function(int folder, const char *name, int flags, ...)                                                         \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        unsigned mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;                                                  \
        va_end(more);                                                                                                  \
        return open_recorded(folder, name, flags, mode);                                                               \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    pthread_mutex_lock(&lock);
    ssize_t n = syscall(SYS_write, fd, bytes, len);
    char *text = malloc(2 * len + 1);
    for (ssize_t i = 0; i < n; i++) {
        text[2 * i] = digits[((const unsigned char *)bytes)[i] >> 4];
        text[2 * i + 1] = digits[((const unsigned char *)bytes)[i] & 15];
    }
    text[n < 0 ? 0 : 2 * n] = '\0';
    record_fd("write", fd, text);
    free(text);
    pthread_mutex_unlock(&lock);
    return n;
}

/* What is recorded when the call was a success. */
#define CALL(expression, ...)                                                                                          \
    do {                                                                                                               \
        pthread_mutex_lock(&lock);                                                                                     \
        int result_ = (expression);                                                                                    \
        if (result_ == 0)                                                                                              \
            __VA_ARGS__;                                                                                               \
        pthread_mutex_unlock(&lock);                                                                                   \
        return result_;                                                                                                \
    } while (0)

int fsync(int fd)
{
    CALL(REAL(fsync)(fd), record_fd("fsync", fd, ""));
}

int fdatasync(int fd)
{
    CALL(REAL(fdatasync)(fd), record_fd("fsync", fd, ""));
}

int syncfs(int fd)
{
    CALL(REAL(syncfs)(fd), record_fd("syncfs", fd, ""));
}

/* ---- names ---- */

int mkdir(const char *name, mode_t mode)
{
    CALL(REAL(mkdir)(name, mode), record_at("mkdir", AT_FDCWD, name, ""));
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    CALL(REAL(mkdirat)(folder, name, mode), record_at("mkdir", folder, name, ""));
}

int unlinkat(int folder, const char *name, int flags)
{
    CALL(REAL(unlinkat)(folder, name, flags), record_at(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, name, ""));
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int symlinkat(const char *to, int folder, const char *name)
{
    CALL(REAL(symlinkat)(to, folder, name), record_at("symlink", folder, name, to));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char other[4096];
    path_at(to_folder, to, other);
    CALL(REAL(renameat)(from_folder, from, to_folder, to), record_at("rename", from_folder, from, other));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
