// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/glyphs.h"

#include <string.h>

static const struct glyphs sets[] = {
    {
        .name = "unicode",
        .states = {[MODEL_WAIT] = "·",
                   [MODEL_RUN] = "▶",
                   [MODEL_PAUSE] = "‖",
                   [MODEL_RETRY] = "↻",
                   [MODEL_OK] = "✓",
                   [MODEL_WARN] = "!",
                   [MODEL_FAIL] = "✗",
                   [MODEL_CANCELLED] = "⊘",
                   [MODEL_SKIPPED] = "-"},
        .cursor = "▸",
        .none = "—",
        .alert = "!",
        .bar_full = "█",
        .bar_empty = "░",
        .bar_parts = {"▏", "▎", "▍", "▌", "▋", "▊", "▉"},
        .n_parts = 7,
        .rule = "─",
        .side = "│",
        .corners = {"┌", "┐", "└", "┘"},
    },
    {
        .name = "blocks",
        .states = {[MODEL_WAIT] = "·",
                   [MODEL_RUN] = "►",
                   [MODEL_PAUSE] = "║",
                   [MODEL_RETRY] = "~",
                   [MODEL_OK] = "√",
                   [MODEL_WARN] = "!",
                   [MODEL_FAIL] = "X",
                   [MODEL_CANCELLED] = "/",
                   [MODEL_SKIPPED] = "-"},
        .cursor = ">",
        .none = "-",
        .alert = "!",
        .bar_full = "█",
        .bar_empty = "░",
        .bar_parts = {"▌"},
        .n_parts = 1,
        .rule = "─",
        .side = "│",
        .corners = {"┌", "┐", "└", "┘"},
    },
    {
        .name = "ascii",
        .is_ascii = true,
        .states = {[MODEL_WAIT] = ".",
                   [MODEL_RUN] = "*",
                   [MODEL_PAUSE] = "|",
                   [MODEL_RETRY] = "~",
                   [MODEL_OK] = "+",
                   [MODEL_WARN] = "!",
                   [MODEL_FAIL] = "X",
                   [MODEL_CANCELLED] = "/",
                   [MODEL_SKIPPED] = "-"},
        .cursor = ">",
        .none = "-",
        .alert = "!",
        .bar_full = "#",
        .bar_empty = ".",
        .rule = "-",
        .side = "|",
        .corners = {"+", "+", "+", "+"},
    },
};

const struct glyphs *glyphs_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
        if (strcmp(sets[i].name, name) == 0)
            return &sets[i];
    return NULL;
}

const struct glyphs *glyphs_for(const char *codeset, const char *term)
{
    if (g_ascii_strcasecmp(codeset, "UTF-8") != 0)
        return glyphs_find("ascii");
    /* The Linux console has 256 or 512 glyphs: code page 437 is what all its fonts share. */
    return glyphs_find(strcmp(term, "linux") == 0 ? "blocks" : "unicode");
}

static void take(const char **sign, const char *own)
{
    if (*own)
        *sign = own;
}

void glyphs_of_theme(const struct glyphs *set, const struct theme *theme, struct glyphs *own)
{
    const struct theme_signs *signs = &theme->signs;
    *own = *set;
    if (set->is_ascii)
        return;
    for (unsigned i = 0; i < MODEL_STATES; i++)
        take(&own->states[i], signs->states[i]);
    take(&own->bar_empty, signs->bar_empty);
    take(&own->cursor, signs->cursor);
    take(&own->rule, signs->rule);
    if (!signs->n_bar)
        return;
    own->n_parts = signs->n_bar - 1;
    for (unsigned i = 0; i < own->n_parts; i++)
        own->bar_parts[i] = signs->bar[i];
    own->bar_full = signs->bar[own->n_parts];
}
