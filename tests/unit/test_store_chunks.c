// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks: put, committed, read back; by several threads and runs; and files that are not what their names say. */
#include <signal.h>
#include <sys/resource.h>
#include "sink/sink.h"
#include "unit/store_fixture.h"

static void test_ids(void)
{
    struct chunk_id id, zeros, back;
    char text[CHUNK_ID_TEXT];
    static const uint8_t nothing[100000];
    chunk_id_of("abc", 3, &id);
    chunk_id_text(&id, text);
    g_assert_cmpstr(text, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    g_assert_true(chunk_id_parse(text, &back) && chunk_id_equal(&id, &back));
    for (size_t len = 0; len <= sizeof nothing; len += 33333) {
        chunk_id_of(nothing, len, &id);
        chunk_id_of_zeros(len, &zeros);
        g_assert_true(chunk_id_equal(&id, &zeros));
    }
    text[5] = 'A';
    g_assert_false(chunk_id_parse(text, &back));
    g_assert_false(chunk_id_parse("", &back));
    g_assert_false(chunk_id_parse("ba78", &back));
    g_assert_false(chunk_id_parse("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0", &back));
}

/* ---- put and read ---- */

static uint64_t must_put(struct chunk_batch *b, const void *bytes, size_t len, struct chunk_id *id)
{
    g_autoptr(GError) error = NULL;
    uint64_t stored = 0;
    chunk_id_of(bytes, len, id);
    chunk_batch_put(b, id, bytes, len, &stored, &error);
    g_assert_no_error(error);
    return stored;
}

static void must_commit(struct chunk_batch *b)
{
    g_autoptr(GError) error = NULL;
    chunk_batch_commit(b, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(chunk_batch_pending(b), ==, 0);
}

static void must_read(struct store_fixture *f, const struct chunk_id *id, const void *bytes, size_t len)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *found = g_malloc(len);
    chunk_folder_read(f->store->chunks, id, found, len, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(found, len, bytes, len);
}

static void test_put(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 0);
    g_autofree uint8_t *bytes = noise(1, CHUNK), *zeros = g_malloc0(CHUNK);
    struct chunk_id id[3];
    uint64_t stored = must_put(b, bytes, CHUNK, &id[0]);
    g_assert_cmpuint(stored, >=, CHUNK);
    g_assert_cmpuint(must_put(b, bytes, CHUNK, &id[0]), ==, 0); /* the batch has it */
    stored += must_put(b, zeros, CHUNK, &id[1]);
    stored += must_put(b, bytes, 512, &id[2]);
    g_assert_cmpuint(chunk_batch_pending(b), ==, stored);
    g_assert_false(chunk_folder_has(f->store->chunks, &id[0])); /* no name before it is durable */
    must_commit(b);
    g_assert_cmpuint(must_put(b, bytes, CHUNK, &id[0]), ==, 0); /* the store has it */
    must_read(f, &id[0], bytes, CHUNK);
    must_read(f, &id[1], zeros, CHUNK);
    must_read(f, &id[2], bytes, 512);
    must_commit(b);
    chunk_batch_free(b);
    g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, 3);
}

static void test_not_committed(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 0);
    g_autofree char *tmp = g_build_filename(f->dir, "chunks.castr", "tmp", NULL);
    struct chunk_id id;
    must_put(b, "abc", 3, &id);
    g_assert_cmpuint(count_files(tmp, ""), ==, 1);
    chunk_batch_free(b);
    g_assert_cmpuint(count_files(tmp, ""), ==, 0);
    g_assert_false(chunk_folder_has(f->store->chunks, &id));
}

/* Two runs put the same: whichever commits last replaces what is the same. */
static void test_two_runs(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *a = chunk_batch_new(f->store->chunks, 1), *b = chunk_batch_new(f->store->chunks, 3);
    g_autofree uint8_t *bytes = noise(2, CHUNK);
    struct chunk_id id;
    g_assert_cmpuint(must_put(a, bytes, CHUNK, &id), >, 0);
    g_assert_cmpuint(must_put(b, bytes, CHUNK, &id), >, 0);
    must_commit(a);
    must_read(f, &id, bytes, CHUNK);
    must_commit(b);
    must_read(f, &id, bytes, CHUNK);
    chunk_batch_free(a);
    chunk_batch_free(b);
}

/* What is damaged under a good name is not looked at: that is what a check is for. */
static void test_damaged_is_not_looked_at(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    struct chunk_id id;
    must_put(b, "abc", 3, &id);
    must_commit(b);
    g_autofree char *path = chunk_path(f, &id, ".cacnk");
    must_write(path, "junk", 4);
    g_assert_cmpuint(must_put(b, "abc", 3, &id), ==, 0);
    g_assert_true(chunk_folder_set_aside(f->store->chunks, &id, NULL));
    g_assert_false(chunk_folder_has(f->store->chunks, &id));
    g_assert_cmpuint(must_put(b, "abc", 3, &id), >, 0);
    must_commit(b);
    must_read(f, &id, "abc", 3);
    chunk_batch_free(b);
}

