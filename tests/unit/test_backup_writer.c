// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clusters to an archive, by way of workers, sink and spool: a file, a FIFO whose reader stalls or goes, a
 * full target, a discard at any moment. What comes out is judged by vma_verify(); every buffer must come
 * back.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backup/writer.h"
#include "base/error.h"
#include "vma/header.h"
#include "vma/verify.h"

#define DEADLINE_MS    60000
#define DRIVES         6
#define DRIVE_BYTES    (150 * (uint64_t)VMA_CLUSTER_SIZE - 1024) /* 150 clusters, the last one is short */
#define RAM_CLUSTERS   400
#define RAM_BYTES      (RAM_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE - 77)
#define BUFFERS        320
#define DRIVE_CLUSTERS 150

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    char *dir, *path; /* DIR/x.vma */
};

static void on_deadline(uv_timer_t *timer)
{
    g_error("waited too long");
}

static void fixture_up(struct fixture *f, gconstpointer data)
{
    g_assert_cmpint(uv_loop_init(&f->loop), ==, 0);
    uv_timer_init(&f->loop, &f->deadline);
    uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *)&f->deadline);
    f->dir = g_dir_make_tmp("writer-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "x.vma", NULL);
}

static void fixture_down(struct fixture *f, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);

    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_free(f->dir);
    g_free(f->path);
}

struct job {
    struct fixture *f;
    struct pool *pool;
    struct sink *sink;
    struct spool *spool;
    struct writer *writer;
    struct vma_header *header;
    struct writer_lane *lanes[DRIVES], *ram;
    unsigned next[DRIVES], next_ram; /* cluster to be given */
    unsigned n_errors, n_full, n_room_again;
    uint64_t most_spooled;
    bool is_written, is_closed, is_finish_asked;
    GError *error;
};

/* --- feeding ------------------------------------------------------------------------------------ */

/* Each drive's clusters in an order of its own; some zero, some nearly. */
static uint32_t cluster_at(unsigned drive, unsigned i)
{
    return (i * 7 + drive * 31) % DRIVE_CLUSTERS;
}

static bool give_drive(struct job *j, unsigned drive)
{
    uint32_t cluster = cluster_at(drive, j->next[drive]);
    uint8_t *data = NULL;

    if (j->next[drive] == DRIVE_CLUSTERS)
        return false;
    if (cluster % 5) {
        data = pool_take(j->pool, POOL_FOR_JOB);
        if (!data)
            return false;
        memset(data, 0, VMA_CLUSTER_SIZE);
        memset(data + cluster % 3 * VMA_BLOCK_SIZE, drive + 1, 5000);
    }
    writer_add(j->lanes[drive], cluster, data);
    j->next[drive]++;
    return true;
}

static bool give_ram(struct job *j)
{
    uint8_t *data;

    if (j->next_ram == RAM_CLUSTERS || writer_is_ram_blocked(j->writer) ||
        !(data = pool_take(j->pool, POOL_FOR_RAM)))
        return false;
    memset(data, j->next_ram % 3 ? j->next_ram : 0, VMA_CLUSTER_SIZE);
    writer_add(j->ram, j->next_ram++, data);
    return true;
}

static bool is_all_given(const struct job *j)
{
    for (unsigned i = 0; i < DRIVES; i++)
        if (j->next[i] < DRIVE_CLUSTERS)
            return false;
    return j->next_ram == RAM_CLUSTERS;
}

/* As much as there are buffers for. */
static void feed(struct job *j)
{
    bool has_given;

    do {
        has_given = give_ram(j);
        for (unsigned i = 0; i < DRIVES; i++)
            has_given |= give_drive(j, i);
    } while (has_given);
    if (!is_all_given(j))
        writer_flush(j->writer);
}

static void on_written(void *user)
{
    struct job *j = user;

    g_assert_false(j->is_written);
    j->is_written = true;
    uv_stop(&j->f->loop);
}

