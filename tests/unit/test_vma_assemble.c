// SPDX-License-Identifier: GPL-2.0-or-later
/* Absent, arriving, held: what each put answers, whose buffer is whose, and a random oracle. */
#include "vma/assemble.h"

#include <glib.h>
#include <string.h>

#include "vma/bitmap.h"

#define CLUSTER VMA_CLUSTER_SIZE

static unsigned n_released;

static void release(void *user, uint8_t *buffer)
{
    n_released++;
    g_free(buffer);
}

static uint8_t *make_buffer(uint8_t byte)
{
    return memset(g_malloc(CLUSTER), byte, CLUSTER);
}

/* Puts bytes of a fresh buffer; returns what came back in *data, for the caller to free. */
static uint8_t *put(struct vma_assemble *a, uint64_t offset, uint32_t len, uint8_t byte, enum vma_put want)
{
    uint8_t *buffer = make_buffer(byte), *data = buffer;
    enum vma_put got = vma_assemble_put(a, offset, len, &data);
    g_assert_cmpint(got, ==, want);
    if (data && data != buffer)
        g_free(buffer);
    return data;
}

static enum vma_put put_zeros(struct vma_assemble *a, uint64_t offset, uint32_t len, uint8_t **data)
{
    *data = NULL;
    return vma_assemble_put(a, offset, len, data);
}

static void assert_bytes(const uint8_t *at, size_t len, uint8_t byte)
{
    for (size_t i = 0; i < len; i++)
        g_assert_cmphex(at[i], ==, byte);
}

static void test_whole(void)
{
    struct vma_assemble *a = vma_assemble_new(3 * CLUSTER, false);
    uint8_t *buffer = make_buffer(1), *data = buffer;
    g_assert_cmpint(vma_assemble_put(a, CLUSTER, CLUSTER, &data), ==, VMA_PUT_HELD);
    g_assert_true(data == buffer); /* never copied */
    g_assert_true(vma_assemble_holds(a, CLUSTER, CLUSTER));
    g_assert_false(vma_assemble_holds(a, CLUSTER - 1, 2));
    g_assert_true(vma_assemble_holds(a, CLUSTER, 0));
    g_assert_cmpuint(vma_assemble_held(a), ==, 1);
    g_assert_cmpint(put_zeros(a, 0, CLUSTER, &data), ==, VMA_PUT_HELD);
    g_assert_null(data);
    g_assert_cmpint(put_zeros(a, 2 * CLUSTER, CLUSTER, &data), ==, VMA_PUT_HELD);
    g_assert_true(vma_assemble_is_complete(a));
    g_assert_cmpuint(vma_assemble_clusters(a), ==, 3);
    g_free(buffer);
    vma_assemble_free(a, release, NULL);
}

static void test_parts(void)
{
    struct vma_assemble *a = vma_assemble_new(CLUSTER, false);
    uint8_t *data;
    g_assert_cmpint(put_zeros(a, 512, 512, &data), ==, VMA_PUT_WAITING);
    g_assert_null(put(a, 1024, 1024, 0xaa, VMA_PUT_WAITING));   /* the first buffer is kept */
    data = put(a, 4096, CLUSTER - 4096, 0xbb, VMA_PUT_WAITING); /* the second comes back */
    g_assert_nonnull(data);
    g_free(data);
    g_assert_cmpint(put_zeros(a, 2048, 2048, &data), ==, VMA_PUT_WAITING);
    data = put(a, 0, 512, 0xcc, VMA_PUT_HELD);
    assert_bytes(data, 512, 0xcc);
    assert_bytes(data + 512, 512, 0);
    assert_bytes(data + 1024, 1024, 0xaa);
    assert_bytes(data + 2048, 2048, 0);
    assert_bytes(data + 4096, CLUSTER - 4096, 0xbb);
    g_free(data);
    vma_assemble_free(a, release, NULL);
}

static void test_zero_parts_make_a_zero_cluster(void)
{
    struct vma_assemble *a = vma_assemble_new(CLUSTER, false);
    uint8_t *data;
    g_assert_cmpint(put_zeros(a, 0, 4096, &data), ==, VMA_PUT_WAITING);
    g_assert_cmpint(put_zeros(a, 4096, CLUSTER - 4096, &data), ==, VMA_PUT_HELD);
    g_assert_null(data);
    vma_assemble_free(a, release, NULL);
}

