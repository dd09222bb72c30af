// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The seek table of a packed archive as it is written: whose each frame is, in the order they stand there
 * (sink/seek_table_reader.h reads it back). Pure; 12 bytes a frame.
 *
 *     seek_table_writer_add(t, packed_len, plain_len, owner);
 *     seek_table_writer_drop(t, owner);                       // they are dead
 *     while (seek_table_writer_bury(t, &offset, &len))        // neighbours at once
 *         …make it one skippable frame…
 *     end = seek_table_writer_trim(t);                        // dead ones at the end may be cut off
 *     g_autoptr(GByteArray) table = seek_table_writer_encode(t);
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct seek_table_writer;
struct seek_table_writer *seek_table_writer_new(void);
void seek_table_writer_free(struct seek_table_writer *t);
/* owner: up to 60000. */
void seek_table_writer_add(struct seek_table_writer *t, uint64_t packed, uint64_t plain, unsigned owner);
void seek_table_writer_add_dead(struct seek_table_writer *t, uint64_t packed);
void seek_table_writer_drop(struct seek_table_writer *t, unsigned owner);
/* A range of dead frames is one skippable frame from now on; false: there are none. */
bool seek_table_writer_bury(struct seek_table_writer *t, uint64_t *offset, uint64_t *len);
/* Forgets dead frames at the end; returns where the last one that lives ends. */
uint64_t seek_table_writer_trim(struct seek_table_writer *t);
uint64_t seek_table_writer_plain(const struct seek_table_writer *t); /* bytes of what lives, unpacked */
/* The skippable frame with the seek table. */
GByteArray *seek_table_writer_encode(const struct seek_table_writer *t);
