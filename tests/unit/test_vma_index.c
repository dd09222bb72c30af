// SPDX-License-Identifier: GPL-2.0-or-later
/* The index finds what a walk would hand out: held against the archive's own bytes, for orders and masks of
 * all kinds. */
#include "vma/index.h"

#include "base/error.h"
#include "unit/vma_samples.h"
#include "vma/page.h"

#define CLUSTERS 1100u
#define SIZE     ((CLUSTERS - 1) * VMA_CLUSTER_SIZE + 1536)

enum order { IN_ORDER, SHUFFLED };
enum content { ALL_DATA, ALL_ZERO, MIXED };

static uint8_t *make_cluster(enum content content, uint32_t number)
{
    uint8_t *cluster = g_malloc0(VMA_CLUSTER_SIZE);
    unsigned blocks = number == CLUSTERS - 1 ? 1 : VMA_BLOCKS_PER_CLUSTER;
    for (unsigned b = 0; b < blocks && content != ALL_ZERO; b++)
        if (content == ALL_DATA || g_test_rand_int_range(0, 3))
            memset(cluster + b * VMA_BLOCK_SIZE, 1 + (int)(number * 16 + b) % 255,
                   number == CLUSTERS - 1 ? 1536 : VMA_BLOCK_SIZE);
    return cluster;
}

static void make_archive(struct sample *s, uint8_t *image, enum order order, enum content content)
{
    uint32_t at[CLUSTERS];
    sample_start(s);
    int id = sample_device(s, "a", SIZE);
    sample_header(s);
    for (uint32_t i = 0; i < CLUSTERS; i++) {
        uint32_t j = order == SHUFFLED ? (uint32_t)g_test_rand_int_range(0, (gint32)i + 1) : i;
        at[i] = at[j];
        at[j] = i;
    }
    for (uint32_t i = 0; i < CLUSTERS; i++) {
        uint8_t *cluster = make_cluster(content, at[i]);
        memcpy(image + (size_t)at[i] * VMA_CLUSTER_SIZE, cluster, VMA_CLUSTER_SIZE);
        sample_cluster(s, id, at[i], cluster);
    }
    sample_end(s, VMA_END_COMPLETE);
}

/* Lends tables to the index. */
struct room {
    GPtrArray *tables;
    bool has_any;
};

static void *take_room(void *user, GError **error)
{
    struct room *room = user;
    if (!room->has_any) {
        g_set_error(error, VMB_ERROR, VMB_ERROR_FAILED, "no room");
        return NULL;
    }
    g_ptr_array_add(room->tables, g_malloc0(VMA_PAGE_TABLE_BYTES));
    return room->tables->pdata[room->tables->len - 1];
}

/* room: NULL, all is allocated; else nothing but a folder is. */
static struct vma_index *make_index_in(const struct sample *s, struct room *room, GError **error)
{
    struct vma_index *x = vma_index_new(s->header);
    if (room)
        vma_index_set_room(x, 0, take_room, room);
    uint64_t len, at = s->header->header_size;
    for (; at < s->bytes->len; at += len)
        if (!(len = vma_index_add(x, at, s->bytes->data + at, error)))
            break;
    if (at >= s->bytes->len && vma_index_end(x, at, error))
        return x;
    vma_index_free(x);
    return NULL;
}

static struct vma_index *make_index(const struct sample *s, GError **error)
{
    return make_index_in(s, NULL, error);
}

static void assert_equal(const struct sample *s, const struct vma_index *x, const uint8_t *image)
{
    for (uint64_t offset = 0; offset < SIZE;) {
        uint64_t asked = (uint64_t)g_test_rand_int_range(1, 300000), max = MIN(asked, SIZE - offset);
        struct vma_index_run run = vma_index_run(x, 1, offset, max);
        g_assert_true(run.len > 0 && run.len <= max);
        if (run.at)
            g_assert_cmpmem(s->bytes->data + run.at, run.len, image + offset, run.len);
        for (uint64_t i = 0; !run.at && i < run.len; i++)
            g_assert_cmpuint(image[offset + i], ==, 0);
        offset += run.len;
    }
}

