// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A whole archive from front to back, without IO: everything checked, every fault told, and what it holds
 * handed out in runs as long as they come. Reader and check in one loop; pure.
 *
 *     g_autoptr(vma_walk) w = vma_walk_new(&ops, user);
 *     while ((n = read(fd, buffer, sizeof buffer)) > 0)
 *         if (!vma_walk_feed(w, buffer, n, &error)) …
 *     vma_walk_end(w, &error);
 *
 * After a damaged extent header it goes on at the next good one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "vma/check.h"

/* All may be NULL. Those that return false (error set) end the walk. Ranges lie within the device; of the RAM
 * state they are offsets in its stream, whose last cluster may be padded. They come in the order of the
 * archive. Data is handed out before the digest of its extent is known; a fault follows then. */
struct vma_walk_ops {
    bool (*header)(void *user, const struct vma_header *h, GError **error);
    /* bytes are good until it returns. */
    bool (*data)(void *user, int dev_id, uint64_t offset, const uint8_t *bytes, size_t len, GError **error);
    bool (*zeroes)(void *user, int dev_id, uint64_t offset, uint64_t len, GError **error);
    vma_fault_fn fault;
};

struct vma_walk;
/* ops is borrowed. */
struct vma_walk *vma_walk_new(const struct vma_walk_ops *ops, void *user);
void vma_walk_free(struct vma_walk *w);
/* False: ended by ops, or the archive's header is broken (DAMAGED): nothing can be read without it. */
bool vma_walk_feed(struct vma_walk *w, const uint8_t *bytes, size_t len, GError **error);
/* What is fed next stands so many bytes behind what was fed last: the rest was damaged, which `why` says. */
bool vma_walk_gap(struct vma_walk *w, uint64_t lost, const char *why, GError **error);
/* The archive ends with its end mark, whatever follows: on a device. */
void vma_walk_end_at_mark(struct vma_walk *w);
bool vma_walk_has_ended(const struct vma_walk *w); /* there */
/* Everything was fed. */
bool vma_walk_end(struct vma_walk *w, GError **error);

const struct vma_header *vma_walk_header(const struct vma_walk *w); /* NULL before it was read */
const struct vma_check *vma_walk_check(const struct vma_walk *w);   /* likewise */
unsigned vma_walk_faults(const struct vma_walk *w);
uint64_t vma_walk_consumed(const struct vma_walk *w); /* bytes of the plain archive, gaps with them */

typedef struct vma_walk vma_walk;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vma_walk, vma_walk_free)
