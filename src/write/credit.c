// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The standalone writer has no monitor to pause jobs by: when the spool is full, too, its clients are not read from.
 * What was read is answered all the same. They are told early enough, so that whoever drives the jobs can pause them.
 */
#include "base/error.h"
#include "write/standalone_inside.h"

#define HOLD_BELOW  128 /* free buffers: as many clients may be in the midst of a cluster */
#define LOW_BELOW   256
#define HYSTERESIS  160
#define MAX_QUEUED  2048        /* extents in memory: those of zeros hold no buffers */
#define FEW_SPOOLED (16u << 20) /* bytes */

static enum standalone_credit rising(const struct standalone *s)
{
    unsigned n_free = pool_free_count(s->pool);

    if (n_free < HOLD_BELOW || writer_queued(s->writer) > MAX_QUEUED)
        return STANDALONE_NONE;
    return n_free < LOW_BELOW ? STANDALONE_LOW : STANDALONE_PLENTY;
}

/* Buffers that half-written clusters keep come back by no write of the target: then less is enough. */
static enum standalone_credit falling(const struct standalone *s)
{
    unsigned spare = writer_is_drained(s->writer) ? 0 : HYSTERESIS;

    if (pool_free_count(s->pool) < HOLD_BELOW + spare || writer_queued(s->writer) > MAX_QUEUED / 2)
        return STANDALONE_NONE;
    if (pool_free_count(s->pool) < LOW_BELOW + spare || writer_spool_used(s->writer) > FEW_SPOOLED)
        return STANDALONE_LOW;
    return STANDALONE_PLENTY;
}

static void turn(struct standalone *s, enum standalone_credit credit)
{
    bool was_held = s->credit == STANDALONE_NONE, is_held = credit == STANDALONE_NONE;

    s->credit = credit;
    for (unsigned i = 0; i < s->conns->len && was_held != is_held; i++)
        nbd_conn_hold(s->conns->pdata[i], is_held);
    if (s->is_failing || s->is_ending)
        return;
    standalone_emit(s, &(struct standalone_event){.kind = STANDALONE_CREDIT, .credit = credit});
    if (credit != STANDALONE_PLENTY)
        writer_flush(s->writer);
}

/* Called for every cluster that lands: two comparisons where nothing changes. */
void credit_check(struct standalone *s)
{
    enum standalone_credit up, down;

    if (!s->writer || s->is_failing || s->is_ending)
        return;
    up = rising(s);
    down = up < s->credit ? falling(s) : up;
    if (up > s->credit)
        turn(s, up);
    else if (down < s->credit)
        turn(s, down);
}

void credit_on_tick(struct standalone *s)
{
    if (s->credit == STANDALONE_PLENTY || !s->writer || s->is_failing || s->is_ending)
        return;
    writer_flush(s->writer);
    credit_check(s);
    if (s->credit == STANDALONE_NONE && writer_is_drained(s->writer) && pool_free_count(s->pool) < HOLD_BELOW)
        standalone_fail_new(
            s, VMB_ERROR_FAILED,
            "too many clusters are half written; let clients write 64 KiB at a time, fewer drives at once");
}

void credit_open(struct standalone *s)
{
    if (s->credit != STANDALONE_PLENTY)
        turn(s, STANDALONE_PLENTY);
}
