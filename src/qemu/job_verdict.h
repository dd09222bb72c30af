// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the end of a drive's job means for the drive. Pure; fate.c does what it says.
 *
 *     struct evidence e = {.job_error = "No space left on device", .has_guard = true, .retries_left = 3};
 *     enum verdict v = job_verdict_of(&e, &why);       // VERDICT_RETRY
 */
#include <stdbool.h>
#include <stdint.h>

struct evidence {
    const char *job_error; /* in QEMU's words; NULL: it says that the job ended well */
    uint64_t missing;      /* clusters that never came */
    const char *doubt;     /* why the filter's image cannot be trusted; NULL while it can */
    bool has_guard;        /* a filter keeps the old data of what the guest overwrites */
    bool is_read_only;     /* nobody writes to it: its image stands without one */
    bool is_target_lost;   /* the job's connection ended before the job */
    unsigned n_refused;    /* writes of it that found no buffer */
    unsigned retries_left;
};

enum verdict {
    VERDICT_SAVED,
    VERDICT_BROKEN,   /* nothing of its instant can be read any more */
    VERDICT_STARVED,  /* it goes on when there are buffers: no failure */
    VERDICT_RETRY,    /* once more, from the same frozen image */
    VERDICT_STANDING, /* failed, but its frozen image stands */
    VERDICT_FAILED,
};

/* why: an owned sentence for the operator, NULL for VERDICT_SAVED. */
enum verdict job_verdict_of(const struct evidence *e, char **why);
bool job_verdict_has_image(const struct evidence *e); /* what its job reads stays what it was at the instant */
