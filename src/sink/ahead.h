// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A source read ahead: by a thread, while the caller works on what it got before.
 *
 *     struct ahead *a = ahead_new(source);
 *     while ((p = ahead_next(a))->len > 0)
 *         use(p->bytes, p->len);
 *     ahead_free(a);                                   // before source_free()
 *
 * The thread begins with the second piece, for those whom the first is enough. A pipe has none: whoever fills it
 * runs ahead as it is, and so a signal ends the wait for him.
 */
#include "sink/source.h"

#define AHEAD_PIECE_BYTES (256u << 10) /* stays in the nearer caches between reading, hashing and writing */

struct ahead_piece {
    uint8_t *bytes;    /* until the next call */
    ssize_t len;       /* 0: the end; -1: error */
    GError *error;     /* as source_read() says; after DAMAGED there may be more pieces. May be stolen */
    uint64_t lost;     /* source_lost() */
    uint64_t position; /* source_position() */
};

struct ahead;
/* Borrowed; nobody else may use it meanwhile, but for what never changes: its size and form. */
struct ahead *ahead_new(struct source *source);
void ahead_free(struct ahead *a);
/* Blocks. After the last piece it comes again. */
struct ahead_piece *ahead_next(struct ahead *a);
