// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Receives the RAM stream of a migration and cuts it into clusters of the device "vmstate".
 *
 *     struct vmstate *v = vmstate_new(&owner);
 *     vmstate_listen(v, lane, path, &error);      // for one connection: migrate "unix:PATH"
 *     ... vmstate_pump(v) whenever buffers came back ...
 *     vmstate_close(v);
 *
 * It reads as fast as it can: a stalled receiver can stall QEMU's monitor. Only when the pool and
 * the spool's share are used up does it pause, and says since when.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "archive/pool.h"
#include "archive/writer.h"

/* Whose stream it is, and what it uses; borrowed. */
struct vmstate_owner {
    uv_loop_t *loop;
    struct pool *pool;
    struct writer *writer;
    void (*on_moved)(void *user);   /* its first bytes have come, or its end */
    void (*on_blocked)(void *user); /* no buffer for it: the stream stands still */
    void *user;
    unsigned *n_open_handles; /* of the owner, counts what is open on the loop */
};

struct listening;
struct vmstate;
struct vmstate *vmstate_new(const struct vmstate_owner *owner);
/* At `path` for one connection, as base/listening.h; the socket is borrowed, and gone when QEMU is in. NULL on failure.
 */
struct listening *vmstate_listen(struct vmstate *v, struct writer_lane *lane, const char *path, GError **error);
void vmstate_pump(struct vmstate *v);
uint64_t vmstate_bytes(const struct vmstate *v);
bool vmstate_is_at_end(const struct vmstate *v);
/* Since when (uv_now) it cannot take more, 0 if it can. */
uint64_t vmstate_blocked_since_ms(const struct vmstate *v);
/* Ends the connection; frees from the loop. */
void vmstate_close(struct vmstate *v);
