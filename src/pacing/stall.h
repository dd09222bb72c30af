// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * When the guest's writes suffer, the copy gives way: how much, and when it may go on. Pure; one look a second.
 *
 *     struct stall s = {0};
 *     switch (stall_look(&s, write_us, base_us, rate)) {
 *     case STALL_BEGINS: …       // s.ceiling: bytes/s the copy may take from now on
 *     case STALL_OVER: …         // s.ceiling is 0 again
 *
 * Suffering is an average write of more than a second, or two looks of the last STALL_MEMORY with more than STALL_TIMES
 * what it was before and more than STALL_LEAST_US: a cluster's first overwrite costs a copy of its old content by
 * design, which a guest that has been fast may feel as some tens of milliseconds on a slow host. Each look that suffers
 * halves the ceiling, down to STALL_FLOOR; STALL_GOOD_LOOKS good ones double it, and lift it where it no longer binds.
 * Each time that going faster was too early twice as many good ones are wanted, up to STALL_MOST_LOOKS: so that it
 * settles rather than swings. Where STALL_PATIENCE looks at the floor bring no relief it is not the copy that the guest
 * suffers from: it goes on until the writes have been well once.
 */
#include <stdbool.h>
#include <stdint.h>

#define STALL_TIMES      10
#define STALL_LEAST_US   100000
#define STALL_MOST_US    1000000
#define STALL_FLOOR      (UINT64_C(1) << 20) /* bytes/s */
#define STALL_GOOD_LOOKS 3
#define STALL_MOST_LOOKS 48
#define STALL_PATIENCE   30
#define STALL_MEMORY     4 /* looks */

enum stall_change { STALL_SAME, STALL_BEGINS, STALL_SLOWER, STALL_FASTER, STALL_OVER, STALL_IN_VAIN };

struct stall {
    uint64_t ceiling;   /* bytes/s, 0 = none */
    uint64_t before;    /* the rate when it began */
    unsigned bad_looks; /* bit i: the look i looks ago */
    unsigned n_good, n_at_floor;
    unsigned n_wanted; /* good looks before it goes faster, 0 = STALL_GOOD_LOOKS */
    bool has_gone_faster;
    bool is_in_vain;
};

/* write_us: the average of the last second, UINT64_MAX when there was no write. base_us: the same before the backup,
 * UINT64_MAX when it is not known. rate: bytes/s the copy takes in now. */
enum stall_change stall_look(struct stall *s, uint64_t write_us, uint64_t base_us, uint64_t rate);
