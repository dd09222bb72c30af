// SPDX-License-Identifier: GPL-2.0-or-later
/* The head of the main screen: the guest, the phases, the total. */
#include "ui/screen.h"

#include "ui/bar.h"

/* ---- guest ---- */

static void guest_right(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char text[FIGURE_LEN], time[FIGURE_LEN];
    bool is_wide = s->canvas->width >= 80;
    figure_time_of_day(s->wall_s, time);
    if (m->link.is_lost) {
        (void)(pen_right(pen, ROLE_HEADER_ALERT, " %s no data for %s ", s->glyphs->alert,
                         units_format_ms(m->link.data_age_ms, text)) ||
               pen_right(pen, ROLE_HEADER_ALERT, "%s no data", s->glyphs->alert));
    } else if (facts_impact(&m->impact) == FACTS_IMPACT_HIGH) {
        (void)(pen_right(pen, ROLE_HEADER_ALERT, " %s guest writes are slow ", s->glyphs->alert) ||
               pen_right(pen, ROLE_HEADER_ALERT, "%s guest", s->glyphs->alert));
    } else if (m->link.data_age_ms == MODEL_UNKNOWN) {
        pen_right(pen, ROLE_TEXT, "no data yet");
    } else {
        g_snprintf(text, sizeof text, "%.1fs", (double)m->link.data_age_ms / 1000);
        (void)((s->canvas->width >= 110 &&
                pen_right(pen, ROLE_TEXT, "vmabackup " VMB_VERSION "   data %s old   %s", text, time)) ||
               (is_wide && pen_right(pen, ROLE_TEXT, "vmabackup  data %s old  %s", text, time)) ||
               pen_right(pen, ROLE_TEXT, "%s", text));
    }
}

void header_guest(const struct scene *s, int y)
{
    const struct model *m = s->m;
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    const char *gap = s->canvas->width >= 60 ? "  " : " ";
    struct pen right = pen;
    right.x += MIN(canvas_text_width(m->guest) + 2, pen_room(&pen));
    guest_right(s, &right);
    pen.end = right.end;
    pen_text(&pen, ROLE_HEADER, "%s", m->guest);
    if (*m->guest_state)
        pen_try(&pen, ROLE_TEXT, "%s%s", gap, m->guest_state);
    if (*m->qemu)
        pen_try(&pen, ROLE_TEXT, "%sQEMU %s ", gap, m->qemu);
}

/* ---- phases ---- */

