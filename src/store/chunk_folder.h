// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The chunks of a store, as casync keeps them: chunks.castr/abcd/abcd….cacnk, one zstd frame each.
 *
 *     struct chunk_folder *f = chunk_folder_open(path, &error);
 *     chunk_folder_read(f, &id, to, len, &error);                          // whole, and its digest checked
 *
 *     struct chunk_batch *b = chunk_batch_new(f, level);
 *     chunk_batch_put(b, &id, bytes, len, &stored, &error);                // from any thread
 *     chunk_batch_commit(b, &error);                                       // all of them are durable under their names
 *
 * A chunk that has its name is whole and on the disk: a batch writes under names that nobody looks for, syncs, and
 * renames. All of it blocks, and may be called from any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "store/chunk_id.h"

struct chunk_folder;
struct chunk_folder *chunk_folder_open(const char *path, GError **error);
void chunk_folder_free(struct chunk_folder *f);
/* It has its name there, and is not suspected. */
bool chunk_folder_has(struct chunk_folder *f, const struct chunk_id *id);
/* len: of the plain chunk. DAMAGED: it is missing, or not what its name says (how, and its path); FAILED: read error.
 */
bool chunk_folder_read(struct chunk_folder *f, const struct chunk_id *id, void *to, size_t len, GError **error);
/* The same by zstd's checksum, where the chunk has one, and not by its digest, which takes as long as unpacking: for
 * those who read it again and again. */
bool chunk_folder_read_lightly(struct chunk_folder *f, const struct chunk_id *id, void *to, size_t len, GError **error);
/* All chunks, their names, and whatever else lies on this folder's file system are durable: one syncfs where the chunks
 * lie on the same, two where chunks.castr is a mount or a link. */
bool chunk_folder_sync_with(struct chunk_folder *f, int folder_fd, const char *folder, GError **error);
/* A damaged one gets the name ….bad, so that whoever has its bytes writes it anew. */
bool chunk_folder_set_aside(struct chunk_folder *f, const struct chunk_id *id, GError **error);
/* For a damaged one that cannot be set aside while others use the store: it keeps its name, but whoever has its bytes
 * writes it anew. The sticky bit of its file says so; a new file has none. */
bool chunk_folder_suspect(struct chunk_folder *f, const struct chunk_id *id, bool is_suspect, GError **error);
/* Only under the store's exclusive lock: nobody names it. What was set aside, if is_aside. */
bool chunk_folder_remove(struct chunk_folder *f, const struct chunk_id *id, bool is_aside, GError **error);
/* What batches of dead runs have left goes. Only under the store's exclusive lock. */
bool chunk_folder_tidy(struct chunk_folder *f, GError **error);

struct chunk_batch;
/* level: zstd's; 0 = 1. */
struct chunk_batch *chunk_batch_new(struct chunk_folder *f, int level);
/* What was not committed is removed. */
void chunk_batch_free(struct chunk_batch *b);
/* *stored: bytes that it takes on the disk, 0 where the store, or this batch, has it already. SINK_ERROR_FULL: no room,
 * and nothing has changed: it can be tried again. */
bool chunk_batch_put(struct chunk_batch *b, const struct chunk_id *id, const void *bytes, size_t len, uint64_t *stored,
                     GError **error);
/* Bytes put and not committed. */
uint64_t chunk_batch_pending(const struct chunk_batch *b);
/* Goes on to be used. Chunks that are put meanwhile, by other threads, belong to the next commit. */
bool chunk_batch_commit(struct chunk_batch *b, GError **error);
