// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive/intake.h"

#include <errno.h>

#define SECTOR_SIZE 512
#define MAX_EMPTY   (UINT32_MAX / VMA_CLUSTER_SIZE) /* clusters at once: on_put counts by 32 bits */

/* --- the drive ---------------------------------------------------------------------------------- */

static void give_back(void *user, uint8_t *buffer)
{
    pool_give(user, buffer);
}

void intake_clear(struct intake *in)
{
    vma_assemble_free(in->clusters, give_back, in->pool);
}

void intake_reset(struct intake *in, uint64_t size, bool may_repeat)
{
    intake_clear(in);
    in->clusters = vma_assemble_new(size, may_repeat);
    in->size = size;
}

void intake_open(struct intake *in, struct writer *writer, uint8_t dev_id)
{
    in->lane = writer_add_lane(writer, dev_id, false);
    writer_set_size(in->lane, in->size);
}

uint64_t intake_missing(const struct intake *in)
{
    return vma_assemble_clusters(in->clusters) - vma_assemble_held(in->clusters);
}

/* --- within a cluster --------------------------------------------------------------------------- */

static bool is_nobodys(const struct intake_source *s)
{
    return s->policy->is_nobodys(s->user);
}

uint8_t *intake_buffer(const struct intake_source *s)
{
    return is_nobodys(s) ? NULL : pool_take(s->intake->pool, s->purpose);
}

int intake_put(const struct intake_source *s, uint64_t offset, uint32_t len, uint8_t *buffer)
{
    uint8_t *data = buffer;
    enum vma_put put;
    bool is_refused;

    if (is_nobodys(s)) {
        pool_give(s->intake->pool, buffer);
        return 0;
    }
    put = vma_assemble_put(s->intake->clusters, offset, len, &data);
    is_refused = put == VMA_PUT_TWICE || put == VMA_PUT_CROWDED;
    if (put == VMA_PUT_HELD) {
        writer_add(s->intake->lane, (uint32_t)(offset / VMA_CLUSTER_SIZE), data);
        data = data == buffer ? NULL : buffer; /* joined with what had come before: this one is free again */
    }
    pool_give(s->intake->pool, data);
    if (is_refused)
        s->policy->on_refused(s->user, offset, put);
    s->policy->on_put(s->user, offset + len, len, buffer && (put == VMA_PUT_HELD || put == VMA_PUT_WAITING));
    return is_refused ? EIO : 0;
}

/* --- across clusters ---------------------------------------------------------------------------- */

int intake_check(uint64_t offset, uint64_t len)
{
    return offset % SECTOR_SIZE || len % SECTOR_SIZE ? EINVAL : 0;
}

/* Of the piece that begins at `at`, in a range that ends at `end`. */
static uint64_t piece_end(uint64_t at, uint64_t end)
{
    return MIN(end, (at / VMA_CLUSTER_SIZE + 1) * VMA_CLUSTER_SIZE);
}

/* Up to where clusters from `at` on that nothing has come of are held now. One by one takes too long where they are
 * millions. */
static uint64_t put_empty(const struct intake_source *s, uint64_t at, uint64_t end)
{
    uint64_t first = at / VMA_CLUSTER_SIZE, n = (end - at) / VMA_CLUSTER_SIZE;

    if (at % VMA_CLUSTER_SIZE || is_nobodys(s))
        return at;
    n = vma_assemble_hold_zeroes(s->intake->clusters, first, MIN(n, MAX_EMPTY));
    if (!n)
        return at;
    writer_add_zeroes(s->intake->lane, (uint32_t)first, (uint32_t)n);
    end = at + n * VMA_CLUSTER_SIZE;
    s->policy->on_put(s->user, end, (uint32_t)(end - at), false);
    return end;
}

int intake_zeroes(const struct intake_source *s, uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len, next;
    int error = intake_check(offset, len);

    for (uint64_t at = offset; at < end && !error; at = next) {
        at = put_empty(s, at, end);
        if (at == end)
            break;
        next = piece_end(at, end);
        error = intake_put(s, at, (uint32_t)(next - at), NULL);
    }
    return error;
}

void *intake_room(const struct intake_source *s, uint64_t offset, uint32_t len, uint32_t done, void **buffer,
                  size_t *room)
{
    static uint8_t trash[VMA_CLUSTER_SIZE]; /* whatever lands there, nobody reads it */
    uint64_t at = offset + done;
    bool is_begin = done == 0 || at % VMA_CLUSTER_SIZE == 0; /* of a piece: later its first bytes would be missing */

    if (!*buffer && is_begin)
        *buffer = intake_buffer(s);
    if (!*buffer && !s->policy->on_no_buffer && !is_nobodys(s))
        return NULL;
    *room = piece_end(at, offset + len) - at;
    return (*buffer ? (uint8_t *)*buffer : trash) + at % VMA_CLUSTER_SIZE;
}

int intake_landed(const struct intake_source *s, uint64_t offset, uint32_t len, uint32_t done, void **buffer)
{
    uint64_t end = offset + done, at = MAX(offset, (end - 1) / VMA_CLUSTER_SIZE * VMA_CLUSTER_SIZE);

    if (end % VMA_CLUSTER_SIZE && done != len)
        return 0; /* this cluster's bytes are still arriving */
    if (*buffer)
        return intake_put(s, at, (uint32_t)(end - at), g_steal_pointer(buffer));
    if (!is_nobodys(s) && s->policy->on_no_buffer)
        s->policy->on_no_buffer(s->user);
    return is_nobodys(s) ? 0 : EIO;
}
