// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_item.h"

struct item *writer_item_new(struct writer_env *env, struct extent_lane *lane, void *raw, size_t len)
{
    struct item *item = g_new0(struct item, 1);

    item->env = env;
    item->lane = lane;
    item->generation = lane ? lane->generation : 0;
    item->raw = raw;
    if (raw)
        writer_item_set_pieces(item, &(struct iovec){raw, len}, 1);
    return item;
}

void writer_item_free(struct item *item)
{
    for (unsigned i = 0; i < item->extent.n; i++)
        pool_give(item->env->pool, item->extent.clusters[i].data);
    stored_free(item->stored);
    g_free(item->pieces);
    g_free(item->raw);
    g_free(item);
}

void writer_item_set_pieces(struct item *item, const struct iovec *pieces, unsigned n)
{
    g_free(item->pieces);
    item->pieces = g_memdup2(pieces, n * sizeof *pieces);
    item->n_pieces = n;
    item->length = 0;
    for (unsigned i = 0; i < n; i++)
        item->length += pieces[i].iov_len;
}

bool writer_item_is_stale(const struct item *item)
{
    return item->env->is_discarding || (item->lane && item->generation != item->lane->generation);
}

void writer_item_free_stale(GQueue *queue)
{
    for (GList *at = queue->head, *next; at; at = next) {
        next = at->next;
        if (!writer_item_is_stale(at->data))
            continue;
        writer_item_free(at->data);
        g_queue_delete_link(queue, at);
    }
}
