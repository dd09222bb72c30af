// SPDX-License-Identifier: GPL-2.0-or-later
/* A store: made, opened, locked. */
#include "unit/store_fixture.h"

static void must_not_init(const char *dir, uint32_t chunk, int code, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(store_init(dir, chunk, &error));
    g_assert_error(error, VMB_ERROR, code);
    g_assert_nonnull(strstr(error->message, why));
}

static void test_init(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *other = g_build_filename(f->folder, "other", NULL), *file = g_build_filename(other, "x", NULL);
    g_autofree char *found = g_build_filename(other, "lost+found", NULL), *deep = g_build_filename(other, "a/b", NULL);
    g_assert_true(store_is(f->dir));
    g_assert_false(store_is(f->folder));
    g_assert_cmpuint(f->store->chunk_bytes, ==, CHUNK);
    must_not_init(f->dir, CHUNK, VMB_ERROR_TARGET, "a store already");
    must_not_init(deep, CHUNK, VMB_ERROR_TARGET, "No such file");
    must_not_init(other, CHUNK + 1, VMB_ERROR_USAGE, "power of two");
    must_not_init(other, CHUNK / 2, VMB_ERROR_USAGE, "power of two");
    g_assert_cmpint(mkdir(other, 0755), ==, 0);
    must_write(file, "", 0);
    must_not_init(other, CHUNK, VMB_ERROR_TARGET, "not empty");
    unlink(file);
    g_assert_cmpint(mkdir(found, 0700), ==, 0); /* of a new file system */
    g_assert_true(store_init(other, 16u << 20, NULL));
}

static void must_not_open(const char *dir, int code, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(store_open(dir, STORE_SHARED, &error));
    g_assert_error(error, VMB_ERROR, code);
    g_assert_nonnull(strstr(error->message, why));
}

static void test_key_file(struct store_fixture *f, gconstpointer data)
{
    static const char *const damaged[] = {"",
                                          "hello",
                                          "format=1\n",
                                          "format=1\nchunk=65537\ndigest=sha256\n",
                                          "format=1\nchunk=65536\ndigest=md5\n",
                                          "chunk=65536\ndigest=sha256\n"};
    g_autofree char *file = g_build_filename(f->dir, STORE_FILE, NULL);
    must_not_open(f->folder, VMB_ERROR_FAILED, "no store");
    for (unsigned i = 0; i < G_N_ELEMENTS(damaged); i++) {
        must_write(file, damaged[i], strlen(damaged[i]));
        must_not_open(f->dir, VMB_ERROR_DAMAGED, "key file");
    }
    must_write(file, "format=2\n", 9);
    must_not_open(f->dir, VMB_ERROR_FAILED, "newer");
    static const char good[] = "format=1\nfuture=yes\ndigest=sha256\nchunk=131072\n";
    must_write(file, good, strlen(good));
    g_autoptr(store) s = store_open(f->dir, STORE_SHARED, NULL);
    g_assert_cmpuint(s->chunk_bytes, ==, 131072);
}

static gpointer open_shared(gpointer dir)
{
    return store_open(dir, STORE_SHARED, NULL);
}

/* Who collects is told that somebody waits, and goes; then that one has the lock. */
static void test_locks(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(store) other = store_open(f->dir, STORE_SHARED, &error);
    g_assert_no_error(error);
    g_assert_false(store_lock_exclusive(f->store, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_HELD);
    store_free(g_steal_pointer(&other));
    g_assert_true(store_lock_exclusive(f->store, NULL));
    g_assert_false(store_is_wanted(f->store));
    GThread *waiting = g_thread_new("wait", open_shared, f->dir);
    while (!store_is_wanted(f->store))
        g_thread_yield();
    store_free(g_steal_pointer(&f->store));
    f->store = g_thread_join(waiting);
    g_assert_nonnull(f->store);
    g_assert_false(store_is_wanted(f->store));
}

static void test_guests(struct store_fixture *f, gconstpointer data)
{
    static const char *const folders[] = {"web-01", "db", ".hidden", "lost+found", "a\nb"};
    for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *path = g_build_filename(f->dir, folders[i], NULL);
        g_assert_cmpint(mkdir(path, 0700), ==, 0);
    }
    g_autoptr(GPtrArray) guests = store_guests(f->store, NULL);
    g_assert_cmpuint(guests->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(guests, 0), ==, "db");
    g_assert_cmpstr(g_ptr_array_index(guests, 1), ==, "web-01");
    g_autofree char *odd = store_guest_name("../x y"), *chunks = store_guest_name("chunks.castr"),
                    *lock = store_guest_name("lock"), *key = store_guest_name("vmabackup-store");
    g_assert_cmpstr(odd, ==, "_._x_y");
    g_assert_cmpstr(chunks, ==, "chunks.castr_");
    g_assert_cmpstr(lock, ==, "lock_");
    g_assert_cmpstr(key, ==, "vmabackup-store_");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/init", test_init);
    STORE_TEST("/store/key-file", test_key_file);
    STORE_TEST("/store/locks", test_locks);
    STORE_TEST("/store/guests", test_guests);
    return g_test_run();
}
