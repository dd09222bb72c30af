// SPDX-License-Identifier: GPL-2.0-or-later
/* Syncing: of all that it has to reach, and what is there when it fails. */
#include <errno.h>
#include <sys/syscall.h>
#include "store/entries.h"
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/durable/other-disk", test_other_disk);
    STORE_TEST("/store/durable/failing", test_failing);
    return g_test_run();
}
