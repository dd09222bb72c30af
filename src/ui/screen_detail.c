// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything about one drive: its figures, its map, its last minutes. Of one that has failed, what went
 * wrong. */
#include "ui/bar.h"
#include "ui/graph.h"
#include "ui/pane.h"
#include "ui/ui_inside.h"

#define WIDTH       76
#define MAX_WIDTH   100
#define GRAPH_LINES 5

/* ---- figures ---- */

static void say_state(struct pane *p, const struct scene *s, unsigned row)
{
    const struct model_drive *d = &s->m->drives[row];
    struct row_look look = table_look(s, row);
    char share[FIGURE_LEN], note[MODEL_TEXT_LEN];
    struct pen pen;
    if (!pane_line(p, "state", &pen))
        return;
    pen_text(&pen, look.role, "%s", s->glyphs->states[look.state]);
    pen_text(&pen, ROLE_DIALOG, " %-6s", look.word);
    pen_right(&pen, ROLE_NUM, " %s", figure_percent(d->done, d->size, s->glyphs->none, share));
    table_note(s, row, note, sizeof note);
    if (*note && pen_room(&pen) > canvas_text_width(note) + 12)
        pen_right(&pen, ROLE_DIALOG, " %s", note);
    if (pen_room(&pen) >= 6)
        bar_draw(s->canvas, pen.x, pen.y, pen_room(&pen), s->glyphs, d->done, d->size, look.bar);
}

static void say_size(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    char size[FIGURE_LEN], done[FIGURE_LEN], left[FIGURE_LEN], zero[FIGURE_LEN];
    const char *none = s->glyphs->none;
    pane_fact(p, "size", "%s  done %s  left %s  zero %s", figure_size(d->size, none, size),
              figure_size(d->done, none, done), figure_size(d->size - MIN(d->done, d->size), none, left),
              figure_percent_short(d->zero, d->done, none, zero));
}

static void say_rate(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    char rate[FIGURE_LEN], usual[FIGURE_LEN], peak[FIGURE_LEN];
    const char *none = s->glyphs->none;
    pane_fact(p, "rate", "%s  (average %s, peak %s)", d->state == MODEL_OK ? none : figure_rate(d->rate, none, rate),
              d->average ? figure_rate(d->average, none, usual) : none,
              d->peak ? figure_rate(d->peak, none, peak) : none);
}

static void say_limit(struct pane *p, const struct scene *s, unsigned row)
{
    const struct model_drive *d = &s->m->drives[row];
    char limit[FIGURE_LEN];
    unsigned share = history_limited_percent(&s->ui->history, row);
    bool is_wide = p->width >= 60, says_keys = is_wide && !s->ui->is_readonly && ui_row_takes(s->m, d, COMMAND_LIMIT);
    char set[KEY_NAME_LEN], lift[KEY_NAME_LEN];
    g_autofree char *keys = g_strdup_printf(d->limit ? "   %s changes, %s lifts" : "   %s sets one",
                                            keymap_of(COMMAND_LIMIT, set), keymap_of(COMMAND_UNLIMIT, lift));
    if (d->takes_no_limit)
        return;
    if (!d->limit)
        pane_fact(p, "limit", "none%s", says_keys ? keys : "");
    else
        pane_fact(p, "limit", "%s%s  %s%u%% of 5 min%s", units_format_rate(d->limit, limit),
                  d->is_limit_shared ? " (its share)" : "", is_wide ? "held it back " : "binding ", share,
                  says_keys ? keys : "");
}

static void say_time(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    char elapsed[FIGURE_LEN], left[FIGURE_LEN], end[FIGURE_LEN];
    if (d->state == MODEL_OK || d->eta_ms == MODEL_UNKNOWN)
        pane_fact(p, "time", "%s %s", d->state == MODEL_OK ? "took" : "elapsed",
                  figure_elapsed(d->elapsed_ms, elapsed));
    else
        pane_fact(p, "time", "elapsed %s  left %s  ends %s", figure_elapsed(d->elapsed_ms, elapsed),
                  figure_estimate(d->eta_ms, s->glyphs->none, left),
                  figure_time_of_day(s->wall_s + (int64_t)(d->eta_ms / 1000), end));
}

static void say_instant(struct pane *p, const struct model_drive *d)
{
    char time[FIGURE_LEN];
    if (!d->instant_us)
        return;
    pane_fact(p, "instant", "%s%s", figure_time_of_day(d->instant_us / G_USEC_PER_SEC, time),
              d->is_instant_own ? "  its own: not the moment of the other drives" : "  the same for all");
}

