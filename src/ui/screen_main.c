// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The main screen. Total, selected row, message and keys are always there; what else is shown is dealt out in
 * the order of what it is worth, until the lines run out.
 */
#include "ui/graph.h"
#include "ui/screen.h"

#define GRAPH_LINES    8 /* title, five of graph, its foot, what goes out */
#define AXIS_COLUMNS   6 /* " 480M" and the line */
#define SIDE_COLUMNS   13
#define CELLS_PER_MARK 15 /* half a minute */

/* Lines of each part; 0 = left out. */
struct layout {
    int header, phases, total, sink, data, guest, heading, rows, graph, log_title, log;
};

static bool deal(int *lines, int *part, int wanted)
{
    int given = MIN(*lines, wanted - *part);
    if (given <= 0)
        return false;
    *part += given;
    *lines -= given;
    return true;
}

/* All of it or nothing. */
static void deal_whole(int *lines, int *part, int wanted)
{
    if (*lines >= wanted)
        deal(lines, part, wanted);
}

static bool wants_graph(const struct scene *s)
{
    const struct canvas *c = s->canvas;
    if (s->ui->graph == UI_GRAPH_AUTO)
        return c->width >= 110 && c->height >= 30;
    return s->ui->graph == UI_GRAPH_SHOWN && c->width >= 40;
}

static struct layout lay_out(const struct scene *s, int lines)
{
    struct layout l = {0};
    int n_rows = MAX((int)s->m->n_drives, 1);
    bool is_narrow = s->canvas->width < 48;
    deal(&lines, &l.total, 1);
    deal(&lines, &l.rows, 1);
    deal(&lines, &l.header, 1);
    deal(&lines, &l.rows, MIN(n_rows, 4));
    deal(&lines, &l.log, 1);
    deal(&lines, &l.phases, is_narrow ? 0 : 1);
    deal(&lines, &l.rows, MIN(n_rows, 6));
    deal(&lines, &l.sink, 1);
    deal(&lines, &l.rows, MIN(n_rows, 8));
    deal(&lines, &l.phases, 1);
    deal(&lines, &l.heading, 1);
    deal(&lines, &l.data, 1);
    deal(&lines, &l.guest, 1);
    if (wants_graph(s) && s->ui->graph == UI_GRAPH_SHOWN)
        deal_whole(&lines, &l.graph, GRAPH_LINES);
    /* A log of a title and three lines, then all rows, then the graph, then the rest of the log. */
    if (deal(&lines, &l.log_title, 1))
        deal(&lines, &l.log, 3);
    deal(&lines, &l.rows, n_rows);
    if (wants_graph(s))
        deal_whole(&lines, &l.graph, GRAPH_LINES);
    l.log += lines;
    return l;
}

/* ---- the graph ---- */

static uint64_t average(const uint64_t *values, unsigned n, unsigned last)
{
    uint64_t sum = 0;
    n = MIN(n, last);
    for (unsigned i = 0; i < n; i++)
        sum += values[i] / n;
    return sum;
}

static void draw_scale(const struct scene *s, int y, int height, uint64_t top)
{
    char text[FIGURE_LEN];
    for (int i = 0; i < height; i++)
        canvas_put(s->canvas, AXIS_COLUMNS - 1, y + i, 1, ROLE_GRAPH_AXIS, s->glyphs->side);
    canvas_put_number(s->canvas, 0, y, AXIS_COLUMNS - 1, ROLE_GRAPH_AXIS, figure_size(top, "", text));
    canvas_put_number(s->canvas, 0, y + height / 2, AXIS_COLUMNS - 1, ROLE_GRAPH_AXIS, figure_size(top / 2, "", text));
}

/* "└──────-60s──────-30s──────now" */
static void draw_foot(const struct scene *s, int y, int width)
{
    char text[FIGURE_LEN];
    int right = AXIS_COLUMNS + width;
    canvas_put(s->canvas, AXIS_COLUMNS - 1, y, 1, ROLE_GRAPH_AXIS, s->glyphs->corners[2]);
    canvas_fill(s->canvas, AXIS_COLUMNS, y, width, 1, ROLE_GRAPH_AXIS, s->glyphs->rule);
    canvas_put(s->canvas, right - 3, y, 3, ROLE_GRAPH_AXIS, "now");
    for (int i = 1; i * CELLS_PER_MARK < width; i++) {
        g_snprintf(text, sizeof text, "-%ds", 30 * i);
        canvas_put(s->canvas, right - i * CELLS_PER_MARK - 3, y, 6, ROLE_GRAPH_AXIS, text);
    }
}

