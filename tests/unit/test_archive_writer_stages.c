// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writer's stages one by one, with what comes before and behind them held still: who waits for the spool and who
 * passes, what a full target gives back, whose dead place is used again.
 */
#include <signal.h>
#include "archive/writer_place.h"
#include "archive/writer_spool.h"
#include "unit/loop_fixture.h"

enum { DRIVES, RAM, OUT };

struct rig {
    struct fixture *f;
    struct writer_env env;
    struct extent_lane lanes[2]; /* a drive, and the RAM */
    GQueue queues[3];
    struct spool_stage spool;
    struct place_stage place;
    struct target_stage target;
    unsigned n_moved, n_failed, n_retries, n_full, n_room_again, n_spool_errors;
};

/* It stands for the writer that holds the stages. */
static struct rig *rig_of(struct writer *w)
{
    return (struct rig *)w;
}

static void on_moved(struct writer *w)
{
    rig_of(w)->n_moved++;
    uv_stop(&rig_of(w)->f->loop);
}

static void on_failed(struct writer *w, const GError *error)
{
    rig_of(w)->n_failed++;
}

static void on_retry(struct writer *w)
{
    rig_of(w)->n_retries++;
}

static void on_full(void *user, bool is_full)
{
    struct rig *r = user;

    *(is_full ? &r->n_full : &r->n_room_again) += 1;
}

static void on_spool_error(void *user, const GError *error)
{
    ((struct rig *)user)->n_spool_errors++;
}

static void rig_up(struct rig *r, struct fixture *f)
{
    *r = (struct rig){.f = f};
    r->env.loop = &f->loop;
    r->env.pool = pool_new(8, NULL); /* fewer are free than the spool wants to leave free */
    r->env.events = (struct writer_events){.on_full = on_full, .on_spool_error = on_spool_error};
    r->env.user = r;
    r->env.writer = (struct writer *)r;
    r->env.on_moved = on_moved;
    r->env.on_failed = on_failed;
    r->env.on_retry = on_retry;
    r->env.lanes = g_ptr_array_new();
    for (unsigned i = 0; i < G_N_ELEMENTS(r->lanes); i++) {
        r->lanes[i] = (struct extent_lane){.index = i, .is_vmstate = i == RAM};
        g_ptr_array_add(r->env.lanes, &r->lanes[i]);
    }
}

static void rig_down(struct rig *r)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(r->queues); i++)
        g_queue_clear_full(&r->queues[i], (GDestroyNotify)writer_item_free);
    g_assert_cmpuint(r->n_failed, ==, 0);
    g_ptr_array_unref(r->env.lanes);
    pool_free(r->env.pool);
}

/* As long as an extent of so many blocks, all of one byte. */
static void put(struct rig *r, unsigned lane, unsigned queue, unsigned blocks, uint8_t byte)
{
    size_t len = VMA_EXTENT_HEADER_SIZE + blocks * (size_t)VMA_BLOCK_SIZE;
    struct item *item = writer_item_new(&r->env, &r->lanes[lane], memset(g_malloc(len), byte, len), len);

    item->plain_len = 3 * VMA_EXTENT_HEADER_SIZE;
    g_queue_push_tail(&r->queues[queue], item);
}

static void wait(struct rig *r)
{
    unsigned n = r->n_moved;

    while (r->n_moved == n)
        uv_run(&r->f->loop, UV_RUN_DEFAULT);
}

static void must_be_next(struct rig *r, unsigned lane, uint8_t byte)
{
    struct item *item = g_queue_pop_head(&r->queues[OUT]);

    g_assert_nonnull(item);
    g_assert_true(item->lane == &r->lanes[lane]);
    g_assert_cmpuint(item->raw[0], ==, byte);
    g_assert_cmpuint(item->plain_len, ==, 3 * VMA_EXTENT_HEADER_SIZE);
    writer_item_free(item);
}

/* --- spool -------------------------------------------------------------------------------------- */

