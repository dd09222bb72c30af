// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Sizes, rates and times between text and numbers: K M G T P are 1024-based.
 *
 *     uint64_t bytes;
 *     if (!units_parse_size("1.5G", &bytes, &error)) …
 *     char text[UNITS_LEN]; units_format_size(bytes, text);    // "1.50G"
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

#define UNITS_LEN 16

/* ^[0-9]+([.,][0-9]+)?[KMGTP]?(i?B)?(/s)?$ without regard to case and blanks; "0", "none", "unlimited" = 0.
 * Something above 0 that is less than one byte is refused: it would turn into "no limit". */
bool units_parse_size(const char *text, uint64_t *bytes, GError **error);

/* All of these write into text and return it; UINT64_MAX, our "unknown", is "-". */

/* At most 4 digits, no blank: "0", "512", "4.0G", "39.2G", "133G", "1.21T". */
const char *units_format_size(uint64_t bytes, char text[UNITS_LEN]);
/* The same with "/s": "118M/s", and "0" for none. */
const char *units_format_rate(uint64_t bytes_per_s, char text[UNITS_LEN]);
/* "38ms", "1.4s", "12s", "4m50s", "1h02m". */
const char *units_format_ms(uint64_t ms, char text[UNITS_LEN]);
/* "00:04:50" */
const char *units_format_clock(uint64_t ms, char text[UNITS_LEN]);
