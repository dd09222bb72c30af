// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ring of slots, filled by several threads at once and emptied in order. Slot numbers only go up; what is between
 * n_released and n_taken is being loaded, or loaded, or held.
 */
#include "store/image_chunks.h"

#include <signal.h>
#include <string.h>
#include <uv.h>

#include "vma/format.h"

#define AHEAD_BYTES (8u << 20) /* at least two chunks */
#define MAX_THREADS 4u

struct slot {
    struct image_chunk is;
    bool is_loaded;
};

struct image_chunks {
    const struct snapshot_image *image;
    struct slot *slots;
    unsigned n_slots;
    uint64_t n_given, n_released; /* of the caller */

    uv_mutex_t lock; /* of what follows, and of is_loaded */
    uv_cond_t moved;
    uint64_t n_taken; /* by threads */
    unsigned device;  /* the next to be taken: of image->devices */
    uint64_t chunk;
    bool is_over, is_unwanted;

    uv_thread_t threads[MAX_THREADS];
    unsigned n_threads; /* 0: the caller loads them himself */
    bool is_started;
};

struct image_chunks *image_chunks_new(const struct snapshot_image *image, unsigned max_held)
{
    struct image_chunks *c = g_new0(struct image_chunks, 1);
    size_t chunk_bytes = image->snapshot->chunk_bytes;
    c->image = image;
    c->n_slots = max_held + (unsigned)MAX(AHEAD_BYTES / chunk_bytes, 2);
    c->slots = g_new0(struct slot, c->n_slots);
    uv_mutex_init(&c->lock);
    uv_cond_init(&c->moved);
    return c;
}

bool image_chunks_has(const struct image_device *d, uint64_t chunk)
{
    return d->is_ram || !image_device_is_hole(d, chunk);
}

/* ---- threads ---- */

/* Locked. The place of the next chunk goes to the slot; false at the end. */
static bool find_next(struct image_chunks *c, struct image_chunk *slot)
{
    for (; c->device < c->image->devices->len; c->device++, c->chunk = 0) {
        const struct image_device *d = c->image->devices->pdata[c->device];
        while (d->index && c->chunk < d->index->n && !image_chunks_has(d, c->chunk))
            c->chunk++;
        if (!d->index || c->chunk == d->index->n)
            continue;
        slot->device = d;
        slot->chunk = c->chunk++;
        return true;
    }
    return false;
}

/* Locked. NULL: nothing is left to be loaded. */
static struct slot *take_slot(struct image_chunks *c)
{
    while (!c->is_unwanted && !c->is_over && c->n_taken - c->n_released == c->n_slots)
        uv_cond_wait(&c->moved, &c->lock);
    if (c->is_unwanted || c->is_over)
        return NULL;
    struct slot *slot = &c->slots[c->n_taken % c->n_slots];
    slot->is_loaded = false;
    g_clear_error(&slot->is.error);
    c->is_over = !find_next(c, &slot->is);
    c->n_taken += !c->is_over;
    uv_cond_broadcast(&c->moved);
    return c->is_over ? NULL : slot;
}

static void load(const struct image_chunks *c, struct image_chunk *slot)
{
    const struct chunk_index *index = slot->device->index;
    uint32_t len = chunk_index_len(index, slot->chunk);
    if (!slot->bytes)
        slot->bytes = g_malloc(index->chunk_bytes);
    memset(slot->bytes + len, 0, -len % VMA_CLUSTER_SIZE);
    image_device_load(c->image, slot->device, slot->chunk, false, slot->bytes, &slot->error);
}

/* One chunk; false: nothing is left to be loaded. */
static bool work(struct image_chunks *c)
{
    uv_mutex_lock(&c->lock);
    struct slot *slot = take_slot(c);
    uv_mutex_unlock(&c->lock);
    if (!slot)
        return false;
    load(c, &slot->is);
    uv_mutex_lock(&c->lock);
    slot->is_loaded = true;
    uv_cond_broadcast(&c->moved);
    uv_mutex_unlock(&c->lock);
    return true;
}

static void run(void *user)
{
    sigset_t all; /* signals are for the thread that can end the work */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (work(user))
        continue;
}

static void start(struct image_chunks *c)
{
    unsigned n = MIN(g_get_num_processors(), MAX_THREADS);
    c->is_started = true;
    while (c->n_threads < n && uv_thread_create(&c->threads[c->n_threads], run, c) == 0)
        c->n_threads++;
}

void image_chunks_free(struct image_chunks *c)
{
    if (!c)
        return;
    uv_mutex_lock(&c->lock);
    c->is_unwanted = true;
    uv_cond_broadcast(&c->moved);
    uv_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->n_threads; i++)
        uv_thread_join(&c->threads[i]);
    for (unsigned i = 0; i < c->n_slots; i++) {
        g_clear_error(&c->slots[i].is.error);
        g_free(c->slots[i].is.bytes);
    }
    uv_cond_destroy(&c->moved);
    uv_mutex_destroy(&c->lock);
    g_free(c->slots);
    g_free(c);
}

/* ---- the caller ---- */

struct image_chunk *image_chunks_next(struct image_chunks *c)
{
    struct slot *slot = &c->slots[c->n_given % c->n_slots];
    if (!c->is_started)
        start(c);
    if (!c->n_threads)
        work(c);
    uv_mutex_lock(&c->lock);
    while (c->n_taken == c->n_given ? !c->is_over : !slot->is_loaded)
        uv_cond_wait(&c->moved, &c->lock);
    bool is_there = c->n_taken > c->n_given;
    uv_mutex_unlock(&c->lock);
    c->n_given += is_there;
    return is_there ? &slot->is : NULL;
}

void image_chunks_release(struct image_chunks *c, unsigned n)
{
    uv_mutex_lock(&c->lock);
    c->n_released += n;
    uv_cond_broadcast(&c->moved);
    uv_mutex_unlock(&c->lock);
}
