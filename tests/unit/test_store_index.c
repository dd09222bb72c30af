// SPDX-License-Identifier: GPL-2.0-or-later
/* Indexes: written and loaded, resized; casync's bytes; hostile files. */
#include <dlfcn.h>

#include "base/le.h"
#include "unit/store_fixture.h"

#define SIZE (3ull * CHUNK + 512) /* four chunks, the last one shorter */

static struct chunk_id id_of(unsigned i)
{
    struct chunk_id id;
    chunk_id_of(&i, sizeof i, &id);
    return id;
}

static struct chunk_index *sample(uint64_t size)
{
    struct chunk_index *x = chunk_index_new(size, CHUNK);
    for (uint64_t i = 1; i < x->n; i += 2) {
        struct chunk_id id = id_of((unsigned)i);
        chunk_index_set(x, i, &id);
    }
    return x;
}

static char *must_save(struct store_fixture *f, const struct chunk_index *x)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(f->folder, "x.caibx", NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    chunk_index_write(x, fd, &error);
    g_assert_no_error(error);
    close(fd);
    return path;
}

static void must_be_same(const struct chunk_index *x, const struct chunk_index *y)
{
    g_assert_cmpuint(x->size, ==, y->size);
    g_assert_cmpuint(x->n, ==, y->n);
    g_assert_cmpuint(x->chunk_bytes, ==, y->chunk_bytes);
    for (uint64_t i = 0; i < x->n; i++) {
        g_assert_true(chunk_id_equal(&x->ids[i], &y->ids[i]));
        g_assert_cmpuint(chunk_index_is_zeros(x, i), ==, chunk_index_is_zeros(y, i));
    }
}

static void test_round(struct store_fixture *f, gconstpointer data)
{
    static const uint64_t sizes[] = {0, 1, 512, CHUNK, CHUNK + 1, SIZE, 5000ull * CHUNK};
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(chunk_index) x = sample(sizes[i]);
        g_autofree char *path = must_save(f, x);
        g_autoptr(chunk_index) y = chunk_index_load(path, &error);
        g_assert_no_error(error);
        must_be_same(x, y);
    }
}

static void test_zeros(void)
{
    g_autoptr(chunk_index) x = sample(SIZE);
    g_assert_cmpuint(chunk_index_len(x, 2), ==, CHUNK);
    g_assert_cmpuint(chunk_index_len(x, 3), ==, 512);
    g_assert_true(chunk_index_is_zeros(x, 0) && chunk_index_is_zeros(x, 2));
    g_assert_false(chunk_index_is_zeros(x, 1) || chunk_index_is_zeros(x, 3));
    g_assert_false(chunk_id_equal(&x->zeros, &x->end_zeros));
}

/* Zeros stay zeros of their length, data stays, what is new is zeros. */
static void test_resize(void)
{
    static const uint64_t sizes[] = {0, 512, CHUNK - 512, CHUNK, CHUNK + 512, 3 * CHUNK, 4 * CHUNK - 1, 7 * CHUNK};
    for (unsigned a = 0; a < G_N_ELEMENTS(sizes); a++)
        for (unsigned b = 0; b < G_N_ELEMENTS(sizes); b++) {
            g_autoptr(chunk_index) x = sample(sizes[a]), fresh = chunk_index_new(sizes[b], CHUNK);
            uint64_t had = x->n;
            g_assert_true(chunk_index_resize(x, sizes[b]));
            g_assert_cmpuint(x->n, ==, fresh->n);
            for (uint64_t i = 0; i < x->n; i++) {
                struct chunk_id id = id_of((unsigned)i);
                bool is_data = i < had && i % 2;
                g_assert_true(chunk_id_equal(&x->ids[i], is_data ? &id : &fresh->ids[i]));
            }
        }
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* No memory holds it: then it stays as it was. */
static void test_too_large(void)
{
    g_autoptr(chunk_index) x = sample(SIZE), y = sample(SIZE);
    g_assert_null(chunk_index_new(UINT64_MAX, CHUNK));
    g_assert_false(chunk_index_resize(x, UINT64_MAX));
    must_be_same(x, y);
}

/* ---- a bad disk ---- */

static int read_error; /* 0: none */

static ssize_t read_badly(void *cookie, char *to, size_t len)
{
    errno = read_error;
    return -1;
}

static int close_it(void *cookie)
{
    return close(GPOINTER_TO_INT(cookie));
}

/* In place of libc's. */
FILE *fdopen(int fd, const char *mode)
{
    FILE *(*original)(int fd, const char *mode) = (FILE * (*)(int, const char *)) dlsym(RTLD_NEXT, "fdopen");
    if (!read_error)
        return original(fd, mode);
    return fopencookie(GINT_TO_POINTER(fd), mode, (cookie_io_functions_t){.read = read_badly, .close = close_it});
}

/* Said as it is; a sector that is gone is as good as damaged. */
static void test_unreadable(struct store_fixture *f, gconstpointer data)
{
    static const struct {
        int error;
        enum vmb_error code;
    } cases[] = {{EIO, VMB_ERROR_DAMAGED}, {ENODATA, VMB_ERROR_DAMAGED}, {ENOMEM, VMB_ERROR_FAILED}};
    g_autoptr(chunk_index) x = sample(SIZE);
    g_autofree char *path = must_save(f, x);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        read_error = cases[i].error;
        g_assert_null(chunk_index_load(path, &error));
        read_error = 0;
        g_assert_error(error, VMB_ERROR, (int)cases[i].code);
        g_assert_nonnull(strstr(error->message, g_strerror(cases[i].error)));
    }
}

