// SPDX-License-Identifier: GPL-2.0-or-later
/* Clusters in any order become chunks, with many buffers and few, with a store that is full or hangs. */
#include "unit/snapshot_rig.h"

#include <sys/resource.h>

static void run_whole(struct rig *r)
{
    rig_run(r);
    rig_commit(r);
    rig_check(r);
    g_assert_cmpuint(count_files(r->guest, ".partial"), ==, 0);
}

/* Jobs and the guest bring clusters in any order; then the last snapshot's chunks are known. */
static void test_any_order(struct store_fixture *f, gconstpointer data)
{
    struct rig r;
    unsigned n_chunks;

    rig_up(&r, f, 1000, 1 << 30);
    run_whole(&r);
    g_assert_cmpuint(snapshot_target_new_bytes(r.sink), >, 0);
    g_assert_cmpuint(r.most_spooled, ==, 0);
    for (unsigned i = 0; i < DRIVES; i++) /* a fifth, the chunks without data, and the rest a third */
        g_assert_cmpuint(writer_lane_zero_bytes(r.lanes[i]), >, DRIVE_BYTES / 3);
    rig_down(&r);
    n_chunks = count_files(f->dir, ".cacnk");

    rig_up(&r, f, 1000, 1 << 30);
    r.is_in_order = true;
    run_whole(&r);
    g_assert_true(g_str_has_suffix(r.path, "2025-11-30T08:10:20Z-2"));
    g_assert_cmpuint(snapshot_target_new_bytes(r.sink), ==, 0);
    rig_down(&r);
    g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, n_chunks);
}

/* As many open chunks as there are, and not a buffer for each. */
static void test_few_buffers(struct store_fixture *f, gconstpointer data)
{
    static const unsigned buffers[] = {1, 2, 5, 20, 200, 220};
    struct rig r;

    for (unsigned i = 0; i < G_N_ELEMENTS(buffers); i++) {
        rig_up(&r, f, buffers[i], 1 << 30);
        run_whole(&r);
        if (buffers[i] <= 20)
            g_assert_cmpuint(r.most_spooled, >, 0);
        g_assert_cmpuint(writer_spool_used(r.writer), ==, 0);
        g_assert_true(writer_is_drained(r.writer));
        rig_down(&r);
    }
}

static void test_lengths_of_ram(struct store_fixture *f, gconstpointer data)
{
    static const uint64_t lengths[] = {1, 65535, 65536, BIG_CHUNK - 1, BIG_CHUNK, BIG_CHUNK + 1, 3 * BIG_CHUNK - 65536};
    struct rig r;

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        rig_up(&r, f, 300, 1 << 30);
        r.ram_bytes = lengths[i];
        run_whole(&r);
        rig_down(&r);
    }
}

/* Of a drive that is dropped nothing stays but its chunks; it comes anew, or not at all. */
static void test_drop(struct store_fixture *f, gconstpointer data)
{
    struct rig r;

    for (unsigned buffers = 20; buffers <= 420; buffers += 400) {
        rig_up(&r, f, buffers, 1 << 30);
        r.is_held_back = true;
        for (unsigned i = 0; i < 90; i++) {
            while (!give_drive(&r, 0)) {
                writer_flush(r.writer);
                uv_run(&r.loop, UV_RUN_ONCE);
            }
            give_drive(&r, 1);
            give_ram(&r);
        }
        make_image(r.images[0], 0, 1);
        r.next[0] = 0;
        writer_drop_lane(r.lanes[0]);
        r.is_left_out[1] = r.is_ram_left_out = true;
        writer_drop_lane(r.lanes[1]);
        writer_drop_lane(r.ram);
        r.is_held_back = false;
        g_assert_cmpuint(writer_lane_zero_bytes(r.lanes[1]), ==, 0);
        run_whole(&r);
        rig_down(&r);
    }
}

/* At any moment: buffers come back (rig_down), and nothing is left but chunks. */
static void test_cancel(struct store_fixture *f, gconstpointer data)
{
    struct rig r;

    for (unsigned turns = 0; turns < 40; turns += 3) {
        rig_up(&r, f, turns % 2 ? 20 : 400, 1 << 30);
        feed(&r);
        for (unsigned i = 0; i < turns; i++)
            uv_run(&r.loop, UV_RUN_NOWAIT);
        sink_abort(r.sink, false);
        rig_down(&r);
        g_assert_cmpuint(count_files(f->dir, ".partial"), ==, 0);
        g_assert_cmpuint(count_files(f->dir, ".caibx"), ==, 0);
    }
}

/* At once, but for the chunk of which something else has come. */
static void test_long_zeroes(struct store_fixture *f, gconstpointer data)
{
    const uint32_t alone = PER_CHUNK + 5;
    struct rig r;

    rig_up(&r, f, 300, 1 << 30);
    memset(r.images[0], 0, CLUSTERS * (size_t)VMA_CLUSTER_SIZE);
    memset(r.images[0] + (size_t)alone * VMA_CLUSTER_SIZE, 7, VMA_CLUSTER_SIZE);
    r.is_in_order = true;
    r.next[0] = alone;
    g_assert_true(give_drive(&r, 0));
    writer_add_zeroes(r.lanes[0], 0, alone);
    writer_add_zeroes(r.lanes[0], alone + 1, CLUSTERS - alone - 1);
    r.next[0] = CLUSTERS;
    g_assert_cmpuint(writer_lane_zero_bytes(r.lanes[0]), ==, (CLUSTERS - 1) * (uint64_t)VMA_CLUSTER_SIZE);
    run_whole(&r);
    rig_down(&r);
}

static void flush_now(uv_timer_t *timer)
{
    writer_flush(((struct rig *)timer->data)->writer);
}

