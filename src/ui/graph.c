// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/graph.h"

uint64_t graph_top(const uint64_t *values, unsigned n)
{
    uint64_t most = 0, unit = 1;
    for (unsigned i = 0; i < n; i++)
        most = MAX(most, values[i]);
    while (most / unit >= 1024)
        unit *= 1024;
    /* 1 2 3 … 10 12 14 … 100 120 140 …: so that the scale does not change with every breath. */
    uint64_t step = most / unit >= 100 ? 20 * unit : most / unit >= 10 ? 2 * unit : unit;
    return MAX((most + step - 1) / step * step, step);
}

/* Of a column with so many steps, how many a value fills: none only when it is none. */
static int level(uint64_t value, uint64_t top, int steps)
{
    int filled = (int)((double)value / (double)top * steps + 0.5);
    return CLAMP(filled, value ? 1 : 0, steps);
}

static uint64_t value_at(const uint64_t *values, unsigned n, int from_end)
{
    return from_end < (int)n ? values[n - 1 - (unsigned)from_end] : 0;
}

/* Two columns of four dots. */
static void draw_braille(struct canvas *c, int x, int y, enum ui_role role, int left, int right)
{
    static const unsigned left_dots[] = {0, 0x40, 0x44, 0x46, 0x47};
    static const unsigned right_dots[] = {0, 0x80, 0xa0, 0xb0, 0xb8};
    char glyph[8];
    unsigned dots = left_dots[CLAMP(left, 0, 4)] | right_dots[CLAMP(right, 0, 4)];
    glyph[g_unichar_to_utf8(0x2800 + dots, glyph)] = '\0';
    if (dots)
        canvas_fill(c, x, y, 1, 1, role, glyph);
}

static void draw_halves(struct canvas *c, int x, int y, enum ui_role role, const struct glyphs *glyphs, int halves)
{
    if (halves >= 2)
        canvas_fill(c, x, y, 1, 1, role, glyphs->bar_full);
    else if (halves == 1)
        canvas_fill(c, x, y, 1, 1, role, glyphs->is_ascii ? "." : "▄");
}

void graph_draw(struct canvas *c, int x, int y, int width, int height, const struct glyphs *glyphs,
                const uint64_t *values, unsigned n, uint64_t top, enum ui_role role)
{
    bool is_braille = !glyphs->is_ascii && glyphs->n_parts > 1;
    int steps = is_braille ? 4 : 2;
    for (int column = 0; column < width; column++) {
        int from_end = 2 * (width - 1 - column);
        uint64_t left = value_at(values, n, from_end + 1), right = value_at(values, n, from_end);
        int left_level = level(left, top, height * steps), right_level = level(right, top, height * steps);
        for (int row = 0; row < height; row++) {
            int below = (height - 1 - row) * steps;
            if (is_braille)
                draw_braille(c, x + column, y + row, role, left_level - below, right_level - below);
            else
                draw_halves(c, x + column, y + row, role, glyphs, MAX(left_level, right_level) - below);
        }
    }
}
