// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives taken out of the archive again and filled anew, at any moment of their way: the archive is good in the
 * end, holds what came last, and no more than that.
 */
#include "unit/writer_fixture.h"

static void drop(struct job *j, unsigned drive, bool is_for_ever)
{
    j->generation[drive]++;
    j->next[drive] = 0;
    j->is_left_out[drive] = is_for_ever;

    writer_drop_lane(j->lanes[drive]);
    if (j->is_left_out[drive])
        g_assert_cmpuint(writer_lane_zero_bytes(j->lanes[drive]), ==, 0);
}

static void drop_vast(struct job *j)
{
    j->next_vast = 0;
    writer_drop_lane(j->vast);
}

static void turn(struct job *j, unsigned turns)
{
    for (unsigned i = 0; i < turns && !j->is_finish_asked; i++)
        uv_run(&j->f->loop, UV_RUN_ONCE);
}

static uint64_t archive_length(const struct fixture *f)
{
    struct stat st;

    g_assert_cmpint(stat(f->path, &st), ==, 0);
    return st.st_size;
}

/* Without any drop. */
static uint64_t usual_length(struct fixture *f)
{
    struct job j;
    uint64_t length;

    job_up(&j, f, f->path, 0);
    run_to_the_end(&j);
    length = archive_length(f);
    job_down(&j);
    g_assert_cmpint(g_remove(f->path), ==, 0);
    return length;
}

static void test_at_any_time(struct fixture *f, gconstpointer spool_bytes)
{
    uint64_t usual = usual_length(f);

    for (unsigned turns = 0; turns < 14; turns++) {
        struct job j;
        job_up(&j, f, f->path, GPOINTER_TO_UINT(spool_bytes));
        feed(&j);
        turn(&j, turns);
        if (turns % 2 && !j.is_finish_asked)
            drop_vast(&j);
        for (unsigned i = 0; i <= turns % 3 && !j.is_finish_asked; i++) {
            drop(&j, (turns + i) % DRIVES, false);
            turn(&j, turns % 5);
        }
        run_to_the_end(&j);
        must_be_good(&j);
        must_be_latest(&j);
        if (!f->is_packed) /* small gaps, extents flushed early; packed, what is dead stays as skippable frames */
            g_assert_cmpuint(archive_length(f), <=, usual + usual / 10);
        job_down(&j);
        g_assert_cmpint(g_remove(f->path), ==, 0);
    }
}

static void test_for_ever(struct fixture *f, gconstpointer data)
{
    uint64_t usual = usual_length(f);
    struct job j;

    job_up(&j, f, f->path, 0);
    feed(&j);
    while (sink_written(j.sink) < usual / 2)
        turn(&j, 1);
    drop(&j, 0, true);
    drop(&j, 3, true);
    drop(&j, 4, false);
    run_to_the_end(&j);
    must_be_good(&j);
    must_be_latest(&j);
    if (!f->is_packed)
        g_assert_cmpuint(archive_length(f), <, usual - usual / 12);
    job_down(&j);
}

/* What waits for room has room now: where the dropped drive stood. */
static void test_full_target(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    limit_files(f->is_packed ? 1 << 20 : 8 << 20);
    j.is_finish_asked = true; /* not before all are dropped */
    run_until_full(&j);
    j.is_finish_asked = false;
    for (unsigned i = 0; i < DRIVES; i++)
        drop(&j, i, false);
    limit_files(RLIM_INFINITY);
    run_to_the_end(&j);
    g_assert_cmpuint(j.n_room_again, >=, 1);
    must_be_good(&j);
    must_be_latest(&j);
    job_down(&j);
}

/* Nothing is left that waits: so the target is not full any more, and drives need not stand still for it. */
static void test_all_that_waited_is_dropped(struct fixture *f, gconstpointer data)
{
    struct job j;

    limit_files(1 << 20);
    job_up(&j, f, f->path, 0);
    run_until_full(&j);
    j.next_ram = RAM_CLUSTERS;
    j.is_finish_asked = true;
    for (unsigned i = 0; i < DRIVES; i++)
        drop(&j, i, true);
    writer_drop_lane(j.ram);
    while (!j.n_room_again)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_true(writer_is_drained(j.writer));
    limit_files(RLIM_INFINITY);
    job_down(&j);
}

/* The stream was given up; what of it stands in the file goes. */
static void test_ram(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    feed(&j);
    while (sink_written(j.sink) < (f->is_packed ? 2 << 20 : 16 << 20))
        turn(&j, 1);
    j.next_ram = 0;
    writer_drop_lane(j.ram);
    run_to_the_end(&j);
    must_be_good(&j);
    must_be_latest(&j);
    job_down(&j);
}

static void test_discard_while_closing_up(struct fixture *f, gconstpointer data)
{
    for (unsigned turns = 0; turns < 16; turns++) {
        g_autofree char *path = g_strdup_printf("%s/%u.vma", f->dir, turns);
        struct job j;
        job_up(&j, f, path, 0);
        feed(&j);
        while (sink_written(j.sink) < (f->is_packed ? 2 << 20 : 16 << 20))
            turn(&j, 1);
        drop(&j, turns % DRIVES, true);
        while (!j.is_finish_asked)
            uv_run(&f->loop, UV_RUN_ONCE);
        for (unsigned i = 0; i < turns && !j.is_written; i++)
            uv_run(&f->loop, UV_RUN_ONCE);
        job_down(&j);
    }
}

static void test_not_on_a_pipe(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, "|cat >/dev/null", 0);
    g_assert_false(writer_can_drop(j.writer));
    job_down(&j);
    job_up(&j, f, f->path, 0);
    g_assert_true(writer_can_drop(j.writer));
    job_down(&j);
}

int main(int argc, char **argv)
{
    g_setenv("UV_THREADPOOL_SIZE", "8", TRUE);
    g_test_init(&argc, &argv, NULL);
#define ADD(path, data, test)                                                                                          \
    g_test_add("/archive/writer/drop/" path, struct fixture, data, fixture_up, test, fixture_down)
    ADD("at-any-time", GUINT_TO_POINTER(0), test_at_any_time);
    ADD("at-any-time-with-a-spool", GUINT_TO_POINTER(32 << 20), test_at_any_time);
    ADD("for-ever", NULL, test_for_ever);
    ADD("full-target", NULL, test_full_target);
    ADD("all-that-waited-is-dropped", NULL, test_all_that_waited_is_dropped);
    ADD("ram", NULL, test_ram);
    ADD("discard-while-closing-up", NULL, test_discard_while_closing_up);
    ADD("not-on-a-pipe", NULL, test_not_on_a_pipe);
#define ADD_PACKED(path, data, test)                                                                                   \
    g_test_add("/archive/writer/drop/packed/" path, struct fixture, data, packed_fixture_up, test, fixture_down)
    ADD_PACKED("at-any-time", GUINT_TO_POINTER(0), test_at_any_time);
    ADD_PACKED("at-any-time-with-a-spool", GUINT_TO_POINTER(32 << 20), test_at_any_time);
    ADD_PACKED("for-ever", NULL, test_for_ever);
    ADD_PACKED("full-target", NULL, test_full_target);
    ADD_PACKED("ram", NULL, test_ram);
    ADD_PACKED("discard-while-closing-up", NULL, test_discard_while_closing_up);
    return g_test_run();
}
