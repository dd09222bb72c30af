// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an index: refused with a reason, or loaded; and what was loaded is written the same, but for flags. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "store/chunk_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *file_of(const void *data, size_t size, int *fd)
{
    *fd = memfd_create("index", MFD_CLOEXEC);
    g_assert_cmpint(pwrite(*fd, data, size, 0), ==, (ssize_t)size);
    return g_strdup_printf("/proc/self/fd/%d", *fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int from, to;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = file_of(data, size, &from), *written = file_of("", 0, &to);
    g_autoptr(chunk_index) x = chunk_index_load(path, &error);
    g_assert_true((x == NULL) == (error != NULL));
    if (x) {
        g_autofree uint8_t *again = g_malloc(size);
        g_assert_true(chunk_index_write(x, to, NULL));
        g_assert_cmpint(lseek(to, 0, SEEK_END), ==, (off_t)size);
        g_assert_cmpint(pread(to, again, size, 0), ==, (ssize_t)size);
        g_assert_cmpmem(again, 16, data, 16);
        g_assert_cmpmem(again + 24, size - 24, data + 24, size - 24);
    }
    close(from);
    close(to);
    return 0;
}
