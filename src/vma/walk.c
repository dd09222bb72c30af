// SPDX-License-Identifier: GPL-2.0-or-later
#include "vma/walk.h"

#include "base/error.h"

/* Bytes that follow each other on the device, and, unless they are zeros (data NULL), in memory. */
struct run {
    int dev_id;
    uint64_t offset, len; /* len 0: none */
    const uint8_t *data;
};

struct vma_walk {
    const struct vma_walk_ops *ops;
    void *user;
    struct vma_reader *reader;
    struct vma_check *check;
    struct run run;
    unsigned entry, block; /* of the extent under way: all before it is in run, or was handed out */
    unsigned faults;
    bool ends_at_mark;
};

struct vma_walk *vma_walk_new(const struct vma_walk_ops *ops, void *user)
{
    struct vma_walk *w = g_new0(struct vma_walk, 1);
    w->ops = ops;
    w->user = user;
    w->reader = vma_reader_new();
    return w;
}

void vma_walk_free(struct vma_walk *w)
{
    if (!w)
        return;
    vma_reader_free(w->reader);
    vma_check_free(w->check);
    g_free(w);
}

static void on_fault(void *user, uint64_t offset, const char *text)
{
    struct vma_walk *w = user;
    w->faults++;
    if (w->ops->fault)
        w->ops->fault(w->user, offset, text);
}

/* ---- runs ---- */

static bool flush(struct vma_walk *w, GError **error)
{
    struct run r = w->run;
    w->run.len = 0;
    if (!r.len)
        return true;
    if (r.data)
        return !w->ops->data || w->ops->data(w->user, r.dev_id, r.offset, r.data, r.len, error);
    return !w->ops->zeroes || w->ops->zeroes(w->user, r.dev_id, r.offset, r.len, error);
}

static bool continues(const struct run *r, const struct run *next)
{
    return r->len && r->dev_id == next->dev_id && r->offset + r->len == next->offset &&
           (r->data ? r->data + r->len == next->data : !next->data);
}

/* Bytes up to the end of the device; none of one that does not exist. */
static uint64_t room(const struct vma_walk *w, int dev_id, uint64_t offset)
{
    uint64_t size = vma_reader_header(w->reader)->devices[dev_id].size;
    if (dev_id == vma_check_vmstate_id(w->check))
        return UINT64_MAX; /* its declared size means nothing */
    return offset < size ? size - offset : 0;
}

/* data: NULL = zeros. */
static bool add(struct vma_walk *w, const struct vma_entry *e, unsigned block, unsigned n, const uint8_t *data,
                GError **error)
{
    struct run next = {.dev_id = e->dev_id, .data = data};
    next.offset = (uint64_t)e->cluster * VMA_CLUSTER_SIZE + (uint64_t)block * VMA_BLOCK_SIZE;
    next.len = MIN(room(w, e->dev_id, next.offset), (uint64_t)n * VMA_BLOCK_SIZE);
    if (!next.len)
        return true;
    if (continues(&w->run, &next)) {
        w->run.len += next.len;
        return true;
    }
    if (!flush(w, error))
        return false;
    w->run = next;
    return true;
}

/* Zeros up to this block of this entry. */
static bool add_zeroes_until(struct vma_walk *w, unsigned entry, unsigned block, GError **error)
{
    for (; w->entry < entry; w->entry++, w->block = 0)
        if (!add(w, &vma_reader_extent(w->reader)->entries[w->entry], w->block, VMA_BLOCKS_PER_CLUSTER - w->block, NULL,
                 error))
            return false;
    if (w->block < block &&
        !add(w, &vma_reader_extent(w->reader)->entries[entry], w->block, block - w->block, NULL, error))
        return false;
    w->block = block;
    return true;
}

