// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal of the run: what happened when, and after each error what to do. */
#include "ui/screen.h"

#include <string.h>

/* ---- which lines ---- */

static bool contains(const char *text, const char *wanted)
{
    g_autofree char *folded = g_utf8_casefold(text, -1), *pattern = g_utf8_casefold(wanted, -1);
    return strstr(folded, pattern) != NULL;
}

/* A hint goes where its line goes. */
static bool is_seen(const struct model *m, unsigned line, const char *filter)
{
    if (!*filter || contains(m->log[line].text, filter))
        return true;
    while (line > 0 && m->log[line].level == MODEL_HINT)
        line--;
    return contains(m->log[line].text, filter);
}

unsigned log_count(const struct model *m, const char *filter)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n_log; i++)
        n += is_seen(m, i, filter);
    return n;
}

/* The last line that belongs to this one: its last hint. */
static unsigned end_of(const struct model *m, unsigned line)
{
    while (line + 1 < m->n_log && m->log[line + 1].level == MODEL_HINT)
        line++;
    return line;
}

int log_error(const struct model *m, int back, bool is_next)
{
    int at = back < 0 ? G_MAXINT : (int)m->n_log - 1 - back, first = -1, last = -1, before = -1, after = -1;
    for (unsigned i = 0; i < m->n_log; i++) {
        int end = (int)end_of(m, i);
        if (m->log[i].level != MODEL_ERROR)
            continue;
        first = first < 0 ? end : first;
        last = end;
        if (end < at)
            before = end;
        if (end > at && after < 0)
            after = end;
    }
    int found = is_next ? (after >= 0 ? after : first) : (before >= 0 ? before : last);
    return found < 0 ? -1 : (int)m->n_log - 1 - found;
}

/* ---- drawing ---- */

static void count(struct pen *pen, unsigned n, const char *word, enum ui_role role)
{
    if (n)
        pen_right(pen, role, " %u %s%s ", n, word, n == 1 ? "" : "s");
}

void log_title(const struct scene *s, int y)
{
    int width = s->canvas->width;
    bool is_alone = s->ui->view == UI_VIEW_LOG;
    char key[KEY_NAME_LEN];
    canvas_fill(s->canvas, 0, y, width, 1, ROLE_RULE, s->glyphs->rule);
    struct pen pen = pen_at(s->canvas, 2, y, width - 4);
    pen_text(&pen, ROLE_TITLE, " log ");
    if (is_alone && *s->ui->filter)
        pen_try(&pen, ROLE_LOG_MATCH, " only: %s ", s->ui->filter);
    if (s->m->n_errors)
        pen_right(&pen, ROLE_TITLE, " %s jumps ", keymap_of(COMMAND_NEXT_ERROR, key));
    count(&pen, s->m->n_errors, "error", ROLE_TITLE);
    count(&pen, s->m->n_warnings, "warning", ROLE_TITLE);
    if (is_alone && s->ui->back)
        pen_right(&pen, ROLE_TITLE, " %u further down ", s->ui->back);
}

static const struct {
    const char *sign;
    enum ui_role role;
} levels[] = {
    [MODEL_INFO] = {"i", ROLE_LOG_INFO},
    [MODEL_WARNING] = {"w", ROLE_LOG_WARN},
    [MODEL_ERROR] = {"E", ROLE_LOG_ERROR},
    [MODEL_HINT] = {">", ROLE_LOG_INFO},
};

/* Where the text begins: behind time and sign. */
static int text_x(const struct scene *s, const struct model_log_line *line)
{
    if (s->canvas->width < 48)
        return 3;
    return line->level == MODEL_HINT ? 14 : 12;
}

