// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What the terminal itself says it can do: asked once, before the first frame. How wide signs are shown is nowhere to
 * be read (East Asian fonts make some of ours two columns wide), and whether it takes frames as a whole neither.
 *
 *     struct probe p;
 *     probe_run(fd, PROBE_SIGNS | PROBE_SYNC, &p);      // raw mode; waits at most PROBE_MS
 *     if (p.is_answered && p.widths[0] != 3) …          // the unicode set does not fit
 */
#include <stdbool.h>
#include <stddef.h>

#define PROBE_MS    200
#define PROBE_SIGNS 1u
#define PROBE_SYNC  2u

/* The texts whose widths are asked for, and the columns each should take. */
enum probe_text { PROBE_UNICODE, PROBE_BLOCKS, PROBE_TEXTS };
extern const struct probe_sample {
    const char *text;
    int columns;
} probe_samples[PROBE_TEXTS];

struct probe {
    bool is_answered;         /* at least something came */
    bool has_sync;            /* CSI ? 2026 h and l hold a frame back until it is whole */
    int columns[PROBE_TEXTS]; /* as shown; 0 = not told */
};
/* The terminal must be in raw mode and not yet taken by a screen. What is typed meanwhile is lost. */
void probe_run(int fd, unsigned what, struct probe *p);
/* Reads answers; true when the last one (to CSI c) has come. Anything may stand in between. */
bool probe_read(const char *bytes, size_t len, struct probe *p);
/* The set of glyphs that is shown as it should be, of "unicode" and those below it. */
const char *probe_glyphs(const struct probe *p, const char *wanted);