static void test_full(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    g_autofree uint8_t *bytes = noise(3, CHUNK);
    g_autoptr(GError) error = NULL;
    struct rlimit before, small = {CHUNK / 2, RLIM_INFINITY};
    struct chunk_id id;
    uint64_t stored;
    chunk_id_of(bytes, CHUNK, &id);
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    g_assert_false(chunk_batch_put(b, &id, bytes, CHUNK, &stored, &error));
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_error(error, SINK_ERROR, SINK_ERROR_FULL);
    g_assert_cmpuint(chunk_batch_pending(b), ==, 0);
    g_assert_cmpuint(must_put(b, bytes, CHUNK, &id), >, 0); /* it can be tried again */
    must_commit(b);
    must_read(f, &id, bytes, CHUNK);
    chunk_batch_free(b);
}

/* ---- threads ---- */

enum { THREADS = 4, PUTS = 300, DIFFERENT = 40 };

struct putting {
    struct chunk_batch *batch;
    gint stored; /* chunks that took room */
};

static gpointer put_some(gpointer data)
{
    struct putting *p = data;
    for (unsigned i = 0; i < PUTS; i++) {
        struct chunk_id id;
        g_autofree uint8_t *bytes = noise(g_random_int_range(0, DIFFERENT), 4096);
        if (must_put(p->batch, bytes, 4096, &id))
            g_atomic_int_inc(&p->stored);
        if (i % 50 == 49) {
            g_assert_true(chunk_batch_commit(p->batch, NULL));
        }
    }
    return NULL;
}

static void test_threads(struct store_fixture *f, gconstpointer data)
{
    struct putting p = {chunk_batch_new(f->store->chunks, 1), 0};
    GThread *threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("put", put_some, &p);
    for (unsigned i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    must_commit(p.batch);
    chunk_batch_free(p.batch);
    g_assert_cmpuint(count_files(f->dir, ".cacnk"), ==, (unsigned)p.stored); /* each was written once */
    for (unsigned i = 0; i < DIFFERENT; i++) {
        struct chunk_id id;
        g_autofree uint8_t *bytes = noise(i, 4096);
        chunk_id_of(bytes, 4096, &id);
        must_read(f, &id, bytes, 4096);
    }
}

/* ---- damage ---- */

static void must_be_damaged(struct store_fixture *f, const struct chunk_id *id, size_t len, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *found = g_malloc(len);
    char text[CHUNK_ID_TEXT];
    g_assert_false(chunk_folder_read(f->store->chunks, id, found, len, &error));
    g_assert_error(error, VMB_ERROR, VMB_ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, why));
    chunk_id_text(id, text);
    g_assert_nonnull(strstr(error->message, text));
}

static void test_hostile(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    g_autofree uint8_t *bytes = noise(4, CHUNK);
    g_autofree char *frame = NULL;
    struct chunk_id id;
    gsize len;
    must_put(b, bytes, CHUNK, &id);
    must_commit(b);
    chunk_batch_free(b);
    g_autofree char *path = chunk_path(f, &id, ".cacnk");
    g_assert_true(g_file_get_contents(path, &frame, &len, NULL));
    for (gsize at = 0; at < len; at += 997) { /* one flipped bit */
        frame[at] ^= 4;
        must_write(path, frame, len);
        must_be_damaged(f, &id, CHUNK, "chunk ");
        frame[at] ^= 4;
    }
    must_write(path, frame, len - 1);
    must_be_damaged(f, &id, CHUNK, "no whole zstd frame");
    must_write(path, "", 0);
    must_be_damaged(f, &id, CHUNK, "empty");
    g_autofree char *longer = g_malloc0(len + 1), *long_file = g_malloc0(2 * CHUNK);
    memcpy(longer, frame, len);
    must_write(path, longer, len + 1);
    must_be_damaged(f, &id, CHUNK, "behind");
    must_write(path, long_file, 2 * CHUNK);
    must_be_damaged(f, &id, CHUNK, "longer");
    must_write(path, frame, len);
    must_be_damaged(f, &id, CHUNK - 1, "cannot be unpacked"); /* more comes out than should */
    must_be_damaged(f, &id, CHUNK + 1, "shorter");
    unlink(path);
    must_be_damaged(f, &id, CHUNK, "missing");
    g_assert_cmpint(symlink("/dev/null", path), ==, 0); /* casync's mark */
    must_be_damaged(f, &id, CHUNK, "missing");
    g_assert_false(chunk_folder_has(f->store->chunks, &id));
    unlink(path);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    must_be_damaged(f, &id, CHUNK, "not a file");
}

static void test_another_chunk(struct store_fixture *f, gconstpointer data)
{
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    struct chunk_id one, other;
    must_put(b, "one", 3, &one);
    must_put(b, "two", 3, &other);
    must_commit(b);
    chunk_batch_free(b);
    g_autofree char *path = chunk_path(f, &one, ".cacnk"), *other_path = chunk_path(f, &other, ".cacnk");
    g_assert_cmpint(rename(other_path, path), ==, 0);
    must_be_damaged(f, &one, 3, "digest is wrong");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/chunks/ids", test_ids);
    STORE_TEST("/store/chunks/put", test_put);
    STORE_TEST("/store/chunks/not-committed", test_not_committed);
    STORE_TEST("/store/chunks/two-runs", test_two_runs);
    STORE_TEST("/store/chunks/damaged-is-not-looked-at", test_damaged_is_not_looked_at);
    STORE_TEST("/store/chunks/full", test_full);
    STORE_TEST("/store/chunks/threads", test_threads);
    STORE_TEST("/store/chunks/hostile", test_hostile);
    STORE_TEST("/store/chunks/another-chunk", test_another_chunk);
    return g_test_run();
}
