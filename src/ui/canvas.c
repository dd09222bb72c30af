// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/canvas.h"

#include <string.h>

/* ---- characters ---- */

/* By GLib, not by wcwidth(): the same in every locale, so that a screen is too. */
static int width_of(gunichar c)
{
    if (g_unichar_iszerowidth(c) || g_unichar_iscntrl(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

/* What our own texts use beyond ASCII, and what stands for it where there is nothing else. */
static char ascii_of(gunichar c)
{
    static const struct {
        gunichar from;
        char to;
    } table[] = {
        {0x2014, '-'},  {0x2013, '-'}, {0x2026, '~'}, {0x00b7, '.'}, {0x2018, '\''},
        {0x2019, '\''}, {0x201c, '"'}, {0x201d, '"'}, {0x25b8, '>'}, {0x2192, '>'},
        {0x2500, '-'},  {0x00d7, 'x'}, {0x2713, '+'}, {0x2717, 'X'}, {0x00a0, ' '},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
        if (table[i].from == c)
            return table[i].to;
    return '?';
}

int canvas_text_width(const char *text)
{
    int width = 0;
    for (; *text; text = g_utf8_next_char(text))
        width += width_of(g_utf8_get_char(text));
    return width;
}

/* ---- the grid ---- */

struct canvas *canvas_new(int width, int height, bool is_ascii)
{
    struct canvas *c = g_new0(struct canvas, 1);
    c->is_ascii = is_ascii;
    canvas_resize(c, width, height);
    return c;
}

void canvas_free(struct canvas *c)
{
    g_free(c->cells);
    g_free(c);
}

void canvas_resize(struct canvas *c, int width, int height)
{
    g_free(c->cells);
    c->width = MAX(width, 1);
    c->height = MAX(height, 1);
    c->cells = g_new0(struct canvas_cell, (size_t)c->width * (size_t)c->height);
    for (int i = 0; i < c->width * c->height; i++)
        strcpy(c->cells[i].glyph, " ");
    canvas_clear(c);
}

void canvas_clear(struct canvas *c)
{
    c->cursor_x = c->cursor_y = -1;
    canvas_fill(c, 0, 0, c->width, c->height, ROLE_TEXT, " ");
}

static struct canvas_cell *cell_at(struct canvas *c, int x, int y)
{
    g_assert(x >= 0 && x < c->width && y >= 0 && y < c->height);
    return &c->cells[(size_t)y * (size_t)c->width + (size_t)x];
}

static void put_glyph(struct canvas *c, int x, int y, enum ui_role role, gunichar glyph)
{
    struct canvas_cell *cell = cell_at(c, x, y);
    int after = x + width_of(glyph);
    /* What is left of a wide character that is half overwritten becomes a blank. */
    if (!*cell->glyph && x > 0)
        strcpy(cell_at(c, x - 1, y)->glyph, " ");
    if (after < c->width && !*cell_at(c, after, y)->glyph)
        strcpy(cell_at(c, after, y)->glyph, " ");
    cell->role = (uint8_t)role;
    cell->link = 0;
    cell->glyph[g_unichar_to_utf8(glyph, cell->glyph)] = '\0';
    if (after == x + 2)
        *cell_at(c, x + 1, y) = (struct canvas_cell){.role = (uint8_t)role};
}

/* Draws characters while they fit into [x, end); returns the column after the last. */
static int put_run(struct canvas *c, int x, int y, int end, enum ui_role role, const char *text)
{
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar glyph = g_utf8_get_char(text);
        if (c->is_ascii && glyph >= 0x80)
            glyph = (gunichar)ascii_of(glyph);
        int width = width_of(glyph);
        if (x + width > end)
            break;
        if (width)
            put_glyph(c, x, y, role, glyph);
        x += width;
    }
    return x;
}

/* Clips a line piece to the canvas; false when nothing of it is left. */
static bool clip(const struct canvas *c, int x, int y, int *width)
{
    if (x < 0 || x >= c->width || y < 0 || y >= c->height)
        return false;
    *width = MIN(*width, c->width - x);
    return *width > 0;
}

/* What an ASCII canvas makes of a wide character is narrower. */
static int width_on(const struct canvas *c, const char *text)
{
    return c->is_ascii ? (int)g_utf8_strlen(text, -1) : canvas_text_width(text);
}

int canvas_put(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text)
{
    if (!clip(c, x, y, &width))
        return 0;
    int end = x + width;
    if (width_on(c, text) <= width)
        return put_run(c, x, y, end, role, text) - x;
    int at = put_run(c, x, y, end - 1, role, text);
    return put_run(c, at, y, end, role, "…") - x;
}

int canvas_put_tail(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text)
{
    if (!clip(c, x, y, &width))
        return 0;
    if (width_on(c, text) <= width)
        return canvas_put(c, x, y, width, role, text);
    while (width_on(c, text) > width - 1)
        text = g_utf8_next_char(text);
    int at = put_run(c, x, y, x + width, role, "…");
    return put_run(c, at, y, x + width, role, text) - x;
}

/* Draws only where it may; returns the lines used. */
static int wrap(const struct canvas *seen, struct canvas *c, int x, int y, int width, int max_lines, enum ui_role role,
                const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    int column = 0, line = 0;
    for (unsigned i = 0; words[i]; i++) {
        int wanted = width_on(seen, words[i]);
        if (column && column + 1 + wanted > width && line + 1 < max_lines) {
            column = 0;
            line++;
        }
        if (line >= max_lines || column >= width)
            break; /* cut in the last line, with its sign */
        column += column ? 1 : 0;
        if (c)
            canvas_put(c, x + column, y + line, width - column, role, words[i]);
        column += MIN(wanted, width - column);
    }
    return line + (column > 0);
}

int canvas_put_wrapped(struct canvas *c, int x, int y, int width, int max_lines, enum ui_role role, const char *text)
{
    return wrap(c, c, x, y, width, max_lines, role, text);
}

int canvas_wrapped_height(const struct canvas *c, int width, int max_lines, const char *text)
{
    return wrap(c, NULL, 0, 0, width, max_lines, ROLE_TEXT, text);
}

void canvas_put_number(struct canvas *c, int x, int y, int width, enum ui_role role, const char *text)
{
    int wanted = width_on(c, text);
    if (width <= 0)
        return;
    if (wanted > width) {
        text = "#";
        wanted = 1;
    }
    canvas_put(c, x + width - wanted, y, wanted, role, text);
}

void canvas_fill(struct canvas *c, int x, int y, int width, int height, enum ui_role role, const char *glyph)
{
    gunichar wanted = g_utf8_get_char(glyph);
    if (c->is_ascii && wanted >= 0x80)
        wanted = (gunichar)ascii_of(wanted);
    for (int row = MAX(y, 0); row < MIN(y + height, c->height); row++)
        for (int column = MAX(x, 0); column < MIN(x + width, c->width); column++)
            put_glyph(c, column, row, role, wanted);
}

void canvas_paint(struct canvas *c, int x, int y, int width, enum ui_role role)
{
    for (int column = x; clip(c, x, y, &width) && column < x + width; column++)
        cell_at(c, column, y)->role = (uint8_t)role;
}

void canvas_link(struct canvas *c, int x, int y, int width, uint32_t key)
{
    for (int column = x; clip(c, x, y, &width) && column < x + width; column++)
        cell_at(c, column, y)->link = key;
}

uint32_t canvas_link_at(const struct canvas *c, int x, int y)
{
    bool is_inside = x >= 0 && x < c->width && y >= 0 && y < c->height;
    return is_inside ? c->cells[y * c->width + x].link : 0;
}

void canvas_unlink(struct canvas *c, int lines)
{
    for (int y = 0; y < lines; y++)
        canvas_link(c, 0, y, c->width, 0);
}

char *canvas_dump(const struct canvas *c)
{
    GString *out = g_string_new(NULL);
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++)
            g_string_append(out, c->cells[y * c->width + x].glyph);
        while (out->len && out->str[out->len - 1] == ' ')
            g_string_truncate(out, out->len - 1);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* ---- the pen ---- */

struct pen pen_at(struct canvas *c, int x, int y, int width)
{
    return (struct pen){.canvas = c, .x = x, .y = y, .end = MIN(x + width, c->width)};
}

int pen_room(const struct pen *pen)
{
    return MAX(pen->end - pen->x, 0);
}

void pen_gap(struct pen *pen, int columns)
{
    pen->x = MIN(pen->x + columns, MAX(pen->end, pen->x));
}

void pen_text(struct pen *pen, enum ui_role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    pen->x += canvas_put(pen->canvas, pen->x, pen->y, pen_room(pen), role, text);
}

bool pen_try(struct pen *pen, enum ui_role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (width_on(pen->canvas, text) > pen_room(pen))
        return false;
    pen->x += canvas_put(pen->canvas, pen->x, pen->y, pen_room(pen), role, text);
    return true;
}

bool pen_right(struct pen *pen, enum ui_role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    int width = width_on(pen->canvas, text);
    if (width > pen_room(pen))
        return false;
    pen->end -= width;
    canvas_put(pen->canvas, pen->end, pen->y, width, role, text);
    return true;
}
