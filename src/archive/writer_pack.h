// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Compression, the second half of a worker's turn, with a compressor that is idle: a sealed extent becomes one zstd
 * frame. The frame takes the buffers of the extent's own clusters, the others go back: so a free buffer stays the only
 * credit there is. What does not shrink stays where it is, with the heads of raw blocks between. Extents without any
 * data are packed together.
 */
#include "archive/writer_item.h"
#include "sink/compress.h"

struct pack_stage {
    GAsyncQueue *idle; /* compressors, one for each worker; NULL where nothing is packed */
};

void writer_pack_start(struct pack_stage *p, int level, unsigned threads);
void writer_pack_in_worker(struct item *item, struct compress *compress);
/* Its worker is done: buffers go back that are of no more use. */
void writer_pack_end(struct item *item);
/* What a worker has sealed: itself; but without any data it is collected, and they come as an unsealed one when they
 * are many, else NULL. */
struct item *writer_pack_collect(const struct pack_stage *p, struct item *item);
/* Those that were collected; NULL if there are none. */
struct item *writer_pack_take_empty(struct writer_env *env, struct extent_lane *lane);
/* Bytes as they stand in the archive: unchanged, or as a frame whose length depends on theirs alone. */
GByteArray *writer_pack_store(const struct pack_stage *p, const void *bytes, size_t len);
/* On a block device the length stands before the header, from the end on: else the seek table could not be found.
 * Empty everywhere else. */
GByteArray *writer_pack_length(const struct pack_stage *p, const struct sink *sink, uint64_t archive_len);
