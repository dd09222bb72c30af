// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A QMP monitor on libuv: connects, negotiates, sends commands with deadlines, hands out events,
 * passes descriptors. One connection for its life; when it is lost, open another.
 *
 *     struct qmp *q = qmp_open(loop, "/tmp/monitor.sock", 30000, &listener, user);
 *     ... on_ready(user) ... qmp_stop(q, on_stopped, run);        // qmp/calls.h
 *     qmp_close(q);
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <uv.h>
#include "qmp/error.h"
#include "qmp/events.h"

struct qmp;
struct qmp_listener {
    void (*on_ready)(void *user);                                /* greeting and capabilities done */
    void (*on_event)(void *user, const struct qmp_event *event); /* in order, before later replies */
    void (*on_lost)(void *user, const GError *error);            /* exactly once unless qmp_close() came first; after
                                                                    every pending command has failed with GONE; also for
                                                                    a connection that never became ready */
    void (*on_waiting)(void *user, const GError *why); /* no greeting for 2 s, while there is time left; once */
};
/*
 * address: a path, "unix:PATH", "tcp:HOST:PORT" or "HOST:PORT", HOST being localhost or an address of this
 * machine in numbers; what QEMU's own option may add (",server=on,wait=off") is ignored. Everything, a bad
 * address too, is reported through on_lost from the loop. timeout_ms: for the greeting and each reply, 0 =
 * wait for ever. Commands may be sent at once; they go out when the monitor is ready.
 */
struct qmp *qmp_open(uv_loop_t *loop, const char *address, unsigned timeout_ms, const struct qmp_listener *listener,
                     void *user);
/* Pending callbacks are dropped without being called. Freed from the loop. */
void qmp_close(struct qmp *q);
bool qmp_is_ready(const struct qmp *q);
/* Descriptors can be passed (a UNIX socket). */
bool qmp_can_pass_fds(const struct qmp *q);
/* The process at the other end of a UNIX socket, 0 when that cannot be told. Who passed QEMU its socket counts, too. */
int qmp_peer_pid(const struct qmp *q);
/* When the last byte from QEMU came, uv_now() of the loop. */
uint64_t qmp_last_heard_ms(const struct qmp *q);

/* A question that is put again until it has another answer, for as long as one answer may take. All zero: not yet.
 *
 *     static void ask(void *b) { qmp_query_status(q, on_status, b); }
 *     … on_status: if (is_passing(s) && qmp_again(q, &b->again, ask, b)) return;
 *
 * At first at once, since a guest may stand still meanwhile: each answer takes QEMU a turn of its loop. Then with
 * pauses of some ms. When the connection ends in one of them it is asked too, and gets GONE. */
struct qmp_again {
    unsigned n;
    uint64_t since_ms;
};
/* False: it has been too long. */
bool qmp_again(struct qmp *q, struct qmp_again *again, void (*ask)(void *user), void *user);
