// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What of an export of somebody's NBD server need not be read, by its block status and libnbd: what is zero
 * (base:allocation), or what a dirty bitmap of QEMU's does not name (qemu:dirty-bitmap:NAME).
 *
 *     struct nbd_status_spec spec = {.export = "vmb-x", .size = size, .limit_ms = 10000};
 *     struct nbd_status *s = nbd_status_open(loop, fd, &spec, &events, user);
 *     …on_range(user, offset, len) for each range, in order; then on_over(user, NULL), and s is gone
 *     nbd_status_end(s);                                    // on_over comes soon
 *
 * It works in a thread of its own: libnbd goes on as long as bytes come, and a server that never stops sending would
 * never let the loop go on. Whatever the server does, it is over when the time is. What was told until then is good.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>

struct nbd_status_events {
    /* From the thread; before on_over. The range lies within the drive, behind those before. */
    void (*on_range)(void *user, uint64_t offset, uint64_t len);
    /* From the loop, once. An error (VMB_ERROR_FAILED): what lies behind the last range is not known. */
    void (*on_over)(void *user, const GError *error);
};

struct nbd_status_spec {
    const char *export, *bitmap; /* bitmap: exported with it; NULL: zeros are asked for */
    uint64_t size;               /* the export's, bytes: else that is an error */
    uint64_t limit_ms;
};

struct nbd_status;
/* Takes fd, a connected socket on which nothing was said. */
struct nbd_status *nbd_status_open(uv_loop_t *loop, int fd, const struct nbd_status_spec *spec,
                                   const struct nbd_status_events *events, void *user);
void nbd_status_end(struct nbd_status *s);
