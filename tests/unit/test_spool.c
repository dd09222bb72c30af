// SPDX-License-Identifier: GPL-2.0-or-later
/* The spool: order, wrapping around, a full disk, closing at any moment. Its directory is on a disk. */
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "sink/spool.h"

#define DEADLINE_MS 20000
#define MAX_RECORD  5000

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct spool *spool;
    unsigned n_pushed, n_push_errors, n_popped, n_pop_errors;
    uint32_t next_in, next_out; /* seeds of the records */
    GQueue waiting;             /* the bytes of pushes that are not done */
};

static void on_deadline(uv_timer_t *timer)
{
    g_error("waited too long");
}

static void open_spool(struct fixture *f, uint64_t max)
{
    g_autoptr(GError) error = NULL;
    f->spool = spool_open(&f->loop, "/var/tmp", max, &error);
    g_assert_no_error(error);
}

static void fixture_up(struct fixture *f, gconstpointer max)
{
    g_assert_cmpint(uv_loop_init(&f->loop), ==, 0);
    uv_timer_init(&f->loop, &f->deadline);
    uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *)&f->deadline);
    if (GPOINTER_TO_UINT(max))
        open_spool(f, GPOINTER_TO_UINT(max));
}

static void fixture_down(struct fixture *f, gconstpointer max)
{
    spool_close(f->spool);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(uv_loop_close(&f->loop), ==, 0);
    g_assert_cmpuint(f->waiting.length, ==, 0); /* every push has ended */
}

static size_t record_len(uint32_t seed)
{
    return seed * 2654435761u % MAX_RECORD;
}

static uint8_t record_byte(uint32_t seed, size_t at)
{
    return (uint8_t)(seed * 131 + at * 7 + (at >> 8));
}

static void on_pushed(void *user, const GError *error)
{
    struct fixture *f = user;
    uint8_t *bytes = g_queue_pop_head(&f->waiting);
    memset(bytes, 0xee, MAX_RECORD); /* from here on they are the caller's again */
    g_free(bytes);
    f->n_pushed++;
    f->n_push_errors += error != NULL;
}

static bool push(struct fixture *f)
{
    size_t len = record_len(f->next_in);
    if (!spool_has_room(f->spool, len))
        return false;
    uint8_t *bytes = g_malloc(MAX_RECORD);
    for (size_t i = 0; i < len; i++)
        bytes[i] = record_byte(f->next_in, i);
    g_queue_push_tail(&f->waiting, bytes);
    struct iovec iov[] = {{bytes, len / 2}, {NULL, 0}, {bytes + len / 2, len - len / 2}};
    unsigned pushed = f->n_pushed;
    spool_push(f->spool, iov, G_N_ELEMENTS(iov), on_pushed, f);
    g_assert_cmpuint(f->n_pushed, ==, pushed); /* not from inside */
    memset(iov, 0xee, sizeof iov);
    f->next_in++;
    return true;
}

