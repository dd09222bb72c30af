// SPDX-License-Identifier: GPL-2.0-or-later
/* Syncing: of all that it has to reach, and what is there when it fails. */
#include <errno.h>
#include <sys/syscall.h>
#include "store/check.h"
#include "unit/store_snapshots.h"

static const unsigned day1[] = {1, 2};

/* ---- instead of libc's ---- */

static GArray *synced;                   /* dev_t, of each syncfs; NULL: not asked for */
static unsigned n_fsyncs, failing_fsync; /* the n-th fails; 0: none */

int syncfs(int fd)
{
    struct stat st;
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    if (synced)
        g_array_append_val(synced, st.st_dev);
    return 0;
}

int fsync(int fd)
{
    if (++n_fsyncs != failing_fsync)
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

/* ---- tests ---- */

static bool was_synced(const char *path)
{
    struct stat st;
    g_assert_cmpint(stat(path, &st), ==, 0);
    for (guint i = 0; i < synced->len; i++)
        if (g_array_index(synced, dev_t, i) == st.st_dev)
            return true;
    return false;
}

static struct snapshot *begin(struct store_fixture *f)
{
    static const uint8_t uuid[16] = {1};
    g_autofree char *guest = g_build_filename(f->dir, "web", NULL);
    struct snapshot *s = snapshot_new(uuid, 1000, CHUNK);
    g_assert_true(snapshot_begin(s, guest, "run", NULL));
    return s;
}

/* The names of chunks are durable before that of their snapshot, wherever they lie. */
static void test_other_disk(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *chunks = g_build_filename(f->dir, "chunks.castr", NULL), *other = NULL;
    char there[] = "/dev/shm/vmt-store-XXXXXX";
    struct stat here, elsewhere;
    if (!mkdtemp(there) || stat(there, &elsewhere) < 0 || stat(f->dir, &here) < 0 || here.st_dev == elsewhere.st_dev) {
        g_test_skip("no second file system");
        return;
    }
    g_assert_true(rmdir(chunks) == 0 && symlink(there, chunks) == 0);
    g_clear_pointer(&f->store, store_free);
    f->store = store_open(f->dir, STORE_SHARED, NULL);
    g_autoptr(snapshot) s = begin(f);
    synced = g_array_new(FALSE, FALSE, sizeof(dev_t));
    g_assert_true(snapshot_commit(s, f->store->chunks, NULL));
    g_assert_true(was_synced(chunks) && was_synced(s->path));
    g_clear_pointer(&synced, g_array_unref);
    g_assert_cmpint(rmdir(there), ==, 0);
}

/* Whatever fails, a snapshot that was not committed is not listed, and goes. */
static void test_failing(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *first = make_snapshot(f, "web", 500, day1, 2);
    for (failing_fsync = 1;; failing_fsync++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(snapshot) s = begin(f);
        n_fsyncs = 0;
        if (snapshot_commit(s, f->store->chunks, &error))
            break;
        g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
        g_autoptr(GPtrArray) entries = entries_load(f->store, "web", NULL);
        g_assert_cmpuint(entries->len, ==, 1);
        snapshot_abort(s);
        g_assert_false(g_file_test(s->path, G_FILE_TEST_EXISTS));
    }
    g_assert_cmpuint(failing_fsync, >, 1);
    failing_fsync = 0;
}

static void must_be_as_before(const char *path, const char *guest)
{
    g_autoptr(snapshot) s = snapshot_load(path, NULL);
    g_autoptr(GDir) dir = g_dir_open(guest, 0, NULL);
    g_assert_nonnull(s);
    for (const char *name; (name = g_dir_read_name(dir));)
        g_assert_cmpint(*name, !=, '.');
}

/* Whatever fails while a manifest is replaced, there is a whole one, nothing is left over, and it is told. */
static void test_verified(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = make_snapshot(f, "web", 500, day1, 2), *guest = g_path_get_dirname(path);
    for (failing_fsync = 1;; failing_fsync++) {
        g_autoptr(GError) error = NULL;
        n_fsyncs = 0;
        bool ok = snapshot_set_verified(path, 600 + failing_fsync, &error);
        must_be_as_before(path, guest);
        if (ok)
            break;
        g_assert_error(error, VMB_ERROR, VMB_ERROR_TARGET);
    }
    g_assert_cmpuint(failing_fsync, >, 1);
    failing_fsync = 0;
}

/* What is not marked as damaged keeps its chunks' names, and it is told. */
static void test_check(struct store_fixture *f, gconstpointer data)
{
    unsigned n_told = 0;
    g_autofree char *path = make_snapshot(f, "web", 500, day1, 2), *other = make_snapshot(f, "web", 600, day1, 2);
    for (unsigned n = 1; n < 8; n++) {
        g_autoptr(GPtrArray) entries = entries_load(f->store, NULL, NULL);
        struct check_options options = {0};
        struct checked done;
        damage(f, 1);
        g_assert_true(snapshot_mark(path, SNAPSHOT_DAMAGED, false, NULL));
        n_fsyncs = 0;
        failing_fsync = n;
        g_assert_true(check(f->store, entries, &options, &done, NULL));
        failing_fsync = 0;
        n_told += done.unnoted != NULL;
        g_assert_true(done.set_aside == 0 || snapshot_is_marked(path, SNAPSHOT_DAMAGED));
        g_assert_true(done.unnoted || done.set_aside == 1);
        checked_clear(&done);
        g_autofree char *again = make_snapshot(f, "db", 500 + n, day1, 2); /* heals it */
    }
    g_assert_cmpuint(n_told, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/durable/other-disk", test_other_disk);
    STORE_TEST("/store/durable/failing", test_failing);
    STORE_TEST("/store/durable/verified", test_verified);
    STORE_TEST("/store/durable/check", test_check);
    return g_test_run();
}
