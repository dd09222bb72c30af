// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/pane.h"

/* corner: 0 for the upper edge, 2 for the lower. */
static void draw_edge(const struct scene *s, int x, int y, int width, int corner)
{
    canvas_fill(s->canvas, x, y, width, 1, ROLE_DIALOG, s->glyphs->rule);
    canvas_put(s->canvas, x, y, 1, ROLE_DIALOG, s->glyphs->corners[corner]);
    canvas_put(s->canvas, x + width - 1, y, 1, ROLE_DIALOG, s->glyphs->corners[corner + 1]);
}

void pane_frame(const struct scene *s, int x, int y, int width, int height)
{
    canvas_fill(s->canvas, x, y, width, height, ROLE_DIALOG, " ");
    canvas_fill(s->canvas, x, y, 1, height, ROLE_DIALOG, s->glyphs->side);
    canvas_fill(s->canvas, x + width - 1, y, 1, height, ROLE_DIALOG, s->glyphs->side);
    draw_edge(s, x, y, width, 0);
    draw_edge(s, x, y + height - 1, width, 2);
}

struct pane pane_open(const struct scene *s, int width, int height, const char *title)
{
    struct canvas *c = s->canvas;
    int below = c->height - (c->height >= 4 ? 2 : 1);
    bool has_frame = c->width >= 76 && below >= 14;
    canvas_unlink(c, below);
    if (!has_frame) {
        canvas_fill(c, 0, 0, c->width, MAX(below, 1), ROLE_DIALOG, " ");
        canvas_put(c, 0, 0, c->width, ROLE_DIALOG_TITLE, title);
        return (struct pane){s, 0, 1, c->width, MAX(below, 1), false};
    }
    width = MIN(width, c->width - 2);
    height = MIN(height, below);
    int x = (c->width - width) / 2, y = (below - height) / 2;
    draw_edge(s, x, y, width, 0);
    struct pen pen = pen_at(c, x + 2, y, width - 4);
    pen_text(&pen, ROLE_DIALOG_TITLE, " %s ", title);
    return (struct pane){s, x + 2, y + 1, width - 4, y + height - 1, true};
}

void pane_close(struct pane *p, const char *keys)
{
    if (!p->has_frame)
        return;
    draw_edge(p->s, p->x - 2, p->y, p->width + 4, 2);
    struct pen pen = pen_at(p->s->canvas, p->x, p->y, p->width);
    pen_text(&pen, ROLE_DIALOG, " %s ", keys);
}

int pane_take(struct pane *p, int lines)
{
    int first = p->y;
    lines = MIN(lines, pane_room(p));
    for (int i = 0; i < lines && p->has_frame; i++, p->y++) {
        canvas_fill(p->s->canvas, p->x - 2, p->y, p->width + 4, 1, ROLE_DIALOG, " ");
        canvas_put(p->s->canvas, p->x - 2, p->y, 1, ROLE_DIALOG, p->s->glyphs->side);
        canvas_put(p->s->canvas, p->x + p->width + 1, p->y, 1, ROLE_DIALOG, p->s->glyphs->side);
    }
    p->y = first + lines;
    return first;
}

int pane_room(const struct pane *p)
{
    return MAX(p->end - p->y, 0);
}

bool pane_line(struct pane *p, const char *name, struct pen *pen)
{
    if (!pane_room(p))
        return false;
    int names = p->width >= 30 ? PANE_NAME_COLUMNS : 0, y = pane_take(p, 1);
    canvas_put(p->s->canvas, p->x, y, names, ROLE_UNIT, name);
    *pen = pen_at(p->s->canvas, p->x + names, y, p->width - names);
    return true;
}

void pane_fact(struct pane *p, const char *name, const char *format, ...)
{
    struct pen pen;
    va_list args;
    if (!pane_line(p, name, &pen))
        return;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    pen_text(&pen, ROLE_DIALOG, "%s", text);
}

void pane_text(struct pane *p, const char *name, int max_lines, enum ui_role role, const char *text)
{
    struct pen pen;
    if (!*text || !pane_line(p, name, &pen))
        return;
    int lines = MIN(max_lines, pane_room(p) + 1);
    pane_take(p, canvas_wrapped_height(p->s->canvas, pen_room(&pen), lines, text) - 1);
    canvas_put_wrapped(p->s->canvas, pen.x, pen.y, pen_room(&pen), lines, role, text);
}

void pane_gap(struct pane *p, int needed)
{
    if (pane_room(p) > needed)
        pane_take(p, 1);
}
