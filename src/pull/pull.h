// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * One drive that is pulled: from its begin to its end, but for what is held already.
 *
 *     struct pull *p = pull_new(all, &source, &events, user);         // for all of the run; source: see intake.h
 *     pull_start(p, &(struct pull_image){.front = front, .size = size, .may_break = true});    // front: after on_ready
 *     …vhost_events.on_read(user, tag, error): pull_read_ended(tag, error)
 *     …events.on_done(user): every cluster that is wanted is held
 *     pull_stop(p);                                                   // nothing more is asked for
 *     …pull_in_flight(p) is 0: the export is deleted
 *     vhost_close(front, pull_taken_back);
 *     pull_start(p, …);                                               // by another connection, from the begin
 *
 * Clusters that are known to be zero are not asked for, and count for no limit: as many at a time are given to the
 * intake as puller_events.room allows. Those that have not changed are passed over.
 *
 * What is read goes by the intake's source, whose policy says whether anybody still wants it.
 */
#include <stdbool.h>
#include <stdint.h>

struct intake_source;
struct pull;
struct puller;
struct vhost_front;
struct vma_bitmap;

/* Called from the loop, from within puller_on_tick() and pull_read_ended(). The drive is stopped by then. */
struct pull_events {
    void (*on_done)(void *user); /* every cluster that is wanted is held, by whichever way it came */
    /* why: a sentence with the place. is_image_gone: what could be read cannot be any more. */
    void (*on_failed)(void *user, const char *why, bool is_image_gone);
};

/* What is read. */
struct pull_image {
    struct vhost_front *front; /* borrowed */
    uint64_t size;             /* bytes */
    bool may_break;            /* a filter keeps it, and may fail to */
    /* Borrowed: clusters that need not be read, since they are zero, or since nobody wants them; NULL = none is known
     */
    const struct vma_bitmap *zeroes, *unchanged;
};

/* The source is borrowed. */
struct pull *pull_new(struct puller *all, const struct intake_source *source, const struct pull_events *events,
                      void *user);
void pull_free(struct pull *p);                                  /* NULL is fine; after vhost_close() */
void pull_start(struct pull *p, const struct pull_image *image); /* reads from the next puller_pump() on */
void pull_stop(struct pull *p);
void pull_pause(struct pull *p, bool is_paused);          /* nothing is asked for; stays over pull_start() */
void pull_set_rate(struct pull *p, uint64_t bytes_per_s); /* 0 = no bound */
void pull_count(struct pull *p, uint64_t bytes);          /* come for it by another way, under the same limits */
unsigned pull_in_flight(const struct pull *p);            /* clusters */

/* For vhost_events.on_read and vhost_close(). */
void pull_read_ended(void *tag, int error);
void pull_taken_back(void *user, void *tag); /* user: ignored */
