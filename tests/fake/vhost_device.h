// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The device's side of a ring of src/vhost, for tests: takes requests out, ends them truly or with a lie.
 *
 *     struct device d = device_of(memory, ring);
 *     struct device_read read;
 *     while (device_take(&d, &read)) {
 *         ...memset(d.memory + read.data[0].address, …)...
 *         device_end(&d, &read, 0);
 *     }
 */
#include <stdatomic.h>
#include <glib.h>
#include "base/le.h"
#include "vhost/ring.h"

struct device {
    uint8_t *memory;
    uint64_t descriptors, avail, used;
    uint16_t taken, ended; /* indexes: both wrap */
};

struct device_read {
    unsigned slot, n_data;
    uint64_t sector, status;
    uint32_t len;
    struct {
        uint64_t address;
        uint32_t len;
    } data[VHOST_REQUEST_CLUSTERS];
};

static inline struct device device_of(uint8_t *memory, const struct vhost_ring *r)
{
    return (struct device){.memory = memory,
                           .descriptors = vhost_ring_descriptors(r),
                           .avail = vhost_ring_avail(r),
                           .used = vhost_ring_used(r)};
}

enum { DEVICE_NEXT = 1, DEVICE_WRITE = 2, DEVICE_INDIRECT = 4 };

/* One descriptor of a table. */
static inline const uint8_t *device_descriptor(const struct device *d, uint64_t table, unsigned i, uint64_t *address,
                                               uint32_t *len, uint16_t flags)
{
    const uint8_t *at = d->memory + table + i * 16;

    *address = le64_get(at);
    *len = le32_get(at + 8);
    g_assert_cmpuint(le16_get(at + 12), ==, flags);
    if (flags & DEVICE_NEXT)
        g_assert_cmpuint(le16_get(at + 14), ==, i + 1);
    return d->memory + *address;
}

/* The next request, checked as a device would; false for none. */
static inline bool device_take(struct device *d, struct device_read *read)
{
    uint16_t index = le16toh(atomic_load((_Atomic uint16_t *)(d->memory + d->avail + 2)));
    uint32_t table_bytes, len;
    uint64_t table, ignored;
    const uint8_t *header;
    unsigned n;

    if (index == d->taken)
        return false;
    *read = (struct device_read){.slot = le16_get(d->memory + d->avail + 4 + d->taken++ % VHOST_RING_SLOTS * 2)};
    device_descriptor(d, d->descriptors + read->slot * 16, 0, &table, &table_bytes, DEVICE_INDIRECT);
    n = table_bytes / 16;
    g_assert_true(table_bytes % 16 == 0 && n >= 3 && n <= VHOST_REQUEST_CLUSTERS + 2);
    header = device_descriptor(d, table, 0, &ignored, &len, DEVICE_NEXT);
    g_assert_true(len == 16 && le32_get(header) == 0 && le32_get(header + 4) == 0);
    read->sector = le64_get(header + 8);
    for (; read->n_data < n - 2; read->len += read->data[read->n_data++].len)
        device_descriptor(d, table, 1 + read->n_data, &read->data[read->n_data].address, &read->data[read->n_data].len,
                          DEVICE_NEXT | DEVICE_WRITE);
    device_descriptor(d, table, n - 1, &read->status, &len, DEVICE_WRITE);
    g_assert_cmpuint(len, ==, 1);
    g_assert_cmpuint(d->memory[read->status], ==, 0xff);
    return true;
}

static inline void device_publish(struct device *d, uint16_t more)
{
    d->ended += more;
    atomic_store((_Atomic uint16_t *)(d->memory + d->used + 2), htole16(d->ended));
}

/* Says that request `id` has ended, `written` bytes long. */
static inline void device_say(struct device *d, uint32_t id, uint32_t written)
{
    uint8_t *entry = d->memory + d->used + 4 + d->ended % VHOST_RING_SLOTS * 8;

    le32_put(entry, id);
    le32_put(entry + 4, written);
    device_publish(d, 1);
}

/* The truth, but for what is given. */
static inline void device_end(struct device *d, const struct device_read *read, uint8_t status)
{
    d->memory[read->status] = status;
    device_say(d, read->slot, read->len + 1);
}
