// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clusters to an archive, by way of workers, sink and spool: a file, a FIFO whose reader stalls or goes, a
 * full target, a discard at any moment. What comes out is judged by vma_verify(); every buffer must come
 * back.
 */
#include "unit/writer_fixture.h"

/* --- a FIFO ------------------------------------------------------------------------------------- */

/* Reads a FIFO into a file, from its own thread. */
struct reader {
    int in, out;
    GThread *thread;
};

static gpointer read_fifo(gpointer data)
{
    struct reader *r = data;
    static char bytes[1 << 16];
    ssize_t n;

    fcntl(r->in, F_SETFL, 0); /* blocking from now on */
    while ((n = read(r->in, bytes, sizeof bytes)) > 0)
        g_assert_cmpint(write(r->out, bytes, n), ==, n);
    return NULL;
}

static char *make_fifo(struct fixture *f, struct reader *r)
{
    char *path = g_build_filename(f->dir, "fifo", NULL);

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    *r = (struct reader){.in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    r->out = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return path;
}

/* What stands in the spool goes through; the archive is good. */
static void read_to_the_end(struct reader *r, struct job *j)
{
    r->thread = g_thread_new("reader", read_fifo, r);
    run_to_the_end(j);
    g_thread_join(r->thread);
    close(r->in);
    close(r->out);
    must_be_good(j);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_file(struct fixture *f, gconstpointer spool_bytes)
{
    struct job j;

    job_up(&j, f, f->path, GPOINTER_TO_UINT(spool_bytes));
    run_to_the_end(&j);
    must_be_good(&j);
    g_assert_cmpuint(writer_lane_zero_bytes(j.lanes[0]), >=, 30 * VMA_CLUSTER_SIZE);
    job_down(&j);
}

static void test_stalled_reader(struct fixture *f, gconstpointer data)
{
    struct reader r;
    g_autofree char *fifo = make_fifo(f, &r);
    struct job j;

    job_up(&j, f, fifo, 64 << 20);
    feed(&j);
    while (!is_all_given(&j)) /* all of it goes into the spool and what buffers there are */
        uv_run(&f->loop, UV_RUN_ONCE);
    g_assert_cmpuint(j.most_spooled, >, f->is_packed ? 1 << 20 : 8 << 20);
    g_assert_cmpuint(sink_written(j.sink), <=, 1 << 20);
    read_to_the_end(&r, &j);
    job_down(&j);
}

/* The spool's own disk takes no more than 4 MiB: it counts as full, and nothing is lost or out of order. */
static void test_full_spool(struct fixture *f, gconstpointer data)
{
    struct reader r;
    g_autofree char *fifo = make_fifo(f, &r);
    struct job j;

    job_up(&j, f, fifo, 64 << 20);
    limit_files(4 << 20);
    feed(&j);
    while (!j.n_spool_errors)
        uv_run(&f->loop, UV_RUN_ONCE);
    limit_files(RLIM_INFINITY);
    read_to_the_end(&r, &j);
    g_assert_cmpuint(j.n_spool_errors, ==, 1);
    must_be_latest(&j);
    job_down(&j);
}

/* A spool that holds less than one extent is none: the buffers are the only room. */
static void test_tiny_spool(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 4096);
    run_to_the_end(&j);
    must_be_good(&j);
    job_down(&j);
}

static void test_full_target(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    limit_files(1 << 20);
    run_until_full(&j);
    g_assert_false(writer_is_drained(j.writer));
    limit_files(RLIM_INFINITY);
    run_to_the_end(&j);
    g_assert_cmpuint(j.n_full, ==, 1);
    g_assert_cmpuint(j.n_room_again, ==, 1);
    must_be_good(&j);
    job_down(&j);
}

static void test_full_target_given_up(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    limit_files(1 << 20);
    run_until_full(&j);
    job_down(&j);
    limit_files(RLIM_INFINITY);
}

static void test_error_is_told_once(struct fixture *f, gconstpointer data)
{
    struct reader r;
    g_autofree char *fifo = make_fifo(f, &r);
    struct job j;

    job_up(&j, f, fifo, 8 << 20);
    close(r.in); /* nobody reads any more: EPIPE */
    close(r.out);
    feed(&j);
    while (!j.n_errors)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < 10; i++)
        feed(&j); /* is dropped */
    uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpuint(j.n_errors, ==, 1);
    g_assert_error(j.error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_false(j.is_written);
    job_down(&j);
}

/* After each number of turns of the loop: sealing, spooling, writing, at the end mark. */
static void test_discard_at_any_time(struct fixture *f, gconstpointer data)
{
    for (unsigned turns = 0; turns < 40; turns++) {
        g_autofree char *path = g_strdup_printf("%s/%u.vma", f->dir, turns);
        struct job j;
        job_up(&j, f, path, turns % 2 ? 16 << 20 : 0);
        feed(&j);
        for (unsigned i = 0; i < turns && !j.is_written; i++)
            uv_run(&f->loop, UV_RUN_ONCE);
        job_down(&j);
    }
}

int main(int argc, char **argv)
{
    g_setenv("UV_THREADPOOL_SIZE", "8", TRUE);
    g_test_init(&argc, &argv, NULL);
#define ADD(path, data, test) g_test_add("/archive/writer/" path, struct fixture, data, fixture_up, test, fixture_down)
    ADD("file", GUINT_TO_POINTER(0), test_file);
    ADD("file-and-spool", GUINT_TO_POINTER(32 << 20), test_file);
    ADD("stalled-reader", NULL, test_stalled_reader);
    ADD("tiny-spool", NULL, test_tiny_spool);
    ADD("full-spool", NULL, test_full_spool);
    ADD("full-target", NULL, test_full_target);
    ADD("full-target-given-up", NULL, test_full_target_given_up);
    ADD("error-is-told-once", NULL, test_error_is_told_once);
    ADD("discard-at-any-time", NULL, test_discard_at_any_time);
#define ADD_PACKED(path, data, test)                                                                                   \
    g_test_add("/archive/writer/packed/" path, struct fixture, data, packed_fixture_up, test, fixture_down)
    ADD_PACKED("file", GUINT_TO_POINTER(0), test_file);
    ADD_PACKED("file-and-spool", GUINT_TO_POINTER(32 << 20), test_file);
    ADD_PACKED("stalled-reader", NULL, test_stalled_reader);
    ADD_PACKED("full-spool", NULL, test_full_spool);
    ADD_PACKED("full-target", NULL, test_full_target);
    ADD_PACKED("discard-at-any-time", NULL, test_discard_at_any_time);
    return g_test_run();
}