static void test_tail(void)
{
    struct vma_assemble *a = vma_assemble_new(CLUSTER + 1536, false);
    g_assert_cmpuint(vma_assemble_clusters(a), ==, 2);
    g_assert_cmpuint(vma_assemble_cluster_bytes(a, 0), ==, CLUSTER);
    g_assert_cmpuint(vma_assemble_cluster_bytes(a, 1), ==, 1536);
    uint8_t *data = put(a, CLUSTER, 1536, 7, VMA_PUT_HELD);
    assert_bytes(data, 1536, 7);
    assert_bytes(data + 1536, CLUSTER - 1536, 0); /* what lay behind the end in the buffer is gone */
    g_free(data);
    vma_assemble_free(a, release, NULL);

    a = vma_assemble_new(1536, false);
    g_assert_null(put(a, 512, 1024, 7, VMA_PUT_WAITING));
    data = put(a, 0, 512, 8, VMA_PUT_HELD);
    assert_bytes(data, 512, 8);
    assert_bytes(data + 512, 1024, 7);
    assert_bytes(data + 1536, CLUSTER - 1536, 0);
    g_free(data);
    vma_assemble_free(a, release, NULL);
}

static void test_repeats(void)
{
    struct vma_assemble *a = vma_assemble_new(2 * CLUSTER, true);
    g_assert_null(put(a, 0, 4096, 1, VMA_PUT_WAITING));
    uint8_t *data = put(a, 0, CLUSTER, 1, VMA_PUT_HELD); /* a whole one over parts */
    assert_bytes(data, CLUSTER, 1);
    g_free(data);
    g_free(put(a, 0, CLUSTER, 2, VMA_PUT_REPEAT));
    g_free(put(a, 512, 512, 2, VMA_PUT_REPEAT));
    vma_assemble_free(a, release, NULL);
}

static void test_twice(void)
{
    struct vma_assemble *a = vma_assemble_new(2 * CLUSTER, false);
    g_free(put(a, 0, CLUSTER, 1, VMA_PUT_HELD));
    g_free(put(a, 0, CLUSTER, 1, VMA_PUT_TWICE));
    g_free(put(a, 512, 512, 1, VMA_PUT_TWICE));
    vma_assemble_forgive(a, 0, 512);
    g_free(put(a, 0, CLUSTER, 1, VMA_PUT_REPEAT));

    g_assert_null(put(a, CLUSTER, 4096, 1, VMA_PUT_WAITING));
    g_free(put(a, CLUSTER + 3584, 1024, 1, VMA_PUT_TWICE));
    g_free(put(a, CLUSTER, CLUSTER, 1, VMA_PUT_TWICE));
    vma_assemble_forgive(a, CLUSTER, CLUSTER);
    g_free(put(a, CLUSTER, CLUSTER, 3, VMA_PUT_HELD));
    g_assert_true(vma_assemble_is_complete(a));
    vma_assemble_free(a, release, NULL);
}

static void test_forgiven_part_must_come_again(void)
{
    struct vma_assemble *a = vma_assemble_new(CLUSTER, false);
    g_assert_null(put(a, 0, 8192, 1, VMA_PUT_WAITING));
    vma_assemble_forgive(a, 4096, 4096);
    g_free(put(a, 8192, CLUSTER - 8192, 2, VMA_PUT_WAITING));
    uint8_t *data = put(a, 4096, 4096, 3, VMA_PUT_HELD);
    assert_bytes(data, 4096, 1);
    assert_bytes(data + 4096, 4096, 3);
    g_free(data);
    vma_assemble_free(a, release, NULL);
}