/* At most so many lines; returns how many it took. */
static int draw_line(const struct scene *s, int y, int lines, const struct model_log_line *line)
{
    char time[FIGURE_LEN];
    int x = text_x(s, line);
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 1);
    if (x == 12)
        pen_text(&pen, ROLE_LOG_TIME, "%s", figure_time_of_day(line->when_s, time));
    canvas_put(s->canvas, x - 2, y, 1, levels[line->level].role, levels[line->level].sign);
    if (lines > 1)
        return MAX(1, canvas_put_wrapped(s->canvas, x, y, s->canvas->width - x, lines, ROLE_TEXT, line->text));
    canvas_put(s->canvas, x, y, s->canvas->width - x, ROLE_TEXT, line->text);
    return 1;
}

/* In a single line the last error says more than whatever came after it. */
static const struct model_log_line *worth_most(const struct model *m)
{
    for (unsigned i = m->n_log; i-- > 0;)
        if (m->log[i].level == MODEL_ERROR)
            return &m->log[i];
    return &m->log[m->n_log - 1];
}

void log_lines(const struct scene *s, int y, int lines)
{
    const struct model *m = s->m;
    if (!m->n_log || lines < 1)
        return;
    if (lines == 1) {
        draw_line(s, y, 1, worth_most(m));
        return;
    }
    for (unsigned i = m->n_log - MIN(m->n_log, (unsigned)lines); i < m->n_log; i++)
        draw_line(s, y++, 1, &m->log[i]);
}

#define MAX_WRAPPED 4

static int height_of(const struct scene *s, const struct model_log_line *line)
{
    int width = s->canvas->width - text_x(s, line);
    return MAX(1, canvas_wrapped_height(s->canvas, width, MAX_WRAPPED, line->text));
}

/* The cells from x on that begin with what was looked for; 0 = they do not. */
static int match_at(const struct canvas *c, int x, int y, const char *folded)
{
    const struct canvas_cell *row = c->cells + y * c->width;
    for (int at = x; *row[x].glyph && at < c->width; at++) {
        g_autofree char *cell = g_utf8_casefold(row[at].glyph, -1);
        size_t len = strlen(cell);
        if (strncmp(folded, cell, len) != 0)
            return 0;
        folded += len;
        if (!*folded)
            return at + 1 - x;
    }
    return 0;
}

static void paint_matches(const struct scene *s, int x, int y, int lines)
{
    g_autofree char *folded = g_utf8_casefold(s->ui->filter, -1);
    for (int line = y; *folded && line < y + lines; line++)
        for (int at = x, n; at < s->canvas->width; at += MAX(n, 1)) {
            n = match_at(s->canvas, at, line, folded);
            canvas_paint(s->canvas, at, line, n, ROLE_LOG_MATCH);
        }
}

/* From the line that is `back` up from the end, upwards as far as there is room; whole, so long as they are.
 */
static void draw_history(const struct scene *s, int y, int lines)
{
    const struct model *m = s->m;
    unsigned seen[MODEL_MAX_LOG], n = 0, skip = s->ui->back;
    for (unsigned i = m->n_log; i-- > 0 && lines > 0;) {
        if (!is_seen(m, i, s->ui->filter) || skip) {
            skip -= skip && is_seen(m, i, s->ui->filter);
            continue;
        }
        int height = height_of(s, &m->log[i]);
        if (height > lines && n)
            break;
        lines -= height;
        seen[n++] = i;
    }
    unsigned at = 0; /* hints belong to the line above them */
    while (at + 1 < n && m->log[seen[at]].level == MODEL_HINT)
        at++;
    for (unsigned i = n; i-- > 0;) {
        if (i == at && s->ui->back)
            canvas_put(s->canvas, 0, y, 1, ROLE_MARK, s->glyphs->cursor);
        int used = draw_line(s, y, MAX_WRAPPED, &m->log[seen[i]]);
        paint_matches(s, text_x(s, &m->log[seen[i]]), y, used);
        y += used;
    }
    if (!n)
        canvas_put(s->canvas, 1, y, s->canvas->width - 1, ROLE_TEXT_DIM,
                   *s->ui->filter ? "nothing in the log has that" : "the log is empty");
}

void screen_log(const struct scene *s)
{
    int below = footer(s);
    if (below < 1)
        return;
    log_title(s, 0);
    draw_history(s, 1, below - 1);
}
