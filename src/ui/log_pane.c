// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal of the run: what happened when, and after each error what to do. */
#include "ui/screen.h"

static void count(struct pen *pen, unsigned n, const char *word, enum ui_role role)
{
    if (n)
        pen_right(pen, role, " %u %s%s ", n, word, n == 1 ? "" : "s");
}

void log_title(const struct scene *s, int y)
{
    int width = s->canvas->width;
    canvas_fill(s->canvas, 0, y, width, 1, ROLE_RULE, s->glyphs->rule);
    struct pen pen = pen_at(s->canvas, 2, y, width - 4);
    pen_text(&pen, ROLE_TITLE, " log ");
    count(&pen, s->m->n_errors, "error", ROLE_TITLE);
    count(&pen, s->m->n_warnings, "warning", ROLE_TITLE);
    if (s->ui->back)
        pen_right(&pen, ROLE_TITLE, " %u further down ", s->ui->back);
}

static void draw_line(const struct scene *s, int y, const struct model_log_line *line)
{
    static const struct {
        const char *sign;
        enum ui_role role;
    } levels[] = {
        [MODEL_INFO] = {"i", ROLE_LOG_INFO},
        [MODEL_WARNING] = {"w", ROLE_LOG_WARN},
        [MODEL_ERROR] = {"E", ROLE_LOG_ERROR},
        [MODEL_HINT] = {">", ROLE_LOG_INFO},
    };
    bool is_wide = s->canvas->width >= 48, is_hint = line->level == MODEL_HINT;
    char time[FIGURE_LEN];
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 1);
    if (is_wide && is_hint)
        pen_gap(&pen, 11);
    else if (is_wide)
        pen_text(&pen, ROLE_LOG_TIME, "%s ", figure_time_of_day(line->when_s, time));
    pen_text(&pen, levels[line->level].role, "%s", levels[line->level].sign);
    pen_text(&pen, ROLE_TEXT, " %s", line->text);
}

/* In a single line the last error says more than whatever came after it. */
static const struct model_log_line *worth_most(const struct model *m)
{
    for (unsigned i = m->n_log; i-- > 0;)
        if (m->log[i].level == MODEL_ERROR)
            return &m->log[i];
    return &m->log[m->n_log - 1];
}

void log_lines(const struct scene *s, int y, int lines, unsigned back)
{
    const struct model *m = s->m;
    if (!m->n_log || lines < 1)
        return;
    if (lines == 1 && !back) {
        draw_line(s, y, worth_most(m));
        return;
    }
    unsigned end = m->n_log - MIN(back, m->n_log - 1), first = end - MIN(end, (unsigned)lines);
    for (unsigned i = first; i < end; i++)
        draw_line(s, y + (int)(i - first), &m->log[i]);
}

void screen_log(const struct scene *s)
{
    int below = footer(s);
    if (below < 1)
        return;
    log_title(s, 0);
    log_lines(s, 1, below - 1, s->ui->back);
}
