// SPDX-License-Identifier: GPL-2.0-or-later
/* LD_PRELOAD: a disk, or a machine, that takes its time to remove a file. */
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

int unlinkat(int folder, const char *path, int flags)
{
    int (*real)(int, const char *, int) = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
    const struct timespec pause = {.tv_nsec = 400000000};

    nanosleep(&pause, NULL);
    return real(folder, path, flags);
}