static void test_finds(void)
{
    for (enum order order = IN_ORDER; order <= SHUFFLED; order++)
        for (enum content content = ALL_DATA; content <= MIXED; content++) {
            g_autofree uint8_t *image = g_malloc(CLUSTERS * VMA_CLUSTER_SIZE);
            g_autoptr(GError) error = NULL;
            struct sample s;
            make_archive(&s, image, order, content);
            g_autoptr(vma_index) x = make_index(&s, &error);
            g_assert_no_error(error);
            assert_equal(&s, x, image);
            sample_clear(&s);
        }
}

/* What is too much to be allocated is found elsewhere. */
static void test_lent(void)
{
    struct room room = {g_ptr_array_new_with_free_func(g_free), true};
    g_autofree uint8_t *image = g_malloc(CLUSTERS * VMA_CLUSTER_SIZE);
    g_autoptr(GError) error = NULL;
    struct sample s;
    make_archive(&s, image, SHUFFLED, MIXED);
    g_autoptr(vma_index) all = make_index(&s, &error), lent = make_index_in(&s, &room, &error);
    g_assert_no_error(error);
    assert_equal(&s, lent, image);
    g_assert_cmpuint(room.tables->len, >=, 1);
    g_assert_cmpuint(vma_index_bytes(lent), <, vma_index_bytes(all));
    room.has_any = false;
    g_assert_null(make_index_in(&s, &room, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    sample_clear(&s);
    g_clear_pointer(&lent, vma_index_free);
    g_ptr_array_unref(room.tables);
}

/* In order, full pages shrink to some bytes for each extent, zeros to next to nothing. */
static void test_small(void)
{
    struct vma_page p = {0};
    size_t bytes = 0;
    for (unsigned i = 0; i < VMA_PAGE_CLUSTERS; i++)
        bytes += vma_page_put(&p, i, 12800 + i * 65536 + i / 59 * 512, 0xffff);
    g_assert_cmpuint(bytes, <, 200);
    g_assert_cmpuint(vma_page_get(&p, 300).at, ==, 12800 + 300 * 65536 + 300 / 59 * 512);
    vma_page_clear(&p);
    bytes = 0;
    for (unsigned i = 0; i < VMA_PAGE_CLUSTERS; i++)
        bytes += vma_page_put(&p, i, 12800 + i / 59 * 512, 0);
    g_assert_cmpuint(bytes, <, 20);
    vma_page_clear(&p);
}

static void assert_refused(const struct sample *s, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(make_index(s, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, text));
}

static void test_damaged(void)
{
    struct sample s;
    sample_start(&s);
    int id = sample_device(&s, "a", 2 * VMA_CLUSTER_SIZE);
    sample_header(&s);
    sample_cluster(&s, id, 1, NULL);
    sample_flush(&s, id);
    guint second = s.bytes->len;
    sample_cluster(&s, id, 0, sample_fill(3));
    sample_end(&s, VMA_END_COMPLETE);
    g_autoptr(vma_index) good = make_index(&s, NULL);
    g_assert_nonnull(good);
    s.bytes->data[second + 100] ^= 1;
    assert_refused(&s, "checksum");
    s.bytes->data[second + 100] ^= 1;
    g_byte_array_remove_range(s.bytes, second - 512, 512);
    assert_refused(&s, "1 of its 2 clusters are missing");
    g_byte_array_set_size(s.bytes, s.bytes->len - 512);
    assert_refused(&s, "missing");
    sample_clear(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index/finds", test_finds);
    g_test_add_func("/index/lent", test_lent);
    g_test_add_func("/index/small", test_small);
    g_test_add_func("/index/damaged", test_damaged);
    return g_test_run();
}
