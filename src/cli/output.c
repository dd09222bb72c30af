// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output.h"

#include <errno.h>
#include <unistd.h>

bool output_write(struct output *o, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    return o->ops->write(o, offset, bytes, len, error);
}

bool output_zero(struct output *o, uint64_t offset, uint64_t len, GError **error)
{
    return !o->ops->zero || o->ops->zero(o, offset, len, error);
}

bool output_finish(struct output *o, uint64_t size, GError **error)
{
    return o->ops->finish(o, size, error);
}

bool output_publish(struct output *o, GError **error)
{
    return !o->ops->publish || o->ops->publish(o, error);
}

void output_free(struct output *o)
{
    if (o)
        o->ops->free(o);
}

bool output_pwrite(int fd, uint64_t offset, const uint8_t *bytes, size_t len)
{
    for (ssize_t n; len; bytes += n, offset += (uint64_t)n, len -= (size_t)n) {
        n = pwrite(fd, bytes, len, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return false;
        n = MAX(n, 0);
    }
    return true;
}
