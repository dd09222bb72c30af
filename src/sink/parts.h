// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Parts of an archive that are to be had only as a whole, as a zstd frame is, made by the thread pool and kept for a
 * while; part of sink/random.
 *
 * Whoever needs some bytes of one gets them copied when it is there. Everything but the making itself is done on the
 * loop's thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "sink/random.h"

struct parts;
/* error: 0 or EIO. */
typedef void (*parts_copied)(void *user, int error);

struct parts *parts_new(uv_loop_t *loop, const struct random_ops *ops, void *ops_user, random_fault fault,
                        void *fault_user);
/* Nothing may be under way. */
void parts_free(struct parts *p);
/* Bytes at…at+len of the part (which has them) go to `to`; done may be called at once. */
void parts_copy(struct parts *p, const struct random_part *part, size_t at, size_t len, uint8_t *to, parts_copied done,
                void *user);