static void test_crowded(void)
{
    struct vma_assemble *a = vma_assemble_new((uint64_t)400 * CLUSTER, false);
    for (unsigned i = 0; i < VMA_MAX_PARTIAL; i++)
        g_assert_null(put(a, (uint64_t)i * CLUSTER, 512, 1, VMA_PUT_WAITING));
    g_free(put(a, (uint64_t)300 * CLUSTER, 512, 1, VMA_PUT_CROWDED));
    g_free(put(a, (uint64_t)300 * CLUSTER, CLUSTER, 1, VMA_PUT_HELD)); /* whole ones still come */
    g_free(put(a, 512, CLUSTER - 512, 1, VMA_PUT_HELD));
    g_assert_null(put(a, (uint64_t)301 * CLUSTER, 512, 1, VMA_PUT_WAITING));
    n_released = 0;
    vma_assemble_free(a, release, NULL);
    g_assert_cmpuint(n_released, ==, VMA_MAX_PARTIAL);
}

static void test_free_without_release(void)
{
    struct vma_assemble *a = vma_assemble_new(CLUSTER, false);
    uint8_t *buffer = make_buffer(1), *data = buffer;
    g_assert_cmpint(vma_assemble_put(a, 0, 512, &data), ==, VMA_PUT_WAITING);
    vma_assemble_free(a, NULL, NULL); /* the pool it came from is freed as a whole */
    g_free(buffer);
}

/* Random pieces, each sector once, in random order: the clusters handed out make up the image. */
static void test_random(void)
{
    for (unsigned round = 0; round < 30; round++) {
        unsigned sectors = (unsigned)g_test_rand_int_range(1, 5 * 128);
        size_t size = (size_t)sectors * 512;
        struct vma_assemble *a = vma_assemble_new(size, false);
        g_autofree uint8_t *want = g_malloc0(size), *got = g_malloc(size + CLUSTER);
        g_autofree bool *is_sent = g_new0(bool, sectors);
        memset(got, 0xee, size + CLUSTER);
        for (unsigned left = sectors; left;) {
            unsigned first = (unsigned)g_test_rand_int_range(0, (int)sectors);
            unsigned n = 0, max = (unsigned)g_test_rand_int_range(1, 129);
            while (n < max && first + n < sectors && !is_sent[first + n] && (first + n) / 128 == first / 128)
                is_sent[first + n++] = true;
            if (!n)
                continue;
            left -= n;
            uint64_t offset = (uint64_t)first * 512;
            uint8_t byte = (uint8_t)g_test_rand_int_range(0, 5), *buffer = byte ? make_buffer(byte) : NULL;
            uint8_t *data = buffer;
            memset(want + offset, byte, n * 512u);
            enum vma_put result = vma_assemble_put(a, offset, n * 512, &data);
            if (result == VMA_PUT_HELD && data)
                memcpy(got + offset / CLUSTER * CLUSTER, data, CLUSTER);
            else if (result == VMA_PUT_HELD)
                memset(got + offset / CLUSTER * CLUSTER, 0, CLUSTER);
            else
                g_assert_cmpint(result, ==, VMA_PUT_WAITING);
            if (result == VMA_PUT_HELD && buffer != data)
                g_free(buffer);
            g_free(data);
        }
        g_assert_true(vma_assemble_is_complete(a));
        g_assert_cmpmem(got, size, want, size);
        vma_assemble_free(a, release, NULL);
    }
}

static void test_bitmap(void)
{
    uint64_t n = ((uint64_t)1 << 32) - 3;
    g_autoptr(vma_bitmap) b = vma_bitmap_new(n);
    g_assert_cmpuint(vma_bitmap_next_clear(b, 0, n), ==, 0);
    g_assert_true(vma_bitmap_set(b, n - 1));
    g_assert_false(vma_bitmap_set(b, n - 1));
    g_assert_true(vma_bitmap_get(b, n - 1));
    g_assert_false(vma_bitmap_get(b, n - 2));
    g_assert_false(vma_bitmap_get(b, n));
    g_assert_cmpuint(vma_bitmap_next_clear(b, n - 1, UINT64_MAX), ==, n);
    for (unsigned i = 0; i < 300000; i++)
        vma_bitmap_set(b, i);
    g_assert_cmpuint(vma_bitmap_next_clear(b, 0, n), ==, 300000);
    g_assert_cmpuint(vma_bitmap_next_clear(b, 262143, n), ==, 300000);
    g_assert_cmpuint(vma_bitmap_next_clear(b, 5, 299990), ==, 299990);
    g_assert_cmpuint(vma_bitmap_count(b), ==, 300001);
}

