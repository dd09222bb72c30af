// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * How far a long command is: one line on standard error, rewritten at most twice a second, and only if that
 * is a terminal.
 *
 *     struct progress p;
 *     progress_start(&p, "verifying");
 *     progress_tell(&p, done, total);       // as often as you like; total 0: unknown
 *     progress_clear(&p);                   // before anything else is written, and at the end
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/rate.h"

struct progress {
    const char *doing;
    bool is_shown; /* on a terminal */
    bool is_drawn; /* the line stands there now */
    uint64_t next_ms;
    struct rate rate;
};

void progress_start(struct progress *p, const char *doing);
void progress_tell(struct progress *p, uint64_t done, uint64_t total);
void progress_clear(struct progress *p);
