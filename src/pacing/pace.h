// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How fast drives take data in, and which speeds to tell QEMU so that they take in what they should. Pure.
 *
 *     pace->job_data += 65536; pot->taken += 65536; …       // as it comes
 *     once a second:  pace_look(pace, now_ms, is_moving);       // of each drive, then of all:
 *                     pace_share(pot, paces, n, now_ms);        // pace->share
 *                     speed = pace_speed(pace);                 // for block-job-set-speed
 *     often:          if (pace_is_ahead(pot, pace)) pace_brake(pace, now_ms);  // pause its job until the next look
 *
 * A limit of ours means data. QEMU's speed means whatever its job passes: holes too, and never what the
 * copy-before-write filter brings. So the speed is the share, less what the filter brings, times the bytes passed per
 * byte of data of the last seconds, and more. Where the holes end sooner than expected that is too much by far: once a
 * second's data is there, pace_is_ahead() says so, and the job is to be paused for the rest of that second. (A lower
 * speed would not do: QEMU holds what was passed in the present slice of 100 ms against the new speed, and a slice full
 * of holes can be worth a minute.) What was too much, or too little, is a debt or credit that the next two seconds
 * settle; that takes care of QEMU's own inexactness as well (it begins a new slice whenever it wakes up late, and so
 * stays up to 3 % below what it was told).
 */
#include <stdbool.h>
#include <stdint.h>

/* How far what came is behind (or, negative, ahead of) what might have come. */
struct pace_credit {
    double bytes;
    uint64_t settled_ms, settled_taken;
};

/* What all of them have in common. All zero is a valid start. */
struct pace_pot {
    uint64_t budget; /* bytes/s for all together, 0 = no bound */
    uint64_t taken;  /* data of all so far, whoever brought it */
    struct pace_credit credit;
    double of_all;                  /* what shares are multiplied by, to settle it within this second */
    double due;                     /* to be taken in this second, until the brake */
    double over;                    /* what comes behind the brake, by experience: QEMU has requests under way */
    uint64_t begin_ms, begin_taken; /* of this second */
};

/* One drive. All zero is a valid start. Bytes, bytes/s, ms of a monotonic clock. */
struct pace {
    uint64_t own;                 /* a bound of its own, 0 = none */
    uint64_t job_data, job_holes; /* that the job brought; a hole is whatever is no news: zeros, repeats */
    uint64_t filter_data;

    uint64_t share;     /* what it may take in, 0 = no bound */
    bool is_shared;     /* that is its part of the budget, not its own bound */
    double data_rate;   /* over the last second */
    double filter_rate; /* of it, what the filter may be expected to bring */
    double holes;       /* bytes that the job passes per byte of data, 0 = not known */

    bool is_known; /* it has moved for a whole second: data_rate is true */
    double filter_average;
    double job_rate;           /* what is left of the share for the job */
    double job_got, job_might; /* what it brought, and what it was given; over the last few seconds */
    struct pace_credit credit; /* with its own bound */
    double recent_data, recent_all;
    uint64_t looked_ms, seen_data, seen_filter, seen_all;
    bool is_braked;      /* its job is to stand still, until the next look */
    uint64_t begin_data; /* at the last look */
};

/* is_moving: nothing but limits holds it; else what it did tells nothing about what it could use. False also at the
 * moment from which on it moves again. */
void pace_look(struct pace *p, uint64_t now_ms, bool is_moving);
/* Shares the budget out among these, each within its own bound. */
void pace_share(struct pace_pot *pot, struct pace *const *paces, unsigned n, uint64_t now_ms);
/* For block-job-set-speed: 0 = unlimited. */
uint64_t pace_speed(const struct pace *p);
/* Is the difference worth a command? */
bool pace_matters(uint64_t old_speed, uint64_t new_speed);
/* Its speed is made for holes, and this second's data is there, its own or that of all: time to brake. */
bool pace_is_ahead(const struct pace_pot *pot, const struct pace *p);
void pace_brake(struct pace *p, uint64_t now_ms);
/* It takes in about all it may. */
bool pace_is_bound(const struct pace *p);
