// SPDX-License-Identifier: GPL-2.0-or-later
/* Extents and the end mark: byte-exact against golden/make_vectors.py, whose plan this follows. */
#include "vma/extent.h"

#include <glib.h>
#include <string.h>

#include "vma/entry.h"

static const uint8_t uuid[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

static uint8_t *make_cluster(uint32_t number, uint16_t blocks)
{
    uint8_t *data = g_malloc0(VMA_CLUSTER_SIZE);
    for (unsigned b = 0; b < VMA_BLOCKS_PER_CLUSTER; b++)
        for (unsigned i = 0; (blocks >> b & 1) && i < VMA_BLOCK_SIZE; i++)
            data[b * VMA_BLOCK_SIZE + i] = (uint8_t)((i * 7 + (uint64_t)number * 31 + b * 13) % 251 + 1);
    return data;
}

static void free_clusters(struct vma_extent *e)
{
    for (unsigned i = 0; i < e->n; i++)
        g_free(e->clusters[i].data);
}

static void check_extent(struct vma_extent *e, const char *golden, struct vma_totals *totals)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    uint64_t length = 0;
    vma_extent_seal(e, uuid);
    g_assert_cmpmem(e->header, 512, golden, 512);
    unsigned n = vma_extent_iov(e, iov, G_N_ELEMENTS(iov));
    for (unsigned i = 0; i < n; i++)
        length += iov[i].iov_len;
    g_assert_cmpuint(length, ==, vma_extent_length(e));
    vma_totals_add(totals, e->header);
    free_clusters(e);
}

static void test_golden(void)
{
    g_autofree char *path = g_build_filename(TEST_DATA, "golden", "vma", "extents.bin", NULL);
    g_autofree char *golden = NULL;
    gsize len;
    struct vma_totals totals = {.vmstate_bytes = 70000};
    g_assert_true(g_file_get_contents(path, &golden, &len, NULL));
    g_assert_cmpuint(len, ==, 4 * 512);

    struct vma_extent drive = {.dev_id = 1};
    vma_extent_add(&drive, 0, make_cluster(0, 0x8023));
    vma_extent_add(&drive, 7, NULL);
    vma_extent_add(&drive, 0xfffffffe, make_cluster(0xfffffffe, 0xffff));
    vma_extent_add(&drive, 3, make_cluster(3, 1 << 14));
    check_extent(&drive, golden, &totals);

    struct vma_extent zeros = {.dev_id = 2};
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++)
        vma_extent_add(&zeros, i, i % 2 ? NULL : g_malloc0(VMA_CLUSTER_SIZE));
    check_extent(&zeros, golden + 512, &totals);

    struct vma_extent ram = {.dev_id = 3, .is_vmstate = true};
    vma_extent_add(&ram, 0, make_cluster(0, 1 << 2));
    vma_extent_add(&ram, 1, NULL);
    check_extent(&ram, golden + 1024, &totals);

    uint8_t end[512];
    vma_end_mark_encode(&totals, VMA_END_COMPLETE, uuid, end);
    g_assert_cmpmem(end, 512, golden + 1536, 512);
}

/* One byte anywhere in a block makes it a stored one; iov points at exactly the stored blocks. */
static void test_zero_blocks(void)
{
    uint8_t *data = g_malloc0(VMA_CLUSTER_SIZE);
    for (unsigned b = 0; b < VMA_BLOCKS_PER_CLUSTER; b++) {
        static const unsigned places[] = {0, 1, 7, 8, 63, 64, 2048, 4088, 4095};
        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
            struct vma_extent e = {.dev_id = 1};
            struct iovec iov[2];
            data[b * VMA_BLOCK_SIZE + places[i]] = 1;
            vma_extent_add(&e, 9, data);
            vma_extent_seal(&e, uuid);
            g_assert_cmphex(e.clusters[0].mask, ==, 1u << b);
            g_assert_cmpuint(vma_extent_iov(&e, iov, 2), ==, 2);
            g_assert_true(iov[1].iov_base == data + b * VMA_BLOCK_SIZE);
            g_assert_cmpuint(iov[1].iov_len, ==, VMA_BLOCK_SIZE);
            data[b * VMA_BLOCK_SIZE + places[i]] = 0;
        }
    }
    g_free(data);
}

static void test_most_pieces(void)
{
    struct vma_extent e = {.dev_id = 1};
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    for (unsigned i = 0; i < VMA_CLUSTERS_PER_EXTENT; i++)
        vma_extent_add(&e, i, make_cluster(i, 0x5555));
    vma_extent_seal(&e, uuid);
    g_assert_cmpuint(vma_extent_iov(&e, iov, VMA_EXTENT_MAX_IOV), ==, VMA_EXTENT_MAX_IOV);
    g_assert_cmpuint(e.blocks, ==, 59 * 8);
    g_assert_null(vma_entry_check_header(e.header, uuid));
    free_clusters(&e);
}

static void test_header_checks(void)
{
    struct vma_extent e = {.dev_id = 1};
    uint8_t other[16] = {0};
    vma_extent_add(&e, 5, make_cluster(5, 0x0101));
    vma_extent_seal(&e, uuid);
    g_assert_null(vma_entry_check_header(e.header, uuid));
    g_assert_nonnull(vma_entry_check_header(e.header, other));
    for (unsigned i = 0; i < 512; i++) {
        e.header[i] ^= 0x10;
        g_assert_nonnull(vma_entry_check_header(e.header, uuid));
        e.header[i] ^= 0x10;
    }
    free_clusters(&e);
}

static void test_empty_is_not_counted(void)
{
    struct vma_totals totals = {0};
    uint8_t end[512];
    vma_end_mark_encode(&totals, 0, uuid, end);
    vma_totals_add(&totals, end);
    g_assert_cmpuint(totals.extents, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/extent/golden", test_golden);
    g_test_add_func("/extent/zero-blocks", test_zero_blocks);
    g_test_add_func("/extent/most-pieces", test_most_pieces);
    g_test_add_func("/extent/header-checks", test_header_checks);
    g_test_add_func("/extent/empty-is-not-counted", test_empty_is_not_counted);
    return g_test_run();
}