static void say_guard(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    char bytes[FIGURE_LEN], rate[FIGURE_LEN];
    if (d->is_vmstate)
        return;
    if (!d->is_guarded)
        pane_fact(p, "guard", "none: a slow target slows the guest's writes");
    else
        pane_fact(p, "guard", p->width >= 60 ? "%s overwritten by the guest, kept first; now %s" : "%s kept, now %s",
                  figure_size(d->filter.bytes, s->glyphs->none, bytes),
                  figure_rate(d->filter.rate, s->glyphs->none, rate));
}

static void say_errors(struct pane *p, const struct model_drive *d)
{
    pane_fact(p, "retries", "%u", d->retries);
    pane_text(p, "error", 2, ROLE_STATE_FAIL, d->error);
    pane_text(p, "hint", 2, ROLE_DIALOG, d->hint);
}

/* ---- the map ---- */

enum part { TO_DO, IN_PART, ZERO, SENT };

static unsigned mean(const uint8_t *cells, int from, int to)
{
    unsigned sum = 0;
    for (int i = from; i < to; i++)
        sum += cells[i];
    return sum / (unsigned)(to - from);
}

static enum part part_of(const struct model_drive *d, int from, int to)
{
    unsigned held = mean(d->map.held, from, to), zero = mean(d->map.zero, from, to);
    if (!held)
        return TO_DO;
    if (held < 255)
        return IN_PART;
    return zero > 127 ? ZERO : SENT;
}

static void draw_map(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    static const char *const blocks[] = {"░", "▓", "▒", "█"}, *const ascii[] = {".", "+", "0", "#"};
    static const enum ui_role roles[] = {ROLE_BAR_EMPTY, ROLE_BAR_FILL, ROLE_BAR_ZERO, ROLE_BAR_FILL};
    const char *const *signs = s->glyphs->is_ascii ? ascii : blocks;
    struct pen pen;
    if (d->is_vmstate || !pane_line(p, "map", &pen))
        return;
    int width = MIN(pen_room(&pen), MODEL_MAP_CELLS);
    for (int i = 0; i < width; i++) {
        int from = i * MODEL_MAP_CELLS / width, to = MAX((i + 1) * MODEL_MAP_CELLS / width, from + 1);
        enum part part = part_of(d, from, to);
        canvas_put(s->canvas, pen.x + i, pen.y, 1, roles[part], signs[part]);
    }
    if (p->width >= 60)
        pane_fact(p, "", "%s sent  %s zero  %s in part  %s to do", signs[SENT], signs[ZERO], signs[IN_PART],
                  signs[TO_DO]);
}

/* ---- the last minutes ---- */

static void draw_one(const struct scene *s, int x, int y, int width, const char *name, const char *top_text,
                     const uint64_t *values, unsigned n, uint64_t top, enum ui_role role)
{
    int height = GRAPH_LINES - 2;
    canvas_put(s->canvas, x, y, width, ROLE_TITLE, name);
    canvas_put_number(s->canvas, x, y + 1, 6, ROLE_GRAPH_AXIS, top_text);
    for (int i = 0; i < height; i++)
        canvas_put(s->canvas, x + 6, y + 1 + i, 1, ROLE_GRAPH_AXIS, s->glyphs->side);
    canvas_put(s->canvas, x + 6, y + 1 + height, 1, ROLE_GRAPH_AXIS, s->glyphs->corners[2]);
    canvas_fill(s->canvas, x + 7, y + 1 + height, width - 7, 1, ROLE_GRAPH_AXIS, s->glyphs->rule);
    graph_draw(s->canvas, x + 7, y + 1, width - 7, height, s->glyphs, values, n, top, role);
}

static void draw_graphs(struct pane *p, const struct scene *s, unsigned row)
{
    uint64_t values[HISTORY_SLOW_POINTS];
    char text[FIGURE_LEN];
    int width = MIN((p->width - 4) / 2, 7 + HISTORY_SLOW_POINTS / 2);
    unsigned n = history_row(&s->ui->history, row, values);
    uint64_t top = graph_top(values, n);
    if (pane_room(p) < GRAPH_LINES + 6 || p->width < 60)
        return;
    int y = pane_take(p, GRAPH_LINES);
    draw_one(s, p->x, y, width, "rate, 5 min", figure_size(top, "", text), values, n, top, ROLE_GRAPH_IN);
    n = history_latency(&s->ui->history, values);
    top = MAX(graph_top(values, n), 1000);
    if (s->m->impact.write_us != MODEL_UNKNOWN)
        draw_one(s, p->x + width + 4, y, width, "guest write latency, 5 min", units_format_ms(top / 1000, text), values,
                 n, top, ROLE_GRAPH_GUEST);
}

