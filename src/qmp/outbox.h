// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Commands on their way out, in order. Each is a piece of its own, because a descriptor belongs to the first
 * byte of its command, and QEMU keeps only the last one that came.
 */
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct outbox_piece {
    uint64_t id;
    char *text;
    size_t len, n_sent;
    int fd; /* to go with the first byte, or -1; owned */
};

/* A piece takes text and fd. */
struct outbox_piece *outbox_piece_new(uint64_t id, char *text, int fd);
void outbox_piece_free(struct outbox_piece *piece);

void outbox_push(GQueue *outbox, struct outbox_piece *piece);
/* Before all others, but never inside one that has begun. */
void outbox_push_first(GQueue *outbox, struct outbox_piece *piece);
/* The next piece, or NULL; its unsent bytes are text + n_sent. */
const struct outbox_piece *outbox_front(const GQueue *outbox);
/* n bytes of the front have gone, and if n > 0 the descriptor with them. */
void outbox_sent(GQueue *outbox, size_t n);
void outbox_clear(GQueue *outbox);
