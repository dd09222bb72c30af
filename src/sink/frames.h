// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Frames of a packed archive, unpacked by the thread pool and kept for a while; part of sink/random.
 *
 * Whoever needs a part of one gets it copied when it is there. Everything but the unpacking itself is done on
 * the loop's thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "sink/random.h"
#include "sink/seek_table_reader.h"

struct frames;
/* error: 0 or EIO. */
typedef void (*frames_copied)(void *user, int error);

struct frames *frames_new(uv_loop_t *loop, int fd, const struct seek_table_reader *table, random_fault fault,
                          void *user);
/* Nothing may be under way. */
void frames_free(struct frames *f);
/* Bytes at…at+len of the unpacked frame (which has them) go to `to`; done may be called at once. */
void frames_copy(struct frames *f, struct seek_frame frame, size_t at, size_t len, uint8_t *to, frames_copied done,
                 void *user);