static void on_room(void *user)
{
    struct job *j = user;

    if (!j->writer || j->is_closed)
        return;
    j->most_spooled = MAX(j->most_spooled, writer_spool_used(j->writer));
    if (!is_all_given(j)) {
        feed(j);
    } else if (!j->is_finish_asked) {
        g_autoptr(GBytes) header = NULL;
        j->is_finish_asked = true;
        vma_header_set_size(j->header, 1, RAM_CLUSTERS * (uint64_t)VMA_CLUSTER_SIZE);
        header = vma_header_encode(j->header, NULL);
        writer_finish(j->writer, VMA_END_COMPLETE, RAM_BYTES, header, on_written, j);
    }
}

static void on_full(void *user, bool is_full)
{
    struct job *j = user;

    *(is_full ? &j->n_full : &j->n_room_again) += 1;
    uv_stop(&j->f->loop);
}

static void on_error(void *user, const GError *error)
{
    struct job *j = user;

    j->n_errors++;
    j->error = g_error_copy(error);
    uv_stop(&j->f->loop);
}

/* --- up and down -------------------------------------------------------------------------------- */

static void job_up(struct job *j, struct fixture *f, const char *target, uint64_t spool_bytes)
{
    static const struct writer_events events = {on_room, on_full, on_error};
    static const uint8_t uuid[16] = "0123456789abcdef";
    g_autoptr(GBytes) header = NULL;
    g_autoptr(GError) error = NULL;

    *j = (struct job){.f = f, .pool = pool_new(BUFFERS)};
    j->sink = sink_open(&f->loop, target, NULL, &error);
    g_assert_no_error(error);
    j->header = vma_header_new(uuid, 1700000000);
    j->header->has_extension = true;
    g_assert_cmpint(vma_header_add_device(j->header, VMA_VMSTATE_NAME, 1 << 20, NULL), ==, 1);
    j->writer = writer_new(&f->loop, j->sink, j->pool, uuid, &events, j);
    if (spool_bytes) {
        j->spool = spool_open(&f->loop, "/var/tmp", spool_bytes, &error);
        g_assert_no_error(error);
        writer_set_spool(j->writer, j->spool, spool_bytes / 4);
    }
    j->ram = writer_add_lane(j->writer, 1, true);
    for (unsigned i = 0; i < DRIVES; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        int id = vma_header_add_device(j->header, name, DRIVE_BYTES, NULL);
        j->lanes[i] = writer_add_lane(j->writer, id, false);
    }
    header = vma_header_encode(j->header, NULL);
    writer_put_header(j->writer, header);
}

static void on_closed(void *user)
{
    ((struct job *)user)->is_closed = true;
}

/* Discards what is under way; whatever it was, all buffers come back. */
static void job_down(struct job *j)
{
    sink_abort(j->sink, false);
    writer_close(j->writer, on_closed, j);
    while (!j->is_closed)
        uv_run(&j->f->loop, UV_RUN_ONCE);
    g_assert_cmpuint(pool_free_count(j->pool), ==, BUFFERS);
    sink_free(j->sink);
    spool_close(j->spool);
    uv_run(&j->f->loop, UV_RUN_NOWAIT);
    vma_header_free(j->header);
    g_clear_error(&j->error);
    pool_free(j->pool);
}

static void on_finished(void *user, const GError *error)
{
    struct job *j = user;

    g_assert_no_error(error);
    uv_stop(&j->f->loop);
}

static void run_to_the_end(struct job *j)
{
    feed(j);
    while (!j->is_written) {
        uv_run(&j->f->loop, UV_RUN_DEFAULT);
        g_assert_no_error(j->error);
    }
    g_assert_true(writer_is_drained(j->writer));
    g_assert_cmpuint(pool_free_count(j->pool), ==, BUFFERS);
    sink_finish(j->sink, on_finished, j);
    uv_run(&j->f->loop, UV_RUN_DEFAULT);
}

