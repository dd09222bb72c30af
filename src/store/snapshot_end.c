// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a snapshot's writer: what the final header says becomes the snapshot, its indexes are written, and all
 * chunks are durable. The snapshot appears when its target is finished. */
#include "store/snapshot_writer_inside.h"

#include <string.h>
#include "base/each.h"
#include "base/error.h"
#include "vma/header.h"

struct snapshot_end {
    uv_work_t work;
    struct snapshot_writer *w;
    GBytes *header;
    uint64_t vmstate_bytes;
    void (*done)(void *user);
    void *user;
    bool is_laid_out, is_busy;
    GError *error;
};

struct snapshot_end *snapshot_end_new(GBytes *header, uint64_t vmstate_bytes, void (*done)(void *user), void *user)
{
    struct snapshot_end *e = g_new0(struct snapshot_end, 1);

    e->header = g_bytes_ref(header);
    e->vmstate_bytes = vmstate_bytes;
    e->done = done;
    e->user = user;
    return e;
}

void snapshot_end_free(struct snapshot_end *e)
{
    if (!e)
        return;
    g_bytes_unref(e->header);
    g_clear_error(&e->error);
    g_free(e);
}

bool snapshot_end_is_busy(const struct snapshot_end *e)
{
    return e && e->is_busy;
}

/* --- what it consists of ------------------------------------------------------------------------ */

static struct snapshot_lane *lane_of(const struct snapshot_writer *w, unsigned dev_id)
{
    for_each_in (struct snapshot_lane, lane, w->lanes)
        if (lane->dev_id == dev_id)
            return lane;
    return NULL;
}

static bool add_device(struct snapshot_writer *w, struct snapshot_lane *lane, const char *name, GError **error)
{
    struct snapshot_device *d;

    if (g_hash_table_size(lane->open))
        return vmb_fail(error, VMB_ERROR_FAILED, "drive %s: %u chunks are not whole", name,
                        g_hash_table_size(lane->open));
    d = snapshot_add_device(w->target->snapshot, name, lane->index->size);
    d->new_bytes = lane->new_bytes;
    d->new_plain = lane->new_plain;
    d->bitmap = g_strdup(lane->bitmap);
    lane->device = d;
    return true;
}

static bool add_devices(struct snapshot_writer *w, const struct vma_header *h, GError **error)
{
    for (unsigned i = 1; i < VMA_MAX_DEVICES; i++) {
        struct snapshot_lane *lane = h->devices[i].size ? lane_of(w, i) : NULL;
        if (lane && !add_device(w, lane, h->devices[i].name, error))
            return false;
    }
    return true;
}

/* Of ours, without the room that an archive keeps behind it. */
static size_t length_of(const struct vma_config *c)
{
    size_t len = c->len;

    while (strcmp(c->name, VMA_DESCRIPTION_NAME) == 0 && len && c->data[len - 1] == ' ')
        len--;
    return len;
}

static void add_configs(struct snapshot *s, const struct vma_header *h)
{
    for (unsigned i = 0; i < VMA_MAX_CONFIGS; i++) {
        const struct vma_config *c = &h->configs[i];
        if (!c->name)
            continue;
        g_autoptr(GBytes) bytes = g_bytes_new(c->data, length_of(c));
        snapshot_set_config(s, c->name, bytes);
    }
}

static bool lay_out(struct snapshot_writer *w, GError **error)
{
    GBytes *bytes = w->end->header;
    struct snapshot *s = w->target->snapshot;
    g_autoptr(vma_header) h = vma_header_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);

    if (!h || !add_devices(w, h, error))
        return false;
    memcpy(s->uuid, h->uuid, sizeof s->uuid);
    s->instant = h->ctime;
    add_configs(s, h);
    w->end->is_laid_out = true;
    return true;
}

/* --- in a worker -------------------------------------------------------------------------------- */

static bool put_zeros(struct snapshot_writer *w, const struct chunk_id *id, size_t len, GError **error)
{
    g_autofree uint8_t *zeros = g_malloc0(len);
    uint64_t stored;

    return chunk_batch_put(w->target->batch, id, zeros, len, &stored, error);
}

/* Nothing has put them: they were in the index from its beginning. Others read them as any chunk. */
static bool put_all_zeros(struct snapshot_writer *w, const struct chunk_index *x, GError **error)
{
    for (uint64_t i = 0; i + 1 < x->n; i++) {
        if (!chunk_index_is_zeros(x, i))
            continue;
        if (!put_zeros(w, &x->ids[i], x->chunk_bytes, error))
            return false;
        break;
    }
    return !x->n || !chunk_index_is_zeros(x, x->n - 1) ||
           put_zeros(w, &x->ids[x->n - 1], chunk_index_len(x, x->n - 1), error);
}

static bool write_index(struct snapshot_writer *w, const struct snapshot_lane *lane, GError **error)
{
    return put_all_zeros(w, lane->index, error) &&
           snapshot_write_index(w->target->snapshot, lane->device, lane->index, error);
}

static void end_in_worker(uv_work_t *work)
{
    struct snapshot_end *e = work->data;

    for_each_in (struct snapshot_lane, lane, e->w->lanes)
        if (lane->device && !write_index(e->w, lane, &e->error))
            return;
    chunk_batch_commit(e->w->target->batch, &e->error);
}

/* --- on the loop -------------------------------------------------------------------------------- */

static void on_ended(uv_work_t *work, int status)
{
    struct snapshot_end *e = work->data;
    struct snapshot_writer *w = e->w;
    g_autoptr(GError) error = g_steal_pointer(&e->error);

    e->is_busy = false;
    snapshot_target_does(w->target, NULL);
    if (error && !w->is_discarding && !snapshot_writer_wait(w, error))
        snapshot_writer_fail(w, error);
    if (!error && !w->is_discarding) {
        w->end = NULL;
        snapshot_writer_set_full(w, false);
        e->done(e->user);
        snapshot_end_free(e);
    }
    snapshot_writer_pump(w);
}

void snapshot_end_next(struct snapshot_writer *w)
{
    g_autoptr(GError) error = NULL;

    if (!w->end->is_laid_out && !lay_out(w, &error)) {
        snapshot_writer_fail(w, error);
        return;
    }
    w->end->w = w;
    w->end->is_busy = true;
    w->end->work.data = w->end;
    uv_queue_work(w->loop, &w->end->work, end_in_worker, on_ended);
}
