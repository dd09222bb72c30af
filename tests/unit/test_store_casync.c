// SPDX-License-Identifier: GPL-2.0-or-later
/* Stock casync reads our chunks and indexes, and notices what we notice. */
#include "unit/store_fixture.h"

struct image {
    uint32_t chunk_bytes;
    size_t len;
};

/* Data that shrinks, data that does not, and zeros. */
static uint8_t *make_image(size_t len)
{
    uint8_t *bytes = g_malloc0(len + 1);
    g_autofree uint8_t *hard = noise(7, len / 3 + 1);
    memcpy(bytes, hard, len / 3);
    for (size_t i = len - len / 4; i < len; i++)
        bytes[i] = (uint8_t)(i / 5000);
    return bytes;
}

static void put_chunk(struct chunk_batch *b, struct chunk_index *x, uint64_t i, const uint8_t *bytes)
{
    g_autoptr(GError) error = NULL;
    struct chunk_id id;
    uint64_t stored;
    uint32_t len = chunk_index_len(x, i);
    chunk_id_of(bytes, len, &id);
    chunk_batch_put(b, &id, bytes, len, &stored, &error);
    g_assert_no_error(error);
    chunk_index_set(x, i, &id);
}

static char *put_image(struct store_fixture *f, const uint8_t *bytes, struct image image)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    g_autoptr(chunk_index) x = chunk_index_new(image.len, image.chunk_bytes);
    char *path = g_build_filename(f->folder, "x.caibx", NULL);
    for (uint64_t i = 0; i < x->n; i++)
        put_chunk(b, x, i, bytes + i * image.chunk_bytes);
    g_assert_true(chunk_batch_commit(b, NULL));
    chunk_batch_free(b);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    g_assert_true(chunk_index_write(x, fd, NULL));
    close(fd);
    return path;
}

/* Its exit status. */
static int run_casync(const struct store_fixture *f, const char *index, const char *out)
{
    g_autofree char *of = g_strdup_printf("--store=%s/chunks.castr", f->dir);
    const char *argv[] = {"casync", "extract", of, index, out, NULL};
    g_autofree char *said = NULL;
    g_autoptr(GError) error = NULL;
    int status;
    unlink(out);
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said, &status, &error);
    g_assert_no_error(error);
    return status;
}

static bool has_casync(void)
{
    g_autofree char *program = g_find_program_in_path("casync");
    if (!program)
        g_test_skip("no casync here");
    return program;
}

static void test_extract(struct store_fixture *f, gconstpointer data)
{
    static const struct image images[] = {
        {CHUNK, 0},
        {CHUNK, 512},
        {CHUNK, CHUNK},
        {CHUNK, 20 * CHUNK + 12345},
        {1u << 20, 100000},
        {1u << 20, 5u << 20},
        {1u << 20, (7u << 20) + 512},
        {16u << 20, (17u << 20)},
    };
    g_autofree char *out = g_build_filename(f->folder, "out", NULL);
    for (unsigned i = 0; has_casync() && i < G_N_ELEMENTS(images); i++) {
        g_autofree uint8_t *bytes = make_image(images[i].len);
        g_autofree char *index = put_image(f, bytes, images[i]), *found = NULL;
        gsize len;
        g_assert_cmpint(run_casync(f, index, out), ==, 0);
        g_assert_true(g_file_get_contents(out, &found, &len, NULL));
        g_assert_cmpmem(found, len, bytes, images[i].len);
    }
}

static void test_damage(struct store_fixture *f, gconstpointer data)
{
    struct image image = {CHUNK, 4 * CHUNK};
    g_autofree uint8_t *bytes = noise(9, image.len);
    g_autofree char *index = put_image(f, bytes, image), *out = g_build_filename(f->folder, "out", NULL);
    struct chunk_id id;
    if (!has_casync())
        return;
    chunk_id_of(bytes + CHUNK, CHUNK, &id);
    g_autofree char *path = chunk_path(f, &id, ".cacnk"), *frame = NULL;
    gsize len;
    g_assert_cmpint(run_casync(f, index, out), ==, 0);
    g_assert_true(g_file_get_contents(path, &frame, &len, NULL));
    frame[len / 2] ^= 1;
    must_write(path, frame, len);
    g_assert_cmpint(run_casync(f, index, out), !=, 0);
    must_write(path, frame, len / 2);
    g_assert_cmpint(run_casync(f, index, out), !=, 0);
    g_assert_true(chunk_folder_set_aside(f->store->chunks, &id, NULL));
    g_assert_cmpint(run_casync(f, index, out), !=, 0);
    g_autofree char *again = put_image(f, bytes, image); /* whoever has the bytes heals it */
    g_assert_cmpint(run_casync(f, index, out), ==, 0);
}

/* Its collection leaves what an index names, and does not mind what else we keep there. */
static void test_gc(struct store_fixture *f, gconstpointer data)
{
    struct image image = {CHUNK, 4 * CHUNK};
    g_autofree uint8_t *bytes = noise(10, image.len), *more = noise(11, CHUNK);
    g_autofree char *of = g_strdup_printf("--store=%s/chunks.castr", f->dir);
    if (!has_casync())
        return;
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    g_autoptr(chunk_index) x = chunk_index_new(CHUNK, CHUNK);
    put_chunk(b, x, 0, more);
    g_assert_true(chunk_batch_commit(b, NULL));
    chunk_batch_free(b);
    g_autofree char *index = put_image(f, bytes, image);
    const char *argv[] = {"casync", "gc", of, index, NULL};
    int status;
    g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, 5);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    STORE_TEST("/store/casync/extract", test_extract);
    STORE_TEST("/store/casync/damage", test_damage);
    STORE_TEST("/store/casync/gc", test_gc);
    return g_test_run();
}
