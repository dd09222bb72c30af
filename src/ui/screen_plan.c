// SPDX-License-Identifier: GPL-2.0-or-later
/* Before the start: what will be saved, whereto, and the equal command line. Begin is a capital B, never
 * Enter. */
#include "ui/screen.h"

static void draw_header(const struct scene *s, int y)
{
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    pen_text(&pen, ROLE_HEADER, "new backup of %s", s->m->guest);
    (void)(pen_right(&pen, ROLE_TEXT, "  QEMU %s  %s", s->m->qemu, s->m->guest_state) ||
           pen_right(&pen, ROLE_TEXT, "  %s", s->m->guest_state));
}

static const char *inclusion(const struct model_drive *row)
{
    if (row->is_included)
        return "[x]";
    return row->state == MODEL_SKIPPED ? "[-]" : "[ ]";
}

static void draw_note(const struct scene *s, struct pen *pen, const struct model_drive *row)
{
    char limit[FIGURE_LEN];
    if (row->limit)
        pen_try(pen, ROLE_TEXT, "limit %s  ", units_format_rate(row->limit, limit));
    pen_text(pen, ROLE_TEXT, "%s", row->note);
}

/* INCLUDE DRIVE SIZE USED FORMAT NOTE; below 60 columns without used and format. */
static void draw_row(const struct scene *s, int y, unsigned row)
{
    const struct model_drive *drive = &s->m->drives[row];
    bool is_wide = s->canvas->width >= 60, is_selected = row == s->ui->selected;
    char size[FIGURE_LEN], used[FIGURE_LEN];
    struct pen pen = pen_at(s->canvas, 0, y, s->canvas->width);
    pen_text(&pen, ROLE_MARK, "%s", is_selected ? s->glyphs->cursor : " ");
    pen_text(&pen, ROLE_TEXT, "%s ", inclusion(drive));
    int name = MIN(is_wide ? 16 : 10, pen_room(&pen));
    if (is_selected)
        canvas_paint(s->canvas, pen.x, y, name, ROLE_SELECT);
    canvas_put(s->canvas, pen.x, y, name, is_selected ? ROLE_SELECT : ROLE_TEXT, drive->name);
    pen_gap(&pen, name);
    if (pen_room(&pen) >= 8)
        canvas_put_number(s->canvas, pen.x, y, 8, ROLE_NUM, figure_size(drive->size, s->glyphs->none, size));
    pen_gap(&pen, 8);
    if (is_wide) {
        canvas_put_number(s->canvas, pen.x, y, 9, ROLE_NUM, figure_size(drive->used, s->glyphs->none, used));
        canvas_put(s->canvas, pen.x + 11, y, 8, ROLE_TEXT, drive->format);
        pen_gap(&pen, 19);
    }
    pen_gap(&pen, 2);
    draw_note(s, &pen, drive);
}

static void draw_heading(const struct scene *s, int y)
{
    bool is_wide = s->canvas->width >= 60;
    canvas_put(s->canvas, 5, y, 20, ROLE_TITLE, "DRIVE");
    canvas_put(s->canvas, is_wide ? 25 : 19, y, 4, ROLE_TITLE, "SIZE");
    if (is_wide) {
        canvas_put(s->canvas, 34, y, 4, ROLE_TITLE, "USED");
        canvas_put(s->canvas, 40, y, 8, ROLE_TITLE, "FORMAT");
    }
    canvas_put(s->canvas, is_wide ? 50 : 25, y, 4, ROLE_TITLE, "NOTE");
}

static int draw_rows(const struct scene *s, int y, int rows)
{
    unsigned first = table_first(s->ui->selected, s->m->n_drives, rows);
    for (int i = 0; i < rows && first + (unsigned)i < s->m->n_drives; i++)
        draw_row(s, y + i, first + (unsigned)i);
    return y + MIN(rows, (int)s->m->n_drives);
}

static void fact(const struct scene *s, int *y, int below, const char *name, const char *value)
{
    if (*y >= below || !*value)
        return;
    struct pen pen = pen_at(s->canvas, 1, *y, s->canvas->width - 2);
    pen_text(&pen, ROLE_TEXT_STRONG, "%-9s", name);
    pen_text(&pen, ROLE_TEXT, "%s", value);
    ++*y;
}

static char *space_fact(const struct scene *s)
{
    const struct model *m = s->m;
    char free_text[FIGURE_LEN], need[FIGURE_LEN];
    if (m->free_bytes == MODEL_UNKNOWN)
        return g_strdup("");
    figure_size(m->free_bytes, s->glyphs->none, free_text);
    if (m->need_bytes == MODEL_UNKNOWN)
        return g_strdup_printf("free %s", free_text);
    return g_strdup_printf("%s free %s, needs up to %s%s",
                           m->will_fit ? s->glyphs->states[MODEL_OK] : s->glyphs->alert, free_text,
                           figure_size(m->need_bytes, "", need), m->will_fit ? "" : ": may not fit");
}

static void draw_facts(const struct scene *s, int y, int below)
{
    const struct model *m = s->m;
    char total[FIGURE_LEN], limit[FIGURE_LEN];
    g_autofree char *reads = g_strdup_printf("%s", figure_size(m->total, s->glyphs->none, total));
    g_autofree char *space = space_fact(s);
    g_autofree char *each = m->global_limit ? g_strdup_printf("%s, the same value to each drive",
                                                              units_format_rate(m->global_limit, limit))
                                            : g_strdup("none for all");
    fact(s, &y, below, "output", m->target);
    fact(s, &y, below, "recipe", m->recipe);
    fact(s, &y, below, "reads", m->total ? reads : "");
    fact(s, &y, below, "room", space);
    fact(s, &y, below, "limit", each);
    if (y + 1 < below)
        y++;
    if (*m->same_as && y < below) {
        canvas_put(s->canvas, 1, y, 8, ROLE_TEXT_STRONG, "same as");
        y += canvas_put_wrapped(s->canvas, 10, y, s->canvas->width - 11, MIN(below - y, 3), ROLE_TEXT,
                                m->same_as);
    }
    if (m->n_log && y + 2 < below) {
        y++;
        log_title(s, y++);
        log_lines(s, y, below - y, 0);
    }
}

void screen_plan(const struct scene *s)
{
    int below = footer(s), y = 0, n = MAX((int)s->m->n_drives, 1);
    bool has_header = below >= 3, has_heading = below >= 8;
    if (has_header)
        draw_header(s, y++);
    y += below >= 20;
    if (has_heading)
        draw_heading(s, y++);
    int rows = CLAMP(below - y - (below >= 8 ? 4 : 0), 1, n);
    y = draw_rows(s, y, rows);
    y += below - y > 8;
    draw_facts(s, y, below);
}
