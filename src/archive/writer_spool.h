// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* By way of the spool, while the target is slow: sealed extents go there, and come back as bytes. */
#include "archive/writer_item.h"

struct spool_stage {
    struct writer_env *env;
    struct spool *spool;    /* may be NULL: then all of it goes straight */
    uint64_t guest_reserve; /* of its room, that RAM may not use */
    GQueue *in;             /* two: drives', and RAM's; they wait for what is in the spool */
    GQueue *out;
    GQueue records;       /* whose each is */
    struct item *pushing; /* one at a time: if that fails, nothing has gone past it */
    uint64_t retry_ms;    /* uv_now(): its disk has failed, and counts as full until then */
    bool is_popping, is_push_lost, has_failed, is_rams_turn;
};

bool writer_spool_is_empty(const struct spool_stage *s); /* but for those behind it */
void writer_spool_next(struct spool_stage *s);
void writer_spool_pop(struct spool_stage *s); /* out is empty: one record, if there is one */