static void spool_up(struct rig *r, struct fixture *f, uint64_t bytes, uint64_t guest_reserve)
{
    g_autoptr(GError) error = NULL;

    rig_up(r, f);
    r->spool = (struct spool_stage){.env = &r->env, .in = r->queues, .out = &r->queues[OUT]};
    r->spool.spool = spool_open(&f->loop, "/var/tmp", bytes, &error);
    g_assert_no_error(error);
    r->spool.guest_reserve = guest_reserve;
}

static void spool_down(struct rig *r)
{
    g_assert_true(writer_spool_is_empty(&r->spool));
    spool_close(r->spool.spool);
    rig_down(r);
}

static void push(struct rig *r)
{
    writer_spool_next(&r->spool);
    wait(r);
}

static void pop(struct rig *r)
{
    writer_spool_pop(&r->spool);
    wait(r);
}

/* What stands before them goes straight, since the target has nothing to do. */
static void keep_target_busy(struct rig *r)
{
    put(r, DRIVES, DRIVES, 1, 'a');
    writer_spool_next(&r->spool);
    g_assert_cmpuint(r->queues[OUT].length, ==, 1);
    g_assert_true(writer_spool_is_empty(&r->spool));
}

static void test_guest_reserve(struct fixture *f, gconstpointer data)
{
    struct rig r;

    spool_up(&r, f, 1 << 20, 900 << 10);
    keep_target_busy(&r);
    put(&r, RAM, RAM, 40, 'r');
    put(&r, DRIVES, DRIVES, 40, 'b');
    push(&r);
    writer_spool_next(&r.spool);
    g_assert_cmpuint(spool_records(r.spool.spool), ==, 1);
    g_assert_cmpuint(r.queues[RAM].length, ==, 1);
    must_be_next(&r, DRIVES, 'a');
    pop(&r);
    must_be_next(&r, DRIVES, 'b');
    writer_spool_next(&r.spool);
    must_be_next(&r, RAM, 'r');
    spool_down(&r);
}

static void test_records_of_a_dropped_lane(struct fixture *f, gconstpointer data)
{
    struct rig r;

    spool_up(&r, f, 1 << 20, 0);
    keep_target_busy(&r);
    put(&r, DRIVES, DRIVES, 2, 'b');
    push(&r);
    put(&r, RAM, RAM, 1, 'r');
    push(&r);
    r.lanes[DRIVES].generation++;
    put(&r, DRIVES, DRIVES, 2, 'c');
    push(&r);
    must_be_next(&r, DRIVES, 'a');
    pop(&r);
    g_assert_cmpuint(r.queues[OUT].length, ==, 0);
    pop(&r);
    pop(&r);
    must_be_next(&r, RAM, 'r');
    must_be_next(&r, DRIVES, 'c');
    spool_down(&r);
}

static void test_full_disk(struct fixture *f, gconstpointer data)
{
    struct rig r;

    spool_up(&r, f, 1 << 20, 0);
    keep_target_busy(&r);
    put(&r, DRIVES, DRIVES, 40, 'b');
    put(&r, DRIVES, DRIVES, 1, 'c');
    limit_files(100 << 10);
    push(&r);
    limit_files(RLIM_INFINITY);
    g_assert_cmpuint(r.n_spool_errors, ==, 1);
    g_assert_cmpuint(r.n_retries, ==, 1);
    writer_spool_next(&r.spool); /* not yet, and nothing goes past it */
    g_assert_true(writer_spool_is_empty(&r.spool));
    g_assert_cmpuint(r.queues[DRIVES].length, ==, 2);
    r.spool.retry_ms = 0;
    push(&r);
    push(&r);
    must_be_next(&r, DRIVES, 'a');
    pop(&r);
    pop(&r);
    must_be_next(&r, DRIVES, 'b');
    must_be_next(&r, DRIVES, 'c');
    spool_down(&r);
}

/* --- place and target --------------------------------------------------------------------------- */

static void place_up(struct rig *r, struct fixture *f)
{
    g_autoptr(GError) error = NULL;

    rig_up(r, f);
    r->env.sink = sink_open(&f->loop, f->path, NULL, &error);
    g_assert_no_error(error);
    r->target.env = &r->env;
    r->place = (struct place_stage){.env = &r->env, .target = &r->target, .in = &r->queues[OUT]};
    r->place.layout = vma_layout_new();
    for (unsigned i = 0; i < G_N_ELEMENTS(r->lanes); i++)
        vma_layout_add_lane(r->place.layout, r->lanes[i].is_vmstate);
}

