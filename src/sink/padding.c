// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/padding.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#define READ_SIZE (64u << 10)

size_t padding_run(const uint8_t *bytes, size_t len)
{
    size_t n = 0;
    if (len && !bytes[0] && !memcmp(bytes, bytes + 1, len - 1))
        return len;
    while (n < len && !bytes[n])
        n++;
    return n;
}

/* From this place on there is only a hole. */
static bool is_hole(int fd, uint64_t from)
{
    return lseek(fd, (off_t)from, SEEK_DATA) < 0 && errno == ENXIO;
}

static uint64_t end_of_data(int fd, uint64_t size)
{
    uint64_t low = 0, high = size; /* a hole at high, none at low */
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (!size || !is_hole(fd, size - 1))
        low = high;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (is_hole(fd, middle))
            high = middle;
        else
            low = middle;
    }
    lseek(fd, at, SEEK_SET); /* somebody may be reading on there */
    return high;
}

/* Of these bytes, those up to the last that is no zero. */
static size_t without_zeros(const uint8_t *bytes, size_t len)
{
    if (padding_run(bytes, len) == len)
        return 0;
    while (!bytes[len - 1])
        len--;
    return len;
}

uint64_t padding_start(int fd, uint64_t size)
{
    g_autofree uint8_t *bytes = g_malloc(READ_SIZE);
    for (uint64_t end = end_of_data(fd, size); end;) {
        size_t len = MIN(end, READ_SIZE);
        if (pread(fd, bytes, len, (off_t)(end - len)) != (ssize_t)len)
            return size;
        size_t kept = without_zeros(bytes, len);
        end -= len - kept;
        if (kept)
            return end;
    }
    return 0;
}
