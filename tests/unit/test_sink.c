// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets that are files: names, force, races, a full disk, a disk that is stuck. */
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "sink/backend.h"
#include "sink/file.h"
#include "sink/partial.h"
#include "unit/sink_fixture.h"

static void no_error(GError *error)
{
    g_assert_no_error(error);
}

static void test_write(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    g_assert_cmpstr(sink_name(s), ==, f->path);
    g_assert_true(sink_can_rewrite(s));
    g_assert_cmpuint(sink_free_bytes(s), !=, UINT64_MAX);
    g_assert_false(exists(f->path));
    no_error(write_bytes(f, s, "header.body", 11));
    no_error(write_bytes(f, s, "", 0));
    no_error(write_bytes(f, s, "+tail", 5));
    g_assert_cmpuint(sink_written(s), ==, 16);
    struct outcome o = {0};
    struct iovec header = {(char[]){"HEADER"}, 6};
    sink_rewrite(s, 0, &header, 1, on_outcome, &o);
    no_error(wait_for(f, &o));
    no_error(write_bytes(f, s, "!", 1)); /* the position did not move */
    no_error(finish(f, s));
    sink_abort(s, false); /* too late: changes nothing */
    sink_free(s);
    assert_contents(f->path, "HEADER.body+tail!");
    g_assert_false(exists(f->partial));
    struct stat st;
    g_assert_cmpint(stat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void test_force(struct fixture *f, gconstpointer data)
{
    g_assert_true(g_file_set_contents(f->path, "old", -1, NULL));
    must_refuse(f, f->path, false, VMB_ERROR_TARGET, "exists");
    struct sink *s = must_open(f, f->path, true);
    no_error(write_bytes(f, s, "new", 3));
    assert_contents(f->path, "old"); /* until the end */
    no_error(finish(f, s));
    sink_free(s);
    assert_contents(f->path, "new");
}

/* Somebody takes the name while we write: his file stays, and ours too. */
static void test_name_taken(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    no_error(write_bytes(f, s, "ours", 4));
    g_assert_true(g_file_set_contents(f->path, "theirs", -1, NULL));
    g_autoptr(GError) error = finish(f, s);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_nonnull(strstr(error->message, ".partial"));
    sink_abort(s, false);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_contents(f->path, "theirs");
    assert_contents(f->partial, "ours");
}

static void test_partial_replaced(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    no_error(write_bytes(f, s, "ours", 4));
    g_assert_cmpint(g_remove(f->partial), ==, 0);
    g_assert_true(g_file_set_contents(f->partial, "theirs", -1, NULL));
    g_autoptr(GError) error = finish(f, s);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_contents(f->partial, "theirs"); /* not removed: it is not ours */
    g_assert_false(exists(f->path));
}

static void test_held(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    must_refuse(f, f->path, false, VMB_ERROR_HELD, "being written by another backup");
    must_refuse(f, f->path, true, VMB_ERROR_HELD, "being written by another backup");
    sink_abort(s, true);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_true(exists(f->partial)); /* kept, and held by nobody: as a dead run leaves it */
    g_assert_true(g_file_set_contents(f->partial, "dead", -1, NULL));
    s = must_open(f, f->path, false);
    no_error(write_bytes(f, s, "x", 1));
    assert_contents(f->partial, "x");
    sink_abort(s, false);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_false(exists(f->partial));
}

/* The same target again, at once: the pool has not yet closed, and so not unlocked, what was given up.
 * Neither may the removal of the old file, which is still to come, hit the new one. */
static void test_again(struct fixture *f, gconstpointer data)
{
    g_autofree char *mebibyte = g_strnfill(1 << 20, 'm');
    struct iovec iov = {mebibyte, 1 << 20};
    struct outcome o = {0};
    struct sink *old = must_open(f, f->path, false);
    sink_write(old, &iov, 1, on_outcome, &o);
    sink_abort(old, false);
    sink_free(old);
    struct sink *s = must_open(f, f->path, false);
    must_refuse(f, f->path, false, VMB_ERROR_HELD, "being written by another backup");
    g_clear_error(&o.error);
    no_error(write_bytes(f, s, "new", 3));
    no_error(finish(f, s));
    sink_free(s);
    assert_contents(f->path, "new");
    g_clear_error(&o.error);
}

static void test_links(struct fixture *f, gconstpointer data)
{
    g_autofree char *link = g_build_filename(f->dir, "link", NULL);
    g_assert_cmpint(symlink("x.vma", link), ==, 0);
    must_refuse(f, link, false, VMB_ERROR_TARGET, "leads nowhere");
    g_assert_true(g_file_set_contents(f->path, "old", -1, NULL));
    must_refuse(f, link, false, VMB_ERROR_TARGET, "exists");
    struct sink *s = must_open(f, link, true);
    g_assert_cmpstr(sink_name(s), ==, f->path);
    no_error(write_bytes(f, s, "new", 3));
    no_error(finish(f, s));
    sink_free(s);
    assert_contents(f->path, "new"); /* the file it leads to; the link is still one */
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_cmpint(symlink("/etc/passwd", f->partial), ==, 0);
    must_refuse(f, f->path, true, VMB_ERROR_TARGET, "cannot look at what an earlier run left");
}

static void test_refuses(struct fixture *f, gconstpointer data)
{
    g_autofree char *missing = g_build_filename(f->dir, "missing", "x", NULL);
    g_autofree char *slash = g_strconcat(f->path, "/", NULL);
    must_refuse(f, missing, false, VMB_ERROR_TARGET, "cannot open its directory: No such file");
    must_refuse(f, f->dir, true, VMB_ERROR_TARGET, "a directory");
    must_refuse(f, slash, true, VMB_ERROR_TARGET, "directory");
    must_refuse(f, "", true, VMB_ERROR_TARGET, "");
    g_autofree char *escape = g_build_filename(f->dir, "\033[2J", "x", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(sink_open(&f->loop, escape, NULL, &error));
    g_assert_null(strchr(error->message, '\033'));
    /* root may write anywhere: be somebody else for the moment */
    g_assert_cmpint(chmod(f->dir, 0555), ==, 0);
    bool is_root = geteuid() == 0 && seteuid(65534) == 0;
    must_refuse(f, f->path, false, VMB_ERROR_TARGET, "Permission denied");
    if (is_root)
        g_assert_cmpint(seteuid(0), ==, 0);
    g_assert_cmpint(chmod(f->dir, 0755), ==, 0);
}

static void test_expected(struct fixture *f, gconstpointer data)
{
    struct sink_options options = {.expected = UINT64_MAX - 1};
    g_autoptr(GError) error = NULL;
    g_assert_null(sink_open(&f->loop, f->path, &options, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    g_assert_nonnull(strstr(error->message, "are free"));
    g_clear_error(&error);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_false(exists(f->partial));
    options.expected = UINT64_MAX; /* unknown */
    struct sink *s = sink_open(&f->loop, f->path, &options, &error);
    g_assert_nonnull(s);
    sink_free(s);
}

/* The kernel writes up to the limit first, so there is something to undo. */
static void test_full(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    no_error(write_bytes(f, s, "12345678", 8));
    limit_files(10);
    for (int i = 0; i < 3; i++) {
        g_autoptr(GError) error = write_bytes(f, s, "abcdef", 6);
        g_assert_error(error, SINK_ERROR, SINK_ERROR_FULL);
        g_assert_cmpuint(sink_written(s), ==, 8);
        assert_contents(f->partial, "12345678");
    }
    limit_files(RLIM_INFINITY);
    no_error(write_bytes(f, s, "abcdef", 6)); /* there is room again */
    no_error(finish(f, s));
    sink_free(s);
    assert_contents(f->path, "12345678abcdef");
}

static void test_full_tmpfs(struct fixture *f, gconstpointer data)
{
    if (mount("none", f->dir, "tmpfs", 0, "size=1M") < 0) {
        g_test_skip("may not mount");
        return;
    }
    g_autofree char *mebibyte = g_strnfill(1 << 20, 'm');
    struct sink *s = must_open(f, f->path, false);
    g_assert_cmpuint(sink_free_bytes(s), <=, 1 << 20);
    no_error(write_bytes(f, s, mebibyte, 600000));
    g_autoptr(GError) error = write_bytes(f, s, mebibyte, 600000);
    g_assert_error(error, SINK_ERROR, SINK_ERROR_FULL);
    g_assert_cmpuint(sink_written(s), ==, 600000);
    no_error(write_bytes(f, s, mebibyte, 300000)); /* what the failed write took is free again */
    sink_abort(s, false);
    sink_free(s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpint(umount2(f->dir, MNT_DETACH), ==, 0);
}

static void test_devices(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, "/dev/null", false);
    g_assert_false(sink_can_rewrite(s));
    g_assert_cmpuint(sink_free_bytes(s), ==, UINT64_MAX);
    no_error(write_bytes(f, s, "gone", 4));
    no_error(finish(f, s));
    sink_free(s);
    s = must_open(f, "/dev/full", false);
    g_autoptr(GError) error = write_bytes(f, s, "more", 4);
    g_assert_error(error, SINK_ERROR, SINK_ERROR_FULL);
    sink_abort(s, false);
    sink_free(s);
}

static size_t resident_pages(const char *path, size_t len)
{
    size_t n = len / (size_t)getpagesize(), resident = 0;
    g_autofree unsigned char *pages = g_malloc(n);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    g_assert_true(map != MAP_FAILED && mincore(map, len, pages) == 0);
    for (size_t i = 0; i < n; i++)
        resident += pages[i] & 1;
    munmap(map, len);
    close(fd);
    return resident;
}

static bool is_in_ram(const char *path)
{
    struct statfs st;
    return statfs(path, &st) == 0 && (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC);
}

/* What is on the disk does not stay in the page cache, where it would push the guests' pages out. */
static void test_page_cache(struct fixture *f, gconstpointer data)
{
    enum { PART = 8 << 20, PARTS = 12 };
    if (is_in_ram(f->dir)) {
        g_test_skip("a file system in RAM is nothing but page cache");
        return;
    }
    g_autofree char *bytes = g_malloc(PART);
    memset(bytes, 'x', PART);
    struct sink *s = must_open(f, f->path, false);
    for (unsigned i = 0; i < PARTS; i++)
        no_error(write_bytes(f, s, bytes, PART));
    g_assert_cmpuint(resident_pages(f->partial, PART), ==, 0);
    no_error(finish(f, s));
    sink_free(s);
    g_assert_cmpuint(resident_pages(f->path, PART * PARTS), <, 64);
}

/* An error that is not "full" is for good: after it there would be a hole. */
static void test_broken(struct fixture *f, gconstpointer data)
{
    g_assert_true(g_file_set_contents(f->path, "", -1, NULL));
    int fd = open(f->path, O_RDONLY);
    g_autoptr(GError) error = NULL;
    struct sink *s = file_open_stream(&f->loop, fd, "read-only", &error);
    g_assert_no_error(error);
    error = write_bytes(f, s, "x", 1);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    g_clear_error(&error);
    error = finish(f, s);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    sink_free(s);
    close(fd);
}

/* A blocking pipe nobody reads is as good as a disk that hangs: abort and free return, and what they could
 * not free goes when the write comes back after all. */
static void test_stuck(struct fixture *f, gconstpointer data)
{
    int fds[2];
    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    struct sink *s = file_open_stream(&f->loop, fds[1], "stuck", NULL);
    close(fds[1]);
    g_autofree char *mebibyte = g_strnfill(1 << 20, 'm');
    struct iovec iov = {mebibyte, 1 << 20};
    struct outcome o = {0};
    sink_write(s, &iov, 1, on_outcome, &o);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_cmpuint(sink_stuck_ms(s), ==, 0);
    s->began_ms -= SINK_STUCK_MS + 1;
    g_assert_cmpuint(sink_stuck_ms(s), >, SINK_STUCK_MS);
    sink_abort(s, false);
    g_assert_cmpuint(sink_stuck_ms(s), >, SINK_STUCK_MS);
    sink_free(s);
    for (int i = 0; i < 5; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    g_assert_true(uv_loop_alive(&f->loop)); /* the request is still out */
    close(fds[0]);
    g_assert_cmpuint(o.calls, ==, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_cmpuint(o.calls, ==, 1);
    g_assert_error(o.error, VMB_ERROR, VMB_ERROR_TARGET);
    g_clear_error(&o.error);
}

/* Free space is asked anew, by the pool, after a second. */
static void test_space(struct fixture *f, gconstpointer data)
{
    struct sink *s = must_open(f, f->path, false);
    s->space.bytes = 1;
    g_assert_cmpuint(sink_free_bytes(s), ==, 1);
    g_assert_false(s->space.is_asked);
    s->space.asked_ms -= 2000;
    g_assert_cmpuint(sink_free_bytes(s), ==, 1);
    g_assert_true(s->space.is_asked);
    while (s->space.is_asked)
        uv_run(&f->loop, UV_RUN_ONCE);
    g_assert_cmpuint(sink_free_bytes(s), >, 1);
    sink_free(s); /* without an end: aborts */
    uv_run(&f->loop, UV_RUN_DEFAULT);
    g_assert_false(exists(f->partial));
}

/* More than the write-back lag, compared byte by byte. */
static void test_long(struct fixture *f, gconstpointer data)
{
    enum { PIECE = 3700 << 10, PIECES = 24 };
    g_autofree char *bytes = g_malloc(PIECE);
    struct sink *s = must_open(f, f->path, false);
    for (int i = 0; i < PIECES; i++) {
        memset(bytes, 'a' + i, PIECE);
        no_error(write_bytes(f, s, bytes, PIECE));
    }
    no_error(finish(f, s));
    sink_free(s);
    g_autofree char *have = NULL;
    size_t len;
    g_assert_true(g_file_get_contents(f->path, &have, &len, NULL));
    g_assert_cmpuint(len, ==, (size_t)PIECE * PIECES);
    for (int i = 0; i < PIECES; i++) {
        memset(bytes, 'a' + i, PIECE);
        g_assert_true(memcmp(bytes, have + (size_t)i * PIECE, PIECE) == 0);
    }
}

/* A pool that has looked at the name, and is about to take it away. */
static struct {
    GMutex mutex;
    GCond changed;
    bool is_about_to, has_successor;
} brink;
static _Thread_local bool is_pool;

/* In the place of libc's. */
int unlinkat(int dir_fd, const char *name, int flags)
{
    gint64 deadline = g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND;
    if (is_pool) {
        g_mutex_lock(&brink.mutex);
        brink.is_about_to = true;
        g_cond_broadcast(&brink.changed);
        while (!brink.has_successor && g_cond_wait_until(&brink.changed, &brink.mutex, deadline))
            continue;
        g_mutex_unlock(&brink.mutex);
    }
    return (int)syscall(SYS_unlinkat, dir_fd, name, flags);
}

static gpointer remove_as_pool(gpointer partial)
{
    is_pool = true;
    partial_remove(partial);
    return NULL;
}

static void finish_partial(struct partial *p)
{
    partial_close(p);
    partial_forget(p);
}

/* The name of a file that was given up is taken away while its successor is made: never that one's. */
static void test_successor(struct fixture *f, gconstpointer data)
{
    g_autofree char *name = g_strconcat(f->path, ".partial", NULL);
    struct partial old, next;
    g_assert_true(partial_create(&old, f->path, false, NULL));
    partial_abandon(&old);
    GThread *pool = g_thread_new("pool", remove_as_pool, &old);
    g_mutex_lock(&brink.mutex);
    while (!brink.is_about_to)
        g_cond_wait(&brink.changed, &brink.mutex);
    g_mutex_unlock(&brink.mutex);
    g_assert_true(partial_create(&next, f->path, false, NULL));
    g_mutex_lock(&brink.mutex);
    brink.has_successor = true;
    g_cond_broadcast(&brink.changed);
    g_mutex_unlock(&brink.mutex);
    g_thread_join(pool);
    g_assert_true(exists(name));
    finish_partial(&old);
    partial_remove(&next);
    finish_partial(&next);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/sink/" name, struct fixture, NULL, fixture_up, function, fixture_down)
    ADD("write", test_write);
    ADD("page-cache", test_page_cache);
    ADD("force", test_force);
    ADD("name-taken", test_name_taken);
    ADD("partial-replaced", test_partial_replaced);
    ADD("held", test_held);
    ADD("again", test_again);
    ADD("successor", test_successor);
    ADD("links", test_links);
    ADD("refuses", test_refuses);
    ADD("expected", test_expected);
    ADD("full", test_full);
    ADD("full-tmpfs", test_full_tmpfs);
    ADD("devices", test_devices);
    ADD("broken", test_broken);
    ADD("stuck", test_stuck);
    ADD("space", test_space);
    ADD("long", test_long);
    return g_test_run();
}
