// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/writer_ops.h"

#include "vma/format.h"

/* --- in ----------------------------------------------------------------------------------------- */

void writer_put_header(struct writer *w, GBytes *header)
{
    w->ops->put_header(w, header);
}

struct writer_lane *writer_add_lane(struct writer *w, uint8_t dev_id, bool is_vmstate)
{
    struct writer_lane *lane = w->ops->add_lane(w, dev_id, is_vmstate);

    lane->writer = w;
    return lane;
}

void writer_set_size(struct writer_lane *lane, uint64_t size)
{
    map_init(&lane->map, vma_clusters_of(size));
    if (lane->writer->ops->set_size)
        lane->writer->ops->set_size(lane, size);
}

void writer_add(struct writer_lane *lane, uint32_t cluster, uint8_t *data)
{
    lane->writer->ops->add(lane, cluster, data);
}

void writer_add_zeroes(struct writer_lane *lane, uint32_t cluster, uint32_t n)
{
    lane->writer->ops->add_zeroes(lane, cluster, n);
}

void writer_flush_lane(struct writer_lane *lane)
{
    lane->writer->ops->flush_lane(lane);
}

void writer_keep(struct writer_lane *lane, uint64_t from, uint64_t n)
{
    lane->writer->ops->keep(lane, from, n);
}

void writer_flush(struct writer *w)
{
    w->ops->flush(w);
}

bool writer_can_drop(const struct writer *w)
{
    return w->ops->can_drop(w);
}

void writer_drop_lane(struct writer_lane *lane)
{
    lane->zero_bytes = 0;
    map_clear(&lane->map);
    lane->writer->ops->drop_lane(lane);
}

void writer_discard(struct writer *w)
{
    w->ops->discard(w);
}

void writer_finish(struct writer *w, uint8_t end_flags, uint64_t vmstate_bytes, GBytes *header,
                   void (*done)(void *user), void *user)
{
    w->ops->finish(w, end_flags, vmstate_bytes, header, done, user);
}

void writer_close(struct writer *w, void (*closed)(void *user), void *user)
{
    w->ops->close(w, closed, user);
}

/* --- how far ------------------------------------------------------------------------------------ */

uint64_t writer_lane_zero_bytes(const struct writer_lane *lane)
{
    return lane->zero_bytes;
}

const struct map *writer_lane_map(const struct writer_lane *lane)
{
    return &lane->map;
}

static struct writer_state look(const struct writer *w)
{
    struct writer_state state = {0};

    w->ops->look(w, &state);
    return state;
}

uint64_t writer_plain_bytes(const struct writer *w)
{
    return look(w).plain_bytes;
}

bool writer_is_cpu_bound(const struct writer *w)
{
    return look(w).is_cpu_bound;
}

bool writer_is_ram_blocked(const struct writer *w)
{
    return look(w).is_ram_blocked;
}

uint64_t writer_spool_used(const struct writer *w)
{
    return look(w).spool_used;
}

uint64_t writer_spool_backlog(const struct writer *w)
{
    return look(w).spool_backlog;
}

unsigned writer_queued(const struct writer *w)
{
    return look(w).queued;
}

bool writer_is_drained(const struct writer *w)
{
    return look(w).is_drained;
}