static void chip(const struct scene *s, struct pen *pen, enum model_state state, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
static void chip(const struct scene *s, struct pen *pen, enum model_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    bool is_wide = s->canvas->width >= 60;
    if (pen_room(pen) < canvas_text_width(text) + (is_wide ? 4 : 2))
        return;
    pen_text(pen, state_role(state), "%s", s->glyphs->states[state]);
    pen_text(pen, ROLE_TEXT, is_wide ? " %s" : "%s", text);
    pen_gap(pen, is_wide ? 2 : 1);
}

/* The way to the instant: what is on right now, or that it is behind us. */
static void chip_instant(const struct scene *s, struct pen *pen)
{
    enum model_phase phase = s->m->phase;
    bool is_before = phase == MODEL_PREPARE || phase == MODEL_RAM;
    chip(s, pen, phase == MODEL_PREPARE || phase == MODEL_FREEZE ? MODEL_RUN : MODEL_OK, "%s",
         is_before               ? "prepare"
         : phase == MODEL_FREEZE ? "freeze"
                                 : "instant");
}

static void chip_ram(const struct scene *s, struct pen *pen)
{
    char size[FIGURE_LEN];
    for (unsigned i = 0; i < s->m->n_drives; i++) {
        const struct model_drive *row = &s->m->drives[i];
        if (!row->is_vmstate || !row->is_included)
            continue;
        bool is_wide = s->canvas->width >= 60;
        chip(s, pen, row->state, is_wide ? "RAM %s" : "ram", figure_size(row->size, s->glyphs->none, size));
    }
}

static void chip_drives(const struct scene *s, struct pen *pen)
{
    unsigned n = 0, done = 0, failed = 0, moving = 0;
    for (unsigned i = 0; i < s->m->n_drives; i++) {
        const struct model_drive *row = &s->m->drives[i];
        if (row->is_vmstate || !row->is_included || row->state == MODEL_CANCELLED)
            continue;
        n++;
        done += model_is_saved(row->state);
        failed += row->state == MODEL_FAIL;
        moving += row->state == MODEL_RUN || row->state == MODEL_PAUSE || row->state == MODEL_RETRY;
    }
    enum model_state state = done == n ? MODEL_OK : moving ? MODEL_RUN : failed + done == n ? MODEL_FAIL : MODEL_WAIT;
    chip(s, pen, state, s->canvas->width >= 60 ? "drives %u/%u" : "drv %u/%u", done, n);
}

static void chip_finish(const struct scene *s, struct pen *pen)
{
    enum model_phase phase = s->m->phase;
    char share[FIGURE_LEN];
    if (phase == MODEL_VERIFY)
        chip(s, pen, MODEL_RUN, "verify %s",
             figure_percent_short(s->m->end.read_done, s->m->end.read_total, "", share));
    else
        chip(s, pen, phase == MODEL_FINISH ? MODEL_RUN : MODEL_WAIT, "finish");
}

/* "  left ~18 min (15-24)  ends ~12:00" */
static void say_left(const struct scene *s, struct pen *pen)
{
    const struct model *m = s->m;
    char left[FIGURE_LEN], elapsed[FIGURE_LEN], end[FIGURE_LEN];
    uint64_t least, most;
    figure_estimate(m->eta_ms, s->glyphs->none, left);
    figure_elapsed(m->elapsed_ms, elapsed);
    if (s->canvas->width < 80) {
        if (s->canvas->width >= 40)
            pen_right(pen, ROLE_TEXT, " %s", left);
        return;
    }
    if (s->canvas->width >= 110 && m->eta_ms != MODEL_UNKNOWN) {
        figure_time_of_day(s->wall_s + (int64_t)(m->eta_ms / 1000), end);
        pen_right(pen, ROLE_TEXT, "   ends ~%.5s", end);
        if (history_eta_range(&s->ui->history, m, &least, &most) && most >= 120000)
            pen_right(pen, ROLE_TEXT, " (%u-%u)", (unsigned)(least / 60000), (unsigned)((most + 59999) / 60000));
    }
    pen_right(pen, ROLE_TEXT, " elapsed %s  left %s", elapsed, left);
}

void header_phases(const struct scene *s, int y)
{
    struct pen pen = pen_at(s->canvas, 1, y, s->canvas->width - 2);
    say_left(s, &pen);
    chip_instant(s, &pen);
    chip_ram(s, &pen);
    chip_drives(s, &pen);
    chip_finish(s, &pen);
}

/* ---- total ---- */

void header_total(const struct scene *s, int y)
{
    const struct model *m = s->m;
    char share[FIGURE_LEN], done[FIGURE_LEN], total[FIGURE_LEN], rate[FIGURE_LEN], left[FIGURE_LEN];
    int width = s->canvas->width - 2;
    figure_percent(m->done, m->total, s->glyphs->none, share);
    figure_rate(m->in_rate, s->glyphs->none, rate);
    figure_pad(share, 6);
    figure_pad(rate, 7);
    struct pen pen = pen_at(s->canvas, 1, y, width);
    if (width >= 76) {
        pen_text(&pen, ROLE_TEXT_STRONG, "TOTAL ");
        pen_right(&pen, ROLE_NUM, s->canvas->width >= 110 ? " %s  %s of %s  %s" : " %s  %s/%s  %s", share,
                  figure_size(m->done, s->glyphs->none, done), figure_size(m->total, s->glyphs->none, total), rate);
    } else if (width >= 46) {
        pen_right(&pen, ROLE_NUM, " %s %s", share, rate);
    } else {
        (void)(pen_right(&pen, ROLE_NUM, " %s %s %s", share, rate, figure_estimate(m->eta_ms, s->glyphs->none, left)) ||
               pen_right(&pen, ROLE_NUM, " %s", share));
    }
    if (pen_room(&pen) >= 3)
        bar_draw(s->canvas, pen.x, y, pen_room(&pen), s->glyphs, m->done, m->total, ROLE_BAR_FILL);
}

/* The first row that needs somebody: it is what a single line has to name. */
static const struct model_drive *first_failed(const struct model *m)
{
    for (unsigned i = 0; i < m->n_drives; i++)
        if (m->drives[i].state == MODEL_FAIL)
            return &m->drives[i];
    return NULL;
}

void header_micro(const struct scene *s, int y)
{
    const struct model *m = s->m;
    const struct model_drive *failed = first_failed(m);
    char text[FIGURE_LEN];
    struct pen pen = pen_at(s->canvas, 0, y, s->canvas->width);
    if (m->phase < MODEL_PREPARE || m->phase == MODEL_DONE)
        pen_text(&pen, ROLE_TEXT_STRONG, "%s", model_phase_word(m->phase));
    else
        pen_text(&pen, ROLE_NUM, "%s", figure_percent_short(m->done, m->total, s->glyphs->none, text));
    if (m->link.is_lost)
        pen_try(&pen, ROLE_HEADER_ALERT, " %sno data", s->glyphs->alert);
    pen_try(&pen, ROLE_NUM, " %s", figure_rate(m->in_rate, s->glyphs->none, text));
    pen_try(&pen, ROLE_NUM, " %s", figure_estimate(m->eta_ms, s->glyphs->none, text));
    if (failed)
        pen_try(&pen, ROLE_STATE_FAIL, " %s%s", s->glyphs->alert, failed->name);
}
