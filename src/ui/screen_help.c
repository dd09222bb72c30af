// SPDX-License-Identifier: GPL-2.0-or-later
/* The help, made from the command table: what is not in the table has no key. */
#include "ui/screen.h"

#include <string.h>

#define KEYS_COLUMNS 14

static const char *const groups[] = {"DRIVES", "WHOLE BACKUP", "AFTERWARDS", "PLAN", "SCREEN", "MOVE"};
/* On a wide screen: which groups stand in the left and which in the right column. */
static const unsigned left_groups = 1u << 0 | 1u << 1 | 1u << 2;

struct column {
    const struct scene *s;           /* NULL = only count */
    int x, width, line, first, rows; /* lines first … first + rows - 1 are seen */
    int top;
};

static void put(struct column *col, enum ui_role role, const char *keys, const char *text)
{
    int y = col->line++ - col->first;
    if (!col->s || y < 0 || y >= col->rows)
        return;
    struct pen pen = pen_at(col->s->canvas, col->x, col->top + y, col->width);
    if (keys) {
        pen_text(&pen, ROLE_KEY, " %s", keys);
        pen.x = MIN(MAX(pen.x + 1, col->x + KEYS_COLUMNS + 1), pen.end);
    }
    pen_text(&pen, role, "%s", text);
}

/* As many of its keys as fit: the first is the one to remember. */
static char *keys_text(const char *keys)
{
    size_t len = strlen(keys);
    while (len >= KEYS_COLUMNS)
        len = (size_t)(g_strrstr_len(keys, (gssize)len, " ") - keys);
    return g_strndup(keys, len);
}

static void put_group(struct column *col, unsigned group)
{
    put(col, ROLE_TITLE, NULL, groups[group]);
    for (unsigned i = 0; i < command_table_len; i++) {
        const struct command_entry *entry = &command_table[i];
        const char *all = keymap_all(entry);
        if (!*all || !g_str_equal(entry->group, groups[group]))
            continue;
        g_autofree char *keys = keys_text(all);
        put(col, ROLE_TEXT, keys, entry->help);
    }
    put(col, ROLE_TEXT, NULL, "");
}

static void put_groups(struct column *col, unsigned which)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
        if (which & 1u << i)
            put_group(col, i);
}

static void put_legend(struct column *col, const struct glyphs *g)
{
    g_autoptr(GString) states = g_string_new("STATE  ");
    static const enum model_state shown[] = {MODEL_WAIT, MODEL_RUN,  MODEL_PAUSE,    MODEL_RETRY,
                                             MODEL_OK,   MODEL_FAIL, MODEL_CANCELLED};
    for (unsigned i = 0; i < G_N_ELEMENTS(shown); i++)
        g_string_append_printf(states, "%s %s  ", g->states[shown[i]], model_state_word(shown[i]));
    put(col, ROLE_TEXT, NULL, states->str);
    g_autofree char *limits =
        g_strdup_printf("LIMIT  120M   =120M holds it back   target, guest: they do   %s none", g->none);
    put(col, ROLE_TEXT, NULL, limits);
    put(col, ROLE_TEXT, NULL, "SIZES  K M G T are 1024-based; rates are per second; ETA hh:mm:ss");
    put(col, ROLE_TEXT, NULL, "No function keys are needed. Nothing is destroyed without a question.");
}

/* Draws, or only counts with s NULL; returns all lines there are. */
static int put_all(const struct scene *s, const struct glyphs *g, int width, int top, int rows, int first)
{
    bool is_wide = width >= 72;
    unsigned all = (1u << G_N_ELEMENTS(groups)) - 1;
    struct column left = {s, 1, width - 1, 0, first, rows, top}, right = left;
    if (is_wide) {
        left.width = right.width = (width - 2) / 2;
        right.x += left.width + 1;
        put_groups(&right, all & ~left_groups);
    }
    put_groups(&left, is_wide ? left_groups : all);
    left.line = MAX(left.line, right.line);
    left.width = width - 1;
    put_legend(&left, g);
    return left.line;
}

void screen_help(const struct scene *s)
{
    int below = footer(s), width = s->canvas->width, top = below >= 6 ? 2 : below >= 2 ? 1 : 0;
    int rows = below - top, lines = put_all(NULL, s->glyphs, width, 0, 0, 0);
    int first = CLAMP((int)s->ui->back, 0, MAX(lines - rows, 0));
    if (top) {
        struct pen pen = pen_at(s->canvas, 1, 0, width - 2);
        pen_right(&pen, ROLE_TEXT, "Esc or ? closes");
        pen_text(&pen, ROLE_HEADER, "help");
        if (lines > rows)
            pen_try(&pen, ROLE_TEXT, "  lines %d-%d of %d", first + 1, MIN(first + rows, lines), lines);
    }
    put_all(s, s->glyphs, width, top, rows, first);
}
