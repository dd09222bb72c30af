// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/stdio.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void stdio_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) /* the lowest that is free */
            abort();
}
