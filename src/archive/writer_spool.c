// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_spool.h"

#define RETRY_MS 1000

/* Whose a record is and how long it was before it was packed, in what a queue holds. */
G_STATIC_ASSERT(sizeof(gpointer) >= 8);
static gpointer tag_of(const struct item *item)
{
    return GSIZE_TO_POINTER((gsize)item->generation << 32 | item->plain_len / VMA_EXTENT_HEADER_SIZE << 16 |
                            item->lane->index);
}

static struct item *item_of(struct spool_stage *s, gpointer tag, void *bytes, size_t len)
{
    gsize bits = GPOINTER_TO_SIZE(tag);
    struct item *item = writer_item_new(s->env, g_ptr_array_index(s->env->lanes, bits & 0xffff), bytes, len);

    item->plain_len = (bits >> 16 & 0xffff) * VMA_EXTENT_HEADER_SIZE;
    item->generation = (unsigned)(bits >> 32);
    return item;
}

bool writer_spool_is_empty(const struct spool_stage *s)
{
    return !s->spool || (!s->pushing && !s->is_popping && spool_records(s->spool) == 0);
}

/* Its record is not in the spool; if it was asked for already, that pop fails, too. */
static void forget_record(struct spool_stage *s)
{
    s->is_push_lost = s->is_popping && s->records.length == 1;
    if (!s->is_push_lost)
        g_queue_pop_tail(&s->records);
}

/* It goes back to the head of its queue: what came after it is still behind it there. */
static void take_back(struct spool_stage *s, struct item *item, const GError *error)
{
    g_queue_push_head(&s->in[item->lane->is_vmstate], item);
    s->retry_ms = uv_now(s->env->loop) + RETRY_MS;
    s->env->on_retry(s->env->writer);
    if (!s->has_failed && s->env->events.on_spool_error)
        s->env->events.on_spool_error(s->env->user, error);
    s->has_failed = true;
}

static void on_pushed(void *user, const GError *error)
{
    struct spool_stage *s = user;
    struct item *item = g_steal_pointer(&s->pushing);

    if (error)
        forget_record(s);
    if (error && !writer_item_is_stale(item))
        take_back(s, item, error);
    else
        writer_item_free(item);
    s->env->on_moved(s->env->writer);
}

static bool push(struct spool_stage *s, struct item *item, uint64_t keep_free)
{
    if (!s->spool || s->pushing || uv_now(s->env->loop) < s->retry_ms ||
        !spool_has_room(s->spool, item->length + keep_free))
        return false;
    s->pushing = item;
    g_queue_push_tail(&s->records, tag_of(item));
    spool_push(s->spool, item->pieces, item->n_pieces, on_pushed, s);
    return true;
}

/* Nothing stands before it, and the target is quick enough, however few buffers are free: workers may have them. */
static bool goes_straight(const struct spool_stage *s)
{
    return writer_spool_is_empty(s) && (!s->out->length || pool_free_count(s->env->pool) >= WRITER_SPOOLS_BELOW);
}

/* To the target, or behind what is in the spool. Stops where the spool is busy or full: then they wait in their
 * buffers. */
static void pass_on(struct spool_stage *s, bool is_ram)
{
    struct item *item;

    while ((item = g_queue_peek_head(&s->in[is_ram]))) {
        if (goes_straight(s))
            g_queue_push_tail(s->out, item);
        else if (!push(s, item, is_ram ? s->guest_reserve : 0))
            return;
        g_queue_pop_head(&s->in[is_ram]);
    }
}

/* In turn, since the spool takes one at a time. */
void writer_spool_next(struct spool_stage *s)
{
    s->is_rams_turn = !s->is_rams_turn;
    pass_on(s, s->is_rams_turn);
    pass_on(s, !s->is_rams_turn);
}

static void on_popped(void *user, uint8_t *bytes, size_t len, const GError *error)
{
    struct spool_stage *s = user;
    struct item *item = item_of(s, g_queue_pop_head(&s->records), bytes, len);
    bool is_lost = s->is_push_lost; /* then it is back in its queue */

    s->is_popping = s->is_push_lost = false;
    if (!error && !writer_item_is_stale(item))
        g_queue_push_tail(s->out, item);
    else
        writer_item_free(item);
    if (error && !is_lost)
        s->env->on_failed(s->env->writer, error);
    s->env->on_moved(s->env->writer);
}

void writer_spool_pop(struct spool_stage *s)
{
    if (!s->spool || s->is_popping || spool_records(s->spool) == 0)
        return;
    s->is_popping = true;
    spool_pop(s->spool, on_popped, s);
}
