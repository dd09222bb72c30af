// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A split virtqueue (virtio 1.2, 2.7) of block reads (5.2.6), over memory that the device can write: pure.
 *
 *     struct vhost_ring *r = vhost_ring_new(memory, offset);
 *     vhost_ring_read(r, 0, 1 << 20, sixteen_buffers, tag);
 *     if (vhost_ring_wants_kick(r)) ...write the kick eventfd...
 *     while ((verdict = vhost_ring_next_done(r, &done)) == VHOST_RING_DONE)
 *         ...done.tag, done.error...
 *     if (verdict == VHOST_RING_BROKEN) ...vhost_ring_why(r)...
 *
 * Each request has a slot: one descriptor of the ring that leads to a table of its own (VIRTIO_F_INDIRECT_DESC), a
 * header and a status byte. Which slots are in flight is known from our own memory alone; what the device says is
 * checked against that.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_CLUSTER_BYTES    65536u
#define VHOST_RING_SLOTS       128u /* a power of two; as many as QEMU's own drivers have */
#define VHOST_REQUEST_CLUSTERS 16u  /* the most that one request may be made of */
/* Of a ring's area: descriptors, headers, avail, used, status bytes, tables; rounded up to pages. */
#define VHOST_RING_BYTES (11u * 4096)

struct vhost_ring;
/* memory: where the device's address 0 is; the area, of VHOST_RING_BYTES, begins `offset` bytes (a multiple of 4096)
 * behind it, and is cleared. */
struct vhost_ring *vhost_ring_new(uint8_t *memory, size_t offset);
void vhost_ring_free(struct vhost_ring *r);

/* Device addresses, for SET_VRING_ADDR. */
uint64_t vhost_ring_descriptors(const struct vhost_ring *r);
uint64_t vhost_ring_avail(const struct vhost_ring *r);
uint64_t vhost_ring_used(const struct vhost_ring *r);

/* As vhost_read() of front_uv.h says; buffers lie behind `memory`. */
bool vhost_ring_read(struct vhost_ring *r, uint64_t offset, uint32_t len, uint8_t *const *buffers, void *tag);
/* Is there something new that the device has to be woken for? Then the caller does, and it is new no more. */
bool vhost_ring_wants_kick(struct vhost_ring *r);

struct vhost_ring_done {
    void *tag;
    int error; /* 0 or EIO */
};
enum vhost_ring_verdict {
    VHOST_RING_EMPTY, /* nothing (more) has ended yet */
    VHOST_RING_DONE,
    VHOST_RING_BROKEN, /* the device has lied: for good */
};
enum vhost_ring_verdict vhost_ring_next_done(struct vhost_ring *r, struct vhost_ring_done *done);
const char *vhost_ring_why(const struct vhost_ring *r); /* a sentence; "" unless broken */

unsigned vhost_ring_room(const struct vhost_ring *r); /* requests that fit; 0 when broken */
unsigned vhost_ring_in_flight(const struct vhost_ring *r);
/* Nothing is in flight any more; `taken_back` is called for each that was. The ring takes no more requests. */
void vhost_ring_take_back(struct vhost_ring *r, void (*taken_back)(void *user, void *tag), void *user);
