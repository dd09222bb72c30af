// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/frames.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define MAX_UNPACKING 2 /* at a time: each may take two frames of memory */

/* Somebody who needs a part of a frame. */
struct waiter {
    size_t at, len;
    uint8_t *to;
    frames_copied done;
    void *user;
};

struct frame {
    struct frames *all;
    struct seek_frame place;
    uint8_t *bytes;  /* NULL until it is unpacked, and in `ready` */
    GArray *waiters; /* struct waiter */
    GList link;      /* in one of the queues */
    uv_work_t work;
    /* The worker's, until it has returned: what it made, or why it could not. */
    uint8_t *unpacked;
    char *fault;
};

struct frames {
    uv_loop_t *loop;
    int fd;
    random_fault fault;
    void *user;
    GHashTable *by_index;
    GQueue due;   /* to be unpacked, first come first served */
    GQueue ready; /* unpacked, the one used last in front */
    unsigned n_unpacking;
    uint64_t ready_bytes;
};

static void frame_free(void *item)
{
    struct frame *frame = item;
    g_free(frame->bytes);
    g_free(frame->fault);
    g_array_unref(frame->waiters);
    g_free(frame);
}

struct frames *frames_new(uv_loop_t *loop, int fd, const struct seek_table_reader *table, random_fault fault,
                          void *user)
{
    struct frames *f = g_new0(struct frames, 1);
    f->loop = loop;
    f->fd = fd;
    f->fault = fault;
    f->user = user;
    f->by_index = g_hash_table_new_full(NULL, NULL, NULL, frame_free);
    return f;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    g_assert(f->n_unpacking == 0);
    g_hash_table_unref(f->by_index);
    g_free(f);
}

/* ---- unpacking ---- */

static uint8_t *read_packed(struct frame *frame)
{
    size_t len = frame->place.packed_len, done = 0;
    g_autofree uint8_t *packed = g_malloc(len);
    while (done < len) {
        ssize_t n = pread(frame->all->fd, packed + done, len - done, (off_t)(frame->place.packed_at + done));
        if (n <= 0) {
            frame->fault = g_strdup_printf("zstd frame %u cannot be read: %s", frame->place.index + 1,
                                           n ? g_strerror(errno) : "the file has become shorter");
            return NULL;
        }
        done += (size_t)n;
    }
    return g_steal_pointer(&packed);
}

static void unpack_in_worker(uv_work_t *work)
{
    struct frame *frame = work->data;
    g_autofree uint8_t *packed = read_packed(frame);
    if (!packed)
        return;
    uint8_t *bytes = g_malloc(frame->place.plain_len);
    size_t n = ZSTD_decompress(bytes, frame->place.plain_len, packed, frame->place.packed_len);
    if (n == frame->place.plain_len) {
        frame->unpacked = bytes;
        return;
    }
    frame->fault = g_strdup_printf("zstd frame %u, from byte %" G_GUINT64_FORMAT " of the file on, is damaged (%s)",
                                   frame->place.index + 1, frame->place.packed_at,
                                   ZSTD_isError(n) ? ZSTD_getErrorName(n) : "its length is wrong");
    g_free(bytes);
}

/* ---- waiting ---- */

static void serve(const struct frame *frame, const struct waiter *w)
{
    if (frame->bytes)
        memcpy(w->to, frame->bytes + w->at, w->len);
    w->done(w->user, frame->bytes ? 0 : EIO);
}

static void serve_all(struct frame *frame)
{
    g_autoptr(GArray) waiters = g_steal_pointer(&frame->waiters);
    frame->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
    for (unsigned i = 0; i < waiters->len; i++)
        serve(frame, &g_array_index(waiters, struct waiter, i));
}

/* Makes room. Those in the queue have nobody waiting. */
static void drop_oldest(struct frames *f)
{
    while (f->ready_bytes > RANDOM_CACHE_BYTES && f->ready.length > 1) {
        struct frame *last = f->ready.tail->data;
        g_queue_unlink(&f->ready, &last->link);
        f->ready_bytes -= last->place.plain_len;
        g_hash_table_remove(f->by_index, GUINT_TO_POINTER(last->place.index));
    }
}

static void start_due(struct frames *f);

static void on_unpacked(uv_work_t *work, int status)
{
    struct frame *frame = work->data;
    struct frames *f = frame->all;
    f->n_unpacking--;
    frame->bytes = frame->unpacked;
    start_due(f);
    if (frame->bytes) {
        g_queue_push_head_link(&f->ready, &frame->link);
        f->ready_bytes += frame->place.plain_len;
        serve_all(frame); /* which may ask for more */
        drop_oldest(f);
    } else { /* tried anew, should it be asked for again */
        f->fault(f->user, frame->fault);
        g_hash_table_steal(f->by_index, GUINT_TO_POINTER(frame->place.index));
        serve_all(frame);
        frame_free(frame);
    }
}

static void start_due(struct frames *f)
{
    while (f->n_unpacking < MAX_UNPACKING && f->due.length) {
        struct frame *frame = g_queue_pop_head_link(&f->due)->data;
        f->n_unpacking++;
        uv_queue_work(f->loop, &frame->work, unpack_in_worker, on_unpacked);
    }
}

static struct frame *frame_new(struct frames *f, struct seek_frame place)
{
    struct frame *frame = g_new0(struct frame, 1);
    frame->all = f;
    frame->place = place;
    frame->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
    frame->link.data = frame->work.data = frame;
    g_hash_table_insert(f->by_index, GUINT_TO_POINTER(place.index), frame);
    g_queue_push_tail_link(&f->due, &frame->link);
    start_due(f);
    return frame;
}

void frames_copy(struct frames *f, struct seek_frame place, size_t at, size_t len, uint8_t *to, frames_copied done,
                 void *user)
{
    struct waiter waiter = {at, len, to, done, user};
    struct frame *frame = g_hash_table_lookup(f->by_index, GUINT_TO_POINTER(place.index));
    if (!frame)
        frame = frame_new(f, place);
    if (!frame->bytes) {
        g_array_append_val(frame->waiters, waiter);
        return;
    }
    g_queue_unlink(&f->ready, &frame->link);
    g_queue_push_head_link(&f->ready, &frame->link);
    serve(frame, &waiter);
}
