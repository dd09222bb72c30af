// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost/ring.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <glib.h>

#include "base/le.h"

/* The area. What the device writes does not share a cache line with what we write. */
enum {
    DESCRIPTOR_BYTES = 16,
    HEADER_BYTES = 16,
    TABLE_BYTES = (VHOST_REQUEST_CLUSTERS + 2) * DESCRIPTOR_BYTES,

    AT_DESCRIPTORS = 0,
    AT_HEADERS = AT_DESCRIPTORS + VHOST_RING_SLOTS * DESCRIPTOR_BYTES,
    AT_AVAIL = 4096, /* u16 flags, u16 index, u16 slot… */
    AT_USED = 4608,  /* u16 flags, u16 index, {u32 slot, u32 length}… */
    AT_STATUS = 6144,
    AT_TABLES = 8192,
    AT_END = AT_TABLES + VHOST_RING_SLOTS * TABLE_BYTES,
};
G_STATIC_ASSERT(AT_HEADERS + VHOST_RING_SLOTS * HEADER_BYTES <= AT_AVAIL);
G_STATIC_ASSERT(AT_AVAIL + 6 + VHOST_RING_SLOTS * 2 <= AT_USED);
G_STATIC_ASSERT(AT_USED + 6 + VHOST_RING_SLOTS * 8 <= AT_STATUS);
G_STATIC_ASSERT(AT_STATUS + VHOST_RING_SLOTS <= AT_TABLES);
G_STATIC_ASSERT(AT_END <= VHOST_RING_BYTES);

enum { HAS_NEXT = 1, DEVICE_WRITES = 2, IS_TABLE = 4 }; /* flags of a descriptor */
enum { NO_NOTIFY = 1 };                                 /* flag of the used ring: do not kick */
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_NONE = 0xff };

struct slot {
    void *tag;
    uint32_t len;
    bool is_in_flight;
};

struct vhost_ring {
    uint8_t *memory;
    size_t offset; /* of the area */
    struct slot slots[VHOST_RING_SLOTS];
    uint8_t free[VHOST_RING_SLOTS]; /* a stack, so that few pages are in use */
    unsigned n_free;
    uint16_t avail_index; /* requests put in, */
    uint16_t used_index;  /* and taken out: both wrap */
    bool is_new;          /* put in since the last kick */
    bool is_over;
    char why[120];
};

static uint8_t *at(const struct vhost_ring *r, size_t place)
{
    return r->memory + r->offset + place;
}

/* What the device may write is read once, so that what was checked is what is used. */
static uint16_t read16(const void *from, memory_order order)
{
    return le16toh(atomic_load_explicit((const _Atomic uint16_t *)from, order));
}

static uint32_t read32(const void *from)
{
    return le32toh(atomic_load_explicit((const _Atomic uint32_t *)from, memory_order_relaxed));
}

struct vhost_ring *vhost_ring_new(uint8_t *memory, size_t offset)
{
    struct vhost_ring *r = g_new0(struct vhost_ring, 1);

    g_assert(offset % 4096 == 0);
    r->memory = memory;
    r->offset = offset;
    memset(at(r, 0), 0, AT_TABLES);
    while (r->n_free < VHOST_RING_SLOTS) {
        r->free[r->n_free] = VHOST_RING_SLOTS - 1 - r->n_free;
        r->n_free++;
    }
    return r;
}

void vhost_ring_free(struct vhost_ring *r)
{
    g_free(r);
}

uint64_t vhost_ring_descriptors(const struct vhost_ring *r)
{
    return r->offset + AT_DESCRIPTORS;
}

uint64_t vhost_ring_avail(const struct vhost_ring *r)
{
    return r->offset + AT_AVAIL;
}

uint64_t vhost_ring_used(const struct vhost_ring *r)
{
    return r->offset + AT_USED;
}

/* --- putting in --------------------------------------------------------------------------------- */

static void put_descriptor(uint8_t *to, uint64_t address, uint32_t len, uint16_t flags, uint16_t next)
{
    le64_put(to, address);
    le32_put(to + 8, len);
    le16_put(to + 12, flags);
    le16_put(to + 14, next);
}

static void put_header(struct vhost_ring *r, unsigned slot, uint64_t offset)
{
    uint8_t *header = at(r, AT_HEADERS + slot * HEADER_BYTES);

    le32_put(header, 0); /* a read */
    le32_put(header + 4, 0);
    le64_put(header + 8, offset / 512);
    *at(r, AT_STATUS + slot) = STATUS_NONE;
}

/* Header, data, status: all of it again for every request, for the device may have written over it. */
static void put_table(struct vhost_ring *r, unsigned slot, uint32_t len, uint8_t *const *buffers)
{
    size_t table = AT_TABLES + slot * TABLE_BYTES;
    unsigned n = 0;

    put_descriptor(at(r, table), r->offset + AT_HEADERS + slot * HEADER_BYTES, HEADER_BYTES, HAS_NEXT, 1);
    for (uint32_t done = 0; done < len; done += VHOST_CLUSTER_BYTES) {
        uint32_t here = MIN(len - done, VHOST_CLUSTER_BYTES);

        g_assert(buffers[n] > r->memory);
        n++;
        put_descriptor(at(r, table + n * DESCRIPTOR_BYTES), buffers[n - 1] - r->memory, here, HAS_NEXT | DEVICE_WRITES,
                       n + 1);
    }
    n++;
    put_descriptor(at(r, table + n * DESCRIPTOR_BYTES), r->offset + AT_STATUS + slot, 1, DEVICE_WRITES, 0);
    put_descriptor(at(r, AT_DESCRIPTORS + slot * DESCRIPTOR_BYTES), r->offset + table, (n + 1) * DESCRIPTOR_BYTES,
                   IS_TABLE, 0);
}