/* ---- hostile ---- */

static void must_be_damaged(struct store_fixture *f, const void *bytes, gsize len)
{
    g_autofree char *path = g_build_filename(f->folder, "bad.caibx", NULL);
    g_autoptr(GError) error = NULL;
    must_write(path, bytes, len);
    g_autoptr(chunk_index) x = chunk_index_load(path, &error);
    g_assert_null(x);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, "bad.caibx"));
}

/* Each byte but those of the ids and two flags counts. */
static void test_flipped(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(chunk_index) x = sample(SIZE);
    g_autofree char *path = must_save(f, x), *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    g_assert_cmpuint(len, ==, 64 + 40 * 4 + 40);
    for (gsize at = 0; at < len; at++) {
        bool is_id = at >= 64 && at < len - 40 && (at - 64) % 40 >= 8, is_flag = at >= 16 && at < 23;
        bool is_last_end = at >= 64 + 120 && at < 64 + 122; /* a little shorter or longer is as good */
        bytes[at] ^= 0x20;
        if (!is_id && !is_flag && !is_last_end)
            must_be_damaged(f, bytes, len);
        bytes[at] ^= 0x20;
    }
    for (gsize cut = 0; cut < len; cut++)
        must_be_damaged(f, bytes, cut);
    g_autofree char *longer = g_malloc0(len + 40);
    memcpy(longer, bytes, len);
    must_be_damaged(f, longer, len + 1);
    must_be_damaged(f, longer, len + 40);
}

static void test_foreign(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(chunk_index) x = sample(SIZE);
    g_autofree char *path = must_save(f, x), *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    le64_put(bytes + 24, CHUNK / 2); /* chunks of many sizes, as casync makes them by itself */
    must_be_damaged(f, bytes, len);
    for (unsigned at = 24; at < 48; at += 8)
        le64_put(bytes + at, CHUNK + 512);
    must_be_damaged(f, bytes, len);
    for (unsigned at = 24; at < 48; at += 8)
        le64_put(bytes + at, 0);
    must_be_damaged(f, bytes, len);
}

/* A length costs nothing: no memory is taken for what is not there. */
static void test_sparse(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(chunk_index) x = sample(SIZE);
    g_autofree char *path = must_save(f, x);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(truncate(path, 64 + 40ll * (1ll << 32)), ==, 0);
    g_autoptr(chunk_index) y = chunk_index_load(path, &error);
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
}

static void test_none(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(f->folder, "fifo", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(chunk_index_load(path, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED); /* missing */
    g_clear_error(&error);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_null(chunk_index_load(path, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/index/zeros", test_zeros);
    g_test_add_func("/store/index/resize", test_resize);
    g_test_add_func("/store/index/too-large", test_too_large);
    STORE_TEST("/store/index/round", test_round);
    STORE_TEST("/store/index/unreadable", test_unreadable);
    STORE_TEST("/store/index/flipped", test_flipped);
    STORE_TEST("/store/index/foreign", test_foreign);
    STORE_TEST("/store/index/sparse", test_sparse);
    STORE_TEST("/store/index/none", test_none);
    return g_test_run();
}
