// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* The three sets of signs: "unicode" (eighth blocks, light lines), "blocks" (code page 437: the Linux console),
 * "ascii". */
#include <stdbool.h>
#include "ui/theme.h"

struct glyphs {
    const char *name;
    bool is_ascii;
    const char *states[MODEL_STATES];
    const char *cursor; /* before the selected row */
    const char *none;   /* not applicable: never 0 */
    const char *alert;
    const char *bar_full, *bar_empty;
    const char *bar_parts[8]; /* n_parts of them, rising: what fills a part of a cell */
    unsigned n_parts;
    const char *rule, *side; /* lines: level and upright */
    const char *corners[4];  /* of a box: top left, top right, bottom left, bottom right */
};
/* NULL when there is no such set. */
const struct glyphs *glyphs_find(const char *name);
/* The best the locale's character set and the terminal (TERM) can show. */
const struct glyphs *glyphs_for(const char *codeset, const char *term);
/* The set with the signs a theme has of its own; an ascii set stays as it is. Borrows from both. */
void glyphs_of_theme(const struct glyphs *set, const struct theme *theme, struct glyphs *own);
