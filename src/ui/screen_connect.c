// SPDX-License-Identifier: GPL-2.0-or-later
/* Connecting, and why it does not: each step with its sign, then what it most often means. */
#include "ui/screen.h"

static void draw_check(const struct scene *s, int y, int x, const struct model_check *check)
{
    struct pen pen = pen_at(s->canvas, x, y, s->canvas->width - x);
    pen_text(&pen, state_role(check->state), "%s ", s->glyphs->states[check->state]);
    pen_text(&pen, ROLE_TEXT, "%s", check->text);
}

void screen_connect(const struct scene *s)
{
    const struct model *m = s->m;
    int below = footer(s), y = 0, x = s->canvas->width >= 60 ? 3 : 0, width = s->canvas->width - 2 * x;
    bool has_failed = m->phase == MODEL_CONNECT_FAILED, is_airy = below >= 16;
    struct pen head = pen_at(s->canvas, x ? 1 : 0, y, s->canvas->width - (x ? 2 : 0));
    if (below >= 4) {
        pen_right(&head, has_failed ? ROLE_HEADER_ALERT : ROLE_TEXT, "%s",
                  has_failed ? " not connected " : "connecting");
        pen_text(&head, ROLE_HEADER, "vmabackup");
        y++;
    }
    y += is_airy ? 2 : 0;
    const char *doing = has_failed ? "cannot reach QEMU at" : "connecting to";
    g_autofree char *what = g_strdup_printf("%s %s", doing, m->monitor);
    y += canvas_put_wrapped(s->canvas, x, y, width, MIN(2, below - y), ROLE_TEXT_STRONG, what) + is_airy;
    for (unsigned i = 0; i < m->n_checks && y < below - (has_failed ? 1 : 0); i++)
        draw_check(s, y++, x, &m->checks[i]);
    if (!has_failed)
        return;
    y += is_airy;
    y += canvas_put_wrapped(s->canvas, x, y, width, MAX(MIN(2, below - y), 0), ROLE_TEXT_STRONG, m->failure);
    y +=
        canvas_put_wrapped(s->canvas, x, y, width, MAX(MIN(4, below - y), 0), ROLE_TEXT, m->advice) + is_airy;
    if (is_airy && below - y > 3) {
        log_title(s, y++);
        log_lines(s, y, below - y, 0);
    }
}
