// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * When something will be whole that is made of data and of holes, which pass at quite different speeds. A plain value:
 * all zero is a valid start.
 *
 *     eta_add(&e, data, holes, now_ms);                       // bytes so far, as often as you like
 *     eta_left_ms(&e, data_left, holes_left, now_ms);         // UINT64_MAX while nothing honest can be said
 *
 * Each kind has an average cost of its own, in which what is older counts less: 1/e after half a minute of that kind.
 * The time of a second that brought both is split between them, by what they have cost until then.
 */
#include <stdbool.h>
#include <stdint.h>

#define ETA_UNKNOWN  UINT64_MAX
#define ETA_AFTER_MS 5000 /* of movement */

/* What it takes to pass one kind, as a fading sum. */
struct eta_cost {
    double bytes, ms;
};
struct eta {
    struct eta_cost data, holes;
    uint64_t seen_data, seen_holes, seen_ms; /* up to where it was counted */
    uint64_t added_ms;                       /* when it was told last */
    bool is_marked, has_moved;
    uint64_t begun_ms, moved_ms; /* when the first byte came, and the last */
    uint64_t end_ms;             /* last told as its end, 0 = nothing yet */
};

/* When both together have shrunk (a drive begins anew), everything begins anew. A gap of more than 3 s (the process
 * stood still) tells nothing about speed. */
void eta_add(struct eta *e, uint64_t data, uint64_t holes, uint64_t now_ms);
/* ETA_UNKNOWN for the first 5 s of movement, when nothing has moved for 5 s, and while the speed of data is not known
 * and some is left. It counts down steadily: a new forecast replaces the last only when it differs by more than 5 %.
 * Above 2 min in steps of 10 s, above 20 min of 1 min. */
uint64_t eta_left_ms(struct eta *e, uint64_t data_left, uint64_t holes_left, uint64_t now_ms);
/* Splits what is left of `size` bytes: `used` of them are said to be data (UINT64_MAX: nobody knows). Where that cannot
 * be true any more, or is not known, the rest is taken to be like what has come. */
void eta_split(uint64_t size, uint64_t used, uint64_t data, uint64_t holes, uint64_t *data_left, uint64_t *holes_left);