/* From here on the device may see it, with all that was written before. */
static void publish(struct vhost_ring *r, unsigned slot)
{
    le16_put(at(r, AT_AVAIL + 4 + r->avail_index % VHOST_RING_SLOTS * 2), slot);
    r->avail_index++;
    atomic_store_explicit((_Atomic uint16_t *)at(r, AT_AVAIL + 2), htole16(r->avail_index), memory_order_release);
    r->is_new = true;
}

bool vhost_ring_read(struct vhost_ring *r, uint64_t offset, uint32_t len, uint8_t *const *buffers, void *tag)
{
    unsigned slot;

    g_assert(offset % VHOST_CLUSTER_BYTES == 0 && len % 512 == 0);
    g_assert(len > 0 && len <= VHOST_REQUEST_CLUSTERS * VHOST_CLUSTER_BYTES);
    if (vhost_ring_room(r) == 0)
        return false;
    slot = r->free[--r->n_free];
    r->slots[slot] = (struct slot){.tag = tag, .len = len, .is_in_flight = true};
    put_header(r, slot, offset);
    put_table(r, slot, len, buffers);
    publish(r, slot);
    return true;
}

bool vhost_ring_wants_kick(struct vhost_ring *r)
{
    if (!r->is_new)
        return false;
    r->is_new = false;
    /* The index must be out before the flag is looked at: the device sets the flag back, then looks at the index. */
    atomic_thread_fence(memory_order_seq_cst);
    return !(read16(at(r, AT_USED), memory_order_relaxed) & NO_NOTIFY);
}

/* --- taking out --------------------------------------------------------------------------------- */

static enum vhost_ring_verdict G_GNUC_PRINTF(2, 3) lied(struct vhost_ring *r, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_vsnprintf(r->why, sizeof r->why, format, arguments);
    va_end(arguments);
    r->is_over = true;
    return VHOST_RING_BROKEN;
}

static void release(struct vhost_ring *r, unsigned slot)
{
    r->slots[slot].is_in_flight = false;
    r->free[r->n_free++] = slot;
}

/* The device says that one of our requests has ended: can what it says be true? */
static enum vhost_ring_verdict end_request(struct vhost_ring *r, unsigned slot, uint32_t written,
                                           struct vhost_ring_done *done)
{
    const struct slot *s = &r->slots[slot];
    uint8_t status = atomic_load_explicit((_Atomic uint8_t *)at(r, AT_STATUS + slot), memory_order_relaxed);

    if (status != STATUS_OK && status != STATUS_IOERR)
        return lied(r, "a read ended with status %u, which no read has", status);
    if (written > s->len + 1 || (status == STATUS_OK && written != s->len + 1))
        return lied(r, "a read of %u bytes ended with %u", s->len + 1, written);
    *done = (struct vhost_ring_done){.tag = s->tag, .error = status == STATUS_OK ? 0 : EIO};
    release(r, slot);
    r->used_index++;
    return VHOST_RING_DONE;
}

enum vhost_ring_verdict vhost_ring_next_done(struct vhost_ring *r, struct vhost_ring_done *done)
{
    const uint8_t *entry = at(r, AT_USED + 4 + r->used_index % VHOST_RING_SLOTS * 8);
    unsigned n_ended;
    uint32_t slot;

    if (r->is_over)
        return r->why[0] ? VHOST_RING_BROKEN : VHOST_RING_EMPTY;
    /* Acquire: the entries, status bytes and data were written before the index was. */
    n_ended = (uint16_t)(read16(at(r, AT_USED + 2), memory_order_acquire) - r->used_index);
    if (n_ended == 0)
        return VHOST_RING_EMPTY;
    if (n_ended > vhost_ring_in_flight(r))
        return lied(r, "%u reads ended, of %u that were in flight", n_ended, vhost_ring_in_flight(r));
    slot = read32(entry);
    if (slot >= VHOST_RING_SLOTS)
        return lied(r, "a read ended that cannot be: number %u of %u", slot, VHOST_RING_SLOTS);
    if (!r->slots[slot].is_in_flight)
        return lied(r, "read number %u ended, which was not in flight", slot);
    return end_request(r, slot, read32(entry + 4), done);
}

const char *vhost_ring_why(const struct vhost_ring *r)
{
    return r->why;
}

unsigned vhost_ring_room(const struct vhost_ring *r)
{
    return r->is_over ? 0 : r->n_free;
}

unsigned vhost_ring_in_flight(const struct vhost_ring *r)
{
    return VHOST_RING_SLOTS - r->n_free;
}

void vhost_ring_take_back(struct vhost_ring *r, void (*taken_back)(void *user, void *tag), void *user)
{
    r->is_over = true;
    for (unsigned slot = 0; slot < VHOST_RING_SLOTS; slot++) {
        if (!r->slots[slot].is_in_flight)
            continue;
        release(r, slot);
        taken_back(user, r->slots[slot].tag);
    }
}
