// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Whole snapshots in a store: a drive of a few chunks, each made of a seed; 0 is zeros.
 *
 *     static const unsigned day1[] = {1, 2, 0, 3};
 *     g_autofree char *path = make_snapshot(f, "web", 1000, day1, 4);      // 1970-01-01T00:16:40Z
 *     damage(f, 2);                                                        // the chunk of seed 2
 */
#include "unit/store_fixture.h"

static inline void chunk_of(unsigned seed, uint8_t *bytes, struct chunk_id *id)
{
    g_autofree uint8_t *data = seed ? noise(seed, 600) : g_malloc0(600);
    memset(bytes, 0, CHUNK);
    memcpy(bytes, data, 600);
    chunk_id_of(bytes, CHUNK, id);
}

static inline char *make_snapshot(struct store_fixture *f, const char *guest, int64_t instant, const unsigned *seeds,
                                  unsigned n)
{
    static const uint8_t uuid[16] = {1};
    g_autofree char *folder = g_build_filename(f->dir, guest, NULL);
    g_autofree uint8_t *bytes = g_malloc(CHUNK);
    g_autoptr(GBytes) config = g_bytes_new_static("{}", 2);
    g_autoptr(snapshot) s = snapshot_new(uuid, instant, CHUNK);
    g_autoptr(chunk_index) x = chunk_index_new((uint64_t)n * CHUNK, CHUNK);
    g_autoptr(GError) error = NULL;
    struct snapshot_device *d = snapshot_add_device(s, "scsi0", x->size);
    struct chunk_batch *b = chunk_batch_new(f->store->chunks, 1);
    snapshot_set_config(s, "vmabackup.json", config);
    snapshot_begin(s, folder, "run", &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < n; i++) {
        struct chunk_id id;
        uint64_t stored = 0;
        chunk_of(seeds[i], bytes, &id);
        chunk_batch_put(b, &id, bytes, CHUNK, &stored, &error);
        g_assert_no_error(error);
        chunk_index_set(x, i, &id);
        d->new_bytes += stored;
        d->new_plain += stored ? CHUNK : 0;
        g_assert_true(i % 3 < 2 || chunk_batch_commit(b, NULL));
    }
    g_assert_true(chunk_batch_commit(b, NULL) && snapshot_write_index(s, d, x, NULL));
    snapshot_commit(s, f->store->chunks, &error);
    g_assert_no_error(error);
    chunk_batch_free(b);
    return g_strdup(s->path);
}

static inline char *path_of(struct store_fixture *f, unsigned seed, const char *suffix)
{
    g_autofree uint8_t *bytes = g_malloc(CHUNK);
    struct chunk_id id;
    chunk_of(seed, bytes, &id);
    return chunk_path(f, &id, suffix);
}

static inline void damage(struct store_fixture *f, unsigned seed)
{
    g_autofree char *path = path_of(f, seed, ".cacnk"), *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    bytes[len / 2] ^= 1;
    must_write(path, bytes, len);
}

static inline bool has_chunk(struct store_fixture *f, unsigned seed)
{
    g_autofree char *path = path_of(f, seed, ".cacnk");
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}
