// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Exports of the fake QEMU that are vhost-user-blk: who has connected reads what the node shows. All that was asked for
 * is read at once, unless the kind is lively (a cluster now and then) or its disks hang (never).
 *
 *     unsigned n = fake_vhost_poll(q, fds);                // of all exports
 *     poll(fds, n, …);
 *     fake_vhost_serve(q, fds);
 */
#include <poll.h>
#include "fake/books.h"

#define FAKE_VHOST_FDS (4 * FAKE_DRIVES)

struct fake_vhost;
/* Takes over the socket. */
struct fake_vhost *fake_vhost_new(int listener);
void fake_vhost_free(struct fake_vhost *v); /* NULL: nothing */

unsigned fake_vhost_poll(struct fake_qemu *q, struct pollfd *fds);
void fake_vhost_serve(struct fake_qemu *q, const struct pollfd *fds);
/* One that has something to read, whose turn it is; NULL: none. */
struct fake_export *fake_vhost_next(struct fake_qemu *q);
/* A cluster more. */
void fake_vhost_step(struct fake_qemu *q, struct fake_export *e);
/* What is in flight comes back, before the export goes. */
void fake_vhost_end(struct fake_qemu *q, struct fake_export *e);
/* The connection ends, whatever is in flight. */
void fake_vhost_hang_up(struct fake_export *e);
/* So many exports have brought all that the filters did not. */
unsigned fake_vhost_complete(struct fake_qemu *q);
