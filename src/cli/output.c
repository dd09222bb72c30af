// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output.h"

#include <errno.h>

#include "base/transfer.h"

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
    int failed = transfer_write(fd, bytes, len, offset);
    errno = failed ? failed : errno;
    return !failed;
}
