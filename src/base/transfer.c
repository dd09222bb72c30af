// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/transfer.h"

#include <errno.h>
#include <unistd.h>

int transfer_read(int fd, void *to, size_t len, uint64_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(at + done));
        if (n == 0)
            return ENODATA;
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int transfer_write(int fd, const void *from, size_t len, uint64_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)from + done, len - done, (off_t)(at + done));
        if (n == 0)
            return EIO; /* no device may do that; without this we would turn for ever */
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}