static bool add_block(struct vma_walk *w, const struct vma_read_block *b, GError **error)
{
    if (!add_zeroes_until(w, b->entry, b->block, error))
        return false;
    w->block++;
    return add(w, &vma_reader_extent(w->reader)->entries[b->entry], b->block, 1, b->data, error);
}

/* ---- events ---- */

static bool take_header(struct vma_walk *w, GError **error)
{
    const struct vma_header *h = vma_reader_header(w->reader);
    w->check = vma_check_new(h, on_fault, w);
    return !w->ops->header || w->ops->header(w->user, h, error);
}

/* Says what is broken and goes on behind it; false when that is impossible: at the end, or (error set) when
 * it is the archive's header. */
static bool go_on_behind(struct vma_walk *w, GError **error)
{
    if (!w->check)
        return vmb_fail(error, VMB_ERROR_DAMAGED, "%s", vma_reader_why(w->reader));
    on_fault(w, vma_reader_offset(w->reader), vma_reader_why(w->reader));
    vma_check_skipped(w->check);
    return vma_reader_resync(w->reader);
}

static bool take_event(struct vma_walk *w, enum vma_read_event event, GError **error)
{
    switch (event) {
    case VMA_READ_HEADER:
        return take_header(w, error);
    case VMA_READ_EXTENT:
        vma_check_extent(w->check, vma_reader_extent(w->reader));
        w->entry = w->block = 0;
        return true;
    case VMA_READ_BLOCK:
        vma_check_block(w->check, vma_reader_block(w->reader));
        return add_block(w, vma_reader_block(w->reader), error);
    case VMA_READ_EXTENT_END:
        vma_check_payload(w->check, vma_reader_extent(w->reader));
        return add_zeroes_until(w, vma_reader_extent(w->reader)->n, 0, error);
    case VMA_READ_BROKEN:
        return go_on_behind(w, error);
    case VMA_READ_MORE:
    case VMA_READ_END:
        break;
    }
    return false;
}

/* Uses everything that was fed. */
static bool pump(struct vma_walk *w, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    enum vma_read_event event;
    while ((event = vma_reader_next(w->reader)) != VMA_READ_MORE && take_event(w, event, &wrong))
        continue;
    if (!wrong)
        return true;
    g_propagate_error(error, g_steal_pointer(&wrong));
    return false;
}

bool vma_walk_feed(struct vma_walk *w, const uint8_t *bytes, size_t len, GError **error)
{
    vma_reader_feed(w->reader, bytes, len);
    return pump(w, error) && (!w->run.data || flush(w, error)); /* what it points to ends here */
}

bool vma_walk_gap(struct vma_walk *w, uint64_t lost, const char *why, GError **error)
{
    if (!w->check)
        return vmb_fail(error, VMB_ERROR_DAMAGED, "archive header: %s", why);
    on_fault(w, vma_reader_consumed(w->reader), why);
    vma_check_skipped(w->check);
    vma_reader_gap(w->reader, lost);
    return true;
}

void vma_walk_end_at_mark(struct vma_walk *w)
{
    w->ends_at_mark = true;
    vma_reader_end_at_mark(w->reader);
}

bool vma_walk_has_ended(const struct vma_walk *w)
{
    return w->ends_at_mark && w->check && vma_check_result(w->check)->has_end_mark;
}

bool vma_walk_end(struct vma_walk *w, GError **error)
{
    vma_reader_feed_end(w->reader);
    if (!pump(w, error) || !flush(w, error))
        return false;
    vma_check_end(w->check, vma_reader_consumed(w->reader));
    return true;
}

const struct vma_header *vma_walk_header(const struct vma_walk *w)
{
    return vma_reader_header(w->reader);
}

const struct vma_check *vma_walk_check(const struct vma_walk *w)
{
    return w->check;
}

unsigned vma_walk_faults(const struct vma_walk *w)
{
    return w->faults;
}

uint64_t vma_walk_consumed(const struct vma_walk *w)
{
    return vma_reader_consumed(w->reader);
}
