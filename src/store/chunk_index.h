// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Which chunks a drive, or the RAM state, consists of: casync's blob index (.caibx) with chunks of one size, of which
 * the last may be shorter.
 *
 *     g_autoptr(chunk_index) x = chunk_index_new(size, chunk_bytes);       // all zeros at first
 *     chunk_index_set(x, i, &id);
 *     chunk_index_write(x, fd, &error);
 *     g_autoptr(chunk_index) y = chunk_index_load(path, &error);
 *
 * The bytes: docs/store.md. Every byte of a file is hostile: load() checks magic numbers, sizes and the tail.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "store/chunk_id.h"

struct chunk_index {
    uint64_t size;             /* of the drive, bytes */
    uint32_t chunk_bytes;      /* a power of two, 64 KiB to 16 MiB */
    uint64_t n;                /* chunks */
    struct chunk_id *ids;      /* n */
    struct chunk_id zeros;     /* of a whole chunk of zeros */
    struct chunk_id end_zeros; /* of the last chunk, if it is zeros */
    struct chunk_id file;      /* SHA-256 of the file that it was loaded from */
};

/* NULL: there is not so much memory. */
struct chunk_index *chunk_index_new(uint64_t size, uint32_t chunk_bytes);
void chunk_index_free(struct chunk_index *x);
/* Length in bytes of chunk i. */
uint32_t chunk_index_len(const struct chunk_index *x, uint64_t i);
bool chunk_index_is_zeros(const struct chunk_index *x, uint64_t i);
void chunk_index_set(struct chunk_index *x, uint64_t i, const struct chunk_id *id);
/* The same with another length: what is new is zeros. For the RAM stream, whose length is known at its end. False:
 * there is not so much memory; it is as it was. */
bool chunk_index_resize(struct chunk_index *x, uint64_t size);
/* Not synced. FAILED, or TARGET's SINK_ERROR_FULL where there is no room. */
bool chunk_index_write(const struct chunk_index *x, int fd, GError **error);
/* FAILED: cannot be read. DAMAGED: nor will it be (a sector is gone), it is none, or not one with chunks of one size;
 * what is wrong, and at which byte. */
struct chunk_index *chunk_index_load(const char *path, GError **error);

typedef struct chunk_index chunk_index;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(chunk_index, chunk_index_free)
