// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A store in a folder of its own, made anew for each test.
 *
 *     static void test_x(struct store_fixture *f, gconstpointer data)
 *     …
 *     STORE_TEST("/store/x", test_x);
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib.h>
#include "base/error.h"
#include "store/snapshot.h"
#include "store/store.h"

#define CHUNK (64u << 10)

struct store_fixture {
    char *folder, *dir; /* the store is in the folder */
    struct store *store;
};

/* data: the length of a chunk; NULL: CHUNK. */
static inline void store_up(struct store_fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    f->folder = g_dir_make_tmp("store-XXXXXX", NULL);
    f->dir = g_build_filename(f->folder, "bk", NULL);
    store_init(f->dir, data ? GPOINTER_TO_UINT(data) : CHUNK, &error);
    g_assert_no_error(error);
    f->store = store_open(f->dir, STORE_SHARED, &error);
    g_assert_no_error(error);
}

static inline void store_down(struct store_fixture *f, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", f->folder);
    store_free(f->store);
    g_assert_cmpint(system(command), ==, 0);
    g_free(f->folder);
    g_free(f->dir);
}

#define STORE_TEST(path, function) g_test_add(path, struct store_fixture, NULL, store_up, function, store_down)

/* Bytes that do not shrink, the same for the same seed. */
static inline uint8_t *noise(uint32_t seed, size_t len)
{
    uint8_t *bytes = g_malloc(len);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)g_rand_int(rand);
    return bytes;
}

static inline char *chunk_path(const struct store_fixture *f, const struct chunk_id *id, const char *suffix)
{
    char text[CHUNK_ID_TEXT];
    chunk_id_text(id, text);
    return g_strdup_printf("%s/chunks.castr/%.4s/%s%s", f->dir, text, text, suffix);
}

static inline void must_write(const char *path, const void *bytes, size_t len)
{
    unlink(path);
    g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

/* Files below that folder whose name ends so. */
static inline unsigned count_files(const char *folder, const char *suffix)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    unsigned n = 0;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        n += g_file_test(path, G_FILE_TEST_IS_DIR) ? count_files(path, suffix)
                                                   : (unsigned)g_str_has_suffix(name, suffix);
    }
    return n;
}
