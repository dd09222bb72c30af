// SPDX-License-Identifier: GPL-2.0-or-later
/* Of a drive only what has changed comes; the rest is as it was in an earlier snapshot. */
#include "unit/snapshot_rig.h"

static struct chunk_index *index_of(const char *path, const char *drive)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(snapshot) s = snapshot_load(path, &error);
    struct chunk_index *x;

    g_assert_no_error(error);
    x = snapshot_load_index(s, snapshot_find_device(s, drive), &error);
    g_assert_no_error(error);
    return x;
}

static char *first_snapshot(struct store_fixture *f)
{
    struct rig r;
    char *path;

    rig_up(&r, f, 1000, 1 << 30);
    rig_run(&r);
    rig_commit(&r);
    rig_check(&r);
    path = g_strdup(r.path);
    rig_down(&r);
    return path;
}

static bool is_dirty(unsigned chunk)
{
    return chunk == 0 || chunk == 5 || chunk == 14 || chunk == CLUSTERS / PER_CHUNK;
}

/* One cluster of each has changed. */
static void change(struct rig *r)
{
    for (unsigned c = 0; c < CLUSTERS; c += PER_CHUNK)
        if (is_dirty(c / PER_CHUNK))
            memset(r->images[0] + (size_t)c * VMA_CLUSTER_SIZE, 0x77, 512);
}

static void give(struct rig *r, unsigned cluster)
{
    const uint8_t *from = r->images[0] + (size_t)cluster * VMA_CLUSTER_SIZE;
    uint8_t *data = NULL;

    while (!vma_is_zero(from, VMA_CLUSTER_SIZE) && !(data = pool_take(r->pool, POOL_FOR_GUEST))) {
        writer_flush(r->writer);
        uv_run(&r->loop, UV_RUN_ONCE);
    }
    if (data)
        memcpy(data, from, VMA_CLUSTER_SIZE);
    writer_add(r->lanes[0], cluster, data);
}

/* The job brings whole chunks, the filter any cluster: of those that are whole in the end none comes twice. */
static void give_changes(struct rig *r)
{
    for (unsigned c = 0; c < CLUSTERS; c++)
        if (!is_dirty(c / PER_CHUNK) && c % PER_CHUNK && c % 3)
            give(r, c);
    for (unsigned c = CLUSTERS; c-- > 0;)
        if (is_dirty(c / PER_CHUNK))
            give(r, c);
    r->next[0] = CLUSTERS;
}

/* With many buffers and few; what the filter brings afterwards is dropped. */
static void test_keep(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *before = first_snapshot(f);
    g_autoptr(chunk_index) base = index_of(before, "d0"), after = NULL;
    static const unsigned buffers[] = {6, 30, 1000};

    for (unsigned i = 0; i < G_N_ELEMENTS(buffers); i++) {
        struct rig r;
        rig_up(&r, f, buffers[i], 1 << 30);
        change(&r);
        r.is_held_back = true;
        snapshot_writer_set_base(r.lanes[0], base);
        snapshot_writer_set_bitmap(r.lanes[0], "vmb-0000000a");
        give_changes(&r);
        writer_keep(r.lanes[0], 0, CLUSTERS);
        give(&r, PER_CHUNK + 1);
        r.is_held_back = false;
        rig_run(&r);
        rig_commit(&r);
        rig_check(&r);
        g_assert_cmpuint(writer_spool_used(r.writer), ==, 0);
        g_clear_pointer(&after, chunk_index_free);
        after = index_of(r.path, "d0");
        for (uint64_t c = 0; c < base->n; c++)
            g_assert_cmpint(chunk_id_equal(&base->ids[c], &after->ids[c]), ==, !is_dirty((unsigned)c));
        rig_down(&r);
    }
}

/* Chunks that have become zeros, and come as such in one go, in the midst of others that have not changed. */
static void test_zeroes(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *before = first_snapshot(f);
    g_autoptr(chunk_index) base = index_of(before, "d0"), after = NULL;
    struct rig r;

    rig_up(&r, f, 1000, 1 << 30);
    r.is_held_back = true;
    snapshot_writer_set_base(r.lanes[0], base);
    memset(r.images[0] + 5u * BIG_CHUNK, 0, 2 * BIG_CHUNK);
    g_assert_false(chunk_index_is_zeros(base, 5));
    writer_add_zeroes(r.lanes[0], 5 * PER_CHUNK, 2 * PER_CHUNK);
    writer_keep(r.lanes[0], 0, CLUSTERS);
    writer_add_zeroes(r.lanes[0], 0, PER_CHUNK); /* too late: it is kept */
    r.next[0] = CLUSTERS;
    r.is_held_back = false;
    rig_run(&r);
    rig_commit(&r);
    rig_check(&r);
    after = index_of(r.path, "d0");
    g_assert_true(chunk_index_is_zeros(after, 5) && chunk_index_is_zeros(after, 6));
    g_assert_true(chunk_id_equal(&after->ids[0], &base->ids[0]));
    rig_down(&r);
}

static void test_bitmap(struct store_fixture *f, gconstpointer data)
{
    struct rig r;
    g_autoptr(snapshot) s = NULL;

    rig_up(&r, f, 1000, 1 << 30);
    snapshot_writer_set_bitmap(r.lanes[0], "vmb-0000000a");
    snapshot_writer_set_bitmap(r.lanes[1], "vmb-0000000b");
    snapshot_writer_set_bitmap(r.lanes[1], NULL);
    rig_run(&r);
    rig_commit(&r);
    s = snapshot_load(r.path, NULL);
    g_assert_cmpstr(snapshot_find_device(s, "d0")->bitmap, ==, "vmb-0000000a");
    g_assert_cmpstr(snapshot_find_device(s, "d1")->bitmap, ==, NULL);
    rig_down(&r);
}

/* A drive that is dropped has lost what was kept, too. */
static void test_drop(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *before = first_snapshot(f);
    g_autoptr(chunk_index) base = index_of(before, "d0");
    struct rig r;

    rig_up(&r, f, 1000, 1 << 30);
    r.is_held_back = true;
    snapshot_writer_set_base(r.lanes[0], base);
    writer_keep(r.lanes[0], 0, CLUSTERS);
    make_image(r.images[0], 0, 1);
    writer_drop_lane(r.lanes[0]);
    r.is_held_back = false;
    rig_run(&r);
    rig_commit(&r);
    rig_check(&r);
    rig_down(&r);
}

static void test_has_all(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *before = first_snapshot(f), *path = NULL;
    g_autoptr(chunk_index) base = index_of(before, "d0");
    struct rig r;

    rig_up(&r, f, 1000, 1 << 30);
    g_assert_true(snapshot_target_has_all(r.sink, base));
    path = chunk_path(f, &base->ids[base->n - 1], ".cacnk");
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_false(snapshot_target_has_all(r.sink, base));
    sink_abort(r.sink, false);
    rig_down(&r);
}

#define TEST(path, function)                                                                                           \
    g_test_add("/snapshot-keep/" path, struct store_fixture, GUINT_TO_POINTER(BIG_CHUNK), store_up, function,          \
               store_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("keep", test_keep);
    TEST("zeroes", test_zeroes);
    TEST("bitmap", test_bitmap);
    TEST("drop", test_drop);
    TEST("has-all", test_has_all);
    return g_test_run();
}