/* ---- the cards ---- */

static void draw_drive(const struct scene *s, unsigned row)
{
    const struct model_drive *d = &s->m->drives[row];
    int width = CLAMP(s->canvas->width - 20, WIDTH, MAX_WIDTH);
    g_autofree char *title = g_strdup_printf("%s  (%u of %u)", d->name, row + 1, s->m->n_drives);
    struct pane p = pane_open(s, width, 22, title);
    say_state(&p, s, row);
    say_size(&p, s, d);
    say_rate(&p, s, d);
    say_limit(&p, s, row);
    say_time(&p, s, d);
    draw_map(&p, s, d);
    draw_graphs(&p, s, row);
    say_guard(&p, s, d);
    say_instant(&p, d);
    if (*d->node)
        pane_fact(&p, "node", "%s  format %s", d->node, d->format);
    say_errors(&p, d);
    pane_close(&p, "Up Down other drive   the keys below act on it   Esc back");
}

static void say_tries(struct pane *p, const struct model_drive *d)
{
    char time[FIGURE_LEN];
    if (d->retry_in_ms)
        pane_fact(p, "tried", "%u time%s; again by itself in %s", d->retries, d->retries == 1 ? "" : "s",
                  units_format_ms(d->retry_in_ms, time));
    else if (d->retries)
        pane_fact(p, "tried", "%u time%s; no more by itself", d->retries, d->retries == 1 ? "" : "s");
}

static void say_choice(struct pane *p, const struct scene *s, const struct model_drive *d)
{
    struct pen pen;
    char key[KEY_NAME_LEN];
    pane_gap(p, 2);
    if (s->ui->is_readonly || !pane_line(p, "", &pen))
        return;
    pen.x = p->x;
    if (ui_row_takes(s->m, d, COMMAND_RETRY)) {
        pen_text(&pen, ROLE_BUTTON, "[ %s Retry now ]", keymap_of(COMMAND_RETRY, key));
        pen_gap(&pen, 2);
    }
    if (*keymap_of(COMMAND_CANCEL, key) && ui_row_takes(s->m, d, COMMAND_CANCEL))
        pen_text(&pen, ROLE_BUTTON, "[ %s Drop it from the archive ]", key);
}

static void draw_error(const struct scene *s, unsigned row)
{
    const struct model_drive *d = &s->m->drives[row];
    char done[FIGURE_LEN], size[FIGURE_LEN];
    g_autofree char *title = g_strdup_printf("%s %s", d->name, d->state == MODEL_RETRY ? "is tried again" : "failed");
    struct pane p = pane_open(s, WIDTH, 18, title);
    pane_text(&p, s->glyphs->states[MODEL_FAIL], 3, ROLE_STATE_FAIL, *d->error ? d->error : d->note);
    pane_text(&p, "remedy", 3, ROLE_DIALOG, d->hint);
    pane_gap(&p, 8);
    pane_fact(&p, "saved", "%s of %s%s", figure_size(d->done, s->glyphs->none, done),
              figure_size(d->size, s->glyphs->none, size), d->keeps_instant ? ", and kept" : "");
    say_tries(&p, d);
    if (d->may_retry)
        pane_text(&p, "a retry", 2, d->keeps_instant ? ROLE_DIALOG : ROLE_STATE_WARN,
                  d->keeps_instant ? "goes on at the same instant: nothing is lost"
                                   : "begins anew, at a new instant: it will differ from the other drives'");
    else if (d->state == MODEL_FAIL)
        pane_fact(&p, "a retry", "is not possible any more");
    say_instant(&p, d);
    if (*d->node)
        pane_fact(&p, "node", "%s  format %s", d->node, d->format);
    draw_map(&p, s, d);
    say_choice(&p, s, d);
    pane_close(&p, "Esc later: the other drives go on");
}

void screen_detail(const struct scene *s)
{
    unsigned row = s->ui->selected;
    footer(s);
    if (row >= s->m->n_drives || s->canvas->height < 2)
        return;
    bool has_failed = s->m->drives[row].state == MODEL_FAIL || s->m->drives[row].state == MODEL_RETRY;
    if (has_failed)
        draw_error(s, row);
    else
        draw_drive(s, row);
}
