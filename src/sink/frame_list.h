// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The frames of a packed archive in the order they stand in it: whose each is, and the seek table they make
 * (sink/seek_table.h reads it). Pure; 12 bytes a frame.
 *
 *     frame_list_add(l, packed_len, plain_len, owner);
 *     frame_list_drop(l, owner);                                 // they are dead
 *     while (frame_list_bury(l, &offset, &len))                  // neighbours at once
 *         …make it one skippable frame…
 *     end = frame_list_trim(l);                                  // dead ones at the end may be cut off
 *     g_autoptr(GByteArray) table = frame_list_table(l);
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

struct frame_list;
struct frame_list *frame_list_new(void);
void frame_list_free(struct frame_list *l);
/* owner: up to 60000. */
void frame_list_add(struct frame_list *l, uint64_t packed, uint64_t plain, unsigned owner);
void frame_list_add_dead(struct frame_list *l, uint64_t packed);
void frame_list_drop(struct frame_list *l, unsigned owner);
/* A range of dead frames is one skippable frame from now on; false: there are none. */
bool frame_list_bury(struct frame_list *l, uint64_t *offset, uint64_t *len);
bool frame_list_has_dead(const struct frame_list *l); /* not buried yet */
/* Forgets dead frames at the end; returns where the last one that lives ends. */
uint64_t frame_list_trim(struct frame_list *l);
uint64_t frame_list_plain(const struct frame_list *l); /* bytes of what lives, unpacked */
/* The skippable frame with the seek table. */
GByteArray *frame_list_table(const struct frame_list *l);
