// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * A graph of values over time, the newest at the right. In braille two points share a cell; in the other sets a cell
 * shows the higher of the two, so that time runs at the same pace everywhere.
 *
 *     uint64_t top = graph_top(history_in(&h), h.n);      // a round number
 *     graph_draw(canvas, x, y, width, height, glyphs, history_in(&h), h.n, top, ROLE_GRAPH_IN);
 */
#include "ui/canvas.h"
#include "ui/glyphs.h"

/* The number at the top of the scale: at or above all of them, with at most two digits. */
uint64_t graph_top(const uint64_t *values, unsigned n);
void graph_draw(struct canvas *c, int x, int y, int width, int height, const struct glyphs *glyphs,
                const uint64_t *values, unsigned n, uint64_t top, enum ui_role role);
