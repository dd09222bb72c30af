// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/bar.h"

void bar_draw(struct canvas *c, int x, int y, int width, const struct glyphs *glyphs, uint64_t part, uint64_t whole,
              enum ui_role fill)
{
    if (width <= 0)
        return;
    unsigned per_cell = glyphs->n_parts + 1, steps = (unsigned)width * per_cell, filled = 0;
    if (whole && whole != MODEL_UNKNOWN && part != MODEL_UNKNOWN) {
        filled = part >= whole ? steps : (unsigned)((double)part / (double)whole * steps);
        if (part < whole)
            filled = MIN(filled, steps - 1); /* a double may round up to all of it */
        if (part && !filled && glyphs->n_parts)
            filled = 1;
    }
    int full = (int)(filled / per_cell);
    unsigned rest = filled % per_cell;
    canvas_fill(c, x, y, width, 1, ROLE_BAR_EMPTY, glyphs->bar_empty);
    canvas_fill(c, x, y, full, 1, fill, glyphs->bar_full);
    if (rest)
        canvas_fill(c, x + full, y, 1, 1, fill, glyphs->bar_parts[rest - 1]);
}