static void draw_side(const struct scene *s, int y, int x)
{
    const struct model *m = s->m;
    const struct history *h = &s->ui->history;
    char in[FIGURE_LEN], out[FIGURE_LEN], usual[FIGURE_LEN], zero[FIGURE_LEN];
    const char *none = s->glyphs->none;
    figure_size(m->in_rate, none, in);
    figure_size(m->out_rate, none, out);
    figure_size(h->n ? average(history_in(h), h->n, h->n) : MODEL_UNKNOWN, none, usual);
    figure_percent_short(m->zero, m->done, none, zero);
    const char *texts[] = {figure_pad(in, 6), figure_pad(out, 6), figure_pad(usual, 6), figure_pad(zero, 6)};
    static const char *const names[] = {"in", "out", "avg", "zero"};
    static const enum ui_role roles[] = {ROLE_GRAPH_IN, ROLE_GRAPH_OUT, ROLE_UNIT, ROLE_UNIT};
    for (int i = 0; i < 4; i++) {
        canvas_put(s->canvas, x + 1, y + i, 5, roles[i], names[i]);
        canvas_put(s->canvas, x + 6, y + i, 6, ROLE_NUM, texts[i]);
    }
}

/* In `lines` lines from y on: what comes in, and on the last line what goes out. */
static void draw_graph(const struct scene *s, int y, int lines)
{
    const struct history *h = &s->ui->history;
    int width = s->canvas->width - AXIS_COLUMNS - (s->canvas->width >= 80 ? SIDE_COLUMNS : 1), height = lines - 3;
    width = MIN(width, HISTORY_POINTS / 2) / CELLS_PER_MARK * CELLS_PER_MARK;
    uint64_t top = graph_top(history_in(h), h->n), most_out = graph_top(history_out(h), h->n);
    char text[FIGURE_LEN];
    canvas_fill(s->canvas, 0, y, s->canvas->width, 1, ROLE_RULE, s->glyphs->rule);
    struct pen pen = pen_at(s->canvas, 2, y, s->canvas->width - 4);
    pen_text(&pen, ROLE_TITLE, " throughput, last %g min ", width * 2 / 60.0);
    pen_gap(&pen, 2);
    pen_try(&pen, ROLE_TITLE, " in: guest data read   out: archive written ");
    draw_scale(s, y + 1, height, top);
    graph_draw(s->canvas, AXIS_COLUMNS, y + 1, width, height, s->glyphs, history_in(h), h->n, top, ROLE_GRAPH_IN);
    draw_foot(s, y + 1 + height, width);
    canvas_put(s->canvas, 1, y + 2 + height, 4, ROLE_GRAPH_AXIS, "out");
    graph_draw(s->canvas, AXIS_COLUMNS, y + 2 + height, width, 1, s->glyphs, history_out(h), h->n, most_out,
               ROLE_GRAPH_OUT);
    if (s->canvas->width < 80)
        return;
    draw_side(s, y + 1, AXIS_COLUMNS + width);
    canvas_put(s->canvas, AXIS_COLUMNS + width + 1, y + 2 + height, 5, ROLE_UNIT, "top");
    canvas_put(s->canvas, AXIS_COLUMNS + width + 6, y + 2 + height, 6, ROLE_NUM,
               figure_pad((figure_size(most_out, "", text), text), 6));
}

/* ---- all of it ---- */

void screen_main(const struct scene *s)
{
    int below = footer(s), y = 0;
    if (below == 1) { /* one or two lines in all */
        header_micro(s, 0);
        return;
    }
    struct layout l = lay_out(s, below);
    if (l.header)
        header_guest(s, y++);
    if (l.phases)
        header_phases(s, y++);
    if (l.header)
        header_total(s, y++);
    else
        header_micro(s, y++);
    if (l.sink)
        facts_sink(s, y++);
    if (l.data)
        facts_data(s, y++);
    if (l.guest)
        facts_guest(s, y++);
    if (l.heading)
        table_heading(s, y++);
    table_rows(s, y, l.rows);
    y += l.rows;
    if (l.graph)
        draw_graph(s, y, l.graph);
    y += l.graph;
    if (l.log_title)
        log_title(s, y++);
    log_lines(s, y, l.log);
}
