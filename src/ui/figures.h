// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Numbers as the screen says them. Each writes into text and returns it. `none` is the sign for "not applicable":
 * what is unknown never shows as 0.
 */
#include "base/units.h"
#include "ui/glyphs.h"

#define FIGURE_LEN 32

/* "61.4%", "100%": rounded down, so that 100% means all of it. */
const char *figure_percent(uint64_t part, uint64_t whole, const char *none, char text[FIGURE_LEN]);
/* "61%": the same without a decimal. */
const char *figure_percent_short(uint64_t part, uint64_t whole, const char *none, char text[FIGURE_LEN]);
const char *figure_size(uint64_t bytes, const char *none, char text[FIGURE_LEN]);
const char *figure_rate(uint64_t bytes_per_s, const char *none, char text[FIGURE_LEN]);
/* "00:03:34" */
const char *figure_clock(uint64_t ms, const char *none, char text[FIGURE_LEN]);
/* "12:41", "1:02:03" */
const char *figure_elapsed(uint64_t ms, char text[FIGURE_LEN]);
/* "3:34", "1h02m": at most 6 columns. */
const char *figure_short_time(uint64_t ms, const char *none, char text[FIGURE_LEN]);
/* "~45 s", "~4m50s", "~18 min", "~2h10m": as exact as an estimate is. */
const char *figure_estimate(uint64_t ms, const char *none, char text[FIGURE_LEN]);
/* "2.14:1" of read against written. */
const char *figure_ratio(uint64_t read, uint64_t written, const char *none, char text[FIGURE_LEN]);
/* Right-aligned in so many columns: printf counts bytes, and a "—" has three. */
const char *figure_pad(char text[FIGURE_LEN], int columns);
/* "157 286 400" */
const char *figure_exact(uint64_t number, char text[FIGURE_LEN]);
/* "11:42:07" local time */
const char *figure_time_of_day(int64_t when_s, char text[FIGURE_LEN]);
