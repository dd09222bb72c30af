// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/parts.h"

#include <errno.h>
#include <string.h>

/* At a time, since each may take twice its memory: this many, or more as long as they are small. */
#define MIN_LOADING       2
#define MAX_LOADING       4
#define MAX_LOADING_BYTES (8u << 20)

/* Somebody who needs some bytes of a part. */
struct waiter {
    size_t at, len;
    uint8_t *to;
    parts_copied done;
    void *user;
};

struct part {
    struct parts *all;
    struct random_part place;
    uint8_t *bytes;  /* NULL until it is loaded, and in `ready` */
    GArray *waiters; /* struct waiter */
    GList link;      /* in one of the queues */
    uv_work_t work;
    /* The worker's, until it has returned: what it made, or why it could not. */
    uint8_t *loaded;
    char *fault;
};

struct parts {
    uv_loop_t *loop;
    const struct random_ops *ops;
    void *ops_user;
    random_fault fault;
    void *fault_user;
    GHashTable *by_index; /* the key is in the part */
    GQueue due;           /* to be loaded, first come first served */
    GQueue ready;         /* loaded, the one used last in front */
    unsigned n_loading;
    uint64_t loading_bytes, ready_bytes;
};

static void part_free(void *item)
{
    struct part *part = item;
    g_free(part->bytes);
    g_free(part->fault);
    g_array_unref(part->waiters);
    g_free(part);
}

struct parts *parts_new(uv_loop_t *loop, const struct random_ops *ops, void *ops_user, random_fault fault,
                        void *fault_user)
{
    struct parts *p = g_new0(struct parts, 1);
    p->loop = loop;
    p->ops = ops;
    p->ops_user = ops_user;
    p->fault = fault;
    p->fault_user = fault_user;
    p->by_index = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, part_free);
    return p;
}

void parts_free(struct parts *p)
{
    if (!p)
        return;
    g_assert(p->n_loading == 0);
    g_hash_table_unref(p->by_index);
    g_free(p);
}

static void load_in_worker(uv_work_t *work)
{
    struct part *part = work->data;
    uint8_t *bytes = g_malloc(part->place.len);
    part->fault = part->all->ops->load(part->all->ops_user, &part->place, bytes);
    part->loaded = part->fault ? NULL : bytes;
    if (part->fault)
        g_free(bytes);
}

/* ---- waiting ---- */

static void serve(const struct part *part, const struct waiter *w)
{
    if (part->bytes)
        memcpy(w->to, part->bytes + w->at, w->len);
    w->done(w->user, part->bytes ? 0 : EIO);
}

static void serve_all(struct part *part)
{
    g_autoptr(GArray) waiters = g_steal_pointer(&part->waiters);
    part->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
    for (unsigned i = 0; i < waiters->len; i++)
        serve(part, &g_array_index(waiters, struct waiter, i));
}

/* Makes room. Those in the queue have nobody waiting. */
static void drop_oldest(struct parts *p)
{
    while (p->ready_bytes > RANDOM_CACHE_BYTES && p->ready.length > 1) {
        struct part *last = p->ready.tail->data;
        g_queue_unlink(&p->ready, &last->link);
        p->ready_bytes -= last->place.len;
        g_hash_table_remove(p->by_index, &last->place.index);
    }
}

static void start_due(struct parts *p);

static void on_loaded(uv_work_t *work, int status)
{
    struct part *part = work->data;
    struct parts *p = part->all;
    p->n_loading--;
    p->loading_bytes -= part->place.len;
    part->bytes = part->loaded;
    start_due(p);
    if (part->bytes) {
        g_queue_push_head_link(&p->ready, &part->link);
        p->ready_bytes += part->place.len;
        serve_all(part); /* which may ask for more */
        drop_oldest(p);
    } else { /* tried anew, should it be asked for again */
        p->fault(p->fault_user, part->fault);
        g_hash_table_steal(p->by_index, &part->place.index);
        serve_all(part);
        part_free(part);
    }
}

static bool may_load(const struct parts *p, const struct part *part)
{
    return p->n_loading < MIN_LOADING ||
           (p->n_loading < MAX_LOADING && p->loading_bytes + part->place.len <= MAX_LOADING_BYTES);
}

static void start_due(struct parts *p)
{
    while (p->due.length && may_load(p, p->due.head->data)) {
        struct part *part = g_queue_pop_head_link(&p->due)->data;
        p->n_loading++;
        p->loading_bytes += part->place.len;
        uv_queue_work(p->loop, &part->work, load_in_worker, on_loaded);
    }
}

static struct part *part_new(struct parts *p, const struct random_part *place)
{
    struct part *part = g_new0(struct part, 1);
    part->all = p;
    part->place = *place;
    part->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
    part->link.data = part->work.data = part;
    g_hash_table_insert(p->by_index, &part->place.index, part);
    g_queue_push_tail_link(&p->due, &part->link);
    start_due(p);
    return part;
}

void parts_copy(struct parts *p, const struct random_part *place, size_t at, size_t len, uint8_t *to, parts_copied done,
                void *user)
{
    struct waiter waiter = {at, len, to, done, user};
    struct part *part = g_hash_table_lookup(p->by_index, &place->index);
    if (!part)
        part = part_new(p, place);
    if (!part->bytes) {
        g_array_append_val(part->waiters, waiter);
        return;
    }
    g_queue_unlink(&p->ready, &part->link);
    g_queue_push_head_link(&p->ready, &part->link);
    serve(part, &waiter);
}
