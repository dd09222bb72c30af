// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/outbox.h"
#include <string.h>
#include <unistd.h>

struct outbox_piece *outbox_piece_new(uint64_t id, char *text, int fd)
{
    struct outbox_piece *piece = g_new(struct outbox_piece, 1);

    *piece = (struct outbox_piece){.id = id, .text = text, .len = strlen(text), .fd = fd};
    return piece;
}

void outbox_piece_free(struct outbox_piece *piece)
{
    if (piece->fd >= 0)
        close(piece->fd);
    g_free(piece->text);
    g_free(piece);
}

void outbox_push(GQueue *outbox, struct outbox_piece *piece)
{
    g_queue_push_tail(outbox, piece);
}

void outbox_push_first(GQueue *outbox, struct outbox_piece *piece)
{
    const struct outbox_piece *front = outbox_front(outbox);

    g_assert(!front || front->n_sent == 0);
    g_queue_push_head(outbox, piece);
}

const struct outbox_piece *outbox_front(const GQueue *outbox)
{
    return outbox->head ? outbox->head->data : NULL;
}

void outbox_sent(GQueue *outbox, size_t n)
{
    struct outbox_piece *piece = outbox->head ? outbox->head->data : NULL;

    g_assert(piece && n <= piece->len - piece->n_sent);
    if (n && piece->fd >= 0) {
        close(piece->fd);
        piece->fd = -1;
    }
    piece->n_sent += n;
    if (piece->n_sent == piece->len)
        outbox_piece_free(g_queue_pop_head(outbox));
}

void outbox_clear(GQueue *outbox)
{
    g_queue_clear_full(outbox, (GDestroyNotify)outbox_piece_free);
}
