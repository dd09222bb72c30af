// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * The engine that reads frozen images itself, by exports of QEMU's of type vhost-user-blk: all drives of a run that are
 * pulled, whose turn it is, how much of all is in flight, and how fast. One of them: pull.h.
 *
 *     struct puller *all = puller_new(loop, pool, &events, user);      // the pool lies in shared memory
 *     struct pull *p = pull_new(all, …);                               // for each drive
 *     puller_set_rate(all, 100 << 20);
 *     puller_pump(all);                                                // buffers, tokens or drives are there that were
 * not puller_close(all);                                               // its timer puller_free(all); // when the loop
 * has closed that
 *
 * It knows nothing of a run, of QMP, or of exports: connections are given to it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct pool;
struct puller;

struct puller_events {
    /* Bytes that have come beside the drives so far (the RAM): they cannot be slowed, so the drives make room. */
    uint64_t (*beside_bytes)(void *user);
    /* How many clusters of zeros the archive takes now; puller_pump() is called when it takes more. */
    uint64_t (*room)(void *user);
    /* Nothing is in flight, and buffers are too few to ask for more. */
    void (*on_starved)(void *user);
};

struct puller *puller_new(uv_loop_t *loop, struct pool *pool, const struct puller_events *events, void *user);
/* All that follow take NULL, too: nothing is pulled. */
void puller_close(struct puller *all); /* once */
void puller_free(struct puller *all);  /* with no pull left */
void puller_pump(struct puller *all);
/* From time to time: a drive with nothing in flight may be done, since the filter has brought the rest. */
void puller_on_tick(struct puller *all);
void puller_set_rate(struct puller *all, uint64_t bytes_per_s); /* of all drives together; 0 = no bound */
bool puller_is_starved(const struct puller *all); /* no buffers: the target takes less than could be read */
