// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* Shared by the files of this folder: all drives (puller.c), and one (pull.c). */
#include <glib.h>
#include "pacing/tokens.h"
#include "pull/pull.h"
#include "pull/puller.h"

#define PULL_REQUEST_CLUSTERS 8 /* at most: 512 KiB, measured, see docs/performance.md */
#define PULL_NOWHERE          UINT64_MAX

struct puller {
    struct pool *pool;
    const struct puller_events *events;
    void *user;
    GPtrArray *pulls; /* struct pull *, borrowed */
    struct tokens tokens;
    uv_timer_t timer;    /* when limits let the next request pass */
    uint64_t wait_ns;    /* so long, as far as is known */
    unsigned in_flight;  /* clusters */
    unsigned turn, left; /* whose turn it is, and for how many clusters more */
    bool is_starved;
    uint64_t beside_bytes; /* that have been counted */
};

/* Offsets are bytes of the drive, at a cluster's begin. */
struct pull {
    struct puller *all;
    const struct intake_source *source;
    const struct pull_events *events;
    void *user;
    struct pull_image image;
    bool is_started; /* and neither stopped nor over */
    bool is_paused;
    struct tokens tokens;
    unsigned in_flight;    /* clusters */
    uint64_t next;         /* the first that was not asked for */
    uint64_t rewind;       /* a request that failed began there: go back when nothing is in flight; or PULL_NOWHERE */
    uint64_t single_until; /* up to there each cluster is asked for alone: not all of them can be read */
    uint64_t failed;       /* this one cannot be read; or PULL_NOWHERE */
    uint64_t good;         /* this one could; or PULL_NOWHERE */
    bool is_probing;       /* it is read again */
};

/* pull.c */
bool pull_may_ask(struct pull *p);
unsigned pull_ask(struct pull *p, unsigned most); /* one request; how many clusters it has asked for */
void pull_settle_idle(struct pull *p);            /* looks what is next, if nothing is in flight */
