// SPDX-License-Identifier: GPL-2.0-or-later
#include "nbd/status.h"

#include <glib.h>
#include "nbd/wire.h"

#define ALIGN    (64u << 10)
#define STEP_MIN (64u << 20)
#define STEP_MAX (2u << 30)
/* QEMU gathers an answer in one go, and may have to ask a file system for each extent: its guest should not feel it. */
#define FEW_EXTENTS  512
#define MANY_EXTENTS 4096

static uint64_t next_step(const struct nbd_status_walk *w)
{
    if (!w->step)
        return STEP_MIN;
    if (w->n_extents < FEW_EXTENTS)
        return MIN(w->step * 2, STEP_MAX);
    return w->n_extents > MANY_EXTENTS ? MAX(w->step / 2, STEP_MIN) : w->step;
}

uint64_t nbd_status_ask(struct nbd_status_walk *w)
{
    w->step = next_step(w);
    w->asked = MIN(w->size - w->offset, w->step);
    w->taken = 0;
    w->n_extents = 0;
    return w->asked;
}

/* It need not be read. */
static bool is_told(const struct nbd_status_walk *w, uint32_t flags)
{
    return w->is_of_bitmap ? !(flags & NBD_STATE_DIRTY) : flags & NBD_STATE_ZERO;
}

/* What the last extent says of bytes that nobody asked for is dropped. */
void nbd_status_take(struct nbd_status_walk *w, uint64_t at, const uint32_t *pairs, size_t n_pairs,
                     nbd_status_range on_range, void *user)
{
    if (w->why || at != w->offset || w->n_extents) {
        w->why = w->why ? w->why : "an answer to what was not asked";
        return;
    }
    w->n_extents = n_pairs / 2;
    for (size_t i = 0; i < w->n_extents && w->taken < w->asked; i++) {
        uint64_t len = MIN(pairs[2 * i], w->asked - w->taken);
        if (!len) {
            w->why = "an extent of no length";
            return;
        }
        if (is_told(w, pairs[2 * i + 1]))
            on_range(user, w->offset + w->taken, len);
        w->taken += len;
    }
}

bool nbd_status_answered(struct nbd_status_walk *w)
{
    if (!w->why && !w->taken)
        w->why = "an answer that tells nothing";
    w->offset += w->why ? 0 : w->taken;
    return !w->why;
}