static void on_popped(void *user, uint8_t *bytes, size_t len, const GError *error)
{
    struct fixture *f = user;
    f->n_popped++;
    f->n_pop_errors += error != NULL;
    if (!error) {
        g_assert_cmpuint(len, ==, record_len(f->next_out));
        for (size_t i = 0; i < len; i++)
            g_assert_cmpuint(bytes[i], ==, record_byte(f->next_out, i));
        f->next_out++;
    }
    g_free(bytes);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static void run_until(struct fixture *f, const unsigned *count, unsigned value)
{
    while (*count < value)
        uv_run(&f->loop, UV_RUN_ONCE);
    g_assert_cmpuint(*count, ==, value);
}

static void test_one(struct fixture *f, gconstpointer max)
{
    f->next_in = f->next_out = 1;
    g_assert_true(push(f));
    g_assert_cmpuint(spool_records(f->spool), ==, 1);
    g_assert_cmpuint(spool_used(f->spool), ==, record_len(1));
    run_until(f, &f->n_pushed, 1);
    spool_pop(f->spool, on_popped, f);
    g_assert_cmpuint(spool_records(f->spool), ==, 0);
    g_assert_cmpuint(spool_used(f->spool), ==, record_len(1)); /* until it was read */
    run_until(f, &f->n_popped, 1);
    g_assert_cmpuint(spool_used(f->spool), ==, 0);
    g_assert_cmpuint(f->n_push_errors + f->n_pop_errors, ==, 0);
}

/* Taken before it was stored, while it is being stored, and after. */
static void test_pop_early(struct fixture *f, gconstpointer max)
{
    for (int i = 0; i < 4; i++)
        g_assert_true(push(f));
    for (int i = 0; i < 4; i++)
        spool_pop(f->spool, on_popped, f);
    run_until(f, &f->n_popped, 4);
    g_assert_cmpuint(f->n_pushed, ==, 4);
    g_assert_cmpuint(f->n_pop_errors, ==, 0);
}

/* Thousands of records through a ring of a few: every wrap, every interleaving the dice give. */
static void test_random(struct fixture *f, gconstpointer max)
{
    unsigned asked = 0;
    limit_file_size(spool_max(f->spool)); /* the file never grows beyond the ring */
    while (f->n_popped < 3000) {
        if (f->next_in < 3000 && g_test_rand_int_range(0, 100) < 60)
            push(f);
        if (spool_records(f->spool) && g_test_rand_int_range(0, 100) < 40) {
            spool_pop(f->spool, on_popped, f);
            asked++;
        }
        g_assert_cmpuint(spool_used(f->spool), <=, spool_max(f->spool));
        g_assert_cmpuint(spool_records(f->spool), ==, f->next_in - asked);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    limit_file_size(RLIM_INFINITY);
    g_assert_cmpuint(f->n_pushed, ==, 3000);
    g_assert_cmpuint(f->n_push_errors + f->n_pop_errors, ==, 0);
    g_assert_cmpuint(spool_used(f->spool), ==, 0);
}

static void test_room(struct fixture *f, gconstpointer max)
{
    g_assert_true(spool_has_room(f->spool, spool_max(f->spool)));
    g_assert_false(spool_has_room(f->spool, spool_max(f->spool) + 1));
    unsigned n = 0;
    while (push(f))
        n++;
    g_assert_cmpuint(n, >, 2);
    run_until(f, &f->n_pushed, n);
    g_assert_false(push(f));
    for (unsigned i = 0; i < n; i++)
        spool_pop(f->spool, on_popped, f);
    run_until(f, &f->n_popped, n);
    g_assert_true(push(f));
}

/* What fits is stored, what does not is an error of its push alone, and later there is room again. */
static void test_disk_full(struct fixture *f, gconstpointer max)
{
    limit_file_size(6000);
    unsigned n = 0;
    for (uint64_t bytes = 0; bytes + record_len(f->next_in) <= 6000; n++) {
        bytes += record_len(f->next_in);
        g_assert_true(push(f));
    }
    unsigned used = (unsigned)record_len(f->next_in);
    g_assert_cmpuint(used, >, 0);
    g_assert_true(push(f)); /* crosses the limit */
    run_until(f, &f->n_pushed, n + 1);
    limit_file_size(RLIM_INFINITY);
    g_assert_cmpuint(f->n_push_errors, ==, 1);
    g_assert_cmpuint(spool_records(f->spool), ==, n);
    for (unsigned i = 0; i < n; i++)
        spool_pop(f->spool, on_popped, f);
    run_until(f, &f->n_popped, n);
    g_assert_cmpuint(f->n_pop_errors, ==, 0);
    f->next_out = f->next_in; /* one is missing */
    g_assert_true(push(f));
    spool_pop(f->spool, on_popped, f);
    run_until(f, &f->n_popped, n + 1);
    g_assert_cmpuint(f->n_push_errors, ==, 1);
}

/* While it runs empty again and again, the file stays as short as what it held at once. */
static void test_short_file(struct fixture *f, gconstpointer max)
{
    limit_file_size(2 * MAX_RECORD);
    for (unsigned i = 2; i <= 100; i += 2) {
        g_assert_true(push(f) && push(f));
        run_until(f, &f->n_pushed, i);
        spool_pop(f->spool, on_popped, f);
        spool_pop(f->spool, on_popped, f);
        run_until(f, &f->n_popped, i);
    }
    limit_file_size(RLIM_INFINITY);
    g_assert_cmpuint(f->n_push_errors + f->n_pop_errors, ==, 0);
}

/* Records that could not be stored take no room, though an older one still stands before them. */
static void test_failed_room(struct fixture *f, gconstpointer max)
{
    f->next_in = 1;
    g_assert_true(push(f));
    run_until(f, &f->n_pushed, 1);
    uint64_t used = spool_used(f->spool);
    limit_file_size(used);
    for (unsigned i = 2; i < 50; i++) {
        g_assert_true(push(f));
        run_until(f, &f->n_pushed, i);
        g_assert_cmpuint(f->n_push_errors, ==, i - 1);
        g_assert_cmpuint(spool_used(f->spool), ==, used);
    }
    limit_file_size(RLIM_INFINITY);
}

/* The first is being stored when it is asked for, and that fails: both hear of it. The second was asked for
 * before it was stored: no disk has a say in that. */
static void test_pop_of_failed(struct fixture *f, gconstpointer max)
{
    limit_file_size(0);
    f->next_in = 1;
    f->next_out = 2;
    g_assert_true(push(f));
    g_assert_true(push(f));
    spool_pop(f->spool, on_popped, f);
    spool_pop(f->spool, on_popped, f);
    run_until(f, &f->n_popped, 2);
    limit_file_size(RLIM_INFINITY);
    g_assert_cmpuint(f->n_push_errors, ==, 1);
    g_assert_cmpuint(f->n_pop_errors, ==, 1);
    g_assert_cmpuint(spool_used(f->spool), ==, 0);
}

/* At every moment: all that is under way or queued ends, with an error where it was not done. */
static void test_close(struct fixture *f, gconstpointer max)
{
    for (unsigned turns = 0; turns < 12; turns++) {
        open_spool(f, 100000);
        f->n_pushed = f->n_popped = f->n_push_errors = f->n_pop_errors = 0;
        f->next_out = f->next_in;
        for (int i = 0; i < 6; i++)
            g_assert_true(push(f));
        spool_pop(f->spool, on_popped, f);
        spool_pop(f->spool, on_popped, f);
        for (unsigned i = 0; i < turns; i++)
            uv_run(&f->loop, i % 2 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        spool_close(g_steal_pointer(&f->spool));
        uv_run(&f->loop, UV_RUN_DEFAULT);
        g_assert_cmpuint(f->n_pushed, ==, 6);
        g_assert_cmpuint(f->n_popped, ==, 2);
        g_assert_cmpuint(turns ? 0 : f->n_push_errors, ==, turns ? 0 : 5); /* the first was being stored */
    }
}

static void test_where(struct fixture *f, gconstpointer max)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(spool_open(&f->loop, "/nonexistent/\033dir", 1000, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_FAILED);
    g_assert_null(strchr(error->message, '\033'));
    g_clear_error(&error);
    g_autofree char *dir = g_dir_make_tmp("spool-XXXXXX", NULL);
    bool is_mounted = mount("none", dir, "tmpfs", 0, "size=1M") == 0;
    if (is_mounted) {
        g_assert_null(spool_open(&f->loop, dir, 1000, &error));
        g_assert_nonnull(strstr(error->message, "lies in RAM"));
        g_clear_error(&error);
        g_setenv("TMPDIR", dir, TRUE); /* for the default it is passed over */
        f->spool = spool_open(&f->loop, NULL, 1000, &error);
        g_assert_no_error(error);
        g_unsetenv("TMPDIR");
        umount2(dir, MNT_DETACH);
    }
    rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, max, function)                                                                                       \
    g_test_add("/spool/" name, struct fixture, GUINT_TO_POINTER(max), fixture_up, function, fixture_down)
    ADD("one", 100000, test_one);
    ADD("pop-early", 100000, test_pop_early);
    ADD("random", 13001, test_random);
    ADD("room", 13001, test_room);
    ADD("disk-full", 100000, test_disk_full);
    ADD("short-file", 100000, test_short_file);
    ADD("failed-room", 13001, test_failed_room);
    ADD("pop-of-failed", 100000, test_pop_of_failed);
    ADD("close", 0, test_close);
    ADD("where", 0, test_where);
    return g_test_run();
}