/* --- judging ------------------------------------------------------------------------------------ */

static ssize_t read_archive(void *user, void *buffer, size_t len, GError **error)
{
    return read(*(int *)user, buffer, len);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    g_test_message("at %" G_GUINT64_FORMAT ": %s", offset, text);
}

static void must_be_good(const char *path)
{
    struct vma_verify_result result;
    g_autoptr(GError) error = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    g_assert_true(vma_verify(read_archive, &fd, on_fault, NULL, &result, &error));
    g_assert_no_error(error);
    close(fd);
    g_assert_cmpuint(result.faults, ==, 0);
    g_assert_true(result.has_digests && result.has_end_mark);
    g_assert_cmpuint(result.devices, ==, DRIVES + 1);
    g_assert_cmpuint(result.lost_devices, ==, 0);
    g_assert_cmpuint(result.clusters, ==, DRIVES * DRIVE_CLUSTERS + RAM_CLUSTERS);
}

/* --- a FIFO ------------------------------------------------------------------------------------- */

/* Reads a FIFO into a file, from its own thread; not before it is let. */
struct reader {
    int in, out;
    gint may_read;
    GThread *thread;
};

static gpointer read_fifo(gpointer data)
{
    struct reader *r = data;
    static char bytes[1 << 16];
    ssize_t n;

    while (!g_atomic_int_get(&r->may_read))
        g_thread_yield();
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

/* --- tests -------------------------------------------------------------------------------------- */

static void test_file(struct fixture *f, gconstpointer spool_bytes)
{
    struct job j;

    job_up(&j, f, f->path, GPOINTER_TO_UINT(spool_bytes));
    run_to_the_end(&j);
    must_be_good(f->path);
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
    g_assert_cmpuint(j.most_spooled, >, 8 << 20);
    g_assert_cmpuint(sink_written(j.sink), <=, 1 << 20);
    r.thread = g_thread_new("reader", read_fifo, &r);
    g_atomic_int_set(&r.may_read, 1);
    run_to_the_end(&j);
    g_thread_join(r.thread);
    close(r.in);
    close(r.out);
    must_be_good(f->path);
    job_down(&j);
}

/* A spool that holds less than one extent is none: the buffers are the only room. */
static void test_tiny_spool(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 4096);
    run_to_the_end(&j);
    must_be_good(f->path);
    job_down(&j);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = MIN(bytes, limit.rlim_max);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static void test_full_target(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    limit_files(1 << 20);
    feed(&j);
    while (!j.n_full)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_false(writer_is_drained(j.writer));
    limit_files(RLIM_INFINITY);
    run_to_the_end(&j);
    g_assert_cmpuint(j.n_full, ==, 1);
    g_assert_cmpuint(j.n_room_again, ==, 1);
    must_be_good(f->path);
    job_down(&j);
}

static void test_full_target_given_up(struct fixture *f, gconstpointer data)
{
    struct job j;

    job_up(&j, f, f->path, 0);
    limit_files(1 << 20);
    feed(&j);
    while (!j.n_full)
        uv_run(&f->loop, UV_RUN_DEFAULT);
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
#define ADD(path, data, test)                                                                                \
    g_test_add("/backup/writer/" path, struct fixture, data, fixture_up, test, fixture_down)
    ADD("file", GUINT_TO_POINTER(0), test_file);
    ADD("file-and-spool", GUINT_TO_POINTER(32 << 20), test_file);
    ADD("stalled-reader", NULL, test_stalled_reader);
    ADD("tiny-spool", NULL, test_tiny_spool);
    ADD("full-target", NULL, test_full_target);
    ADD("full-target-given-up", NULL, test_full_target_given_up);
    ADD("error-is-told-once", NULL, test_error_is_told_once);
    ADD("discard-at-any-time", NULL, test_discard_at_any_time);
    return g_test_run();
}