static void test_fill(void)
{
    struct vma_assemble *a = vma_assemble_new(4 * CLUSTER - 512, false);
    uint8_t *data = put(a, CLUSTER, CLUSTER, 1, VMA_PUT_HELD);
    g_free(data);
    g_assert_null(put(a, 2 * CLUSTER + 512, 512, 2, VMA_PUT_WAITING));
    g_assert_cmpint(put_zeros(a, 3 * CLUSTER, 512, &data), ==, VMA_PUT_WAITING);
    g_assert_cmpuint(vma_assemble_fill(a, 0, &data), ==, 0);
    g_assert_null(data);
    g_assert_cmpuint(vma_assemble_fill(a, 0, &data), ==, 2); /* what had come of it stays, the rest is zero */
    assert_bytes(data, 512, 0);
    assert_bytes(data + 512, 512, 2);
    assert_bytes(data + 1024, CLUSTER - 1024, 0);
    g_free(data);
    g_assert_cmpuint(vma_assemble_fill(a, 2, &data), ==, 3);
    g_assert_null(data);
    g_assert_true(vma_assemble_is_complete(a));
    g_assert_cmpuint(vma_assemble_fill(a, 0, &data), ==, vma_assemble_clusters(a));
    n_released = 0;
    vma_assemble_free(a, release, NULL);
    g_assert_cmpuint(n_released, ==, 0);
}

/* Runs of absent clusters across words and pieces of the bitmap; what is held or partly there ends them. */
static void test_zeroes(void)
{
    const uint64_t n = 600000; /* more than one piece */
    struct vma_assemble *a = vma_assemble_new(n * CLUSTER, true);

    g_free(put(a, 100 * CLUSTER, CLUSTER, 1, VMA_PUT_HELD));
    g_assert_null(put(a, UINT64_C(400000) * CLUSTER, 4096, 1, VMA_PUT_WAITING));
    g_assert_cmpuint(vma_assemble_next_missing(a, 0), ==, 0);
    g_assert_cmpuint(vma_assemble_hold_zeroes(a, 3, 40), ==, 40);
    g_assert_cmpuint(vma_assemble_hold_zeroes(a, 3, 40), ==, 0);
    g_assert_cmpuint(vma_assemble_hold_zeroes(a, 43, n), ==, 57);
    g_assert_cmpuint(vma_assemble_next_missing(a, 3), ==, 101);
    g_assert_cmpuint(vma_assemble_hold_zeroes(a, 101, n - 101), ==, 400000 - 101);
    g_assert_cmpuint(vma_assemble_next_missing(a, 50), ==, 400000);
    g_assert_cmpuint(vma_assemble_hold_zeroes(a, 400001, n - 400001), ==, n - 400001);
    g_assert_cmpuint(vma_assemble_held(a), ==, n - 4);
    g_assert_cmpuint(vma_assemble_next_missing(a, 400001), ==, n);
    g_assert_false(vma_assemble_holds(a, 0, CLUSTER));
    g_assert_true(vma_assemble_holds(a, 3 * CLUSTER, UINT64_C(399997) * CLUSTER));
    vma_assemble_free(a, release, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/assemble/whole", test_whole);
    g_test_add_func("/assemble/parts", test_parts);
    g_test_add_func("/assemble/fill", test_fill);
    g_test_add_func("/assemble/zero-parts", test_zero_parts_make_a_zero_cluster);
    g_test_add_func("/assemble/tail", test_tail);
    g_test_add_func("/assemble/repeats", test_repeats);
    g_test_add_func("/assemble/twice", test_twice);
    g_test_add_func("/assemble/forgiven-part", test_forgiven_part_must_come_again);
    g_test_add_func("/assemble/crowded", test_crowded);
    g_test_add_func("/assemble/free-without-release", test_free_without_release);
    g_test_add_func("/assemble/random", test_random);
    g_test_add_func("/assemble/bitmap", test_bitmap);
    g_test_add_func("/assemble/zeroes", test_zeroes);
    return g_test_run();
}
