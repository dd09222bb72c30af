// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What we share with one QEMU: a memfd that holds a ring area for each drive, and the pool its disks are read into.
 *
 *     struct vhost_memory *m = vhost_memory_new(64 << 20, n_drives, &error);
 *     uint8_t *buffer = vhost_memory_pool(m);            // the first of 1024 cluster buffers
 *     ...
 *     vhost_memory_free(m);                              // after every front that uses it
 *
 * QEMU can write all of it at any moment, so nothing but that lies in it. It is sealed: nobody can make it shorter
 * under us, which would be a SIGBUS. Pages that nobody has touched are not resident.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct vhost_memory;
/* pool_bytes: a multiple of the page size; n_queues: at least 1. */
struct vhost_memory *vhost_memory_new(size_t pool_bytes, unsigned n_queues, GError **error);
void vhost_memory_free(struct vhost_memory *m);  /* NULL is allowed */
void *vhost_memory_pool(struct vhost_memory *m); /* page-aligned, pool_bytes long */
/* Does all of it lie in the pool? */
bool vhost_memory_owns(const struct vhost_memory *m, const void *at, size_t len);

/* For the front: all of it. The device's address of a byte is its distance from the base. */
int vhost_memory_fd(const struct vhost_memory *m); /* borrowed */
uint8_t *vhost_memory_base(const struct vhost_memory *m);
size_t vhost_memory_bytes(const struct vhost_memory *m);
size_t vhost_memory_queue(const struct vhost_memory *m, unsigned queue); /* where a ring area begins, page-aligned */