static void place_down(struct rig *r)
{
    g_assert_true(writer_place_is_empty(&r->place));
    g_assert_false(writer_place_next(&r->place));
    sink_free(r->env.sink);
    vma_layout_free(r->place.layout);
    rig_down(r);
}

static void write_out(struct rig *r)
{
    g_assert_true(writer_place_next(&r->place));
    wait(r);
}

static void drop_drive(struct rig *r)
{
    r->lanes[DRIVES].generation++;
    writer_item_free_stale(&r->queues[OUT]);
    writer_place_drop(&r->place, &r->lanes[DRIVES]);
}

/* Where a dropped one stood, if it is not the RAM's, whose order is kept. */
static void test_dead_place(struct fixture *f, gconstpointer data)
{
    const unsigned len = VMA_EXTENT_HEADER_SIZE + 8 * VMA_BLOCK_SIZE;
    g_autofree char *bytes = NULL;
    gsize n;
    struct rig r;

    place_up(&r, f);
    put(&r, DRIVES, OUT, 8, 'a');
    write_out(&r);
    drop_drive(&r);
    put(&r, RAM, OUT, 8, 'r');
    write_out(&r);
    put(&r, DRIVES, OUT, 8, 'b');
    write_out(&r);
    g_assert_true(g_file_get_contents(f->partial, &bytes, &n, NULL));
    g_assert_cmpuint(n, ==, 2 * len);
    g_assert_cmpint(bytes[0], ==, 'b');
    g_assert_cmpint(bytes[len], ==, 'r');
    place_down(&r);
}

static void fill_target(struct rig *r, struct fixture *f)
{
    place_up(r, f);
    put(r, DRIVES, OUT, 200, 'a');
    put(r, DRIVES, OUT, 200, 'b');
    limit_files(1 << 20);
}

/* All that was to be written at once is ready again, but what was dropped meanwhile. */
static void test_full_target(struct fixture *f, gconstpointer data)
{
    struct rig r;

    fill_target(&r, f);
    put(&r, RAM, OUT, 1, 'r');
    g_assert_true(writer_place_next(&r.place));
    drop_drive(&r);
    wait(&r);
    limit_files(RLIM_INFINITY);
    g_assert_cmpuint(r.n_full, ==, 1);
    g_assert_cmpuint(r.n_retries, ==, 1);
    g_assert_cmpuint(r.queues[OUT].length, ==, 1);
    g_assert_true(writer_place_next(&r.place)); /* it waits */
    g_assert_false(r.target.is_busy);
    writer_target_try_again(&r.target, true);
    write_out(&r);
    g_assert_cmpuint(r.n_room_again, ==, 1);
    g_assert_cmpuint(vma_layout_end(r.place.layout), ==, VMA_EXTENT_HEADER_SIZE + VMA_BLOCK_SIZE);
    g_assert_cmpuint(sink_written(r.env.sink), ==, VMA_EXTENT_HEADER_SIZE + VMA_BLOCK_SIZE);
    place_down(&r);
}

static void test_nothing_waits_for_room(struct fixture *f, gconstpointer data)
{
    struct rig r;

    fill_target(&r, f);
    write_out(&r);
    limit_files(RLIM_INFINITY);
    drop_drive(&r);
    writer_target_try_again(&r.target, !writer_place_is_empty(&r.place));
    g_assert_cmpuint(r.n_room_again, ==, 1);
    place_down(&r);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
#define ADD(path, test) g_test_add("/archive/writer/stages/" path, struct fixture, NULL, fixture_up, test, fixture_down)
    ADD("spool/guest-reserve", test_guest_reserve);
    ADD("spool/records-of-a-dropped-lane", test_records_of_a_dropped_lane);
    ADD("spool/full-disk", test_full_disk);
    ADD("place/dead-place", test_dead_place);
    ADD("place/full-target", test_full_target);
    ADD("place/nothing-waits-for-room", test_nothing_waits_for_room);
    return g_test_run();
}
