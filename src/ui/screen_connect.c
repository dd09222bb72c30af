// SPDX-License-Identifier: GPL-2.0-or-later
/* Connecting, and why it does not: each step with its sign, what it most often means, and which monitors do
 * answer. */
#include "ui/screen.h"

static void draw_check(const struct scene *s, int y, int x, const struct model_check *check)
{
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - x);
    pen_text(&pen, state_role(check->state), "%s ", s->glyphs->states[check->state]);
    pen_text(&pen, ROLE_TEXT, "%s", check->text);
}

static void draw_head(const struct scene *s, int y, bool has_failed)
{
    bool is_wide = s->canvas->width >= 60;
    struct pen head = pen_at(s->canvas, is_wide ? 1 : 0, y, s->canvas->width - (is_wide ? 2 : 0));
    pen_right(&head, has_failed ? ROLE_HEADER_ALERT : ROLE_TEXT, "%s", has_failed ? " not connected " : "connecting");
    pen_text(&head, ROLE_HEADER, "vmabackup");
}

/* At most so many lines; returns those used. */
static int draw_nearby(const struct scene *s, int x, int y, int lines)
{
    const struct model *m = s->m;
    unsigned rows = MIN(m->link.n_nearby, (unsigned)MAX(lines - 1, 0)),
             first = table_first(s->ui->nearby, m->link.n_nearby, (int)rows);
    if (!rows)
        return 0;
    char key[KEY_NAME_LEN];
    g_autofree char *title = g_strdup_printf("These monitors answer (%s uses one):", keymap_of(COMMAND_USE, key));
    canvas_put(s->canvas, x, y, s->canvas->width - x, ROLE_TEXT_STRONG, title);
    for (unsigned i = first; i < first + rows; i++) {
        const struct model_nearby *n = &m->link.nearby[i];
        bool is_selected = i == s->ui->nearby;
        int at = y + 1 + (int)(i - first);
        struct pen pen = pen_at(s->canvas, x, at, s->canvas->width - x - 1);
        pen_text(&pen, ROLE_MARK, "%s ", is_selected ? s->glyphs->cursor : " ");
        pen_right(&pen, ROLE_TEXT, "  %s, QEMU %s", n->guest, n->qemu);
        canvas_put_tail(s->canvas, pen.x, at, pen_room(&pen), is_selected ? ROLE_SELECT : ROLE_TEXT, n->address);
        canvas_link(s->canvas, 0, at, s->canvas->width, UI_KEY_ROW + i);
    }
    return (int)rows + 1;
}

static void draw_failure(const struct scene *s, int x, int y, int below)
{
    const struct model *m = s->m;
    int width = s->canvas->width - 2 * x;
    bool is_airy = below >= 16;
    y += canvas_put_wrapped(s->canvas, x, y, width, CLAMP(below - y, 0, 2), ROLE_TEXT_STRONG, m->link.failure);
    y += canvas_put_wrapped(s->canvas, x, y, width, CLAMP(below - y, 0, 4), ROLE_TEXT, m->link.advice) + is_airy;
    int used = draw_nearby(s, x, y, below - y);
    y += used + (used && is_airy);
    if (is_airy && m->n_log && below - y > 3) {
        log_title(s, y++);
        log_lines(s, y, below - y);
    }
}

void screen_connect(const struct scene *s)
{
    const struct model *m = s->m;
    int below = footer(s), y = 0, x = s->canvas->width >= 60 ? 3 : 0, width = s->canvas->width - 2 * x;
    bool has_failed = m->phase == MODEL_CONNECT_FAILED, is_airy = below >= 16;
    if (below >= 4)
        draw_head(s, y++, has_failed);
    y += is_airy ? 2 : 0;
    g_autofree char *what = g_strdup_printf("%s %s",
                                            has_failed            ? "cannot reach QEMU at"
                                            : m->left.is_cleaning ? "cleaning up by"
                                                                  : "connecting to",
                                            m->monitor);
    y += canvas_put_wrapped(s->canvas, x, y, width, MIN(2, below - y), ROLE_TEXT_STRONG, what) + is_airy;
    for (unsigned i = 0; i < m->link.n_checks && y < below - (has_failed ? 1 : 0); i++)
        draw_check(s, y++, x, &m->link.checks[i]);
    if (m->left.is_cleaning && below - y > 2) {
        log_title(s, y);
        log_lines(s, y + 1, below - y - 1);
    }
    if (has_failed)
        draw_failure(s, x, y + is_airy, below);
}
