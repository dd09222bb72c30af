// SPDX-License-Identifier: GPL-2.0-or-later
/* What a walk hands out covers each byte of each device exactly once, whatever way the archive is split. */
#include "vma/walk.h"

#include "base/error.h"
#include "unit/vma_samples.h"

#define SIZE_A (70 * VMA_CLUSTER_SIZE + 1536)
#define SIZE_B (3 * VMA_CLUSTER_SIZE)
#define UNTOLD 0xee

/* What came out: data, zeros as 0, and what was never told as UNTOLD. */
struct copy {
    uint8_t *a, *b;
    unsigned calls, faults;
    unsigned stop_at; /* this call fails; 0: none */
};

static uint8_t *place(struct copy *c, int dev_id, uint64_t offset, uint64_t len)
{
    g_assert_cmpuint(offset + len, <=, dev_id == 1 ? SIZE_A : SIZE_B);
    return (dev_id == 1 ? c->a : c->b) + offset;
}

static bool on_data(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error)
{
    struct copy *c = user;
    uint8_t *to = place(c, dev_id, offset, len);
    for (size_t i = 0; i < len; i++)
        g_assert_cmpuint(to[i], ==, UNTOLD);
    memcpy(to, bytes, len);
    if (++c->calls != c->stop_at)
        return true;
    g_set_error_literal(error, VMB_ERROR, VMB_ERROR_TARGET, "stop");
    return false;
}

static bool on_zeroes(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error)
{
    uint8_t *to = place(user, dev_id, offset, len);
    for (size_t i = 0; i < len; i++)
        g_assert_cmpuint(to[i], ==, UNTOLD);
    memset(to, 0, len);
    return true;
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    ((struct copy *)user)->faults++;
}

static const struct vma_walk_ops ops = {NULL, on_data, on_zeroes, on_fault};

static void copy_start(struct copy *c)
{
    *c = (struct copy){memset(g_malloc(SIZE_A), UNTOLD, SIZE_A), memset(g_malloc(SIZE_B), UNTOLD, SIZE_B), 0, 0, 0};
}

static void copy_clear(struct copy *c)
{
    g_free(c->a);
    g_free(c->b);
}

/* Random blocks of the image, some zero; values from 1 to 200. */
static uint8_t *make_image(size_t size)
{
    uint8_t *image = g_malloc0(size);
    for (size_t at = 0; at < size; at += VMA_BLOCK_SIZE)
        if (g_test_rand_bit())
            memset(image + at, g_test_rand_int_range(1, 200), MIN(VMA_BLOCK_SIZE, size - at));
    return image;
}

static void add_clusters(struct sample *s, int id, const uint8_t *image, size_t size)
{
    uint32_t n = (uint32_t)((size + VMA_CLUSTER_SIZE - 1) / VMA_CLUSTER_SIZE), *order = g_new(uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = (uint32_t)g_test_rand_int_range(0, (gint32)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t at = (size_t)order[i] * VMA_CLUSTER_SIZE;
        uint8_t *cluster = g_malloc0(VMA_CLUSTER_SIZE);
        memcpy(cluster, image + at, MIN(VMA_CLUSTER_SIZE, size - at));
        sample_cluster(s, id, order[i], cluster);
    }
    g_free(order);
}

static void make_archive(struct sample *s, const uint8_t *a, const uint8_t *b)
{
    sample_start(s);
    int id_a = sample_device(s, "a", SIZE_A), id_b = sample_device(s, "b", SIZE_B);
    g_assert_true(id_a == 1 && id_b == 2);
    sample_header(s);
    add_clusters(s, id_a, a, SIZE_A);
    add_clusters(s, id_b, b, SIZE_B);
    sample_end(s, VMA_END_COMPLETE);
}

static bool walk(const GByteArray *bytes, size_t step, struct copy *c, GError **error)
{
    g_autoptr(vma_walk) w = vma_walk_new(&ops, c);
    for (size_t at = 0; at < bytes->len; at += step) {
        g_autofree uint8_t *piece = g_memdup2(bytes->data + at, MIN(step, bytes->len - at));
        if (!vma_walk_feed(w, piece, MIN(step, bytes->len - at), error))
            return false;
    }
    return vma_walk_end(w, error);
}

static void test_whole(void)
{
    static const size_t steps[] = {1 << 30, 262144, 5000, 511};
    g_autofree uint8_t *a = make_image(SIZE_A), *b = make_image(SIZE_B);
    struct sample s;
    make_archive(&s, a, b);
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(GError) error = NULL;
        struct copy c;
        copy_start(&c);
        g_assert_true(walk(s.bytes, steps[i], &c, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(c.faults, ==, 0);
        g_assert_cmpmem(c.a, SIZE_A, a, SIZE_A);
        g_assert_cmpmem(c.b, SIZE_B, b, SIZE_B);
        copy_clear(&c);
    }
    sample_clear(&s);
}

static void test_stopped(void)
{
    g_autofree uint8_t *a = make_image(SIZE_A), *b = make_image(SIZE_B);
    struct sample s;
    make_archive(&s, a, b);
    for (unsigned stop = 1; stop < 20; stop += 6) {
        g_autoptr(GError) error = NULL;
        struct copy c;
        copy_start(&c);
        c.stop_at = stop;
        g_assert_false(walk(s.bytes, 65536, &c, &error));
        g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
        g_assert_cmpuint(c.calls, ==, stop);
        copy_clear(&c);
    }
    sample_clear(&s);
}

/* A piece is missing whose length is known, at any place behind the header: all else comes, one device is
 * damaged. */
static void test_gap(void)
{
    g_autofree uint8_t *a = make_image(SIZE_A), *b = make_image(SIZE_B);
    struct sample s;
    make_archive(&s, a, b);
    for (size_t from = s.header->header_size; from + 70000 < s.bytes->len; from += 90001) {
        g_autoptr(GError) error = NULL;
        struct copy c;
        copy_start(&c);
        g_autoptr(vma_walk) w = vma_walk_new(&ops, &c);
        g_assert_true(vma_walk_feed(w, s.bytes->data, from, &error));
        g_assert_true(vma_walk_gap(w, 70000, "lost", &error));
        g_assert_true(vma_walk_feed(w, s.bytes->data + from + 70000, s.bytes->len - from - 70000, &error));
        g_assert_true(vma_walk_end(w, &error));
        g_assert_cmpuint(vma_walk_consumed(w), ==, s.bytes->len);
        g_assert_cmpuint(c.faults, >=, 1);
        struct vma_check_device d1 = vma_check_device(vma_walk_check(w), 1),
                                d2 = vma_check_device(vma_walk_check(w), 2);
        g_assert_true(d1.damaged || d2.damaged || d1.seen < d1.due || d2.seen < d2.due);
        for (size_t i = 0; i < SIZE_A; i++)
            g_assert_true(c.a[i] == a[i] || c.a[i] == UNTOLD);
        copy_clear(&c);
    }
    sample_clear(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walk/whole", test_whole);
    g_test_add_func("/walk/stopped", test_stopped);
    g_test_add_func("/walk/gap", test_gap);
    return g_test_run();
}
