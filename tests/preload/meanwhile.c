// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD: before the program opens a path that ends with $MEANWHILE_AT for the first time, the shell command
 * $MEANWHILE_DO runs: what somebody else may do in just that moment.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_done;

static void look(const char *name)
{
    const char *at = getenv("MEANWHILE_AT"), *command = getenv("MEANWHILE_DO");
    size_t len = strlen(name), tail = at ? strlen(at) : 0;
    if (is_done || !at || !command || len < tail || strcmp(name + len - tail, at))
        return;
    is_done = 1;
    unsetenv("LD_PRELOAD"); /* not in the command, too */
    if (system(command))
        abort();
}

static int open_watched(int folder, const char *name, int flags, unsigned mode)
{
    pthread_mutex_lock(&lock);
    look(name);
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

#define MODE(flags)                                                                                                    \
    unsigned mode = 0;                                                                                                 \
    if (flags & O_CREAT) {                                                                                             \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, unsigned);                                                                                 \
        va_end(more);                                                                                                  \
    }
#define OPEN(function)                                                                                                 \
    int function(const char *name, int flags, ...)                                                                     \
    {                                                                                                                  \
        MODE(flags)                                                                                                    \
        return open_watched(AT_FDCWD, name, flags, mode);                                                              \
    }
#define OPENAT(function)                                                                                               \
    int function(int folder, const char *name, int flags, ...)                                                         \
    {                                                                                                                  \
        MODE(flags)                                                                                                    \
        return open_watched(folder, name, flags, mode);                                                                \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
