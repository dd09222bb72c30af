// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any sequence of puts and forgivings: every buffer has exactly one owner, and a cluster is handed out once,
 * with exactly the bytes that were last taken for it.
 */
#include "vma/assemble.h"

#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_CLUSTERS 3
#define DRIVE_SIZE (2 * VMA_CLUSTER_SIZE + 9 * 512) /* the last cluster is a short one */

static int n_buffers; /* not yet given back */

static void release(void *user, uint8_t *buffer)
{
    n_buffers--;
    g_free(buffer);
}

static uint8_t *take(uint8_t byte)
{
    n_buffers++;
    return memset(g_malloc(VMA_CLUSTER_SIZE), byte, VMA_CLUSTER_SIZE);
}

/* The cluster's bytes are those of the image, and zero behind the end. */
static void assert_cluster(const uint8_t *image, uint64_t offset, const uint8_t *cluster)
{
    static const uint8_t zeros[VMA_CLUSTER_SIZE];
    size_t start = offset / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE, len = MIN(VMA_CLUSTER_SIZE, DRIVE_SIZE - start);
    g_assert_cmpmem(cluster ? cluster : zeros, len, image + start, len);
    g_assert_cmpmem(cluster ? cluster + len : zeros, VMA_CLUSTER_SIZE - len, zeros, VMA_CLUSTER_SIZE - len);
}

static void put(struct vma_assemble *a, uint8_t *image, uint64_t offset, uint32_t len, uint8_t byte)
{
    uint8_t *buffer = byte ? take(byte) : NULL, *chunk = buffer;
    bool was_held = vma_assemble_holds(a, offset, 1);
    enum vma_put result = vma_assemble_put(a, offset, len, &chunk);
    if (result == VMA_PUT_HELD || result == VMA_PUT_WAITING)
        memset(image + offset, byte, len);
    if (result == VMA_PUT_HELD) {
        g_assert_false(was_held);
        assert_cluster(image, offset, chunk);
        if (buffer && buffer != chunk)
            release(NULL, buffer);
    } else {
        g_assert_true(chunk == buffer || (!chunk && result == VMA_PUT_WAITING));
    }
    if (chunk)
        release(NULL, chunk);
    g_assert_true(vma_assemble_holds(a, offset, 1) == (was_held || result == VMA_PUT_HELD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *image = g_malloc0(DRIVE_SIZE);
    struct vma_assemble *a = vma_assemble_new(DRIVE_SIZE, size && (data[0] & 1));
    n_buffers = 0;
    for (size_t i = 1; i + 4 <= size; i += 4) {
        uint64_t offset = ((uint64_t)(data[i] % N_CLUSTERS) * 128 + data[i + 1] % 128) * 512;
        uint64_t room = MIN(DRIVE_SIZE - MIN(offset, DRIVE_SIZE), VMA_CLUSTER_SIZE - offset % VMA_CLUSTER_SIZE);
        uint32_t len = (uint32_t)MIN(room, (data[i + 2] % 128 + 1) * 512u);
        if (!len)
            continue;
        if (data[i + 3] == 0xff)
            vma_assemble_forgive(a, offset, len);
        else
            put(a, image, offset, len, data[i + 3] & 3);
    }
    g_assert_true(vma_assemble_is_complete(a) == (vma_assemble_held(a) == N_CLUSTERS));
    vma_assemble_free(a, release, NULL);
    g_assert_cmpint(n_buffers, ==, 0);
    return 0;
}