/* The spool is full of what waits for the rest of its chunks: nothing can move any more. */
static void test_stuck(struct store_fixture *f, gconstpointer data)
{
    struct rig r;
    uv_timer_t tick = {.data = &r};

    rig_up(&r, f, 20, 10 * VMA_CLUSTER_SIZE);
    uv_timer_init(&r.loop, &tick);
    uv_timer_start(&tick, flush_now, 20, 20);
    rig_run(&r);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(r.error->message, "--spool"));
    uv_close((uv_handle_t *)&tick, NULL);
    rig_down(&r);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = MIN(bytes, limit.rlim_max);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

/* Nothing comes back from a spool whose disk takes nothing, however often it is tried. */
static void test_stuck_by_the_disk(struct store_fixture *f, gconstpointer data)
{
    struct rig r;
    uv_timer_t tick = {.data = &r};

    rig_up(&r, f, 20, 1 << 30);
    uv_timer_init(&r.loop, &tick);
    uv_timer_start(&tick, flush_now, 20, 20);
    limit_files(VMA_CLUSTER_SIZE); /* the chunks are smaller */
    rig_run(&r);
    limit_files(RLIM_INFINITY);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(r.error->message, "takes nothing"));
    g_assert_cmpuint(r.n_spool_errors, ==, 1);
    uv_close((uv_handle_t *)&tick, NULL);
    rig_down(&r);
}

/* No chunk finds room: all of it waits, in the spool where buffers are few, and goes on by itself. */
static void test_full(struct store_fixture *f, gconstpointer data)
{
    struct rig r;

    rig_up(&r, f, 1000, 1 << 30);
    limit_files(100);
    feed(&r);
    while (!r.n_full)
        uv_run(&r.loop, UV_RUN_DEFAULT);
    g_assert_no_error(r.error);
    g_assert_false(r.is_written);
    limit_files(RLIM_INFINITY);
    run_whole(&r);
    g_assert_cmpuint(r.n_full, ==, 1);
    g_assert_cmpuint(r.n_room_again, ==, 1);
    rig_down(&r);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* A drive, or a RAM stream, whose index no memory holds: it fails, and takes what comes no more. */
static void test_too_large(struct store_fixture *f, gconstpointer data)
{
    struct rig r;

    rig_up(&r, f, 300, 1 << 30);
    feed(&r);
    writer_set_size(r.lanes[1], UINT64_C(1) << 62);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_nonnull(strstr(r.error->message, "larger chunks"));
    writer_add(r.lanes[1], 5, pool_take(r.pool, POOL_FOR_GUEST));
    writer_add_zeroes(r.lanes[1], 6, 1000);
    writer_drop_lane(r.lanes[1]);
    sink_abort(r.sink, false);
    rig_down(&r);
}

/* Chunks that cannot be written for another reason than room end it. */
static void test_broken(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *chunks = g_build_filename(f->dir, "chunks.castr", NULL), *command = NULL;
    g_autofree char *temporary = g_build_filename(chunks, "tmp", NULL);
    struct rig r;

    rig_up(&r, f, 300, 1 << 30);
    command = g_strdup_printf("rm -rf '%s' && touch '%s'", temporary, temporary);
    g_assert_cmpint(system(command), ==, 0);
    rig_run(&r);
    g_assert_error(r.error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_false(r.is_written);
    sink_abort(r.sink, false);
    rig_down(&r);
    g_assert_cmpuint(count_files(f->dir, ".caibx"), ==, 0);
}

/* What was set aside is written anew, even where the last snapshot names it. */
static void test_heals(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *chunks = g_build_filename(f->dir, "chunks.castr", NULL), *command = NULL;
    struct rig r;

    rig_up(&r, f, 1000, 0);
    run_whole(&r);
    rig_down(&r);
    command = g_strdup_printf("find '%s' -name '*.cacnk' -delete", chunks);
    g_assert_cmpint(system(command), ==, 0);
    rig_up(&r, f, 1000, 0);
    run_whole(&r);
    rig_down(&r);
}

/* The next run takes away what a dead one has left, unless somebody is at work in the store. */
static void test_leftovers(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *dead = g_build_filename(f->dir, "web-01", ".2026-01-01T00:00:00Z-dead.partial", NULL);
    struct rig r;

    g_assert_cmpint(g_mkdir_with_parents(dead, 0700), ==, 0);
    rig_up(&r, f, 1000, 0);
    g_assert_true(g_file_test(dead, G_FILE_TEST_IS_DIR)); /* the fixture holds the lock */
    run_whole(&r);
    rig_down(&r);
    g_clear_pointer(&f->store, store_free);
    rig_up(&r, f, 1000, 0);
    g_assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));
    f->store = store_open(f->dir, STORE_SHARED, NULL);
    run_whole(&r);
    rig_down(&r);
}

#define TEST(path, function)                                                                                           \
    g_test_add("/snapshot-writer/" path, struct store_fixture, GUINT_TO_POINTER(BIG_CHUNK), store_up, function,        \
               store_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("any-order", test_any_order);
    TEST("few-buffers", test_few_buffers);
    TEST("lengths-of-ram", test_lengths_of_ram);
    TEST("long-zeroes", test_long_zeroes);
    TEST("drop", test_drop);
    TEST("cancel", test_cancel);
    TEST("stuck", test_stuck);
    TEST("stuck-by-the-disk", test_stuck_by_the_disk);
    TEST("full", test_full);
    TEST("too-large", test_too_large);
    TEST("broken", test_broken);
    TEST("heals", test_heals);
    TEST("leftovers", test_leftovers);
    return g_test_run();
}
