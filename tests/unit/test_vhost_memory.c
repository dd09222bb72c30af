// SPDX-License-Identifier: GPL-2.0-or-later
/* What is shared with QEMU: sealed, laid out, and resident only where it was touched. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "vhost/memory.h"
#include "vhost/ring.h"

#define POOL_BYTES (64u << 20)

static struct vhost_memory *make(void)
{
    g_autoptr(GError) error = NULL;
    struct vhost_memory *m = vhost_memory_new(POOL_BYTES, 3, &error);

    g_assert_no_error(error);
    return m;
}

static void test_sealed(void)
{
    struct vhost_memory *m = make();
    int fd = vhost_memory_fd(m), seals = fcntl(fd, F_GET_SEALS);

    g_assert_cmpint(seals, ==, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    g_assert_cmpint(ftruncate(fd, 4096), ==, -1);
    g_assert_cmpint(errno, ==, EPERM);
    g_assert_cmpint(ftruncate(fd, 2 * vhost_memory_bytes(m)), ==, -1);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), ==, -1);
    g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    vhost_memory_free(m);
}

static void test_layout(void)
{
    struct vhost_memory *m = make();
    uint8_t *pool = vhost_memory_pool(m), *base = vhost_memory_base(m);

    g_assert_cmpuint((uintptr_t)pool % 4096, ==, 0);
    g_assert_cmpuint(vhost_memory_bytes(m), ==, 3 * VHOST_RING_BYTES + POOL_BYTES);
    g_assert_true(pool + POOL_BYTES == base + vhost_memory_bytes(m));
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(vhost_memory_queue(m, i), ==, i * VHOST_RING_BYTES);
        g_assert_true(base + vhost_memory_queue(m, i) + VHOST_RING_BYTES <= pool);
    }
    vhost_memory_free(m);
}

static void test_owns(void)
{
    struct vhost_memory *m = make();
    const uint8_t *pool = vhost_memory_pool(m);

    g_assert_true(vhost_memory_owns(m, pool, POOL_BYTES));
    g_assert_true(vhost_memory_owns(m, pool + POOL_BYTES - 1, 1));
    g_assert_false(vhost_memory_owns(m, pool - 1, 1)); /* a ring */
    g_assert_false(vhost_memory_owns(m, pool, POOL_BYTES + 1));
    g_assert_false(vhost_memory_owns(m, pool + POOL_BYTES - 1, 2));
    g_assert_false(vhost_memory_owns(m, pool + 1, SIZE_MAX));
    g_assert_false(vhost_memory_owns(m, pool + POOL_BYTES + 1, 0));
    g_assert_false(vhost_memory_owns(m, NULL, 1));
    g_assert_false(vhost_memory_owns(m, &pool, 1));
    vhost_memory_free(m);
}

static uint64_t resident_bytes(const struct vhost_memory *m)
{
    struct stat st;

    g_assert_cmpint(fstat(vhost_memory_fd(m), &st), ==, 0);
    return st.st_blocks * 512;
}

static void test_resident(void)
{
    struct vhost_memory *m = make();
    uint8_t *pool = vhost_memory_pool(m);

    g_assert_cmpuint(resident_bytes(m), ==, 0);
    pool[0] = pool[POOL_BYTES / 2] = pool[POOL_BYTES - 1] = 1;
    g_assert_cmpuint(resident_bytes(m), ==, 3 * 4096);
    vhost_memory_free(m);
}

static void test_too_much(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vhost_memory_new((size_t)1 << 62, 1, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_true(g_str_has_prefix(error->message, "shared memory: cannot make 4398046511104 MiB of it: "));
    vhost_memory_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost/memory/sealed", test_sealed);
    g_test_add_func("/vhost/memory/layout", test_layout);
    g_test_add_func("/vhost/memory/owns", test_owns);
    g_test_add_func("/vhost/memory/resident", test_resident);
    g_test_add_func("/vhost/memory/too much", test_too_much);
    return g_test_run();
}
