// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/* A bar of progress, exact to an eighth of a cell; rounded down, so that a full bar means all of it. */
#include "ui/canvas.h"
#include "ui/glyphs.h"

/* Anything above nothing shows as something. An unknown or empty whole gives an empty bar. */
void bar_draw(struct canvas *c, int x, int y, int width, const struct glyphs *glyphs, uint64_t part, uint64_t whole,
              enum ui_role fill);
