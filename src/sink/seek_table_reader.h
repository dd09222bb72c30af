// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The seek table at the end of a packed archive, read back (sink/seek_table_writer.h makes it): the public "zstd
 * seekable format", a skippable frame
 *
 *     u32 0x184D2A5E · u32 length · entries · u32 number of entries · u8 descriptor · u32 0x8F92EAB1
 *     entry: u32 packed size · u32 plain size · [u32 checksum, with bit 7 of the descriptor]
 *
 * all little-endian, an entry for each frame before it, skippable ones too (plain size 0).
 *
 *     g_autoptr(seek_table_reader_t) t = seek_table_reader_load(fd, file_size, &error);
 *     struct seek_frame f;
 *     if (seek_table_reader_find(t, plain_offset, &f)) …
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#define SEEK_TABLE_FRAME_MAGIC 0x184D2A5Eu
#define SEEK_TABLE_MAGIC       0x8F92EAB1u
#define SEEK_TABLE_FOOTER_SIZE 9u
#define SEEK_TABLE_HAS_SUMS    0x80u
#define SEEK_TABLE_RESERVED    0x7cu
#define SEEK_TABLE_MAX_FRAMES  (8u << 20) /* of ours, more than 28 TiB: 64 MiB of memory */

struct seek_frame {
    uint32_t index;
    uint64_t packed_at, plain_at;
    uint32_t packed_len, plain_len;
};

struct seek_table_reader;
/* NULL without an error: the file has none. NULL with one: there is one, but damaged (DAMAGED), too long or
 * not to be read (FAILED). The sizes are known to add up to the file's. Zeros behind it are padding. */
struct seek_table_reader *seek_table_reader_load(int fd, uint64_t file_size, GError **error);
void seek_table_reader_free(struct seek_table_reader *t);
uint32_t seek_table_reader_count(const struct seek_table_reader *t);
uint64_t seek_table_reader_plain_size(const struct seek_table_reader *t);
/* index < count. */
struct seek_frame seek_table_reader_frame(const struct seek_table_reader *t, uint32_t index);
/* The frame which that byte of the plain archive lies in; false beyond its end. */
bool seek_table_reader_find(const struct seek_table_reader *t, uint64_t plain_offset, struct seek_frame *f);

typedef struct seek_table_reader seek_table_reader_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(seek_table_reader_t, seek_table_reader_free)
